//! A backup is begun where the mover can read it.

use std::collections::BTreeSet;

use drover_world::FabricError;
use tracing::debug;

use super::Site;
use super::hosts::Port;
use super::refusal::retryable;
use crate::host::{Backup, Host, HostError, Listen};
use crate::nbd::{Address, Way};

impl Site {
    /// Begins a backup where the mover can read it: on a socket, if the host is this one, else on a port that
    /// nobody listens on.
    pub(super) async fn offer(
        &self,
        host: &Host,
        domain: &str,
        backup: &mut Backup,
    ) -> Result<(Way, Option<Port>), Offer> {
        let Some(ports) = &self.hosts.named(host.name())?.ports else {
            let Listen::Socket(socket) = &backup.listen else {
                return Err(Offer::NoPort);
            };
            let way = Address::Unix(socket.clone()).into();
            host.begin_backup(domain, backup).await?;
            return Ok((way, None));
        };
        let address = ports.address().await?;
        let mut tried = BTreeSet::new();
        while let Some(port) = ports.next(&tried) {
            tried.insert(port.number());
            backup.listen = Listen::Tcp {
                address,
                port: port.number(),
                tls: ports.is_encrypted(),
            };
            // Before anything is begun: the certificates may be of no use.
            let way = ports.way(address, &port)?;
            match host.begin_backup(domain, backup).await {
                Err(HostError::PortTaken { why, .. }) => {
                    debug!(
                        host = host.name(),
                        port = port.number(),
                        why,
                        "the next port"
                    );
                }
                begun => return begun.map(|()| (way, Some(port))).map_err(Offer::from),
            }
        }
        Err(Offer::NoPort)
    }
}

/// Why a backup was not begun.
#[derive(Debug)]
pub(super) enum Offer {
    NoBitmap,
    NoPort,
    Failed(FabricError),
}

impl From<HostError> for Offer {
    fn from(error: HostError) -> Self {
        match error {
            HostError::NoBitmap { .. } => Self::NoBitmap,
            error => Self::Failed(error.into()),
        }
    }
}

impl From<FabricError> for Offer {
    fn from(error: FabricError) -> Self {
        Self::Failed(error)
    }
}

impl Offer {
    pub(super) fn of(self, domain: &str) -> FabricError {
        match self {
            Self::Failed(error) => error,
            Self::NoBitmap => retryable(
                format!("what changed on {domain} is not known"),
                "both sides are compared",
            ),
            Self::NoPort => retryable(
                format!("no port is free at the host of {domain} for its disks"),
                "give the host more ports: nbd=ADDRESS:FIRST-LAST",
            ),
        }
    }
}
