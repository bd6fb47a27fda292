//! What a report leaves out, assumes, or wants read.

use std::collections::BTreeSet;

use drover_api::common::{Direction, FailoverType, SourceStop};
use drover_api::value::GroupName;
use drover_api::{Action, ActionKind, BetweenPhases, DataSync, Purpose, ReprotectPolicy};
use drover_world::{CommitRule, DirectionRules, WayBack};

use crate::plan::note::waits;
use crate::plan::{Intent, Note, Planner, Protection, Resolved, forecast, synchronization};

/// The notes of a report, in a fixed order: what is missing from it, what was assumed, what follows.
pub(super) fn of(planner: &Planner<'_>, intent: Intent, resolved: &Resolved<'_>) -> Vec<Note> {
    let mut notes = open_members(resolved);
    if !resolved.staying.is_empty() {
        notes.push(Note::StayingBehind {
            machines: resolved.staying.clone(),
        });
    }
    notes.extend(actions(intent, resolved));
    notes.extend(source(intent, resolved));
    notes.extend(data(intent, resolved));
    notes.extend(afterwards(intent, resolved));
    let sites = [resolved.source, resolved.target];
    let waits = waits(resolved.plan, intent, sites, planner.now);
    notes.extend(waits.into_iter().map(|wait| Note::WaitsFor { wait }));
    notes
}

fn open_members(resolved: &Resolved<'_>) -> Vec<Note> {
    let open: BTreeSet<&GroupName> = resolved
        .groups
        .iter()
        .flat_map(|group| group.open.iter().copied())
        .collect();
    open.into_iter()
        .filter_map(|name| {
            let protection = resolved.protection.get(name)?;
            Some(Note::OpenMembers {
                protection_group: name.clone(),
                site: protection.spec.sites.primary.clone(),
                known: protection.members.known.len(),
            })
        })
        .collect()
}

fn actions(intent: Intent, resolved: &Resolved<'_>) -> Vec<Note> {
    let (mut http, mut script, mut dns) = (0, 0, 0);
    let mut steps = Vec::new();
    let mut kept = Vec::new();
    for group in &resolved.groups {
        if group.stands_aside() {
            continue;
        }
        let part =
            |action: &&Action| action.takes_part(intent.failover.run_kind(), intent.direction());
        let actions = group.group.before.iter().chain(&group.group.after);
        for action in actions.filter(part) {
            match action.kind() {
                Ok(ActionKind::Http(_)) => http += 1,
                Ok(ActionKind::Script(_)) => script += 1,
                Ok(ActionKind::Manual(_)) => {
                    steps.push((group.group.name.clone(), action.name.clone()));
                }
                Ok(ActionKind::Dns(change)) => {
                    dns += 1;
                    kept.push(Note::ClientsKeepAddress {
                        record: change.record.clone(),
                        ttl: change.ttl.clone(),
                    });
                }
                Ok(ActionKind::Wait(_)) | Err(_) => {}
            }
        }
    }
    let manual = (!steps.is_empty()).then_some(Note::ManualSteps { steps });
    let assumed = (http + script + dns > 0).then_some(Note::AssumedActions { http, script, dns });
    manual.into_iter().chain(assumed).chain(kept).collect()
}

fn source(intent: Intent, resolved: &Resolved<'_>) -> Option<Note> {
    match (intent.failover.kind(), intent.failover.source_stop()) {
        (FailoverType::Planned, _) | (_, SourceStop::Required) => None,
        (_, SourceStop::Skip) => Some(Note::SourceSkipped),
        (_, SourceStop::Attempt) => Some(Note::SourceMayNotAnswer {
            site: resolved.plan.sites.at(intent.from()).clone(),
            stop_timeout: resolved.source.fencing.stop_timeout.clone(),
        }),
    }
}

fn data(intent: Intent, resolved: &Resolved<'_>) -> Vec<Note> {
    let synchronization = synchronization(resolved, intent.direction());
    let synced = synchronization.map(|how| match how.data_sync {
        DataSync::DeltaBeforeFailover => Note::SyncedBefore {
            hold: how.between_phases == BetweenPhases::Hold,
        },
        DataSync::FullDuringFailover => Note::FullCopy,
    });
    let given = resolved
        .protection
        .values()
        .any(|protection| forecast::loss(resolved, protection, intent).is_none());
    synced
        .into_iter()
        .chain(given.then_some(Note::PointGiven))
        .collect()
}

/// What follows the run: who commits, whether machines are protected, whether they can come back.
fn afterwards(intent: Intent, resolved: &Resolved<'_>) -> Vec<Note> {
    let groups = |of: &dyn Fn(&Protection<'_>) -> bool| -> Option<Vec<GroupName>> {
        let named = resolved.protection.iter();
        let named: Vec<GroupName> = named
            .filter(|(_, protection)| of(protection))
            .map(|(name, _)| (*name).clone())
            .collect();
        (!named.is_empty()).then_some(named)
    };
    let at_once = groups(&|protection| {
        rules(protection, intent).is_some_and(|rules| rules.commit == CommitRule::AtOnce)
    });
    let leaves = intent.direction() == Direction::ToSecondary;
    let one_way = groups(&|protection| leaves && is_one_way(protection));
    let unprotected = groups(&|protection| {
        let stays_away = leaves && is_one_way(protection);
        !stays_away && !is_protected_after(resolved, protection, intent)
    });
    let at_once = at_once.map(|protection_groups| Note::CommitsAtOnce { protection_groups });
    let one_way = one_way.map(|protection_groups| Note::OneWay { protection_groups });
    let unprotected =
        unprotected.map(|protection_groups| Note::NotProtectedAfter { protection_groups });
    [at_once, one_way, unprotected]
        .into_iter()
        .flatten()
        .collect()
}

fn rules(protection: &Protection<'_>, intent: Intent) -> Option<&'static DirectionRules> {
    let rules = *protection.rules.as_ref().ok()?;
    match intent.direction() {
        Direction::ToSecondary => Some(&rules.to_secondary),
        Direction::ToPrimary => rules.to_primary.as_ref().ok(),
    }
}

fn is_one_way(protection: &Protection<'_>) -> bool {
    let no_way = |rules: &&drover_world::PairRules| rules.to_primary.is_err();
    protection.spec.purpose == Purpose::MigrationOnly || protection.rules.as_ref().is_ok_and(no_way)
}

/// Whether reverse replication starts by itself after the commit (FO-9): a planned failover between
/// sites of one's own, where the pair reverses by itself and the failback policy does not leave it to
/// a person.
fn is_protected_after(
    resolved: &Resolved<'_>,
    protection: &Protection<'_>,
    intent: Intent,
) -> bool {
    let Some(own) = rules(protection, intent) else {
        return false;
    };
    let into_azure = intent.direction() == Direction::ToSecondary
        && protection
            .rules
            .as_ref()
            .is_ok_and(|rules| rules.into_azure);
    let by_hand = intent.direction() == Direction::ToPrimary
        && resolved
            .failback
            .is_some_and(|failback| failback.reprotect == ReprotectPolicy::Manual);
    intent.failover.kind() == FailoverType::Planned
        && own.ways_back.first() == Some(&WayBack::AfterCommit)
        && !into_azure
        && !by_hand
}
