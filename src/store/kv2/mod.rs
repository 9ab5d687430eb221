//! The shared store: the KV version 2 engine of OpenBao and HashiCorp Vault. Every write is a check-and-set; what a read
//! brought may be stale, for standby nodes answer reads, so only a check-and-set decides.
//!
//! What can be lost by whom at each step stands in `.github/SHARED-STORE.md`.

mod claim;
pub mod client;
pub mod fault;
mod record;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

pub use claim::{Attempt, Held};
use client::{Client, Settings, Written};
use fault::Fault;
use record::{Grant, from_token, grant_path, no_token, random_id, token_data, token_path};
use serde_json::Value;

use super::private;
use crate::credential::{AccountKey, Credential};
use crate::store::{Store, StoreError, StoreKind, Stored, Version};

/// What was rotated can't be had again, so its write is tried across an election.
const WRITE_FOR: Duration = Duration::from_secs(60);
/// A write whose loss costs nothing.
const WRITE_BRIEFLY: Duration = Duration::from_secs(8);
/// Between two looks: soon at first, then in a crowd's interest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How many versions behind the current one are destroyed by a logout; engines keep ten by default.
const OLD_VERSIONS: u64 = 30;

pub struct VaultStore {
    client: Result<Client, Fault>,
    /// Where the generations are noted that were seen here.
    seen: PathBuf,
}

/// A grant as it was read.
struct Current {
    grant: Option<Grant>,
    /// 0: there never was one.
    version: u64,
    age: i64,
}

impl VaultStore {
    /// `settings`: what is missing, where it isn't configured.
    pub fn new(settings: Result<Settings, Fault>, seen: PathBuf) -> Self {
        Self {
            client: settings.map(Client::new),
            seen,
        }
    }

    fn client(&self) -> Result<&Client, StoreError> {
        self.client.as_ref().map_err(|fault| fault.clone().into())
    }

    /// Where it is, for people.
    pub fn address(&self) -> Option<String> {
        let client = self.client.as_ref().ok()?;
        Some(client.settings.address.origin())
    }

    /// What a reader of `token` alone may have: one request.
    ///
    /// # Errors
    /// The store is unavailable, or was rolled back.
    pub fn read_token(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        let Some(read) = self.client()?.read(&token_path(account))? else {
            return Ok(None);
        };
        if read.data.is_null() {
            return Ok(None);
        }
        let Some((credential, generation)) = from_token(&read.data)? else {
            return Ok(None);
        };
        self.refuse_rollback(account, generation)?;
        Ok(Some(Stored {
            credential,
            version: Version::numbered(read.version),
            is_whole: false,
        }))
    }

    fn current(&self, account: &AccountKey) -> Result<Current, StoreError> {
        let read = self.client()?.read(&grant_path(account))?;
        let Some(read) = read else {
            return Ok(Current {
                grant: None,
                version: 0,
                age: 0,
            });
        };
        let grant = match read.data {
            Value::Null => None,
            data => Some(Grant::read(&data)?),
        };
        if let Some(grant) = &grant {
            self.refuse_rollback(account, grant.generation)?;
        }
        Ok(Current {
            grant,
            version: read.version,
            age: read.age,
        })
    }

    /// A generation below one that was seen here would send a spent refresh token, and end the grant.
    fn refuse_rollback(&self, account: &AccountKey, found: u64) -> Result<(), StoreError> {
        let file = self.seen.join(format!(
            "account-{}@{}.generation",
            account.provider, account.profile
        ));
        let seen = std::fs::read_to_string(&file).ok();
        let seen = seen.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if found < seen {
            return Err(Fault::RolledBack { found, seen }.into());
        }
        if found > seen {
            // A runner that may not write notes nothing, and knows no better then.
            let _ = private::create_private_dir(&self.seen)
                .and_then(|()| private::replace(&file, found.to_string().as_bytes()));
        }
        Ok(())
    }

    /// Writes a grant over anything but the same or a newer generation, for as long as `patience` has it. `None`: something
    /// newer is there, or the login ended.
    fn put_grant(
        &self,
        account: &AccountKey,
        grant: &Grant,
        is_login: bool,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        let mut grant = grant.clone();
        let mut trouble = String::new();
        loop {
            match self.current(account) {
                Ok(current) => {
                    let there = current.grant.as_ref();
                    if there.is_some_and(|there| there.write == grant.write) {
                        return Ok(Some(current.version));
                    }
                    let generation = there.map_or(0, |there| there.generation);
                    let ended = there.is_some_and(|there| there.credential.is_none());
                    match is_login {
                        true => grant.generation = generation + 1,
                        false if generation >= grant.generation || ended => return Ok(None),
                        false => {}
                    }
                    match self.client()?.write(
                        &grant_path(account),
                        &grant.data(),
                        current.version,
                    )? {
                        Written::Done(version) => return Ok(Some(version)),
                        Written::Mismatch => {}
                        Written::Unknown(reason) => trouble = reason,
                    }
                }
                Err(StoreError::Shared(fault)) if fault.may_pass() => trouble = fault.to_string(),
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                return Err(Fault::Uncertain(trouble).into());
            }
            rest(&mut pause);
        }
    }

    /// Writes the token of a generation, over older ones only.
    fn put_token(
        &self,
        account: &AccountKey,
        data: &Value,
        generation: u64,
        patience: Duration,
    ) -> Result<(), StoreError> {
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        let secret = token_path(account);
        loop {
            let there = self.client()?.read(&secret);
            let trouble = match there {
                Ok(there) => {
                    let (version, held) = there.map_or((0, 0), |read| {
                        let held = read.data["generation"].as_str();
                        let held = held.and_then(|held| held.parse().ok());
                        (read.version, held.unwrap_or(0))
                    });
                    if held >= generation {
                        return Ok(());
                    }
                    match self.client()?.write(&secret, data, version)? {
                        Written::Done(_) => return Ok(()),
                        Written::Mismatch => String::new(),
                        Written::Unknown(reason) => reason,
                    }
                }
                Err(StoreError::Shared(fault)) if fault.may_pass() => fault.to_string(),
                Err(error) => return Err(error),
            };
            if Instant::now() >= until {
                return Err(Fault::Uncertain(trouble).into());
            }
            rest(&mut pause);
        }
    }

    /// What was readable before is not any more; the counters stay, so that no version number comes twice.
    fn destroy_before(&self, secret: &str, version: u64) {
        let first = version.saturating_sub(OLD_VERSIONS).max(1);
        let versions: Vec<u64> = (first..version).collect();
        if let (Ok(client), false) = (self.client(), versions.is_empty()) {
            // A policy that lacks it leaves what is spent.
            let _ = client.destroy(secret, &versions);
        }
    }
}

/// Waits before the next look, with jitter: a crowd must not come back as one.
fn rest(pause: &mut Duration) {
    let jitter: f64 = rand::random();
    thread::sleep(pause.mul_f64(0.5 + jitter));
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

impl Store for VaultStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Vault
    }

    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        match self.current(account) {
            Ok(Current {
                grant: Some(grant),
                version,
                ..
            }) => Ok(grant.credential.map(|credential| Stored {
                credential,
                version: Version::numbered(version),
                is_whole: true,
            })),
            Ok(_) => Ok(None),
            // Who may read the token alone sees as much.
            Err(StoreError::Shared(Fault::NoRight { .. })) => self.read_token(account),
            Err(error) => Err(error),
        }
    }

    /// A login. Whoever refreshes does so by a claim, and so `replaces` is nobody's.
    fn write(
        &self,
        account: &AccountKey,
        credential: &Credential,
        _: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let grant = Grant {
            generation: 0,
            credential: Some(credential.clone()),
            claim: None,
            write: random_id(),
        };
        let version = self.put_grant(account, &grant, true, WRITE_FOR)?;
        let version = version.ok_or(StoreError::Conflict)?;
        let generation = self
            .current(account)?
            .grant
            .map_or(1, |grant| grant.generation);
        let data = token_data(credential, generation);
        self.put_token(account, &data, generation, WRITE_FOR)?;
        Ok(Version::numbered(version))
    }

    /// A tombstone, then the older versions; the engine's metadata stays.
    fn delete(&self, account: &AccountKey) -> Result<bool, StoreError> {
        let current = self.current(account)?;
        let was_there = current
            .grant
            .is_some_and(|grant| grant.credential.is_some());
        if !was_there {
            return Ok(false);
        }
        let grant = Grant {
            generation: 0,
            credential: None,
            claim: None,
            write: random_id(),
        };
        let version = self.put_grant(account, &grant, true, WRITE_BRIEFLY)?;
        let generation = self
            .current(account)?
            .grant
            .map_or(0, |grant| grant.generation);
        self.put_token(account, &no_token(generation), generation, WRITE_BRIEFLY)?;
        self.destroy_before(&grant_path(account), version.unwrap_or(0));
        if let Some(read) = self.client()?.read(&token_path(account))? {
            self.destroy_before(&token_path(account), read.version);
        }
        Ok(true)
    }

    fn accounts(&self) -> Result<Vec<AccountKey>, StoreError> {
        let client = self.client()?;
        let mut accounts = Vec::new();
        for provider in client.list("")? {
            let Some(name) = provider.strip_suffix('/') else {
                continue;
            };
            for profile in client.list(name)? {
                let account = profile
                    .strip_suffix('/')
                    .map(|profile| format!("{name}/{profile}"));
                let account = account.and_then(|account| account.parse::<AccountKey>().ok());
                let Some(account) = account else { continue };
                // What was logged out of leaves its names behind.
                if self.read_token(&account)?.is_some() {
                    accounts.push(account);
                }
            }
        }
        Ok(accounts)
    }

    fn probe(&self) -> Result<(), StoreError> {
        let client = self.client()?;
        let secret = ".probe";
        let version = client.read(secret)?.map_or(0, |read| read.version);
        let id = random_id();
        let data = serde_json::json!({"probe": id});
        match client.write(secret, &data, version)? {
            // Another probe was quicker, and has proven the same.
            Written::Done(_) | Written::Mismatch => Ok(()),
            Written::Unknown(reason) => Err(Fault::Uncertain(reason).into()),
        }
    }
}
