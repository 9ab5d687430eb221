//! A request to an API and its answer. Nothing in here knows the terminal, a store, or the command line.

pub mod auth;
pub mod check;
pub mod receive;
pub mod send;
pub mod shape;
pub mod target;
