//! seo-auth
