//! The generations that were seen on this machine. A lower one comes of a standby that lags, or of a store that was rolled
//! back: its refresh token was sent already, and to send it again would end the grant (RFC 9700 §4.14).

use std::fs;
use std::path::PathBuf;

use crate::credential::AccountKey;
use crate::store::private;

pub struct Seen {
    pub folder: PathBuf,
}

impl Seen {
    fn file(&self, account: &AccountKey) -> PathBuf {
        let AccountKey { provider, profile } = account;
        self.folder
            .join(format!("account-{provider}@{profile}.generation"))
    }

    /// 0: none was.
    pub fn generation(&self, account: &AccountKey) -> u64 {
        let text = fs::read_to_string(self.file(account)).ok();
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// A runner that may not write here notes nothing, and knows no better then.
    pub fn note(&self, account: &AccountKey, generation: u64) {
        let _ = private::create_private_dir(&self.folder).and_then(|()| {
            private::replace(&self.file(account), generation.to_string().as_bytes())
        });
    }
}
