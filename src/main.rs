//! The `seo-auth` program.

use std::process::ExitCode;

#[cfg(not(target_env = "musl"))]
use std::alloc::System as Memory;

// musl's own gives every larger piece back to the system at once: 130 system calls for one `token print`, where 40 do.
#[cfg(target_env = "musl")]
use dlmalloc::GlobalDlmalloc as Memory;

/// Wipes whatever is freed: the buffers of the HTTP client, the JSON parser and the TLS layer hold tokens too, and no type
/// of ours reaches them.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<Memory> = zeroizing_alloc::ZeroAlloc(Memory);

fn main() -> ExitCode {
    seo_auth::run()
}
