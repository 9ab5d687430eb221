//! A port that can't be had, and who has it.

use std::io;

use crate::error::Error;

/// The error of a login that must listen there; says who holds the port.
pub fn taken(host: &str, port: u16, source: io::Error) -> Error {
    Error::PortTaken {
        address: format!("{host}:{port}"),
        holder: holder_of(port, &source),
        source,
    }
}

/// `held by …`, where the port is taken and it can be known by whom.
pub fn holder_of(port: u16, source: &io::Error) -> Option<String> {
    let is_taken = source.kind() == io::ErrorKind::AddrInUse;
    is_taken.then(|| holder(port)).flatten()
}

/// Who listens on this port. Other systems than Linux tell it only to programs of their own.
#[cfg(not(target_os = "linux"))]
fn holder(_port: u16) -> Option<String> {
    None
}

/// Who listens on this port, by proc(5); another user's process shows its user only.
#[cfg(target_os = "linux")]
fn holder(port: u16) -> Option<String> {
    let table = |name| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let tables = table("tcp") + &table("tcp6");
    let socket = tables
        .lines()
        .find_map(|line| linux::listening(line, port))?;
    Some(match linux::process_with(&socket.inode) {
        Some((id, name)) => format!("held by {name}, process {id}"),
        None => format!("held by a process of user {}", socket.user),
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::Path;

    use crate::text::printable;

    /// A listening socket, as `/proc/net/tcp` has it.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Socket {
        pub user: String,
        pub inode: String,
    }

    /// The state that proc(5) has for LISTEN.
    const LISTEN: &str = "0A";
    /// The kernel's own names have 15 bytes; a process may name itself at will.
    const MAX_NAME: usize = 32;

    /// The socket of this line, if it listens on the port: `sl local_address rem_address st … uid timeout inode`.
    pub fn listening(line: &str, port: u16) -> Option<Socket> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields.get(1)?, fields.get(3)?);
        let (_, local_port) = local.rsplit_once(':')?;
        let matches = *state == LISTEN && u16::from_str_radix(local_port, 16) == Ok(port);
        matches.then_some(Socket {
            user: (*fields.get(7)?).to_owned(),
            inode: (*fields.get(9)?).to_owned(),
        })
    }

    /// Id and name of a process that has this socket open, among those that we may look into.
    pub fn process_with(inode: &str) -> Option<(u32, String)> {
        let wanted = format!("socket:[{inode}]");
        let mut processes = fs::read_dir("/proc").ok()?.flatten();
        processes.find_map(|process| {
            let id: u32 = process.file_name().to_str()?.parse().ok()?;
            has_open(&process.path().join("fd"), &wanted)?;
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            Some((id, printable(&name, MAX_NAME)))
        })
    }

    fn has_open(descriptors: &Path, wanted: &str) -> Option<()> {
        let mut links = fs::read_dir(descriptors).ok()?.flatten();
        links
            .any(|link| fs::read_link(link.path()).is_ok_and(|target| target == Path::new(wanted)))
            .then_some(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_a_listening_socket_of_the_port_counts() {
            let line = |port: &str, state: &str| {
                format!(
                    "   0: 0100007F:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000 0 4242 1"
                )
            };
            let socket = Socket {
                user: "1000".into(),
                inode: "4242".into(),
            };
            assert_eq!(listening(&line("2310", "0A"), 8976), Some(socket));
            assert_eq!(listening(&line("2310", "01"), 8976), None);
            assert_eq!(listening(&line("2311", "0A"), 8976), None);
            assert_eq!(
                listening("  sl  local_address rem_address   st", 8976),
                None
            );
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_holds_the_port_is_named() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let named = holder(socket.local_addr().unwrap().port()).unwrap();
        let id = format!("process {}", std::process::id());
        assert!(
            named.starts_with("held by ") && named.ends_with(&id),
            "{named}"
        );
    }
}
