//! What goes wrong with a shared store, each with its own reason.

/// Why it can't be used now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `vault` was named, and nothing says where it is.
    #[error("no {0} is configured for it")]
    NotConfigured(&'static str),
    #[error("{address} can't be reached: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("{address} did not answer within {seconds} s")]
    Slow { address: String, seconds: u64 },
    #[error("it is sealed")]
    Sealed,
    #[error("it is not initialised")]
    NotInitialised,
    /// A standby that knows no active node, or a cluster that chooses one.
    #[error("it has no leader now (HTTP {0})")]
    Standby(u16),
    /// An engine that was just mounted, or a standby that has not heard of it.
    #[error("its engine is not ready yet")]
    NotReady,
    #[error("there is no engine at the mount `{0}`")]
    WrongMount(String),
    #[error("its token is wrong or has expired")]
    BadToken,
    #[error("{path} refused the login: {reason}")]
    LoginRefused { path: String, reason: String },
    /// As its policy has it.
    #[error("its policy lacks the capability to {capability} {path}")]
    NoRight {
        path: String,
        capability: &'static str,
    },
    /// Its refresh token would be a spent one.
    #[error(
        "it was rolled back: it has generation {found} of this login, but generation {seen} was seen here before"
    )]
    RolledBack { found: u64, seen: u64 },
    /// Of one who may not do it.
    #[error("no other runner refreshed the token within {0} s, and this one is not allowed to")]
    NobodyRefreshed(u64),
    /// A write that was tried for as long as is worth it.
    #[error("seo-auth could not find out whether its write was successful: {0}")]
    Uncertain(String),
    #[error("its content was written by another program, or by a newer seo-auth")]
    Foreign,
    #[error("it answered {status}: {reason}")]
    Strange { status: u16, reason: String },
}

impl Fault {
    /// Whether asking again may help without anybody's doing.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Slow { .. }
                | Self::Standby(_)
                | Self::NotReady
                | Self::Uncertain(_)
        )
    }
}
