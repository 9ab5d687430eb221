//! What a login reads from stdin or from a file.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::commands::input::open;
use crate::error::Error;
use crate::error::usage::login as usage;
use crate::flow::KeyFileError;
use crate::flow::assertion::read_client_file;
use crate::secret::ClientSecret;
use crate::ui::{Ui, paste};

/// Key files have some 2,400 bytes.
const MAX_FILE: u64 = 64 << 10;

/// A secret from stdin, `wrong` where it can't be one.
pub fn read_stdin(
    ui: &Ui,
    name: &str,
    max: u64,
    wrong: impl Fn(&str) -> Error,
) -> Result<Zeroizing<String>, Error> {
    paste::secret(ui, name, max).map_err(|source| match source.kind() {
        ErrorKind::Interrupted => Error::Interrupted,
        ErrorKind::InvalidData => wrong(&source.to_string()),
        _ => Error::System {
            what: "stdin can't be read".to_owned(),
            source,
        },
    })
}

/// `--client-file`: id and secret of the client.
///
/// # Errors
/// The file can't be read, or is another one.
pub fn client_file(file: &Path) -> Result<(String, Option<ClientSecret>), Error> {
    let read = read_file(file)
        .and_then(|text| read_client_file(&text).map_err(|why: KeyFileError| why.to_string()));
    read.map_err(|why| usage::not_a_client(&why))
}

/// The whole file; `-` is stdin.
pub fn read_file(file: &Path) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = open(file).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| error.to_string())
}
