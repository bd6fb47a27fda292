//! A site: whether it answers, which rights there are, what is free, and who is protected by nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use drover_api::annotations::asked_now;
use drover_api::conditions::REACHABLE;
use drover_api::value::{MachineName, SiteName};
use drover_api::{
    InventorySummary, Reachability, ReachabilityState, Site, SiteStatus, UnprotectedMachines,
};
use drover_engine::drift::{self, SiteFacts};
use drover_fabric::{Capabilities, Probe, within};
use drover_world::{EpochEnforcement, FabricError};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::cache::ObjectKey;
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::declaration::Object;
use crate::drivers::OPEN_AGAIN;
use crate::events::Tone;
use crate::queue::Key;
use crate::write::WriteError;

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().sites.get(key).cloned();
    let Some(site) = found else {
        // One that cannot be read any more may serve a run that goes on: its driver stays as it was.
        if context.unread().has("Site", key) {
            return Ok(());
        }
        context.close_site(&key.name);
        return Ok(());
    };
    context.later(Key::Site(key.clone()), context.settings.probe);
    let mut status = site.status.clone().unwrap_or_default();
    status.observed_generation = site.metadata.generation;
    let answered = status.last_handled_reconcile.take();
    let asked = asked_now(site.annotations(), answered.as_deref());
    if asked.is_some()
        && let Ok(name) = key.name.parse()
    {
        context.renew_site(&name);
    }
    status.last_handled_reconcile = asked.or(answered);
    context.renew_with_secrets(&site).await;
    let errors = context.snapshot().errors(&Object::Site(key.clone()));
    match context.open_site(&site).await {
        Ok(fabric) => {
            status.capabilities = capabilities(fabric.capabilities());
            let probe = within(context.settings.driver_limit, fabric.probe()).await;
            describe(context, &site, &mut status, probe, &errors);
        }
        Err(error) => {
            // What keeps it closed may be over soon: a process that leads no longer, a secret to come.
            context.later(Key::Site(key.clone()), OPEN_AGAIN);
            describe(context, &site, &mut status, Err(error), &errors);
        }
    }
    if site.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let news = newly_open(site.status.as_ref(), &status);
    let mut next = (*site).clone();
    next.status = Some(status);
    let written = context.replace_status(next).await?;
    if let Some(news) = news {
        context.tell(&*written, Tone::Warning, "UnprotectedMachines", &news);
    }
    Ok(())
}

/// Machines that nobody protects and that were not there, or not open to anybody, before. The first look
/// tells nothing: groups may be still to come.
fn newly_open(before: Option<&SiteStatus>, now: &SiteStatus) -> Option<String> {
    let before = before?.unprotected.as_ref()?;
    let now = now.unprotected.as_ref()?;
    let more = now
        .offered
        .checked_sub(before.offered)
        .filter(|more| *more > 0)?;
    let known: BTreeSet<&MachineName> = before
        .machines
        .iter()
        .map(|machine| &machine.name)
        .collect();
    let names = now.machines.iter().map(|machine| &machine.name);
    let fresh = names.filter(|name| !known.contains(name)).take(3);
    let fresh: Vec<&str> = fresh.map(MachineName::as_str).collect();
    Some(format!(
        "{more} more that no protection group has: {}; {} altogether",
        fresh.join(", "),
        now.offered
    ))
}

fn capabilities(can: Capabilities) -> Vec<String> {
    let epochs = match can.epochs {
        EpochEnforcement::Enforced => "epochsEnforced",
        EpochEnforcement::Advisory => "epochsAdvisory",
    };
    let mut list = vec![epochs.to_owned()];
    if can.fencing {
        list.push("fencing".to_owned());
    }
    if can.drills {
        list.push("drills".to_owned());
    }
    list
}

fn describe(
    context: &Context,
    site: &Site,
    status: &mut SiteStatus,
    probe: Result<Probe, FabricError>,
    errors: &[String],
) {
    let now = context.clock.now();
    let state = match &probe {
        Ok(_) => ReachabilityState::Reachable,
        Err(_) => ReachabilityState::Unknown,
    };
    if status
        .reachability
        .as_ref()
        .is_none_or(|former| former.state != state)
    {
        status.reachability = Some(Reachability { state, since: now });
    }
    let mut conditions = Conditions::of(&mut status.conditions, site.metadata.generation, now);
    match &probe {
        Ok(probe) => {
            conditions.set(REACHABLE, Status::True, "Answers", "the site answers");
            let missing: Vec<&str> = probe
                .rights
                .iter()
                .filter(|right| !right.granted)
                .map(|right| right.name.as_str())
                .collect();
            if !errors.is_empty() {
                conditions.stalled("Invalid", &errors.join("\n"));
            } else if missing.is_empty() {
                conditions.ready("Reachable", "the site answers and its rights suffice");
            } else {
                conditions.stalled(
                    "RightsMissing",
                    &format!("not granted: {}", missing.join(", ")),
                );
            }
        }
        Err(error) => {
            let hint = error
                .hint
                .as_ref()
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            let words = format!("{error}{hint}; what happens there is not known");
            conditions.set(REACHABLE, Status::Unknown, "NoAnswer", &words);
            conditions.reconciling("NoAnswer", &words);
        }
    }
    if let Ok(probe) = probe {
        status.rights = probe.rights;
        status.capacity = probe.capacity;
    }
    status.inventory = summary(context, site).or(status.inventory.take());
    status.unprotected = unprotected(context, site, status, now).or(status.unprotected.take());
}

/// The machines that nobody protects, as far as the site was asked. What it said last stands while it is silent.
fn unprotected(
    context: &Context,
    site: &Site,
    status: &SiteStatus,
    now: Timestamp,
) -> Option<UnprotectedMachines> {
    let name: SiteName = site.metadata.name.as_deref()?.parse().ok()?;
    let inventory = context.index().inventory(&name).cloned()?;
    let claimed = context.cache().names_at(&name);
    Some(drift::unprotected(&SiteFacts {
        spec: &site.spec,
        inventory: &inventory,
        claimed: &claimed,
        before: status.unprotected.as_ref(),
        now,
    }))
}

fn summary(context: &Context, site: &Site) -> Option<InventorySummary> {
    let name: SiteName = site.metadata.name.as_deref()?.parse().ok()?;
    let inventory = context.index().inventory(&name).cloned()?;
    let cache = context.cache();
    let protected = inventory
        .machines()
        .keys()
        .filter(|machine| cache.native(&name, machine).is_some())
        .count();
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    Some(InventorySummary {
        machines: count(inventory.machines().len()),
        protected: count(protected),
    })
}
