//! Which way data flows: the sides agree on it, and what a machine left becomes the base of its copy back.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_fabric::Answer;
use drover_libvirt::protocol::{
    Agree, Agreed, Agreement, Described, EnsureLink, Named, Parting, path,
};
use drover_world::{FabricError, LinkState};
use tracing::info;

use super::Site;
use super::ladder::{Left, apart};
use super::power::is_off;
use super::pull::What;
use super::refusal::{not_late, retryable, terminal};
use crate::record::{Base, Half, Made};

impl Site {
    /// The other side takes up, turns or lets go of a link.
    pub(super) async fn agree(&self, ask: Agree) -> Result<Agreed, FabricError> {
        let machine = ask.subject.at(ask.role).clone();
        let record = self.store.get(&machine);
        let recorded = record.half.as_ref().map_or(0, |half| half.epoch);
        not_late(recorded, &ask.asker)?;
        let Agreement::Flows { towards, turn } = ask.to else {
            self.let_go_of_source(&machine, &ask.asker).await?;
            return Ok(Agreed::default());
        };
        if let Some(half) = &record.half
            && half.state != LinkState::None
            && half.turn > turn
        {
            return Err(terminal(
                format!("data of {machine} was turned since"),
                "look which way it flows, and ask for that",
            ));
        }
        if let Some(half) = &record.half
            && half.left.is_some()
        {
            return Err(terminal(
                format!(
                    "the failover of {machine} is not committed; nothing else travels before it"
                ),
                "commit or cancel the failover first",
            ));
        }
        let (host, seen) = self.must_find(machine.as_str()).await?;
        let autostart = seen.autostart || record.autostart;
        if seen.autostart {
            host.set_autostart(machine.as_str(), false).await?;
        }
        let ran = !is_off(&seen);
        let parting = self.store.change(&machine, |record| {
            let heard = record.half.as_ref().map_or(0, |half| half.epoch);
            not_late(heard, &ask.asker)?;
            record.autostart = autostart;
            record.ran = ran && !record.held;
            let former = record.half.take();
            let mut half = match former {
                Some(half) if half.state != LinkState::None => half,
                // What was let go of binds nobody; its files may be those that the machine runs from.
                former => {
                    let new = Half::new(ask.subject.clone(), ask.role, towards, ask.terms.clone());
                    match former {
                        Some(former) => new.after(former),
                        None => new,
                    }
                }
            };
            half.turn = turn;
            half.towards = towards;
            half.epoch = ask.asker.epoch;
            half.subject = ask.subject;
            half.terms = ask.terms;
            half.state = LinkState::Paused;
            half.points.clear();
            half.last = None;
            half.forget_agreement();
            record.half = Some(half);
            Ok::<_, FabricError>(record.made.as_ref().and_then(parting))
        })??;
        Ok(Agreed { parting })
    }

    /// Data flows to this side from now on: what was left here is the base of the copy.
    pub(super) async fn reverse(
        self: &Arc<Self>,
        machine: &MachineName,
        half: Half,
        ask: EnsureLink,
        towards: SiteRole,
    ) -> Answer {
        if half.towards == towards && half.role == towards {
            return self.brought(machine, &half, What::Seed).await;
        }
        let found = self.find(machine.as_str()).await?;
        if found.as_ref().is_some_and(|(_, seen)| !is_off(seen)) {
            return Err(retryable(
                format!("{machine} runs where the copy would be written"),
                "stop it there first",
            ));
        }
        let peer = self.peer(&ask.terms, ask.role)?;
        let turn = half.turn + 1;
        let agree = Agree {
            asker: ask.asker.clone(),
            subject: ask.subject.clone(),
            terms: ask.terms.clone(),
            role: ask.role.other(),
            to: Agreement::Flows { towards, turn },
        };
        let agreed: Agreed = peer.call(path::AGREE, &agree).await?;
        let source = Named {
            machine: ask.subject.at(ask.role.other()).clone(),
        };
        let described: Described = peer.call(path::DESCRIBE, &source).await?;
        let record = self.store.get(machine);
        let here = match &found {
            Some((host, _)) => self.copied_disks(host, machine).await?,
            None => BTreeMap::new(),
        };
        let seal = Self::seal(here.values()).ok();
        let left = Left {
            seal: seal.as_deref(),
            stopped: record.stopped.as_deref(),
        };
        let apart = apart(agreed.parting.as_ref(), left);
        info!(%machine, ?apart, "what flows is turned");
        let leaves = record.made.is_some() && half.origin != half.role;
        if let (true, Some((host, _))) = (leaves, &found) {
            // What Drover made is defined anew when it is needed; its disks stay as the base (FB-6).
            host.undefine(machine.as_str()).await?;
        }
        let base = seal.map(|seal| Base::new(here.clone(), seal));
        self.store.change(machine, |record| {
            record.made = None;
            record.ran = false;
            record.held = true;
            let Some(half) = &mut record.half else { return };
            half.base = base;
            for (disk, path) in here {
                let files = half.layers.entry(disk).or_default();
                match files.iter().position(|known| *known == path) {
                    // What is above it is of nothing that is there any more.
                    Some(at) => half.litter.extend(files.split_off(at + 1)),
                    // What was there before is below it.
                    None => files.push(path),
                }
            }
            half.turn = turn;
            half.towards = towards;
            half.state = LinkState::Paused;
            half.finalized = true;
            half.described = Some(described);
            half.taken_from = None;
            half.own = apart.as_ref().and_then(|apart| apart.here.clone());
            half.agreed = apart.map(|apart| apart.there);
            half.last = None;
        })?;
        self.begin_pull(machine, What::Seed)
    }
}

/// How a machine that was made here parted from what it was made of.
fn parting(made: &Made) -> Option<Parting> {
    Some(Parting {
        checkpoint: made.checkpoint.clone()?,
        seal: made.seal.clone(),
        agreed: made.agreed.clone(),
    })
}
