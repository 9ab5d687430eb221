//! A record over several entries of a keyring: any head and parts that lie there, and any record that takes their place.
//! The first byte is half the limit of an entry; the others are cut at zero bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((limit, bytes)) = data.split_first() else {
        return;
    };
    let mut parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let record = parts.pop().unwrap_or_default();
    seo_auth::fuzzing::store::fuzzing::split_record(&parts, record, usize::from(*limit) * 2);
});
