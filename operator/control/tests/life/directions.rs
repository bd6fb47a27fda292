//! The table of directions, row by row: what a pair supports is done, what it does not is refused with the
//! reason, and the way back begins as the row says.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, shop};
use drover_api::common::RunKind;
use drover_api::{ActualSite, MachinePhase, RunPhase};
use drover_simulator::Latency;
use serde_json::{Value, json};

/// How the machines are protected once they are away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayBack {
    /// By itself.
    AfterCommit,
    /// When a person asks for it.
    OnReprotect,
    /// Not at all: the failback synchronises.
    WithinFailback,
}

/// One row of the table, as the specification has it.
struct Row {
    profile: &'static str,
    /// Planned, unplanned: away.
    away: (bool, bool),
    /// Planned, unplanned: home; nothing where there is no way.
    home: Option<(bool, bool)>,
    way_back: WayBack,
    /// Nobody commits: there is nothing to choose from.
    commits_at_once: bool,
}

const PLANNED: bool = true;
const UNPLANNED: bool = true;
const NO: bool = false;

/// A life by one row.
async fn life(row: Row) {
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.create(&shop().profile(row.profile)).await;
    lab.until_all(MachinePhase::Protected).await;
    if !row.away.0 {
        // Planned is what nothing said otherwise means; the pair has none, and that is known at once.
        lab.refuses("would be `Planned`, which the pair").await;
        lab.change_plan(json!({"failover": rules(&row)})).await;
    }
    lab.until_protected().await;
    refused(&mut lab, "secondary", row.away).await;
    let planned = go(&mut lab, "secondary", row.away).await;
    commit(&mut lab, &row, "shop-1").await;
    assert_eq!(lab.serving("busan"), MACHINES);

    // A failover that was not planned, and any to Azure, leaves machines without protection.
    let by_itself = planned && row.way_back == WayBack::AfterCommit;
    let mut next = 2;
    if !by_itself {
        lab.until_all(MachinePhase::NotProtected).await;
        lab.pass(Duration::from_mins(20)).await;
        assert_eq!(lab.runs().await.len(), 1);
    }
    let Some(home) = row.home else {
        lab.set_active("primary").await;
        lab.pass(Duration::from_mins(20)).await;
        assert_eq!(lab.runs().await.len(), 1);
        let words = format!("{:?}", lab.plan().await.status.unwrap().conditions);
        assert!(words.contains("virtual machine"), "{words}");
        return lab.sound();
    };
    if row.way_back != WayBack::WithinFailback {
        if !by_itself {
            lab.decide("shop-1", "Reprotect").await;
        }
        lab.until_phase("shop-2", RunPhase::Protected).await;
        lab.until_all(MachinePhase::Protected).await;
        next = 3;
    }

    refused(&mut lab, "primary", home).await;
    go(&mut lab, "primary", home).await;
    let run = format!("shop-{next}");
    let synchronised = lab.run(&run).await.unwrap().spec.synchronization.is_some();
    assert_eq!(synchronised, row.way_back == WayBack::WithinFailback);
    commit(&mut lab, &row, &run).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    let protected = format!("shop-{}", next + 1);
    if !home.0 {
        lab.until_all(MachinePhase::NotProtected).await;
        lab.decide(&run, "Reprotect").await;
    }
    lab.until_phase(&protected, RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    lab.sound();
}

/// Standing rules for a pair that has no planned failover; the source is stopped in it.
fn rules(row: &Row) -> Value {
    let rule = json!({"type": "Unplanned", "sourceStop": "Required"});
    if row.home.is_some() {
        json!({"toSecondary": rule, "toPrimary": rule})
    } else {
        json!({"toSecondary": rule})
    }
}

/// What the pair has not is refused, however it is asked for.
async fn refused(lab: &mut Lab, to: &str, (planned, unplanned): (bool, bool)) {
    let missing = [("Planned", planned), ("Unplanned", unplanned)];
    for (kind, _) in missing.into_iter().filter(|(_, supported)| !supported) {
        let request = json!({
            "id": format!("{kind}-{to}"), "expires": "2026-03-03T09:00:00Z", "type": kind,
        });
        lab.change_plan(json!({"activeSite": to, "request": request}))
            .await;
        lab.refuses(&format!("would be `{kind}`, which the pair"))
            .await;
        let back = if to == "primary" {
            "secondary"
        } else {
            "primary"
        };
        lab.change_plan(json!({"activeSite": back, "request": null}))
            .await;
    }
}

/// Declares the site. Whether the run was planned.
async fn go(lab: &mut Lab, to: &str, (planned, _): (bool, bool)) -> bool {
    let run = format!("shop-{}", lab.runs().await.len() + 1);
    lab.set_active(to).await;
    lab.until("the machines are there", async |lab| {
        let there = [RunPhase::CommitPending, RunPhase::Committed];
        let phase = lab.phase(&run).await;
        phase.is_some_and(|phase| there.contains(&phase))
    })
    .await;
    let kind = lab.run(&run).await.unwrap().spec.kind;
    assert_eq!(kind == RunKind::PlannedFailover, planned);
    planned
}

async fn commit(lab: &mut Lab, row: &Row, run: &str) {
    if !row.commits_at_once {
        lab.pass(Duration::from_mins(20)).await;
        assert_eq!(lab.phase(run).await, Some(RunPhase::CommitPending));
        lab.decide(run, "Commit").await;
    }
    lab.until_phase(run, RunPhase::Committed).await;
}

#[tokio::test(start_paused = true)]
async fn vmm_to_vmm() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "VmmToVmm",
        away: (PLANNED, UNPLANNED),
        home: Some((PLANNED, UNPLANNED)),
        way_back: WayBack::AfterCommit,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn vmm_to_azure() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "VmmToAzure",
        away: (PLANNED, UNPLANNED),
        home: Some((PLANNED, NO)),
        way_back: WayBack::WithinFailback,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hyperv_to_azure() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "HyperVToAzure",
        away: (PLANNED, UNPLANNED),
        home: Some((PLANNED, NO)),
        way_back: WayBack::WithinFailback,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn vmware_to_azure() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "VMwareToAzure",
        away: (NO, UNPLANNED),
        home: Some((NO, UNPLANNED)),
        way_back: WayBack::OnReprotect,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn physical_to_azure() {
    // SPEC: FO (direction table), FB-8
    life(Row {
        profile: "PhysicalToAzure",
        away: (NO, UNPLANNED),
        home: None,
        way_back: WayBack::OnReprotect,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn azure_to_azure() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "AzureToAzure",
        away: (NO, UNPLANNED),
        home: Some((NO, UNPLANNED)),
        way_back: WayBack::OnReprotect,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hyperv_with_san_replication() {
    // SPEC: FO (direction table), FB-0, FO-5
    life(Row {
        profile: "HyperVSan",
        away: (PLANNED, UNPLANNED),
        home: Some((PLANNED, UNPLANNED)),
        way_back: WayBack::AfterCommit,
        commits_at_once: true,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn vmware_to_a_second_site() {
    // SPEC: FO (direction table), FB-0
    life(Row {
        profile: "VMwareToSite",
        away: (NO, UNPLANNED),
        home: Some((NO, UNPLANNED)),
        way_back: WayBack::OnReprotect,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn libvirt_to_libvirt() {
    // SPEC: FO (direction table), FB-0, FO-9
    life(Row {
        profile: "LibvirtToLibvirt",
        away: (PLANNED, UNPLANNED),
        home: Some((PLANNED, UNPLANNED)),
        way_back: WayBack::AfterCommit,
        commits_at_once: false,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_synchronises_within_the_failback_is_not_reprotected_before() {
    // SPEC: FB-0, FB-1
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop().profile("HyperVToAzure")).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "Commit").await;
    lab.until_all(MachinePhase::NotProtected).await;
    lab.decide("shop-1", "Reprotect").await;
    lab.holds("synchronises within the failback").await;
    assert_eq!(lab.runs().await.len(), 1);
    // That does not stand in the way of the failback.
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    lab.sound();
}
