//! The one runtime. It has no thread of its own: whoever waits for a future drives it.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime;

/// Built when a command first needs the network, and kept, so that connections can be used again.
#[derive(Default)]
pub struct Runtime(OnceLock<Built>);

impl Runtime {
    /// Runs a future to its end.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        let built = match self.0.get() {
            Some(built) => built,
            None => {
                let built = Built::new()?;
                self.0.get_or_init(|| built)
            }
        };
        let runtime = built.0.as_ref();
        let runtime = runtime.ok_or_else(|| io::Error::other("it was shut down"))?;
        Ok(runtime.block_on(future))
    }
}

/// There until it is dropped. Where none was built, nothing of the library runs.
struct Built(Option<runtime::Runtime>);

impl Built {
    fn new() -> io::Result<Self> {
        let mut builder = runtime::Builder::new_current_thread();
        Ok(Self(Some(builder.enable_all().build()?)))
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A name that is still being resolved must not hold up the end.
            runtime.shutdown_background();
        }
    }
}
