//! The `seo-auth` program.

fn main() {}
