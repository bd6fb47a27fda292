//! Declarations for tests, as people would write them.

use drover_api::Object;
use drover_world::PlanId;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::members::declared_inventories;
use crate::plan::{Intent, Outlook, Places, PlanError, PlanReport, Planner, Records};

/// Reads one object of any kind.
pub fn object(value: Value) -> Object {
    let kind = value["kind"].as_str().unwrap().to_owned();
    Object::deserialize_kind(&kind, value).unwrap().unwrap()
}

pub fn named(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name, "namespace": "shop" },
    });
    object["spec"] = spec;
    object
}

pub fn site(name: &str, machines: Value) -> Value {
    let mut object = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "Site",
        "metadata": { "name": name },
        "spec": { "fabric": { "simulator": {} } },
    });
    object["spec"]["fabric"]["simulator"]["machines"] = machines;
    object
}

/// A policy whose replicator is the simulator under this profile.
pub fn policy(profile: Option<&str>) -> Value {
    let replicator = profile.map_or(json!({}), |profile| json!({ "profile": profile }));
    let spec = json!({
        "replicator": { "simulator": replicator },
        "rpoThreshold": "15m",
        "interval": "30s",
    });
    named("ReplicationPolicy", "gold", spec)
}

pub fn group(name: &str, machines: &[&str]) -> Value {
    let machines: Vec<Value> = machines
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    let spec = json!({
        "sites": { "primary": "seoul", "secondary": "busan" },
        "policyRef": { "name": "gold" },
        "machines": machines,
    });
    named("ProtectionGroup", name, spec)
}

/// A plan `shop` between Seoul and Busan with these groups; `more` is merged into its spec.
pub fn plan(groups: Value, more: Value) -> Value {
    let mut spec = json!({ "sites": { "primary": "seoul", "secondary": "busan" } });
    spec["groups"] = groups;
    let Value::Object(more) = more else {
        panic!("more fields are an object: {more}");
    };
    for (field, value) in more {
        spec[field] = value;
    }
    named("RecoveryPlan", "shop", spec)
}

/// Two tiers of simulated machines: `db-1`, `db-2`, then `web-1`.
pub fn two_tiers(profile: Option<&str>, more: Value) -> World {
    World::new([
        site("seoul", json!([])),
        site("busan", json!([])),
        policy(profile),
        group("data", &["db-1", "db-2"]),
        group("web", &["web-1"]),
        plan(
            json!([
                { "name": "data", "protectionGroups": ["data"] },
                { "name": "web", "protectionGroups": ["web"] },
            ]),
            more,
        ),
    ])
}

/// Declarations, and what planning them needs beside.
pub struct World {
    pub objects: Vec<Object>,
    pub records: Records,
    pub now: Option<Timestamp>,
}

impl World {
    pub fn new(values: impl IntoIterator<Item = Value>) -> Self {
        Self {
            objects: values.into_iter().map(object).collect(),
            records: Records::NONE,
            now: None,
        }
    }

    /// Replaces the object of this kind and name by what `change` makes of it.
    pub fn change(mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let found = self.objects.iter_mut();
        let mut found = found.filter(|object| object.kind() == kind && object.name() == name);
        let place = found.next().unwrap();
        let mut value = serde_json::to_value(&*place).unwrap();
        value["kind"] = json!(kind);
        change(&mut value);
        *place = object(value);
        self
    }

    pub fn add(mut self, value: Value) -> Self {
        self.objects.push(object(value));
        self
    }

    pub fn with<T>(&self, read: impl FnOnce(&Planner<'_>, &PlanId) -> T) -> T {
        let declared = Declared::new(&self.objects);
        let inventories = declared_inventories(&declared);
        let planner = Planner {
            declared: &declared,
            inventories: &inventories,
            records: &self.records,
            places: &Places::NONE,
            now: self.now,
        };
        read(&planner, &shop())
    }

    pub fn try_plan(&self, intent: Intent) -> Result<PlanReport, PlanError> {
        self.with(|planner, id| planner.plan(id, intent))
    }

    /// Plans, and plans again: that must change nothing.
    pub fn plan(&self, intent: Intent) -> PlanReport {
        let report = self.try_plan(intent).unwrap();
        assert_eq!(self.try_plan(intent).unwrap(), report, "planned again");
        let lengths = report.critical_path.iter();
        let sum: u64 = lengths.map(|step| step.length.as_millis()).sum();
        assert_eq!(sum, report.makespan.as_millis(), "the critical path's sum");
        report
    }

    pub fn outlook(&self, actual: Option<drover_api::common::SiteRole>) -> Outlook {
        self.with(|planner, id| planner.outlook(id, actual))
            .unwrap()
    }
}

pub fn shop() -> PlanId {
    PlanId {
        namespace: "shop".parse().unwrap(),
        name: "shop".parse().unwrap(),
    }
}

/// Seconds of a duration, for short comparisons.
pub fn seconds(duration: &drover_api::value::Duration) -> u64 {
    assert_eq!(duration.as_millis() % 1000, 0, "{duration}");
    duration.as_secs()
}
