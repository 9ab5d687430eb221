//! The `seo-auth` program.

use std::process::ExitCode;

/// Wipes whatever is freed: the buffers of the HTTP client, the JSON parser and the TLS layer hold tokens too, and no type
/// of ours reaches them.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    seo_auth::run()
}
