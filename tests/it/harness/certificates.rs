//! A certificate authority for one test, made by openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The name by which errors must name it.
pub const ISSUER: &str = "Corporate Inspection CA";

/// A certificate of that day has expired.
const LONG_AGO: &str = "2020-01-01 00:00:00";

/// An authority that nobody trusts who isn't told to.
pub struct Authority {
    dir: TempDir,
}

/// A server's certificate and its key, as PEM files.
pub struct Certificate {
    pub pem: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        Self::named(ISSUER)
    }

    /// One of another name.
    pub fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder for certificates");
        let authority = Self { dir };
        authority.openssl(
            &Certificate::at(authority.dir.path(), "ca"),
            None,
            name,
            &[
                "basicConstraints=critical,CA:TRUE",
                "keyUsage=critical,keyCertSign",
            ],
        );
        authority
    }

    /// A server that vouches for itself, as `openssl req -x509` makes one; made out to these names.
    pub fn of(names: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder for certificates");
        let authority = Self { dir };
        let names = format!("subjectAltName={names}");
        authority.openssl(&authority.certificate(), None, "self", &[&names]);
        authority
    }

    /// The authority's own certificate with its key, for a server that shows it.
    pub fn certificate(&self) -> Certificate {
        Certificate::at(self.dir.path(), "ca")
    }

    /// The authority's own certificate, for those who are to trust it.
    pub fn pem(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate that is made out to these names, as `DNS:localhost` or `IP:127.0.0.1`.
    pub fn issue(&self, names: &str) -> Certificate {
        self.issue_at(names, None)
    }

    /// One that expired years ago.
    pub fn issue_expired(&self, names: &str) -> Certificate {
        self.issue_at(names, Some(LONG_AGO))
    }

    fn issue_at(&self, names: &str, moment: Option<&str>) -> Certificate {
        let certificate = Certificate::at(self.dir.path(), "server");
        let names = format!("subjectAltName={names}");
        self.openssl(
            &certificate,
            moment,
            "server",
            &[&names, "basicConstraints=CA:FALSE"],
        );
        certificate
    }

    /// Makes a certificate: the authority's own where there is none yet.
    fn openssl(&self, made: &Certificate, moment: Option<&str>, name: &str, extensions: &[&str]) {
        let mut command = match moment {
            Some(moment) => {
                let mut command = Command::new("faketime");
                command.args([moment, "openssl"]);
                command
            }
            None => Command::new("openssl"),
        };
        command.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]);
        command.args(["-nodes", "-days", "5", "-subj", &format!("/CN={name}")]);
        command
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.pem);
        if made.pem != self.pem() {
            command.arg("-CA").arg(self.pem());
            command.arg("-CAkey").arg(self.dir.path().join("ca.key"));
        }
        for extension in extensions {
            command.args(["-addext", extension]);
        }
        let output = command.output().expect("openssl");
        assert!(output.status.success(), "{output:?}");
    }
}

impl Certificate {
    fn at(dir: &Path, name: &str) -> Self {
        Self {
            pem: dir.join(name).with_extension("pem"),
            key: dir.join(name).with_extension("key"),
        }
    }
}
