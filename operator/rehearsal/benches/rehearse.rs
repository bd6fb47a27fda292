//! Two hundred lives of a plan with a hundred machines in ten groups.
//!
//!     cargo bench -p drover-rehearsal --bench rehearse -- 100 200

// What it finds goes to standard output, and a benchmark may panic.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::time::Instant;

use drover_api::common::{SiteRole, SourceStop};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Intent, Places, Planner, Records};
use drover_manifest::{Options, Source, drover_kinds, load};
use drover_rehearsal::{Assumed, Prepared, Scenario, Summary, live_all};
use drover_world::PlanId;

const GROUPS: usize = 10;

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    // As a test it is enough that it still works.
    let (machines, runs) = match numbers[..] {
        [machines, runs, ..] => (machines, runs),
        _ if std::env::args().any(|word| word == "--bench") => (100, 200),
        _ => (20, 2),
    };
    let text = manifests(machines as usize);
    let sources = [Source {
        name: "estate.yaml",
        text: text.as_bytes(),
    }];
    let loaded = load(&sources, &drover_kinds(), &Options::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let objects: Vec<_> = loaded
        .objects
        .into_iter()
        .map(|declared| declared.object)
        .collect();
    let declared = Declared::new(&objects);
    let inventories = declared_inventories(&declared);
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: None,
    };
    let plan = PlanId {
        namespace: "estate".parse().expect("a name"),
        name: "estate".parse().expect("a name"),
    };
    let planned = Intent::planned(SiteRole::Secondary);
    let lost = Intent::unplanned(SiteRole::Secondary, SourceStop::Attempt);
    for (name, intent, fault) in [
        ("planned", planned, None),
        ("lost", lost, Some("site-loss=one")),
    ] {
        let begun = Instant::now();
        let prepared = Prepared::of(&Scenario {
            planner: &planner,
            plan: &plan,
            intent,
            request: None,
            faults: fault
                .iter()
                .map(|fault| fault.parse().expect("a fault"))
                .collect(),
            assumed: Assumed::default(),
        });
        let prepared = prepared.expect("a run");
        let lives = live_all(&prepared, 1, runs).expect("lives");
        let summary = Summary::of(&lives);
        println!(
            "{name}: {runs} runs of {machines} machines in {:.2} s; all up in {}; RTO {:?}",
            begun.elapsed().as_secs_f64(),
            summary.up(),
            summary.rto.map(|spread| spread.p50)
        );
    }
}

/// Two simulated sites, and a plan with ten groups in a chain.
fn manifests(machines: usize) -> String {
    let mut text = String::from(
        "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: one }\nspec: { fabric: { simulator: {} }, \
         tenants: [{ namespaceSelector: {}, inventorySelector: {} }], fencing: { method: Power } }\n---\n\
         apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: two }\nspec: { fabric: { simulator: {} }, \
         tenants: [{ namespaceSelector: {}, inventorySelector: {} }], fencing: { method: Power } }\n---\n\
         apiVersion: drover.dev/v1alpha1\nkind: ReplicationPolicy\nmetadata: { name: usual, namespace: estate }\n\
         spec: { replicator: { simulator: {} } }\n",
    );
    let mut groups = String::new();
    for group in 0..GROUPS {
        let members: Vec<String> = (0..machines.div_ceil(GROUPS))
            .map(|machine| format!("{{ name: m-{group}-{machine} }}"))
            .collect();
        let _ = write!(
            text,
            "---\napiVersion: drover.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {{ name: g{group}, \
             namespace: estate }}\nspec: {{ sites: {{ primary: one, secondary: two }}, policyRef: {{ name: usual }}, \
             machines: [{}] }}\n",
            members.join(", ")
        );
        let _ = write!(
            groups,
            "{{ name: g{group}, protectionGroups: [g{group}] }}, "
        );
    }
    let _ = write!(
        text,
        "---\napiVersion: drover.dev/v1alpha1\nkind: RecoveryPlan\nmetadata: {{ name: estate, namespace: estate }}\n\
         spec: {{ sites: {{ primary: one, secondary: two }}, activeSite: primary, groups: [{groups}] }}\n"
    );
    text
}
