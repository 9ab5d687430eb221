//! `config.toml`: as it stands, and with a secret planted between its two halves, which no complaint may repeat.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use seo_auth::fuzzing::config::Config;

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
            let names = config.providers.names();
            assert!(names.iter().any(|name| name.as_str() == "semrush"));
            for provider in config.providers.all() {
                let of_login = provider
                    .logins()
                    .flat_map(|login| [login.token_endpoint(), login.first_endpoint()]);
                for endpoint in of_login.flatten().chain(&provider.api.base) {
                    let url = endpoint.url();
                    assert!(
                        url.scheme() == "https" || seo_auth::fuzzing::address::is_loopback(url),
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
