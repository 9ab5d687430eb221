//! One runner of many refreshes. A claim is a check-and-set write to the grant, which also proves that the grant can be
//! written; then the exchange; then the new grant, then the token.

use std::time::{Duration, Instant, SystemTime};

use super::client::Written;
use super::fault::Fault;
use super::record::{Grant, Mark, grant_path, random_id};
use super::vault::{Current, Patience, Step, VaultStore, WRITE_BRIEFLY, WRITE_FOR};
use crate::clock::Timestamp;
use crate::credential::{AccountKey, Credential};
use crate::environment::text_var;
use crate::store::StoreError;
use crate::store::ask::{Ask, Claimed, Outcome};

/// A claim that is older is contested. Longer than an exchange (20 s) and its writes take.
const LEASE_SECONDS: i64 = 30;
/// A claim must reach the store, and its holder begin, within half of what the lease leaves beside the exchange: (30 s − 20 s)
/// ÷ 2. A machine that slept meanwhile claims anew.
const FENCE: Duration = Duration::from_secs(5);
/// A holder that is alive answers a contest by its next write. Until then this long.
const CONTESTED_FOR: Duration = Duration::from_secs(8);
/// Who may not refresh waits this long for somebody who may.
const READER_WAITS: Duration = Duration::from_secs(30);
/// A refresh of others takes a second, an election some twenty.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A claim that this process holds.
pub struct Held<'a> {
    store: &'a VaultStore,
    account: &'a AccountKey,
    pub credential: Credential,
    generation: u64,
    mark: Mark,
    /// That the claim was written as.
    version: u64,
    /// When the claim was begun to be written, by both clocks: one stands still while a machine sleeps, the other can be set.
    begun: (Instant, SystemTime),
    /// The claim of one who never came back was taken over.
    pub taken_over: bool,
}

/// What is to be done about a grant as it stands.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Claim,
    /// Somebody is at work.
    Wait,
    /// Its holder is silent for too long.
    Contest,
}

fn next(claim: Option<&Mark>, age: i64) -> Next {
    match claim {
        None => Next::Claim,
        Some(_) if age <= LEASE_SECONDS => Next::Wait,
        Some(_) => Next::Contest,
    }
}

impl VaultStore {
    /// Claims the account's refresh.
    ///
    /// # Errors
    /// The store can't be used, or this runner may not refresh and nobody else did.
    pub fn claim<'a>(&'a self, ask: &Ask<'a>) -> Result<Claimed<Held<'a>>, StoreError> {
        let mut patience = Patience::of(LONGEST_WAIT.max(ask.wait));
        let mut has_waited = false;
        // The claim under doubt, since when, and the version that it stood in.
        let mut doubt: Option<(Mark, Instant)> = None;
        loop {
            let current = match self.current(ask.account) {
                Ok(current) => current,
                Err(StoreError::Shared(fault @ Fault::NoRight { .. })) => {
                    return self.wait_as_reader(ask, &fault);
                }
                Err(StoreError::Shared(fault)) if fault.may_pass() && patience.rest() => continue,
                Err(error) => return Err(error),
            };
            let Some(grant) = &current.grant else {
                return Ok(Claimed::Gone);
            };
            let Some(credential) = &grant.credential else {
                return Ok(Claimed::Gone);
            };
            if !(ask.wanted)(credential) {
                // The token that was read was older, and nobody is at work: its writer died.
                if !has_waited {
                    self.heal(ask.account, &current);
                }
                return Ok(Claimed::Unwanted(Box::new(credential.clone())));
            }
            let doubted = doubt
                .take()
                .filter(|(mark, _)| Some(mark) == grant.claim.as_ref());
            let step = match &doubted {
                Some((_, since)) if since.elapsed() >= CONTESTED_FOR => Next::Claim,
                Some(_) => Next::Wait,
                None => next(grant.claim.as_ref(), current.age),
            };
            match step {
                Next::Wait => doubt = doubted,
                Next::Claim => {
                    let taken_over = grant.claim.is_some();
                    if let Some(held) =
                        self.try_claim(ask.account, grant, current.version, taken_over)?
                    {
                        return Ok(Claimed::Mine(Box::new(held)));
                    }
                }
                Next::Contest => {
                    let contested = grant.claim.clone().map(|mark| Mark {
                        contest: Some(random_id()),
                        ..mark
                    });
                    let version = current.version;
                    let written = self.put_claim(ask.account, grant, version, contested.clone())?;
                    if let (Written::Done(_), Some(mark)) = (written, contested) {
                        doubt = Some((mark, Instant::now()));
                    }
                }
            }
            if !patience.rest() {
                return Ok(Claimed::Busy);
            }
            has_waited = true;
        }
    }

    /// Writes a claim, and finds out whose it is.
    fn try_claim<'a>(
        &'a self,
        account: &'a AccountKey,
        grant: &Grant,
        version: u64,
        taken_over: bool,
    ) -> Result<Option<Held<'a>>, StoreError> {
        let begun = (Instant::now(), SystemTime::now());
        let mark = Mark {
            holder: format!("{} pid {}", host(), std::process::id()),
            id: random_id(),
            contest: None,
        };
        let written = self.put_claim(account, grant, version, Some(mark.clone()))?;
        let ours = match written {
            Written::Done(version) => Some(version),
            // Neither says who holds it: a standby may speak of its stale copy.
            Written::Mismatch | Written::Unknown(_) => {
                let there = self.current(account).ok();
                let claim = there
                    .as_ref()
                    .and_then(|there| there.grant.as_ref()?.claim.as_ref());
                let is_ours = claim == Some(&mark);
                there.map(|there| there.version).filter(|_| is_ours)
            }
        };
        let Some(version) = ours else { return Ok(None) };
        let held = Held {
            store: self,
            account,
            credential: grant.credential.clone().ok_or(StoreError::Conflict)?,
            generation: grant.generation,
            mark,
            version,
            begun,
            taken_over,
        };
        // Who was held up for so long may be contested already.
        Ok(Some(held).filter(Held::is_fresh))
    }

    /// Writes the grant with another claim, over the version that was read.
    fn put_claim(
        &self,
        account: &AccountKey,
        grant: &Grant,
        version: u64,
        claim: Option<Mark>,
    ) -> Result<Written, StoreError> {
        let write = random_id();
        let grant = Grant {
            claim,
            write,
            ..grant.clone()
        };
        self.client()?
            .write(&grant_path(account), &grant.data(), version)
    }

    /// Somebody else refreshes; their token will do.
    fn wait_as_reader<'a>(
        &'a self,
        ask: &Ask<'a>,
        why: &Fault,
    ) -> Result<Claimed<Held<'a>>, StoreError> {
        if !ask.readers_wait {
            return Err(why.clone().into());
        }
        let mut patience = Patience::of(READER_WAITS);
        loop {
            let Some(stored) = self.read_token(ask.account)? else {
                return Ok(Claimed::Gone);
            };
            if (ask.met)(&stored.credential) {
                return Ok(Claimed::Unwanted(Box::new(stored.credential)));
            }
            if !patience.rest() {
                let seconds = READER_WAITS.as_secs();
                return Err(Fault::NobodyRefreshed(seconds).into());
            }
        }
    }
}

impl Held<'_> {
    /// Whether the refresh token may still be sent.
    pub fn is_fresh(&self) -> bool {
        let (monotonic, wall) = self.begun;
        let wall = wall.elapsed().unwrap_or(Duration::MAX);
        monotonic.elapsed().max(wall) < FENCE
    }

    /// Stores what a refresh brought: over a claim that has brought nothing, whoever's, and never over the same or a newer
    /// generation.
    ///
    /// # Errors
    /// The store did not take it for all the time that was tried.
    pub fn commit(self, credential: &Credential) -> Result<(), StoreError> {
        let mut grant = Grant::new(self.generation + 1, Some(credential.clone()));
        if self.store.put_refresh(self.account, &mut grant)? {
            self.store.put_token(self.account, &grant, WRITE_FOR)?;
        }
        Ok(())
    }

    /// Ends the login here: it was taken elsewhere. `false`: the claim is somebody else's by now, and so nothing was done.
    ///
    /// # Errors
    /// The store did not take it.
    pub fn bury(self) -> Result<bool, StoreError> {
        let mut tombstone = Grant::new(self.generation + 1, None);
        let Some(version) = self.close(&mut tombstone, WRITE_FOR)? else {
            return Ok(false);
        };
        self.store.bury(self.account, &tombstone, version)?;
        Ok(true)
    }

    /// Gives the claim up, with what became of the refresh token. Answers with the moment of a refresh whose answer was lost.
    pub fn release(mut self, outcome: Outcome) -> Option<Timestamp> {
        let begun_at = self
            .credential
            .refresh
            .as_ref()
            .and_then(|renewal| renewal.begun_at);
        let interrupted_at =
            begun_at.or((outcome.is_lost() || self.taken_over).then(Timestamp::now));
        if let Some(renewal) = &mut self.credential.refresh {
            renewal.begun_at = interrupted_at;
            renewal.spent = matches!(outcome, Outcome::Spent { .. });
        }
        let mut released = Grant::new(self.generation, Some(self.credential.clone()));
        // Where it can't be written, the claim runs out.
        let _ = self.close(&mut released, WRITE_BRIEFLY);
        interrupted_at
    }

    /// Writes over this claim, as long as it stands. `None`: it does not.
    fn close(&self, grant: &mut Grant, patience: Duration) -> Result<Option<u64>, StoreError> {
        let decide = |there: &Current, grant: &mut Grant| {
            let claim = there.grant.as_ref().and_then(|grant| grant.claim.as_ref());
            match claim.map(|claim| &claim.id) == Some(&self.mark.id) {
                true => Step::Write(grant.data()),
                // One that lags has not seen the claim yet.
                false if there.version < self.version => Step::LookAgain(String::new()),
                false => Step::Done(None),
            }
        };
        self.store
            .settle_grant(self.account, grant, patience, decide)
    }
}

/// The machine's name, as far as it has one.
fn host() -> String {
    let name = text_var("HOSTNAME").or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    crate::text::printable(&name.unwrap_or_default(), 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_waited_for_and_then_contested() {
        let mark = Mark {
            holder: "h".to_owned(),
            id: "1".to_owned(),
            contest: None,
        };
        assert_eq!(next(None, 0), Next::Claim);
        assert_eq!(next(Some(&mark), 0), Next::Wait);
        assert_eq!(next(Some(&mark), LEASE_SECONDS), Next::Wait);
        assert_eq!(next(Some(&mark), LEASE_SECONDS + 1), Next::Contest);
    }
}
