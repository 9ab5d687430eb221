//! Before the program is compiled: on Linux with glibc, the unwinder goes into the program.
//!
//! Rust links glibc programs to libgcc_s.so.1, which is there for unwinding alone. To find, map and relocate it takes the
//! loader some 0.1 ms at each start, a tenth of a `token print`. libgcc_eh.a is the same code as an archive, and comes with
//! the same compiler. What it defines, the linker no longer looks for elsewhere (`--as-needed`). Where the compiler has no
//! such archive, everything stays as Rust does it.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let is_dynamic_glibc = target("OS") == "linux"
        && target("ENV") == "gnu"
        && !target("FEATURE").contains("crt-static");
    if is_dynamic_glibc && has_archive() {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Asks the compiler that will link: it answers with a path where it has the file, else with the bare name.
fn has_archive() -> bool {
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let answer = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    answer.is_ok_and(|answer| {
        let path = String::from_utf8_lossy(&answer.stdout);
        Path::new(path.trim()).is_absolute()
    })
}
