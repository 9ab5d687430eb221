//! What comes over the bus, where the Secret Service should answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| seo_auth::fuzzing::store::fuzzing::secret_service(data));
