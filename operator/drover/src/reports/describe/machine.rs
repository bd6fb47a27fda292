//! A protected machine.

use drover_api::value::humanize;
use drover_api::{MachinePhase, ProtectedMachine};
use jiff::Timestamp;

use super::{deletion, observed, title};
use crate::reports::moments::ago;
use crate::reports::page::{Mood, Page};
use crate::text::{Cell, Column, Style, Table};

/// Everything that matters of a machine.
pub fn machine(machine: &ProtectedMachine, now: Timestamp, style: Style) -> String {
    let nothing = drover_api::ProtectedMachineStatus::default();
    let status = machine.status.as_ref().unwrap_or(&nothing);
    let mut page = Page::new(
        style,
        &title("ProtectedMachine", &machine.metadata),
        &format!("{:?}", status.phase),
        mood(status.phase),
    );
    deletion(&mut page, &machine.metadata, now);
    observed(&mut page, &machine.metadata, status.observed_generation);
    let spec = &machine.spec;
    page.fact("machine", &spec.machine);
    page.fact("group", spec.group_ref.name.as_str());
    page.fact(
        "sites",
        format!(
            "primary {}, secondary {}",
            spec.sites.primary, spec.sites.secondary
        ),
    );
    page.maybe(
        "active at",
        status
            .active_site
            .map(|role| format!("{} ({})", role.as_str(), spec.sites.at(role))),
    );
    page.maybe("run", status.run.as_ref().map(ToString::to_string));
    page.fact("purpose", format!("{:?}", spec.purpose));
    page.fact("on deletion", format!("{:?}", spec.deletion_policy));
    replication(&mut page, status, now);
    instances(&mut page, machine, now);
    drift(&mut page, status, now);
    page.conditions(&status.conditions, now);
    page.finish()
}

fn mood(phase: MachinePhase) -> Mood {
    match phase {
        MachinePhase::Protected | MachinePhase::Migrated => Mood::Good,
        MachinePhase::Failed | MachinePhase::Inconsistent | MachinePhase::NotProtected => Mood::Bad,
        MachinePhase::ResyncRequired
        | MachinePhase::CommitPending
        | MachinePhase::AwaitingCompleteSync => Mood::Notable,
        _ => Mood::Plain,
    }
}

fn drift(page: &mut Page, status: &drover_api::ProtectedMachineStatus, now: Timestamp) {
    if status.drift.is_empty() {
        return;
    }
    page.section("Differs from what is declared, or from what it was");
    let words = status.drift.iter().map(|each| {
        format!(
            "{:?}, for {}: {}",
            each.kind,
            ago(each.since, now),
            each.message
        )
    });
    page.list(&words.collect::<Vec<String>>(), Mood::Notable);
}

fn replication(page: &mut Page, status: &drover_api::ProtectedMachineStatus, now: Timestamp) {
    let Some(seen) = &status.replication else {
        page.fact_as("replication", "none is seen", Mood::Notable);
        return;
    };
    page.fact("replication", format!("towards {}", seen.towards.as_str()));
    page.maybe("RPO", seen.rpo.as_ref().map(ToString::to_string));
    page.fact("not sent", humanize(seen.pending_bytes));
    let newest = seen
        .newest_point
        .map(|at| format!(", the newest {} old", ago(at, now)));
    page.fact(
        "points",
        format!("{}{}", seen.recovery_points, newest.unwrap_or_default()),
    );
    if let Some(progress) = &seen.progress {
        let whole = progress.bytes_total.max(1);
        let percent = u128::from(progress.bytes_done) * 100 / u128::from(whole);
        page.fact(
            "copied",
            format!(
                "{} of {} ({percent} %)",
                humanize(progress.bytes_done),
                humanize(progress.bytes_total)
            ),
        );
    }
}

fn instances(page: &mut Page, machine: &ProtectedMachine, now: Timestamp) {
    let instances = machine
        .status
        .as_ref()
        .map(|status| status.instances.as_slice());
    let Some(instances) = instances.filter(|instances| !instances.is_empty()) else {
        return;
    };
    page.section("Seen at the sites");
    let running = |drill: bool| {
        let is = |each: &&drover_api::InstanceSeen| {
            each.drill == drill && each.state.eq_ignore_ascii_case("running")
        };
        instances.iter().filter(is).count()
    };
    let twice = running(false) > 1;
    let mut table = Table::new([
        Column::short("SITE"),
        Column::text("STATE"),
        Column::short("MADE BY"),
        Column::number("SEEN"),
    ]);
    for each in instances {
        let state = each.state.clone();
        table.row(vec![
            machine.spec.sites.at(each.site).to_string().into(),
            if twice && !each.drill {
                Cell::bad(state)
            } else {
                state.into()
            },
            if each.drill { "a drill" } else { "-" }.into(),
            format!("{} ago", ago(each.at, now)).into(),
        ]);
    }
    page.table(&table);
    if twice {
        page.list(&["it is seen running at both sites".to_owned()], Mood::Bad);
    }
}
