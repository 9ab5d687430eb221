//! `config.toml`: as it stands, and with a secret planted between its two halves, which no complaint may repeat.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use seo_auth::provider::config::Config;

const PLANTED: &str = "planted-secret";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if !text.contains(PLANTED) {
        parse(text);
    }
    let (before, after) = text.split_once('\0').unwrap_or((text, ""));
    if !before.contains(PLANTED) && !after.contains(PLANTED) {
        parse(&format!("{before}\nclient_secret = \"{PLANTED}{after}"));
    }
});

fn parse(text: &str) {
    match Config::parse(text, Path::new("/c/config.toml")) {
        Ok(config) => {
            assert!(
                config
                    .providers
                    .contains_key(&"semrush".parse().expect("a name"))
            );
            for provider in config.providers.values() {
                let endpoints = [&provider.authorization_endpoint, &provider.api_base];
                for endpoint in endpoints
                    .into_iter()
                    .flatten()
                    .chain([&provider.token_endpoint])
                {
                    let url = endpoint.url();
                    assert!(
                        url.scheme() == "https" || seo_auth::address::is_loopback(url),
                        "{url}"
                    );
                }
            }
            assert!(config.lines().all(|(key, line)| line > 0 && harmless(key)));
        }
        Err(error) => {
            let told = error.to_string();
            assert!(harmless(&told), "{told:?}");
            assert!(!told.contains(PLANTED), "{told}");
        }
    }
}

fn harmless(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
