//! Files that a command line names; `-` is stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path)?))
}
