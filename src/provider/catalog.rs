//! The providers that are built in: one file each, in the form of the user's own `[providers.NAME]`.

/// Name and definition, in the order in which people are shown them.
pub const BUILT_IN: [(&str, &str); 2] = [
    ("ahrefs", include_str!("builtin/ahrefs.toml")),
    ("semrush", include_str!("builtin/semrush.toml")),
];
