//! The store itself: how a grant and its token are read and written.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, Read, Settings, Written};
use super::fault::Fault;
use super::record::{Grant, from_token, grant_path, random_id, token_data, token_path};
use super::seen::Seen;

use crate::credential::{AccountKey, Credential};
use crate::store::{Store, StoreError, StoreKind, Stored, Version};

/// What was rotated can't be had again, so its write is tried across an election.
pub(super) const WRITE_FOR: Duration = Duration::from_secs(60);
/// A write whose loss costs nothing.
pub(super) const WRITE_BRIEFLY: Duration = Duration::from_secs(8);
/// Between two looks: soon at first, then in a crowd's interest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How far a read may lag behind what was seen here until the store is taken for rolled back: a standby is some milliseconds
/// late, and a second or two where it has much to do.
const STALE_FOR: Duration = Duration::from_secs(5);
/// How many versions behind the current one are destroyed by a logout; engines keep ten by default.
const OLD_VERSIONS: u64 = 30;

pub struct VaultStore {
    client: Result<Client, Fault>,
    pub(super) seen: Seen,
}

/// A grant as it was read.
pub struct Current {
    pub(super) grant: Option<Grant>,
    /// 0: there never was one.
    pub(super) version: u64,
    pub(super) age: i64,
}

impl Current {
    fn of(read: Option<Read>) -> Result<Self, Fault> {
        let (version, age) = read
            .as_ref()
            .map_or((0, 0), |read| (read.version, read.age));
        let data = read.map(|read| read.data).filter(|data| !data.is_null());
        Ok(Self {
            grant: data.map(|data| Grant::read(&data)).transpose()?,
            version,
            age,
        })
    }

    fn generation(&self) -> u64 {
        self.grant.as_ref().map_or(0, |grant| grant.generation)
    }

    fn stored(self) -> Option<Stored> {
        let credential = self.grant?.credential?;
        Some(Stored {
            credential,
            version: Version::numbered(self.version),
            is_whole: true,
        })
    }
}

impl VaultStore {
    /// `settings`: what is missing, where it isn't configured. `folder`: where the generations are noted that were seen here.
    pub fn new(settings: Result<Settings, Fault>, folder: PathBuf) -> Self {
        Self {
            client: settings.map(Client::new),
            seen: Seen { folder },
        }
    }

    pub(super) fn client(&self) -> Result<&Client, StoreError> {
        self.client.as_ref().map_err(|fault| fault.clone().into())
    }

    /// Where it is, for people.
    pub fn address(&self) -> Option<String> {
        let client = self.client.as_ref().ok()?;
        Some(client.settings.address.origin())
    }

    /// What a reader of `token` alone may have: one request, where it is as new as what was seen here.
    ///
    /// # Errors
    /// The store is unavailable, or was rolled back.
    pub fn read_token(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        let mut patience = Patience::of(STALE_FOR);
        loop {
            let read = self.client()?.read(&token_path(account))?;
            let version = read.as_ref().map_or(0, |read| read.version);
            let (credential, found) = match read.filter(|read| !read.data.is_null()) {
                Some(read) => from_token(&read.data)?,
                None => (None, 0),
            };
            let Err(fault) = self.compare(account, found) else {
                return Ok(credential.map(|credential| Stored {
                    credential,
                    version: Version::numbered(version),
                    is_whole: false,
                }));
            };
            // A standby lags, or whoever refreshed died before the token was written: the grant tells.
            match self.current(account) {
                Ok(current) => {
                    self.heal(account, &current);
                    return Ok(current.stored());
                }
                Err(StoreError::Shared(Fault::NoRight { .. })) if patience.rest() => {}
                Err(StoreError::Shared(Fault::NoRight { .. })) if credential.is_none() => {
                    return Ok(None);
                }
                Err(StoreError::Shared(Fault::NoRight { .. })) => return Err(fault.into()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The grant, at least as new as what was seen here.
    pub(super) fn current(&self, account: &AccountKey) -> Result<Current, StoreError> {
        let mut patience = Patience::of(STALE_FOR);
        loop {
            let current = self.look(account)?;
            match self.compare(account, current.generation()) {
                Ok(()) => return Ok(current),
                Err(_) if patience.rest() => {}
                // Somebody deleted it with all of its past.
                Err(_) if current.grant.is_none() => return Ok(current),
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// The grant as one node has it now.
    fn look(&self, account: &AccountKey) -> Result<Current, StoreError> {
        Ok(Current::of(self.client()?.read(&grant_path(account))?)?)
    }

    fn compare(&self, account: &AccountKey, found: u64) -> Result<(), Fault> {
        let seen = self.seen.generation(account);
        match found.cmp(&seen) {
            Ordering::Less => return Err(Fault::RolledBack { found, seen }),
            Ordering::Equal => {}
            Ordering::Greater => self.seen.note(account, found),
        }
        Ok(())
    }

    /// Writes the token that belongs to the grant, where whoever refreshed did not come to it. Once: the next one may try too.
    pub(super) fn heal(&self, account: &AccountKey, current: &Current) {
        let Some(grant) = &current.grant else { return };
        let _ = self.put_token(account, grant, Duration::ZERO);
    }

    /// Reads a secret and writes it, until `decide` has it as it should be. A standby that lags and a line that breaks both mean
    /// to look again. Answers with the version; `None`: it was given up.
    ///
    /// # Errors
    /// The store refuses, or did not take it for as long as `patience` has it.
    fn settle(
        &self,
        secret: &str,
        patience: Duration,
        mut decide: impl FnMut(Option<Read>) -> Result<Step, Fault>,
    ) -> Result<Option<u64>, StoreError> {
        let mut patience = Patience::of(patience);
        let client = self.client()?;
        loop {
            let mut over = 0;
            let step = match client.read(secret) {
                Ok(read) => {
                    over = read.as_ref().map_or(0, |read| read.version);
                    decide(read)?
                }
                Err(StoreError::Shared(fault)) if fault.may_pass() => {
                    Step::LookAgain(fault.to_string())
                }
                Err(error) => return Err(error),
            };
            let trouble = match step {
                Step::Done(version) => return Ok(version),
                Step::LookAgain(trouble) => trouble,
                Step::Write(data) => match client.write(secret, &data, over)? {
                    Written::Done(version) => return Ok(Some(version)),
                    Written::Mismatch => String::new(),
                    Written::Unknown(reason) => reason,
                },
            };
            if !patience.rest() {
                return Err(Fault::Uncertain(trouble).into());
            }
        }
    }

    /// The same of an account's grant, which knows its own write again.
    pub(super) fn settle_grant(
        &self,
        account: &AccountKey,
        grant: &mut Grant,
        patience: Duration,
        mut decide: impl FnMut(&Current, &mut Grant) -> Step,
    ) -> Result<Option<u64>, StoreError> {
        self.settle(&grant_path(account), patience, |read| {
            let current = Current::of(read)?;
            let there = current.grant.as_ref();
            Ok(
                match there.is_some_and(|there| there.write == grant.write) {
                    true => Step::Done(Some(current.version)),
                    false => decide(&current, grant),
                },
            )
        })
    }

    /// A login or its end: over anything, by a generation above all that was ever seen of this account.
    fn put_login(
        &self,
        account: &AccountKey,
        grant: &mut Grant,
        patience: Duration,
    ) -> Result<u64, StoreError> {
        // Where the grant alone was deleted, with its past, the token still tells. In an election nobody does, and a login that
        // was approved does not fail for that.
        let token = match self.client()?.read(&token_path(account)) {
            Err(StoreError::Shared(fault)) if fault.may_pass() => None,
            read => read?,
        };
        let token = token.map_or(0, |read| generation_of(&read));
        let floor = token.max(self.seen.generation(account));
        let written = self.settle_grant(account, grant, patience, |current, grant| {
            grant.generation = current.generation().max(floor) + 1;
            Step::Write(grant.data())
        })?;
        self.seen.note(account, grant.generation);
        written.ok_or(StoreError::Conflict)
    }

    /// What a refresh brought: over anything but the same or a newer generation, and not after a logout. `false`: so it is.
    pub(super) fn put_refresh(
        &self,
        account: &AccountKey,
        grant: &mut Grant,
    ) -> Result<bool, StoreError> {
        let written = self.settle_grant(account, grant, WRITE_FOR, |current, grant| {
            let there = current.grant.as_ref();
            let ended = there.is_some_and(|there| there.credential.is_none());
            match current.generation() >= grant.generation || ended {
                true => Step::Done(None),
                false => Step::Write(grant.data()),
            }
        })?;
        if written.is_some() {
            self.seen.note(account, grant.generation);
        }
        Ok(written.is_some())
    }

    /// Writes the token of a grant, over older ones only. Answers with the version that it, or a newer one, stands in.
    pub(super) fn put_token(
        &self,
        account: &AccountKey,
        grant: &Grant,
        patience: Duration,
    ) -> Result<u64, StoreError> {
        let written = self.settle(&token_path(account), patience, |read| {
            let held = read.as_ref().map_or(0, generation_of);
            let over = read.map_or(0, |read| read.version);
            Ok(match held >= grant.generation {
                true => Step::Done(Some(over)),
                false => Step::Write(token_data(grant)),
            })
        })?;
        Ok(written.unwrap_or_default())
    }

    /// What follows on a tombstone: the token is taken back, and what was readable before is destroyed.
    pub(super) fn bury(
        &self,
        account: &AccountKey,
        grant: &Grant,
        version: u64,
    ) -> Result<(), StoreError> {
        let token = self.put_token(account, grant, WRITE_BRIEFLY)?;
        self.destroy_before(&grant_path(account), version);
        self.destroy_before(&token_path(account), token);
        Ok(())
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

/// What is to be done about a secret as it was read.
pub(super) enum Step {
    /// Over the version that is there.
    Write(Value),
    /// `None`: it is given up.
    Done(Option<u64>),
    /// Why, in case that it was the last time.
    LookAgain(String),
}

/// 0: none is told.
fn generation_of(token: &Read) -> u64 {
    let told = token.data["generation"].as_str();
    told.and_then(|told| told.parse().ok()).unwrap_or(0)
}

/// Looks again until a deadline.
pub struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn of(span: Duration) -> Self {
        Self {
            until: Instant::now() + span,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits before the next look, with jitter: a crowd must not come back as one. `false`: the time is over.
    pub(super) fn rest(&mut self) -> bool {
        let goes_on = Instant::now() < self.until;
        if goes_on {
            let jitter: f64 = rand::random();
            thread::sleep(self.pause.mul_f64(0.5 + jitter));
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        goes_on
    }
}

impl Store for VaultStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Vault
    }

    fn read(&self, account: &AccountKey) -> Result<Option<Stored>, StoreError> {
        match self.current(account) {
            Ok(current) => Ok(current.stored()),
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
        let mut grant = Grant::new(0, Some(credential.clone()));
        let version = self.put_login(account, &mut grant, WRITE_FOR)?;
        self.put_token(account, &grant, WRITE_FOR)?;
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
        let mut tombstone = Grant::new(0, None);
        let version = self.put_login(account, &mut tombstone, WRITE_BRIEFLY)?;
        self.bury(account, &tombstone, version)?;
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
