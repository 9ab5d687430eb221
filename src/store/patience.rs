//! A write that is tried again.

use std::thread;
use std::time::Duration;

use super::{Located, StoreError};

/// What cannot be had again is worth some patience: a keyring that was just locked by a screen saver, a virus scanner that
/// holds the file.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1500),
];

/// Tries a write again where time may help; a conflict stays one.
pub(super) fn patiently<T>(write: impl Fn() -> Result<T, Located>) -> Result<T, Located> {
    for pause in PAUSES {
        match write() {
            Err(Located { source, .. })
                if !matches!(source, StoreError::Conflict | StoreError::StaysLocked(_)) =>
            {
                thread::sleep(pause);
            }
            outcome => return outcome,
        }
    }
    write()
}
