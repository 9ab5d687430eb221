//! Lines that the user pastes while a login waits, and secrets that are typed.

use std::io::{self, BufRead, IsTerminal, Read};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zeroize::Zeroizing;

use super::{Ui, terminal};

/// Pasted addresses have a few hundred characters; a line beyond this is not one.
const MAX_LINE: u64 = 64 * 1024;
/// What a terminal keeps of one line: Linux 4,095 characters and the newline, macOS 1,024. The rest never arrives.
const TERMINAL_LINE: usize = if cfg!(target_os = "macos") {
    1_023
} else {
    4_094
};

/// Reads lines from stdin on a thread of its own, which ends with the process: a read can't be called off.
pub fn lines(ui: &Ui) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    let ui = ui.clone();
    let read = move || {
        let mut stdin = io::stdin().lock();
        let is_terminal = stdin.is_terminal();
        loop {
            let mut bytes = Vec::new();
            let read = Read::take(&mut stdin, MAX_LINE).read_until(b'\n', &mut bytes);
            let line = cleaned(&bytes);
            match read {
                // A terminal's end of input is a key that was pressed, and no reason to stop waiting for the browser.
                Ok(0) if is_terminal => loop {
                    std::thread::park();
                },
                Ok(0) | Err(_) => return,
                Ok(_) if line.is_empty() => continue,
                Ok(_) => {}
            }
            if is_terminal && bytes.len() >= TERMINAL_LINE {
                ui.warn(
                    "the terminal cut the line off; put the address into a file and use `--paste < FILE`",
                );
            }
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    // Without the thread the channel is closed, as at the end of the input.
    let _ = std::thread::Builder::new()
        .name("paste".to_owned())
        .spawn(read);
    receiver
}

/// A pasted line without what clipboards and terminals put around it. What isn't UTF-8 becomes U+FFFD, which is no part of an
/// address or a code: so it is judged and told like any other wrong line.
fn cleaned(line: &[u8]) -> String {
    // A byte order mark, the zero-width characters, and the marks of a bracketed paste.
    const AROUND: [&str; 7] = [
        "\u{1b}[200~",
        "\u{1b}[201~",
        "\u{feff}",
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{2060}",
    ];
    let text = String::from_utf8_lossy(line).into_owned();
    let text = AROUND
        .iter()
        .fold(text, |text, mark| text.replace(mark, ""));
    text.trim().to_owned()
}

/// Asks on the terminal; anything but a yes is a no.
pub fn yes(ui: &Ui, question: &str) -> bool {
    let line = answer(ui, &format!("{question} [y/N]"));
    ["y", "yes"].contains(&line.to_ascii_lowercase().as_str())
}

/// A line from the terminal, seen while it is typed; empty at the end of the input.
pub fn answer(ui: &Ui, question: &str) -> String {
    ui.talk(&format!("{question} "));
    let mut line = String::new();
    let read = Read::take(io::stdin().lock(), MAX_LINE).read_line(&mut line);
    read.map_or_else(|_| String::new(), |_| line.trim().to_owned())
}

/// Takes away, when it is dropped, what was typed on the terminal and not read: the half of a pasted address that was still
/// on its way when the browser won the race would else be the shell's next command.
#[derive(Debug)]
pub struct Leftovers;

impl Drop for Leftovers {
    fn drop(&mut self) {
        if io::stdin().is_terminal() {
            terminal::discard_input();
        }
    }
}

/// A secret from stdin: one line, not shown, where a person types it; else everything, without the white space around it.
///
/// # Errors
/// Stdin can't be read, isn't text or holds more than `max` bytes; `ErrorKind::Interrupted` for Ctrl-C.
pub fn secret(ui: &Ui, name: &str, max: u64) -> io::Result<Zeroizing<String>> {
    let limit = max.saturating_add(1);
    let text = if ui.is_interactive() {
        ui.talk(&format!("{name} (not shown): "));
        let line = terminal::read_hidden_line(limit);
        ui.talk("\n");
        let line = line?;
        if line.len() >= TERMINAL_LINE {
            let problem = "the terminal cut it off; put it into a file and use `< FILE`";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        line
    } else {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().take(limit).read_to_string(&mut text)?;
        text
    };
    if text.len() as u64 > max {
        let problem = format!("it has more than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(Zeroizing::new(crate::secret::bare(&text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clipboards_and_terminals_add_is_taken_off() {
        for line in [
            "http://127.0.0.1/cb?code=c\r\n",
            "\u{feff}http://127.0.0.1/cb?code=c\n",
            "\u{200b} http://127.0.0.1/cb?code=c\u{2060}\u{200b}",
            "\u{1b}[200~http://127.0.0.1/cb?code=c\u{1b}[201~\n",
        ] {
            assert_eq!(
                cleaned(line.as_bytes()),
                "http://127.0.0.1/cb?code=c",
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_line_that_is_no_text_is_a_line() {
        assert_eq!(cleaned(b"caf\xe9\n"), "caf\u{fffd}");
    }
}
