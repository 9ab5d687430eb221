//! A login never takes the place of another issuer's without being told to.

use url::Url;

use crate::account::view::origin;
use crate::address::is_loopback;
use crate::context::Context;
use crate::credential::{AccountKey, Credential};
use crate::error::Error;
use crate::ui::paste;

/// What a login may replace.
pub struct Replacing {
    /// The origin of the new login's token endpoint.
    issuer: String,
    is_sandbox: bool,
    /// By the flag, or by a yes.
    allowed: bool,
}

impl Replacing {
    /// Decides before anything is shown; on a terminal, asks.
    ///
    /// # Errors
    /// Another issuer's login is stored, and may not be replaced.
    pub fn decide(
        context: &Context,
        account: &AccountKey,
        flag: bool,
        issuer: &str,
    ) -> Result<Self, Error> {
        let mut replacing = Self {
            issuer: issuer.to_owned(),
            is_sandbox: context.sandbox().is_some(),
            allowed: flag,
        };
        let Err(refused) = replacing.check(context, account) else {
            return Ok(replacing);
        };
        if replacing.is_sandbox {
            return Err(refused);
        }
        confirm(context, refused)?;
        replacing.allowed = true;
        Ok(replacing)
    }

    /// Whether the new login may be written over what is stored now.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, context: &Context, account: &AccountKey) -> Result<(), Error> {
        let copies = context.stores.copies(account);
        let mut issuers = copies
            .iter()
            .map(|found| &found.stored.credential.token_endpoint)
            .map(|endpoint| origin(endpoint).unwrap_or_else(|| endpoint.clone()));
        let other = issuers.find(|held| !self.goes_over(held));
        other.map_or(Ok(()), |held| {
            Err(Error::OtherIssuer {
                account: account.clone(),
                held,
                new: self.issuer.clone(),
                is_sandbox: self.is_sandbox,
            })
        })
    }

    /// Whether the new login is of the same person as the one that it takes the place of, as far as both tell; on a terminal,
    /// asks.
    ///
    /// # Errors
    /// It is another one's, and nobody allowed that.
    pub fn same_person(
        &self,
        context: &Context,
        account: &AccountKey,
        new: &Credential,
    ) -> Result<(), Error> {
        let copies = context.stores.copies(account);
        let held = copies
            .iter()
            .find_map(|found| found.stored.credential.subject.as_ref());
        let (Some(held), Some(subject)) = (held, &new.subject) else {
            return Ok(());
        };
        if held == subject || self.allowed {
            return Ok(());
        }
        let refused = Error::OtherSubject {
            account: account.clone(),
            held: held.clone(),
            new: subject.clone(),
        };
        confirm(context, refused)
    }

    /// Each sandbox has a port of its own, so what is on this machine counts as one issuer.
    fn goes_over(&self, held: &str) -> bool {
        let here = |issuer: &str| Url::parse(issuer).is_ok_and(|url| is_loopback(&url));
        held == self.issuer || here(held) && here(&self.issuer) || self.allowed && !self.is_sandbox
    }
}

/// On a terminal, asks.
fn confirm(context: &Context, refused: Error) -> Result<(), Error> {
    let question = format!("{}. Replace it?", refused.report().message);
    match context.ui.is_interactive() && !context.ui.json && paste::yes(&context.ui, &question) {
        true => Ok(()),
        false => Err(refused),
    }
}
