//! What was handed out, below the desk that holds it: nothing here knows of the others.

pub mod codes;
pub mod devices;
