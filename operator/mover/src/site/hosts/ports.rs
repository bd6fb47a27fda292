//! The way to the disks of running machines of a host: unix sockets at this one, ports of a range at others.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drover_libvirt::call::Credentials;
use drover_world::FabricError;
use futures::StreamExt as _;
use tokio::net::TcpStream;

use super::given::NbdAt;
use crate::nbd::{self, Identity, Tls, Way};
use crate::site::refusal::{retryable, terminal};

/// For a port to say whether somebody listens there.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many are asked at a time.
const AT_ONCE: usize = 16;

/// Ports of one host.
#[derive(Clone, Debug)]
pub(in crate::site) struct Ports {
    at: NbdAt,
    lent: Arc<Mutex<Lent>>,
}

#[derive(Debug, Default)]
struct Lent {
    ports: BTreeSet<u16>,
    /// The last one that was lent: others have their turn first.
    last: u16,
}

/// A port that nobody else gets while this is there.
#[derive(Debug)]
pub(in crate::site) struct Port {
    number: u16,
    lent: Arc<Mutex<Lent>>,
}

impl Port {
    pub(in crate::site) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        lock(&self.lent).ports.remove(&self.number);
    }
}

/// What is found of the ports of a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::site) struct Survey {
    /// Nobody listens there, or Drover's own copies do.
    pub free: usize,
    /// Somebody else listens there.
    pub taken: Vec<u16>,
    /// Nothing is heard of them: something in between swallows what is sent.
    pub silent: Vec<u16>,
}

impl Ports {
    pub(in crate::site) fn new(at: NbdAt) -> Self {
        Self {
            at,
            lent: Arc::default(),
        }
    }

    /// How many machines can be copied at a time.
    pub(in crate::site) fn range(&self) -> RangeInclusive<u16> {
        self.at.ports.clone()
    }

    pub(in crate::site) fn is_encrypted(&self) -> bool {
        self.at.tls.is_some()
    }

    /// The address that QEMU listens on: as the mover reaches it, whatever the host itself takes its name
    /// for.
    pub(in crate::site) async fn address(&self) -> Result<IpAddr, FabricError> {
        if let Ok(address) = self.at.address.parse() {
            return Ok(address);
        }
        let name = self.at.address.as_str();
        let found = tokio::net::lookup_host((name, 0)).await;
        let first = found.map(|mut found| found.next());
        match first {
            Ok(Some(address)) => Ok(address.ip()),
            other => {
                let why = other.err().map(|error| format!(": {error}"));
                Err(retryable(
                    format!("no address is known of {name}{}", why.unwrap_or_default()),
                    "say nbd=ADDRESS of the host with --host",
                ))
            }
        }
    }

    /// A port that was not lent, and not tried just now.
    pub(in crate::site) fn next(&self, tried: &BTreeSet<u16>) -> Option<Port> {
        let mut lent = lock(&self.lent);
        let after = self.at.ports.clone().filter(|port| *port > lent.last);
        let all = after.chain(self.at.ports.clone());
        let mut all = all.filter(|port| !lent.ports.contains(port) && !tried.contains(port));
        let number = all.next()?;
        lent.ports.insert(number);
        lent.last = number;
        Some(Port {
            number,
            lent: Arc::clone(&self.lent),
        })
    }

    /// The way to a port.
    pub(in crate::site) fn way(&self, address: IpAddr, port: &Port) -> Result<Way, FabricError> {
        let tls = self.at.tls.as_ref();
        let tls = tls.map(|folder| self.tls(folder)).transpose()?;
        let address = nbd::Address::Tcp {
            host: address.to_string(),
            port: port.number,
        };
        Ok(Way::new(address, tls))
    }

    fn tls(&self, folder: &Path) -> Result<Tls, FabricError> {
        let wrong = |why: String| {
            terminal(
                format!(
                    "the certificates for disks over TCP in {}: {why}",
                    folder.display()
                ),
                "look at the folder that the host was given as nbd-tls",
            )
        };
        let read = Credentials::of_folder(folder).map_err(|error| wrong(error.to_string()))?;
        let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
        let (ca, certificate, key) = (text(&read.ca), text(&read.certificate), text(&read.key));
        let identity = Identity {
            certificate: &certificate,
            key: &key,
        };
        Tls::new(&ca, &self.at.address, Some(identity)).map_err(|error| wrong(error.to_string()))
    }

    /// Asks each port that is not lent whether somebody listens there.
    pub(in crate::site) async fn survey(&self) -> Result<Survey, FabricError> {
        let address = self.address().await?;
        let lent = lock(&self.lent).ports.clone();
        let asked = self.at.ports.clone().map(|port| {
            let is_lent = lent.contains(&port);
            async move {
                if is_lent {
                    return (port, Heard::Nobody);
                }
                let connecting = TcpStream::connect(SocketAddr::new(address, port));
                let heard = match tokio::time::timeout(PATIENCE, connecting).await {
                    Ok(Ok(_)) => Heard::Somebody,
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        Heard::Nobody
                    }
                    Ok(Err(_)) | Err(_) => Heard::Nothing,
                };
                (port, heard)
            }
        });
        let mut asked = futures::stream::iter(asked).buffered(AT_ONCE);
        let mut survey = Survey::default();
        while let Some((port, heard)) = asked.next().await {
            match heard {
                Heard::Nobody => survey.free += 1,
                Heard::Somebody => survey.taken.push(port),
                Heard::Nothing => survey.silent.push(port),
            }
        }
        Ok(survey)
    }
}

enum Heard {
    /// The host says that nobody listens.
    Nobody,
    Somebody,
    Nothing,
}

fn lock(lent: &Mutex<Lent>) -> std::sync::MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(ports: RangeInclusive<u16>) -> Ports {
        Ports::new(NbdAt {
            address: "127.0.0.1".to_owned(),
            ports,
            tls: None,
        })
    }

    #[test]
    fn each_port_is_lent_once_and_comes_back() {
        let ports = ports(5000..=5002);
        let none = BTreeSet::new();
        let next = || ports.next(&none);
        let held: Vec<_> = std::iter::from_fn(next).collect();
        let numbers: Vec<_> = held.iter().map(Port::number).collect();
        assert_eq!(numbers, [5000, 5001, 5002]);
        drop(held);
        // The one that was used last has had its turn.
        assert_eq!(next().unwrap().number(), 5000);
        assert_eq!(next().unwrap().number(), 5001);
        assert_eq!(
            ports.next(&BTreeSet::from([5002, 5000])).unwrap().number(),
            5001
        );
    }

    #[tokio::test]
    async fn ports_where_somebody_listens_are_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = listener.local_addr().unwrap().port();
        let survey = ports(taken..=taken).survey().await.unwrap();
        assert_eq!((survey.free, survey.taken), (0, vec![taken]));
        drop(listener);
        let survey = ports(taken..=taken).survey().await.unwrap();
        assert_eq!((survey.free, survey.taken), (1, vec![]));
    }
}
