//! The runtime. It has no thread of its own: whoever waits for a future drives it.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::{self, Builder};

use crate::process;

/// Built when the network is first needed, and kept, so that connections can be used again.
#[derive(Default)]
pub struct Runtime(OnceLock<runtime::Runtime>);

impl Runtime {
    /// Runs a future to its end. Several threads may, at the same time.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        process::take_signals_over();
        let built = match self.0.get() {
            Some(built) => built,
            None => {
                let built = Builder::new_current_thread().enable_all().build()?;
                self.0.get_or_init(|| built)
            }
        };
        Ok(built.block_on(future))
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
