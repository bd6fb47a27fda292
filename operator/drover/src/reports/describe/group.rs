//! A protection group.

use drover_api::{DeletionPolicy, ProtectedMachine, ProtectionGroup};
use jiff::Timestamp;

use super::{deletion, observed, title};
use crate::reports::page::{Mood, Page};
use crate::reports::words::condition;
use crate::text::{Cell, Column, Style, Table, count, elided};

/// Members that are listed; those that are not protected come first.
const MOST: usize = 40;

/// Everything that matters of a group.
pub fn group(
    group: &ProtectionGroup,
    machines: &[ProtectedMachine],
    now: Timestamp,
    style: Style,
) -> String {
    let nothing = drover_api::ProtectionGroupStatus::default();
    let status = group.status.as_ref().unwrap_or(&nothing);
    let ready = condition(&status.conditions, drover_api::conditions::READY);
    let (said, mood) = match ready {
        Some(ready) if ready.status == "True" => ("Ready".to_owned(), Mood::Good),
        Some(ready) => (format!("not ready: {}", ready.message), Mood::Notable),
        None => ("nobody looked at it yet".to_owned(), Mood::Notable),
    };
    let mut page = Page::new(
        style,
        &title("ProtectionGroup", &group.metadata),
        &said,
        mood,
    );
    deletion(&mut page, &group.metadata, now);
    observed(&mut page, &group.metadata, status.observed_generation);
    let spec = &group.spec;
    page.fact(
        "sites",
        format!(
            "primary {}, secondary {}",
            spec.sites.primary, spec.sites.secondary
        ),
    );
    page.fact("policy", spec.policy_ref.name.as_str());
    page.fact("consistency", format!("{:?}", spec.consistency));
    page.fact("purpose", format!("{:?}", spec.purpose));
    page.fact(
        "on deletion",
        match spec.deletion_policy {
            DeletionPolicy::Retain => "the copies stay (Retain)",
            DeletionPolicy::RemoveReplica => "the copies are removed (RemoveReplica)",
        },
    );
    if let Some(members) = &status.members {
        let failed = members.failed > 0;
        page.fact_as(
            "members",
            format!(
                "{}: {} protected, {} on the way, {} resynchronising, {} not replicated, {} failed",
                members.total,
                members.protected,
                members.enabling,
                members.resynchronizing,
                members.unprotected,
                members.failed
            ),
            if failed { Mood::Bad } else { Mood::Plain },
        );
    }
    page.maybe(
        "worst RPO",
        status.worst_rpo.as_ref().map(ToString::to_string),
    );
    if !status.no_longer_matching.is_empty() {
        let names = elided(&status.no_longer_matching, 6);
        page.fact_as(
            "no match",
            format!("{names}; still protected"),
            Mood::Notable,
        );
    }
    members(&mut page, machines);
    page.conditions(&status.conditions, now);
    page.finish()
}

fn members(page: &mut Page, machines: &[ProtectedMachine]) {
    if machines.is_empty() {
        return;
    }
    page.section("Members");
    let phase = |machine: &ProtectedMachine| {
        machine
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default()
    };
    let mut sorted: Vec<&ProtectedMachine> = machines.iter().collect();
    let protected = drover_api::MachinePhase::Protected;
    sorted.sort_by_key(|machine| phase(machine) == protected);
    let mut table = Table::new([
        Column::text("MACHINE"),
        Column::short("PHASE"),
        Column::short("ACTIVE"),
        Column::number("RPO"),
        Column::number("POINTS"),
    ]);
    for machine in sorted.iter().take(MOST) {
        let status = machine.status.as_ref();
        let replication = status.and_then(|status| status.replication.as_ref());
        let rpo = replication.and_then(|seen| seen.rpo.as_ref());
        let shown = format!("{:?}", phase(machine));
        table.row(vec![
            machine.spec.machine.to_string().into(),
            if phase(machine) == protected {
                shown.into()
            } else {
                Cell::notable(shown)
            },
            status
                .and_then(|status| status.active_site)
                .map_or("-", drover_api::common::SiteRole::as_str)
                .into(),
            rpo.map_or_else(|| "-".to_owned(), ToString::to_string)
                .into(),
            replication
                .map_or_else(|| "-".to_owned(), |seen| seen.recovery_points.to_string())
                .into(),
        ]);
    }
    page.table(&table);
    if sorted.len() > MOST {
        page.paragraph(&format!(
            "… and {}",
            count(sorted.len() - MOST, "more machine")
        ));
    }
}
