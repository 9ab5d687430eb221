//! The redirect URI's port: bound before anything else happens, and if it is taken, by whom.

use std::net::IpAddr;

use url::Url;

use crate::cli;
use crate::error::Error;
use crate::flow::loopback::{BindError, Listener};
use crate::provider::{Code, Login, Provider, RedirectUri};

/// The listener, where the login needs one.
///
/// # Errors
/// The port can't be had, and the answer is not going to be pasted.
pub fn bind(provider: &Provider, args: &cli::Login) -> Result<Option<Listener>, Error> {
    let Some(uri) = address(provider) else {
        return Ok(None);
    };
    match Listener::bind(uri) {
        Ok(listener) => Ok(Some(listener)),
        // The paste does not need the port.
        Err(_) if args.paste => Ok(None),
        Err(error) => Err(taken(error)),
    }
}

/// Where a login of this provider listens, if it does.
pub fn address(provider: &Provider) -> Option<&Url> {
    match &provider.login {
        Login::Code(Code {
            redirect_uri: RedirectUri::Loopback { url, .. },
            ..
        }) => Some(url),
        _ => None,
    }
}

/// The error that a login ends with where its port can't be had.
pub fn taken(error: BindError) -> Error {
    let in_use = error.source.kind() == std::io::ErrorKind::AddrInUse;
    Error::PortTaken {
        address: format!("{}:{}", error.address, error.port),
        holder: in_use.then(|| holder(&error.address, error.port)).flatten(),
        source: error.source,
    }
}

/// Who listens on this port of the host (as an URL has it), as far as the system tells.
fn holder(host: &str, port: u16) -> Option<String> {
    let host = host.trim_matches(['[', ']']);
    let hosts: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => vec!["127.0.0.1".parse().ok()?, "::1".parse().ok()?],
    };
    hosts.into_iter().find_map(|host| holding(host, port))
}

#[cfg(not(target_os = "linux"))]
fn holding(_: IpAddr, _: u16) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
use linux::holding;

/// proc(5): `/proc/net/tcp` names each socket's owner and inode, and `/proc/PID/fd` who holds that inode.
#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::path::Path;

    use crate::text::printable;

    /// `TCP_LISTEN` of the kernel's include/net/tcp_states.h.
    const LISTENING: &str = "0A";

    /// "held by `python3`, pid 123", or by which user where only root may know more.
    pub fn holding(host: IpAddr, port: u16) -> Option<String> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let table: String =
            tables.map(|path| fs::read_to_string(path).unwrap_or_default())[..].concat();
        let socket = find(&table, host, port)?;
        Some(match process_with(&format!("socket:[{}]", socket.inode)) {
            Some((name, pid)) => format!("used by `{name}`, pid {pid}"),
            None => format!("used by a program of the user with ID {}", socket.uid),
        })
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Socket {
        uid: u32,
        inode: u64,
    }

    /// Columns: number, local address, remote address, state, queues, timer, retransmissions, uid, time-out, inode.
    fn find(table: &str, host: IpAddr, port: u16) -> Option<Socket> {
        table.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (local, state) = (columns.get(1)?, columns.get(3)?);
            let (address, listening_port) = local.split_once(':')?;
            let ours = *state == LISTENING
                && u16::from_str_radix(listening_port, 16) == Ok(port)
                && covers(parse(address)?, host);
            ours.then_some(Socket {
                uid: columns.get(7)?.parse().ok()?,
                inode: columns.get(9)?.parse().ok()?,
            })
        })
    }

    /// Each 32-bit word of an address stands there as the machine's own number.
    fn parse(hex: &str) -> Option<IpAddr> {
        let words = hex.as_bytes().chunks(8).map(|word| {
            let word = std::str::from_utf8(word).ok()?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        });
        let bytes = words.collect::<Option<Vec<_>>>()?.concat();
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes.as_slice()) {
            return Some(Ipv4Addr::from(bytes).into());
        }
        let bytes = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
        Some(Ipv6Addr::from(bytes).into())
    }

    /// A socket on all addresses has ours too; one on `::` those of both families.
    fn covers(listening: IpAddr, host: IpAddr) -> bool {
        let all = listening.is_unspecified() && (listening.is_ipv6() || host.is_ipv4());
        all || listening.to_canonical() == host
    }

    fn process_with(link: &str) -> Option<(String, u32)> {
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let holds = fs::read_dir(entry.path().join("fd"))
                .ok()?
                .flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == Path::new(link)));
            let name = holds.then(|| fs::read_to_string(entry.path().join("comm")))?;
            // A process chooses its name freely.
            Some((printable(&name.unwrap_or_default(), 32), pid))
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2310 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2310 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1
   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 99 1 0
   3: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0    33        0 98 1 0
";

        #[test]
        fn the_listening_socket_is_found() {
            let socket = |uid, inode| Some(Socket { uid, inode });
            for (host, port, found) in [
                ("127.0.0.1", 8976, socket(1000, 4711)),
                ("127.0.0.2", 8976, None),
                ("127.0.0.1", 8977, None),
                ("127.0.0.1", 8080, socket(0, 99)),
                ("::1", 8080, socket(0, 99)),
                ("::1", 80, socket(33, 98)),
                ("127.0.0.1", 80, None),
            ] {
                assert_eq!(
                    find(TABLE, host.parse().unwrap(), port),
                    found,
                    "{host}:{port}"
                );
            }
        }
    }
}
