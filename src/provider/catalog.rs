//! The providers that are built in: one file each, in the form of the user's own `[providers.NAME]`.

/// Name and definition, in the order in which people are shown them.
pub const BUILT_IN: [(&str, &str); 19] = [
    ("ahrefs", include_str!("builtin/ahrefs.toml")),
    ("bing", include_str!("builtin/bing.toml")),
    ("brightdata", include_str!("builtin/brightdata.toml")),
    ("cloudflare", include_str!("builtin/cloudflare.toml")),
    ("dataforseo", include_str!("builtin/dataforseo.toml")),
    ("google", include_str!("builtin/google.toml")),
    (
        "keywordseverywhere",
        include_str!("builtin/keywordseverywhere.toml"),
    ),
    ("majestic", include_str!("builtin/majestic.toml")),
    ("mangools", include_str!("builtin/mangools.toml")),
    ("moz", include_str!("builtin/moz.toml")),
    ("pagespeed", include_str!("builtin/pagespeed.toml")),
    ("semrush", include_str!("builtin/semrush.toml")),
    ("semrush-v3", include_str!("builtin/semrush-v3.toml")),
    ("seranking", include_str!("builtin/seranking.toml")),
    ("serpapi", include_str!("builtin/serpapi.toml")),
    ("serpstat", include_str!("builtin/serpstat.toml")),
    ("similarweb", include_str!("builtin/similarweb.toml")),
    ("sistrix", include_str!("builtin/sistrix.toml")),
    ("yandex", include_str!("builtin/yandex.toml")),
];
