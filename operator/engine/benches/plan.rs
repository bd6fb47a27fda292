//! What planning costs: one plan of ten thousand groups, and an estate of a thousand plans.

// `criterion_group!` makes a public function without a word about it; and a benchmark is a test, it may
// panic.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drover_api::Object;
use drover_api::common::SiteRole;
use drover_engine::declared::Declared;
use drover_engine::members::Inventories;
use drover_engine::plan::{Intent, Places, Planner, Records};
use drover_world::PlanId;
use serde_json::{Value, json};

/// The most that one protection group may list.
const MEMBERS: usize = 5_000;

fn object(kind: &str, name: &str, spec: &Value) -> Object {
    let value = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name, "namespace": "large" },
        "spec": spec,
    });
    Object::deserialize_kind(kind, value)
        .expect("a kind of Drover")
        .expect("an object of that kind")
}

fn foundations() -> Vec<Object> {
    let site = json!({ "fabric": { "simulator": {} } });
    let policy = json!({ "replicator": { "simulator": {} }, "interval": "30s" });
    vec![
        object("Site", "north", &site),
        object("Site", "south", &site),
        object("ReplicationPolicy", "standard", &policy),
    ]
}

fn protection_group(name: &str, machines: &[Value]) -> Object {
    let spec = json!({
        "sites": { "primary": "north", "secondary": "south" },
        "policyRef": { "name": "standard" },
        "machines": machines,
    });
    object("ProtectionGroup", name, &spec)
}

fn plan(name: &str, groups: &[Value]) -> Object {
    let spec = json!({
        "sites": { "primary": "north", "secondary": "south" },
        "activeSite": "primary",
        "objectives": { "rto": "1h", "rpo": "5m" },
        "groups": groups,
    });
    object("RecoveryPlan", name, &spec)
}

/// One plan of so many groups with one machine each.
fn one_plan(groups: usize, depends_on: Option<&Value>) -> Vec<Object> {
    let mut objects = foundations();
    let machines: Vec<Value> = (0..groups)
        .map(|at| json!({ "name": format!("m-{at}") }))
        .collect();
    for (at, members) in machines.chunks(MEMBERS).enumerate() {
        objects.push(protection_group(&format!("part-{at}"), members));
    }
    let groups: Vec<Value> = (0..groups)
        .map(|at| {
            let part = format!("part-{}", at / MEMBERS);
            let machine = json!({ "protectionGroup": part, "name": format!("m-{at}") });
            let mut group = json!({ "name": format!("g-{at}"), "machines": [machine] });
            if let Some(list) = depends_on {
                group["dependsOn"] = list.clone();
            }
            group
        })
        .collect();
    objects.push(plan("plan-0", &groups));
    objects
}

/// So many plans of five groups with ten machines each.
fn estate(plans: usize) -> Vec<Object> {
    let mut objects = foundations();
    for at in 0..plans {
        let groups: Vec<Value> = (0..5)
            .map(|tier| {
                let name = format!("app-{at}-{tier}");
                let machines: Vec<Value> = (0..10)
                    .map(|machine| json!({ "name": format!("{name}-{machine}") }))
                    .collect();
                objects.push(protection_group(&name, &machines));
                json!({ "name": format!("tier-{tier}"), "protectionGroups": [name] })
            })
            .collect();
        objects.push(plan(&format!("plan-{at}"), &groups));
    }
    objects
}

/// Plans every plan there is.
fn plan_all(objects: &[Object]) -> usize {
    let declared = Declared::new(objects);
    let planner = Planner {
        declared: &declared,
        inventories: &Inventories::new(),
        records: &Records::NONE,
        places: &Places::NONE,
        now: None,
    };
    declared
        .plans
        .keys()
        .map(|(namespace, name)| {
            let id = PlanId {
                namespace: namespace.parse().expect("a namespace"),
                name: name.parse().expect("a name"),
            };
            let report = planner.plan(&id, Intent::planned(SiteRole::Secondary));
            black_box(report.expect("a plan that can be laid out")).machines
        })
        .sum()
}

fn one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one-plan");
    group.sample_size(20);
    let none = json!([]);
    for (name, depends_on) in [("chain", None), ("independent", Some(&none))] {
        let objects = one_plan(10_000, depends_on);
        group.bench_function(BenchmarkId::new(name, 10_000), |bencher| {
            bencher.iter(|| plan_all(black_box(&objects)));
        });
    }
    group.finish();
}

fn many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("estate");
    group.sample_size(20);
    for machines in [1_000, 10_000, 50_000] {
        let objects = estate(machines / 50);
        group.throughput(Throughput::Elements(machines as u64));
        group.bench_function(BenchmarkId::new("machines", machines), |bencher| {
            bencher.iter(|| assert_eq!(plan_all(black_box(&objects)), machines));
        });
    }
    group.finish();
}

criterion_group!(benches, one, many);
criterion_main!(benches);
