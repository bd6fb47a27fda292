//! Where a mover listens, and the way there.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rustix::net::sockopt;
use thiserror::Error;
use tokio::net::TcpStream;

const UNIX: &str = "unix://";

/// For how long what was sent may stay unacknowledged, and how long a silent link takes to be noticed: routes
/// that change are back before that.
const DEAD: Duration = Duration::from_secs(30);
/// How long a connection is idle before it is probed, and how long between probes.
const PROBE: Duration = Duration::from_secs(10);
/// Probes without an answer, after which the link is dead.
const PROBES: u32 = 3;

/// Where a mover listens: `unix:///run/drover/mover.sock`, `mover.example.com:7443` or `[::1]:7443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A socket on this host; whoever may open it is trusted.
    Unix(PathBuf),
    /// A host, by name or address, and a port; always with mutual TLS.
    Tcp {
        /// The host. Its certificate must be for this name.
        host: String,
        /// The port.
        port: u16,
    },
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is not an address of a mover: {why}; it looks like `unix:///run/drover/mover.sock` or \
     `mover.example.com:7443`"
)]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |why| AddressError {
            text: text.to_owned(),
            why,
        };
        if let Some(path) = text.strip_prefix(UNIX) {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(wrong("the path is not absolute"))
            };
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| wrong("there is no port"))?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| wrong("the port is not a number from 1 to 65535"))?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            Some(_) => return Err(wrong("what stands in brackets is no IPv6 address")),
            None => host,
        };
        let is_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
        if text.starts_with('[') != is_v6 {
            return Err(wrong("an IPv6 address stands in brackets"));
        }
        let known = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if host.is_empty() || !(is_v6 || host.chars().all(known)) {
            return Err(wrong("it names no host"));
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    notice_dead_links(&stream)?;
    Ok(stream)
}

/// Has a connection end within about 40 s after the other side fell silent, idle or not: a WAN that swallows
/// packets ends none by itself. Small messages are not held back either.
///
/// # Errors
/// When the system does not know these settings.
pub fn notice_dead_links(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE)?;
    sockopt::set_tcp_keepintvl(stream, PROBE)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, u32::try_from(DEAD.as_millis()).unwrap_or(u32::MAX))?;
    #[cfg(not(target_os = "linux"))]
    let _ = DEAD;
    Ok(())
}
