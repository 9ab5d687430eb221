//! Providers from the user's file.
