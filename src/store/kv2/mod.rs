//! The shared store: the KV version 2 engine of OpenBao and HashiCorp Vault. Every write is a check-and-set; what a read
//! brought may be stale, for standby nodes answer reads, so only a check-and-set decides.
//!
//! What can be lost by whom at each step stands in `.github/SHARED-STORE.md`.

mod claim;
pub mod client;
pub mod fault;
mod record;
mod seen;
mod vault;

pub use claim::Held;
pub use vault::VaultStore;
