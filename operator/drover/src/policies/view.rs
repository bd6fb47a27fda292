//! What a policy sees of each thing that is declared. The fields are those of [`shape`](super::shape).
//!
//! A field that does not apply is missing, so that `has(self.field)` says so.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::FailoverType;
use drover_api::value::Duration;
use drover_api::{
    Action, CommitPolicy, Consistency, ProtectionGroup, RecoveryPlan, ReplicationPolicySpec,
};
use drover_engine::declared::{Declared, Entry};
use drover_engine::members::{self, Inventories};
use drover_engine::plan::Planner;
use drover_manifest::FieldPath;
use drover_world::PlanId;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::shape::Subject;
use crate::failure::Failure;
use crate::plans::survey::{self, Question};

/// One thing, as a policy sees it.
#[derive(Debug)]
pub struct Seen {
    /// What people call it, such as `RecoveryPlan shop/shop`.
    pub name: String,
    /// The object that it is written in, and where in that.
    pub object: Option<usize>,
    /// The field to point at.
    pub path: FieldPath,
    /// What expressions see.
    pub view: Value,
}

/// Makes views.
pub struct Maker<'a> {
    declared: &'a Declared<'a>,
    inventories: &'a Inventories,
    planner: &'a Planner<'a>,
    /// The plans that name a group as a whole, and those that name single machines of it.
    plans_of_groups: BTreeMap<(&'a str, &'a str), BTreeSet<String>>,
    plans_of_machines: BTreeMap<(&'a str, &'a str, &'a str), BTreeSet<String>>,
}

impl<'a> Maker<'a> {
    /// For these declarations.
    pub fn new(
        declared: &'a Declared<'a>,
        inventories: &'a Inventories,
        planner: &'a Planner<'a>,
    ) -> Self {
        let mut maker = Self {
            declared,
            inventories,
            planner,
            plans_of_groups: BTreeMap::new(),
            plans_of_machines: BTreeMap::new(),
        };
        for (&(namespace, name), plan) in &declared.plans {
            for group in &plan.object.spec.groups {
                for named in &group.protection_groups {
                    let plans = maker.plans_of_groups.entry((namespace, named.as_str()));
                    plans.or_default().insert(format!("{namespace}/{name}"));
                }
                for machine in &group.machines {
                    let key = (
                        namespace,
                        machine.protection_group.as_str(),
                        machine.name.as_str(),
                    );
                    let plans = maker.plans_of_machines.entry(key);
                    plans.or_default().insert(format!("{namespace}/{name}"));
                }
            }
        }
        maker
    }

    /// Everything of a kind, by name.
    ///
    /// # Errors
    /// When a plan cannot be laid out.
    pub fn all(&self, subject: Subject) -> Result<Vec<Seen>, Failure> {
        match subject {
            Subject::Machine => Ok(self.machines()),
            Subject::Group => Ok(self.groups()),
            Subject::Plan => self.plans(),
            Subject::Site => Ok(self.sites()),
        }
    }

    /// Machines that groups have, and those that inventories list and no group has.
    fn machines(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut protected = BTreeSet::new();
        for (&(namespace, name), group) in &self.declared.groups {
            let site = group.object.spec.sites.primary.as_str();
            for member in members::of(&group.object.spec, self.inventories).known {
                protected.insert((site, member.name.as_str()));
                seen.push(self.protected(namespace, name, group, &member));
            }
        }
        for (site, inventory) in self.inventories {
            for (name, machine) in inventory.machines() {
                if protected.contains(&(site.as_str(), name.as_str())) {
                    continue;
                }
                let object = self
                    .declared
                    .sites
                    .get(site.as_str())
                    .map(|entry| entry.index);
                seen.push(Seen {
                    name: format!("machine {name} at {site}"),
                    object,
                    path: FieldPath::default(),
                    view: json!({
                        "name": name, "site": site, "labels": machine.labels, "protected": false,
                        "groupLabels": {}, "encrypted": false, "consistencyGroup": false, "plans": [],
                    }),
                });
            }
        }
        seen
    }

    fn protected(
        &self,
        namespace: &'a str,
        group: &'a str,
        entry: &Entry<'a, ProtectionGroup>,
        member: &members::Member<'a>,
    ) -> Seen {
        let spec = &entry.object.spec;
        let mut plans = self.plans_of(namespace, group);
        let single = self
            .plans_of_machines
            .get(&(namespace, group, member.name.as_str()));
        plans.extend(single.into_iter().flatten().cloned());
        let labels = member.found.map(|found| found.labels.clone());
        let mut view = fields(json!({
            "name": member.name,
            "site": spec.sites.primary,
            "labels": labels.unwrap_or_default(),
            "protected": true,
            "inNamespace": namespace,
            "group": group,
            "groupLabels": labels_of(entry.object),
            "policy": spec.policy_ref.name,
            "consistencyGroup": spec.consistency == Consistency::Group,
            "plans": plans,
        }));
        self.replication(namespace, spec.policy_ref.name.as_str(), &mut view);
        let path = match member.origin {
            members::Origin::Listed(position) => {
                let path = FieldPath::default().key("spec").key("machines");
                path.index(position).key("name")
            }
            members::Origin::Selected(_) => FieldPath::default().key("spec").key("selector"),
        };
        Seen {
            name: format!("machine {namespace}/{group}.{}", member.name),
            object: Some(entry.index),
            path,
            view: Value::Object(view),
        }
    }

    fn groups(&self) -> Vec<Seen> {
        let groups = self.declared.groups.iter();
        let seen = groups.map(|(&(namespace, name), entry)| {
            let spec = &entry.object.spec;
            let members = members::of(spec, self.inventories);
            let names: Vec<&str> = members
                .known
                .iter()
                .map(|member| member.name.as_str())
                .collect();
            let mut view = fields(json!({
                "name": name,
                "inNamespace": namespace,
                "labels": labels_of(entry.object),
                "primary": spec.sites.primary,
                "secondary": spec.sites.secondary,
                "machines": names,
                "open": members.open,
                "policy": spec.policy_ref.name,
                "consistencyGroup": spec.consistency == Consistency::Group,
                "purpose": spec.purpose,
                "deletionPolicy": spec.deletion_policy,
                "plans": self.plans_of(namespace, name),
            }));
            let mapping = spec.network_mapping_ref.as_ref();
            put(
                &mut view,
                "networkMapping",
                mapping.map(|mapping| &mapping.name),
            );
            self.replication(namespace, spec.policy_ref.name.as_str(), &mut view);
            Seen {
                name: format!("ProtectionGroup {namespace}/{name}"),
                object: Some(entry.index),
                path: FieldPath::default(),
                view: Value::Object(view),
            }
        });
        seen.collect()
    }

    /// What the replication policy of this name says.
    fn replication(&self, namespace: &str, policy: &str, view: &mut Map<String, Value>) {
        let found = self.declared.policies.get(&(namespace, policy));
        let spec: Option<&ReplicationPolicySpec> = found.map(|entry| &entry.object.spec);
        put(view, "rpo", spec.map(|spec| length(&spec.rpo_threshold)));
        put(
            view,
            "retention",
            spec.map(|spec| length(&spec.recovery_points.retention)),
        );
        let interval = spec.and_then(|spec| spec.interval.as_ref());
        put(view, "interval", interval.map(length));
        let encryption = spec.and_then(|spec| spec.encryption.as_ref());
        let encrypted = encryption.is_some_and(|encryption| encryption.in_flight);
        view.insert("encrypted".to_owned(), encrypted.into());
    }

    fn plans_of(&self, namespace: &'a str, group: &'a str) -> BTreeSet<String> {
        let plans = self.plans_of_groups.get(&(namespace, group));
        plans.cloned().unwrap_or_default()
    }

    fn plans(&self) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (&(namespace, name), entry) in &self.declared.plans {
            let (Ok(in_namespace), Ok(of_name)) = (namespace.parse(), name.parse()) else {
                continue;
            };
            let id = PlanId {
                namespace: in_namespace,
                name: of_name,
            };
            let row = survey::row(self.planner, &id, Question::default())?;
            let mut view = declared_plan(&id, entry.object);
            let forecast = &row.forecast;
            let mut expected = fields(json!({
                "direction": row.direction,
                "rto": length(&forecast.rto.expected.value),
                "waves": row.waves,
            }));
            let loss = |found: &Option<drover_engine::plan::Measured>| {
                found.as_ref().map(|found| length(&found.value))
            };
            put(&mut expected, "loss", loss(&forecast.rpo.expected));
            put(&mut expected, "worstLoss", loss(&forecast.rpo.worst));
            view.insert("forecast".to_owned(), Value::Object(expected));
            view.insert("machines".to_owned(), row.machines.into());
            view.insert(
                "groups".to_owned(),
                self.plan_groups(namespace, entry.object),
            );
            seen.push(Seen {
                name: format!("RecoveryPlan {id}"),
                object: Some(entry.index),
                path: FieldPath::default(),
                view: Value::Object(view),
            });
        }
        Ok(seen)
    }

    fn plan_groups(&self, namespace: &str, plan: &RecoveryPlan) -> Value {
        let groups = plan.spec.groups.iter().map(|group| {
            let of_groups = group.protection_groups.iter().filter_map(|name| {
                let found = self.declared.groups.get(&(namespace, name.as_str()))?;
                Some(
                    members::of(&found.object.spec, self.inventories)
                        .known
                        .len(),
                )
            });
            let machines = group.machines.len() + of_groups.sum::<usize>();
            json!({
                "name": group.name, "machines": machines,
                "before": actions(&group.before), "after": actions(&group.after),
            })
        });
        groups.collect()
    }

    fn sites(&self) -> Vec<Seen> {
        let sites = self.declared.sites.iter();
        let seen = sites.map(|(name, entry)| {
            let spec = &entry.object.spec;
            Seen {
                name: format!("Site {name}"),
                object: Some(entry.index),
                path: FieldPath::default(),
                view: json!({
                    "name": name,
                    "labels": labels_of(entry.object),
                    "fabric": spec.fabric.driver(),
                    "timeZone": spec.time_zone,
                    "tenants": spec.tenants.len(),
                }),
            }
        });
        seen.collect()
    }
}

/// What a plan declares by itself.
fn declared_plan(id: &PlanId, plan: &RecoveryPlan) -> Map<String, Value> {
    let spec = &plan.spec;
    let guards = spec.guards.clone().unwrap_or_default();
    let rule = |rule: &Option<drover_api::StandingRule>| {
        rule.as_ref()
            .map_or(FailoverType::Planned, |rule| rule.kind)
    };
    let mut view = fields(json!({
        "name": id.name,
        "inNamespace": id.namespace,
        "labels": labels_of(plan),
        "primary": spec.sites.primary,
        "secondary": spec.sites.secondary,
        "commit": spec.commit.policy,
        "approvals": guards.approvals.unwrap_or(0),
        "drillsScheduled": spec.drills.as_ref().is_some_and(|drills| !drills.suspend),
        "toSecondary": rule(&spec.failover.to_secondary),
        "toPrimary": rule(&spec.failover.to_primary),
    }));
    let automatic = spec.commit.policy == CommitPolicy::Automatic;
    let soak = spec.commit.soak.as_ref().filter(|_| automatic);
    put(&mut view, "activeSite", spec.active_site);
    put(&mut view, "soak", soak.map(length));
    put(
        &mut view,
        "drillNotOlderThan",
        guards.drill_not_older_than.as_ref().map(length),
    );
    let objectives = spec.objectives.as_ref();
    let rto = objectives.and_then(|aims| aims.rto.as_ref());
    let rpo = objectives.and_then(|aims| aims.rpo.as_ref());
    put(&mut view, "rto", rto.map(length));
    put(&mut view, "rpo", rpo.map(length));
    let request = spec.request.as_ref().map(|request| {
        json!({
            "id": request.id, "type": request.kind, "expires": request.expires,
            "unfenced": request.unfenced,
        })
    });
    put(&mut view, "request", request);
    view
}

fn actions(actions: &[Action]) -> Value {
    let actions = actions.iter().map(|action| {
        let kind = action.kind().map_or("action", |kind| kind.as_str());
        json!({ "name": action.name, "kind": kind, "onFailure": action.on_failure })
    });
    actions.collect()
}

fn labels_of<K: kube::ResourceExt>(object: &K) -> BTreeMap<String, String> {
    object.labels().clone()
}

/// A length of time as expressions read it: manifests also write days.
fn length(duration: &Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn put(view: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        view.insert(name.to_owned(), json!(value));
    }
}
