//! Lines that the user pastes while a login waits.

use std::io::{self, BufRead};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Pasted addresses have a few hundred characters; a line beyond this is not one.
const MAX_LINE: u64 = 64 * 1024;

/// Reads lines from stdin on a thread of its own, which ends with the process: a read can't be called off.
pub fn lines() -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = String::new();
            match io::Read::take(&mut stdin, MAX_LINE).read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => {
                    if sender.send(line.trim().to_owned()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}
