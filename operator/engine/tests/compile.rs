//! Runs compiled from the manifests that people write, and the second look at them.

#![cfg(test)]

use drover_api::common::{
    Direction, FailoverType, RecoveryPointChoice, RecoveryPointType, RunKind, SiteRole, SourceStop,
    Unfenced,
};
use drover_api::{AddressRule, CommitPolicy, Object, RecoveryRunSpec, Request};
use drover_engine::compile::{CompileError, Compiled, Order, What, compile};
use drover_engine::declared::Declared;
use drover_engine::invariant::Invariant;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Failover, Intent, Places, Planner, Records, Scope};
use drover_engine::verify::{Surroundings, verify};
use drover_manifest::{Options, Source, drover_kinds, load};
use drover_world::PlanId;

/// The shop: two databases in a consistency group, web machines by label, moved traffic, a person's go.
const SHOP: &str = include_str!("../../../tests/fixtures/example.yaml");

/// The machines of Seoul, which the shop's web group selects from.
const SEOUL: &str = "    simulator:
      machines:
        - { name: db-1, networks: [vlan20] }
        - { name: db-2, networks: [vlan20] }
        - { name: web-1, labels: { app: shop, tier: web }, networks: [vlan10] }
        - { name: web-2, labels: { app: shop, tier: web }, networks: [vlan10] }
";

fn shop_with(change: impl Fn(String) -> String) -> Vec<Object> {
    let text = SHOP.replacen("    simulator: {}", SEOUL.trim_end(), 1);
    let text = change(text);
    let source = Source {
        name: "shop.yaml",
        text: text.as_bytes(),
    };
    let loaded = load(&[source], &drover_kinds(), &Options::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded
        .objects
        .into_iter()
        .map(|declared| declared.object)
        .collect()
}

fn shop() -> Vec<Object> {
    shop_with(|text| text)
}

fn plan_id() -> PlanId {
    PlanId {
        namespace: "shop".parse().unwrap(),
        name: "shop".parse().unwrap(),
    }
}

fn compiled(objects: &[Object], what: What<'_>) -> Result<Compiled, CompileError> {
    numbered(objects, what, 7, 41)
}

fn numbered(
    objects: &[Object],
    what: What<'_>,
    number: u64,
    highest_epoch: u64,
) -> Result<Compiled, CompileError> {
    let declared = Declared::new(objects);
    let inventories = declared_inventories(&declared);
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: None,
    };
    let plan = plan_id();
    compile(
        &planner,
        &Order {
            plan: &plan,
            what,
            number,
            highest_epoch,
            forecast: None,
        },
    )
}

fn planned(to: SiteRole) -> What<'static> {
    What::Failover {
        intent: Intent::planned(to),
        request: None,
    }
}

fn sound(compiled: &Compiled) {
    let surroundings = Surroundings {
        highest_epoch: 41,
        ..Surroundings::default()
    };
    assert_eq!(verify(&compiled.run, &compiled.machines, &surroundings), []);
}

fn names(compiled: &Compiled) -> Vec<&str> {
    compiled
        .machines
        .iter()
        .map(|machine| machine.machine.name.as_str())
        .collect()
}

#[test]
fn a_planned_failover_of_the_shop() {
    // SPEC: PL-1, PL-2, FO-2, FO-10
    let compiled = compiled(&shop(), planned(SiteRole::Secondary)).unwrap();
    sound(&compiled);
    let run = &compiled.run;
    assert_eq!(
        (run.kind, run.direction),
        (RunKind::PlannedFailover, Direction::ToSecondary)
    );
    assert_eq!((run.number, run.epoch, run.machines), (7, 42, 4));
    assert_eq!(
        (run.source.stop, run.source.unfenced),
        (SourceStop::Required, Unfenced::Refuse)
    );
    assert_eq!(names(&compiled), ["db-1", "db-2", "web-1", "web-2"]);
    let waves: Vec<(&str, u32)> = run
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.wave))
        .collect();
    assert_eq!(waves, [("data", 1), ("web", 2)]);
    let shared: Vec<bool> = compiled
        .machines
        .iter()
        .map(|machine| machine.consistency_group)
        .collect();
    assert_eq!(shared, [true, true, false, false]);
    let actions: Vec<&str> = run.groups[1]
        .after
        .iter()
        .map(|action| action.name.as_str())
        .collect();
    assert_eq!(actions, ["move-traffic", "business-says-go"]);
}

#[test]
fn networks_and_addresses_are_those_of_the_target() {
    // SPEC: NM-1, NM-2, NM-4
    let there = compiled(&shop(), planned(SiteRole::Secondary)).unwrap();
    let database = &there.machines[0].nics[0];
    assert_eq!(database.network.as_str(), "vlan120");
    assert_eq!(database.addresses, AddressRule::Assign);
    assert_eq!(database.assigned[0].to_string(), "10.120.0.11");
    let web = &there.machines[2].nics[0];
    assert_eq!(
        (web.network.as_str(), web.addresses),
        ("vlan110", AddressRule::Dynamic)
    );
    let back = compiled(&shop(), planned(SiteRole::Primary)).unwrap();
    let database = &back.machines[0].nics[0];
    assert_eq!(database.network.as_str(), "vlan20");
    assert_eq!(database.assigned[0].to_string(), "10.20.0.11");
}

#[test]
fn an_address_that_was_static_comes_back_after_a_failover_with_dhcp() {
    // SPEC: NM-4
    let objects = shop_with(|text| text.replacen("addresses: Assign  ", "addresses: Dynamic ", 1));
    let there = compiled(&objects, planned(SiteRole::Secondary)).unwrap();
    assert_eq!(there.machines[0].nics[0].addresses, AddressRule::Dynamic);
    let back = compiled(&objects, planned(SiteRole::Primary)).unwrap();
    assert_eq!(back.machines[0].nics[0].addresses, AddressRule::Assign);
    assert_eq!(
        back.machines[0].nics[0].assigned[0].to_string(),
        "10.20.0.11"
    );
}

#[test]
fn actions_follow_the_kind_and_the_direction_of_the_run() {
    // SPEC: PL-4
    let back = compiled(&shop(), planned(SiteRole::Primary)).unwrap();
    let actions: Vec<&str> = back.run.groups[1]
        .after
        .iter()
        .map(|action| action.name.as_str())
        .collect();
    assert_eq!(
        actions,
        ["move-traffic"],
        "business-says-go is only for the way out"
    );
}

#[test]
fn a_failback_follows_its_policy() {
    // SPEC: FB-0, FB-2, FB-3
    let there = compiled(&shop(), planned(SiteRole::Secondary)).unwrap();
    assert_eq!(there.run.synchronization, None);
    let back = compiled(&shop(), planned(SiteRole::Primary)).unwrap();
    sound(&back);
    assert!(
        back.run.synchronization.is_some(),
        "the shop's policy asks for data synchronisation"
    );
}

#[test]
fn a_drill_is_on_isolated_networks_and_has_no_actions_of_production() {
    // SPEC: FO-1, NM-1, NM-6
    let objects = shop();
    let recovery_point = RecoveryPointChoice::of(RecoveryPointType::LatestAppConsistent);
    let drill = |groups| What::Drill {
        to: SiteRole::Secondary,
        recovery_point: &recovery_point,
        groups,
    };
    let compiled = compiled(&objects, drill(&[])).unwrap();
    let production = ["vlan110", "vlan120"]
        .map(|network| network.parse().unwrap())
        .into();
    let surroundings = Surroundings {
        production,
        highest_epoch: 41,
    };
    assert_eq!(verify(&compiled.run, &compiled.machines, &surroundings), []);
    let networks: Vec<&str> = compiled
        .machines
        .iter()
        .map(|machine| machine.nics[0].network.as_str())
        .collect();
    assert_eq!(
        networks,
        [
            "isolated-120",
            "isolated-120",
            "isolated-110",
            "isolated-110"
        ]
    );
    assert!(
        compiled
            .run
            .groups
            .iter()
            .all(|group| group.before.is_empty() && group.after.is_empty())
    );
}

#[test]
fn a_drill_of_some_groups_takes_along_what_they_depend_on() {
    // SPEC: FO-1
    let recovery_point = RecoveryPointChoice::of(RecoveryPointType::LatestProcessed);
    let groups = ["data".parse().unwrap()];
    let drill = What::Drill {
        to: SiteRole::Secondary,
        recovery_point: &recovery_point,
        groups: &groups,
    };
    assert_eq!(names(&compiled(&shop(), drill).unwrap()), ["db-1", "db-2"]);
    let groups = ["web".parse().unwrap()];
    let drill = What::Drill {
        to: SiteRole::Secondary,
        recovery_point: &recovery_point,
        groups: &groups,
    };
    assert_eq!(compiled(&shop(), drill).unwrap().machines.len(), 4);
}

#[test]
fn a_request_goes_before_the_standing_rule() {
    // SPEC: PL-9, FO-4
    let request: Request = serde_json::from_value(serde_json::json!({
        "id": "typhoon-1", "expires": "2026-11-20T12:00:00Z", "type": "Unplanned",
        "recoveryPoint": { "type": "LatestProcessed" }, "unfenced": "AcceptSplitBrain",
        "maxDataLoss": "1h"
    }))
    .unwrap();
    let intent = Intent {
        to: SiteRole::Secondary,
        failover: Failover::Unplanned {
            source_stop: SourceStop::Attempt,
            recovery_point: RecoveryPointType::LatestProcessed,
        },
        scope: Scope::Plan,
    };
    let what = What::Failover {
        intent,
        request: Some(&request),
    };
    let compiled = compiled(&shop(), what).unwrap();
    sound(&compiled);
    let run = &compiled.run;
    assert_eq!(run.failover_type(), Some(FailoverType::Unplanned));
    assert_eq!(run.request_id.as_deref(), Some("typhoon-1"));
    assert_eq!(run.recovery_point.kind, RecoveryPointType::LatestProcessed);
    assert_eq!(run.source.unfenced, Unfenced::AcceptSplitBrain);
    assert_eq!(
        run.max_data_loss
            .as_ref()
            .map(ToString::to_string)
            .as_deref(),
        Some("1h")
    );
}

#[test]
fn a_pair_without_other_points_commits_at_once() {
    // SPEC: FO-5
    let objects = shop_with(|text| {
        let text = text.replacen(
            "    simulator: {}                 #",
            "    simulator: { profile: HyperVSan } #",
            1,
        );
        // This pair reverses by itself, so there is nothing to synchronise inside a failback.
        text.replacen("  dataSync: DeltaBeforeFailover", "  # dataSync: unset", 1)
            .replacen("  betweenPhases: Continue", "  # betweenPhases: unset", 1)
    });
    let run = compiled(&objects, planned(SiteRole::Secondary))
        .unwrap()
        .run;
    assert_eq!(run.commit.policy, CommitPolicy::Automatic);
    assert!(run.commit.soak.is_some_and(|soak| soak.is_zero()));
}

#[test]
fn what_the_pair_cannot_do_is_not_compiled() {
    // SPEC: FO (direction table)
    let objects = shop_with(|text| {
        text.replacen(
            "    simulator: {}                 #",
            "    simulator: { profile: VMwareToAzure } #",
            1,
        )
    });
    let error = compiled(&objects, planned(SiteRole::Secondary)).unwrap_err();
    assert!(matches!(error, CompileError::Refused(_)), "{error}");
}

#[test]
fn unknown_members_are_never_left_out_silently() {
    // SPEC: PR-10
    let objects = shop_with(|text| text.replace(SEOUL.trim_end(), "    simulator: {}"));
    let error = compiled(&objects, planned(SiteRole::Secondary)).unwrap_err();
    assert_eq!(
        error,
        CompileError::MembersUnknown("shop-web".parse().unwrap())
    );
}

#[test]
fn the_digest_is_of_what_is_done_and_of_nothing_else() {
    // SPEC: PL-10
    let objects = shop();
    let one = numbered(&objects, planned(SiteRole::Secondary), 7, 41).unwrap();
    let again = numbered(&objects, planned(SiteRole::Secondary), 8, 99).unwrap();
    assert_eq!(
        one.run.digest, again.run.digest,
        "number and epoch do not change what is done"
    );
    let back = numbered(&objects, planned(SiteRole::Primary), 7, 41).unwrap();
    assert_ne!(one.run.digest, back.run.digest);
    let other = shop_with(|text| text.replacen("10.120.0.11", "10.120.0.99", 1));
    let other = numbered(&other, planned(SiteRole::Secondary), 7, 41).unwrap();
    assert_ne!(
        one.run.digest, other.run.digest,
        "an address is part of what is done"
    );
}

#[test]
fn every_mutation_of_a_sound_run_is_found() {
    // SPEC: FO-2, FO-8, SA-3. The checker must be able to fail.
    type Mutation = (&'static str, Invariant, fn(&mut Compiled));
    let mutations: &[Mutation] = &[
        ("a cycle", Invariant::OrderKept, |c| {
            c.run.groups[0].depends_on = vec![c.run.groups[1].name.clone()];
        }),
        ("an edge to nowhere", Invariant::OrderKept, |c| {
            c.run.groups[1].depends_on = vec!["gone".parse().unwrap()];
        }),
        ("a wrong wave", Invariant::OrderKept, |c| {
            c.run.groups[1].wave = 1;
        }),
        ("a group twice", Invariant::OrderKept, |c| {
            c.run.groups[1].name = c.run.groups[0].name.clone();
        }),
        ("a machine twice", Invariant::EffectOnce, |c| {
            c.machines[1].machine = c.machines[0].machine.clone();
        }),
        ("a machine left out", Invariant::EffectOnce, |c| {
            c.machines.pop();
        }),
        ("a machine in another group", Invariant::EffectOnce, |c| {
            c.machines[0].group = c.run.groups[1].name.clone();
        }),
        ("a source that is not stopped", Invariant::ZeroLoss, |c| {
            c.run.source.stop = SourceStop::Attempt;
        }),
        ("an older point", Invariant::ZeroLoss, |c| {
            c.run.recovery_point = RecoveryPointChoice::of(RecoveryPointType::LatestProcessed);
        }),
        ("a split brain", Invariant::SingleActive, |c| {
            c.run.source.unfenced = Unfenced::AcceptSplitBrain;
        }),
        ("an old epoch", Invariant::AsReviewed, |c| c.run.epoch = 41),
        ("another digest", Invariant::AsReviewed, |c| {
            c.run.recovery_point.name = Some("x".into());
        }),
        ("no places", Invariant::Settles, |c| c.run.limits.starts = 0),
        ("data backwards", Invariant::NothingBackwards, |c| {
            c.run.synchronization = Some(drover_api::Synchronization {
                data_sync: drover_api::DataSync::DeltaBeforeFailover,
                between_phases: drover_api::BetweenPhases::Continue,
            });
        }),
    ];
    let sound = compiled(&shop(), planned(SiteRole::Secondary)).unwrap();
    let surroundings = Surroundings {
        highest_epoch: 41,
        ..Surroundings::default()
    };
    for (name, invariant, mutate) in mutations {
        let mut broken = sound.clone();
        mutate(&mut broken);
        let found = verify(&broken.run, &broken.machines, &surroundings);
        assert!(
            found.iter().any(|finding| finding.invariant == *invariant),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn a_drill_on_production_networks_is_found() {
    // SPEC: FO-1
    let recovery_point = RecoveryPointChoice::of(RecoveryPointType::Latest);
    let drill = What::Drill {
        to: SiteRole::Secondary,
        recovery_point: &recovery_point,
        groups: &[],
    };
    let mut compiled = compiled(&shop(), drill).unwrap();
    compiled.machines[0].nics[0].network = "vlan120".parse().unwrap();
    let production = ["vlan120".parse().unwrap()].into();
    let found = verify(
        &compiled.run,
        &compiled.machines,
        &Surroundings {
            production,
            highest_epoch: 41,
        },
    );
    assert!(
        found
            .iter()
            .any(|finding| finding.invariant == Invariant::DrillApart),
        "{found:?}"
    );
}

#[test]
fn a_compiled_run_is_what_its_definition_admits() {
    // SPEC: KU-1
    let compiled = compiled(&shop(), planned(SiteRole::Secondary)).unwrap();
    let text = serde_json::to_string(&compiled.run).unwrap();
    assert_eq!(
        serde_json::from_str::<RecoveryRunSpec>(&text).unwrap(),
        compiled.run
    );
}
