//! The sealed file of credentials: any bytes, and any directory under a seal that fits.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| seo_auth::fuzzing::store::fuzzing::sealed_file(data));
