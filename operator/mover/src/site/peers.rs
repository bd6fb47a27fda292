//! The movers of other sites, and whether they let themselves be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_api::Right;
use drover_api::common::SiteRole;
use drover_libvirt::call::{Address, Caller, Credentials};
use drover_libvirt::protocol::{Half as HalfSeen, Named, Terms, path};
use drover_world::{ErrorClass, FabricError, LinkState};
use futures::future::join_all;
use tokio::time::Instant;

use super::Site;
use super::ready::right;
use super::refusal::terminal;
use crate::record::Half;

/// Certificates are read again after so long: they may have been renewed.
const CERTIFICATES: Duration = Duration::from_mins(1);
/// How long another mover may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long when it is only asked whether it does: who wants to know that waits for all else, too.
const GLANCE: Duration = Duration::from_secs(3);

/// The other movers that were spoken to.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: Mutex<BTreeMap<String, (Instant, Caller)>>,
    /// Those that answered since this process started.
    heard: Mutex<BTreeSet<String>>,
}

impl Site {
    /// The mover at the other side of a link.
    pub(super) fn peer(&self, terms: &Terms, role: SiteRole) -> Result<Caller, FabricError> {
        let address = address(terms, role);
        let mut peers = lock(&self.peers.known);
        if let Some((since, peer)) = peers.get(address)
            && since.elapsed() < CERTIFICATES
        {
            return Ok(peer.clone());
        }
        let parsed: Address = address.parse().map_err(|error| {
            terminal(
                format!("the address {address} of the other mover: {error}"),
                "declare mover.replicationAddress of its site as HOST:PORT",
            )
        })?;
        let credentials = self.tls.as_deref().map(Credentials::of_folder).transpose();
        let credentials = credentials.map_err(|error| {
            terminal(
                format!("the mover's own certificates: {error}"),
                "look at the folder that it was started with as --tls",
            )
        })?;
        let peer = Caller::new(parsed, credentials.as_ref())
            .map_err(FabricError::from)?
            .with_patience(PATIENCE);
        let now = Instant::now();
        peers.insert(address.to_owned(), (now, peer.clone()));
        Ok(peer)
    }

    /// Whether the movers that this one has to ask when data is to flow the other way, or before it starts machines
    /// with its site, let it ask. That one which did so does not answer now is not for want of a right.
    pub(super) async fn peers_let_ask(&self) -> Vec<Right> {
        let halves = self.store.all().into_values();
        let halves = halves.filter_map(|record| record.half);
        let related = halves.filter(|half| half.state != LinkState::None);
        // One machine of each is enough.
        let links: BTreeMap<String, Half> = related
            .map(|half| (address(&half.terms, half.role).to_owned(), half))
            .collect();
        join_all(links.iter().map(|(address, half)| async move {
            let answer = self.glance(half).await;
            let mut heard = lock(&self.peers.heard);
            let granted = match answer {
                Ok(_) => {
                    heard.insert(address.clone());
                    Ok(())
                }
                Err(error) if error.class == ErrorClass::Retryable && heard.contains(address) => {
                    Ok(())
                }
                Err(error) => Err(format!(
                    "{error}: without it nothing is reprotected, and machines do not start with their site"
                )),
            };
            right(format!("ask {address}"), granted)
        }))
        .await
    }

    async fn glance(&self, half: &Half) -> Result<HalfSeen, FabricError> {
        let peer = self.peer(&half.terms, half.role)?.with_patience(GLANCE);
        let there = Named {
            machine: half.subject.at(half.role.other()).clone(),
        };
        Ok(peer.call(path::HALF, &there).await?)
    }
}

/// Where the mover at the other side of a link is.
fn address(terms: &Terms, role: SiteRole) -> &str {
    let [primary, secondary] = &terms.addresses;
    match role {
        SiteRole::Primary => secondary,
        SiteRole::Secondary => primary,
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
