//! The one runtime: a thread of its own has none of it, whoever waits for a future drives it.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime;

/// Built when a command first needs the network, and kept, so that connections can be used again.
#[derive(Default)]
pub struct Runtime(OnceLock<runtime::Runtime>);

impl Runtime {
    /// Runs a future to its end.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime.block_on(future));
        }
        let built = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(self.0.get_or_init(|| built).block_on(future))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A name that is still being resolved must not hold up the end.
            runtime.shutdown_background();
        }
    }
}
