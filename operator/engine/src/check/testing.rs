//! A world to break: the example that people start from, and ways to change one thing in it.

use drover_api::Object;
use serde_json::{Map, Value, json};

use super::{Options, check};
use crate::declared::Declared;
use crate::members::declared_inventories;
use crate::problem::{Problem, Severity};

/// Manifests as values.
#[derive(Clone)]
pub(crate) struct World(Vec<Value>);

impl World {
    /// The example: two sites, two protection groups, one plan, one drill. Nothing is wrong with it.
    pub(crate) fn example() -> Self {
        Self(vec![
            site("seoul"),
            site("busan"),
            of_shop("ReplicationPolicy", "gold", &policy()),
            of_shop("NetworkMapping", "seoul-busan", &mapping()),
            of_shop("ProtectionGroup", "shop-data", &data()),
            of_shop("ProtectionGroup", "shop-web", &web()),
            of_shop("FailbackPolicy", "home-again", &failback_policy()),
            of_shop("RecoveryPlan", "shop", &plan()),
            of_shop("RecoveryDrill", "shop-november", &drill()),
        ])
    }

    /// The same, under the rules of another pair of sites.
    pub(crate) fn of_profile(profile: &str) -> Self {
        let replicator = json!({ "simulator": { "profile": profile } });
        Self::example()
            .set("ReplicationPolicy/gold", "/spec/replicator", replicator)
            .remove("FailbackPolicy/home-again", "/spec/dataSync")
            .remove("FailbackPolicy/home-again", "/spec/betweenPhases")
    }

    /// With one object more.
    pub(crate) fn with(mut self, object: Value) -> Self {
        self.0.push(object);
        self
    }

    /// With one more object of namespace `shop`.
    pub(crate) fn with_shop(self, kind: &str, name: &str, spec: &Value) -> Self {
        self.with(of_shop(kind, name, spec))
    }

    /// With a copy of an object under another name.
    pub(crate) fn copy(self, of: &str, name: &str) -> Self {
        let mut copy = self.0[self.position(of)].clone();
        copy["metadata"]["name"] = json!(name);
        self.with(copy)
    }

    /// Without an object.
    pub(crate) fn without(mut self, object: &str) -> Self {
        let position = self.position(object);
        self.0.remove(position);
        self
    }

    /// With a field set; what is on the way to it is made.
    pub(crate) fn set(mut self, object: &str, pointer: &str, value: Value) -> Self {
        let position = self.position(object);
        let mut here = &mut self.0[position];
        for step in pointer.trim_start_matches('/').split('/') {
            here = if let Ok(index) = step.parse::<usize>() {
                &mut here[index]
            } else {
                if here.is_null() {
                    *here = Value::Object(Map::new());
                }
                &mut here[step]
            };
        }
        *here = value;
        self
    }

    /// Without a field.
    pub(crate) fn remove(mut self, object: &str, pointer: &str) -> Self {
        let position = self.position(object);
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.0[position].pointer_mut(parent).expect("the parent");
        parent.as_object_mut().expect("an object").remove(field);
        self
    }

    /// All problems.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems_at(None)
    }

    /// All problems at an instant.
    pub(crate) fn problems_at(&self, now: Option<&str>) -> Vec<Problem> {
        let objects = self.objects();
        let declared = Declared::new(&objects);
        let now = now.map(|now| now.parse().expect("an instant"));
        check(
            &declared,
            &declared_inventories(&declared),
            &Options { now, jobs: false },
        )
    }

    /// All problems where scripts run as Jobs.
    pub(crate) fn problems_with_jobs(&self) -> Vec<Problem> {
        let objects = self.objects();
        let declared = Declared::new(&objects);
        let options = Options {
            now: None,
            jobs: true,
        };
        check(&declared, &declared_inventories(&declared), &options)
    }

    /// All problems as `severity code Kind/name path`.
    pub(crate) fn found(&self) -> Vec<String> {
        self.found_at(None)
    }

    /// The same at an instant.
    pub(crate) fn found_at(&self, now: Option<&str>) -> Vec<String> {
        let problems = self.problems_at(now);
        problems.iter().map(|problem| self.place(problem)).collect()
    }

    /// The problems of one code as `severity code Kind/name path`.
    pub(crate) fn found_of(&self, code: &str) -> Vec<String> {
        let problems = self.problems();
        let of_code = problems.iter().filter(|problem| problem.code == code);
        of_code.map(|problem| self.place(problem)).collect()
    }

    /// All problems with message and hint.
    pub(crate) fn told(&self) -> Vec<String> {
        let problems = self.problems();
        problems.iter().map(|problem| self.tell(problem)).collect()
    }

    /// The problems of one code with message and hint.
    pub(crate) fn told_of(&self, code: &str) -> Vec<String> {
        let problems = self.problems();
        let of_code = problems.iter().filter(|problem| problem.code == code);
        of_code.map(|problem| self.tell(problem)).collect()
    }

    /// Where the related places of the first problem are.
    pub(crate) fn related(&self) -> Vec<String> {
        let first = self.problems().into_iter().next().expect("a problem");
        let related = first.related.iter();
        related
            .map(|related| format!("{} {}", self.label(related.object), related.path))
            .collect()
    }

    /// The objects, read as the tools read them.
    pub(crate) fn objects(&self) -> Vec<Object> {
        self.0.iter().map(read).collect()
    }

    fn tell(&self, problem: &Problem) -> String {
        let place = self.place(problem);
        match &problem.hint {
            Some(hint) => format!("{place}: {} ({hint})", problem.message),
            None => format!("{place}: {}", problem.message),
        }
    }

    fn place(&self, problem: &Problem) -> String {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let object = self.label(problem.object);
        format!("{severity} {} {object} {}", problem.code, problem.path)
    }

    fn position(&self, object: &str) -> usize {
        (0..self.0.len())
            .find(|position| self.label(*position) == object)
            .unwrap_or_else(|| panic!("no {object}"))
    }

    fn label(&self, object: usize) -> String {
        let value = &self.0[object];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!(
            "{}/{}",
            text(&value["kind"]),
            text(&value["metadata"]["name"])
        )
    }
}

fn read(value: &Value) -> Object {
    let kind = value["kind"].as_str().expect("a kind");
    Object::deserialize_kind(kind, value.clone())
        .expect("a kind of Drover")
        .unwrap_or_else(|error| panic!("{kind}: {error}: {value}"))
}

/// A simulated site that admits everybody.
pub(crate) fn site(name: &str) -> Value {
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "Site",
        "metadata": { "name": name },
        "spec": {
            "fabric": { "simulator": {} },
            "tenants": [{ "namespaceSelector": {}, "inventorySelector": {} }],
            "limits": { "concurrentStarts": 20 },
            "timeZone": "Asia/Seoul",
        },
    })
}

/// An object in namespace `shop`.
pub(crate) fn of_shop(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name, "namespace": "shop" },
        "spec": spec,
    })
}

/// The two sites of the example.
pub(crate) fn sites() -> Value {
    json!({ "primary": "seoul", "secondary": "busan" })
}

fn policy() -> Value {
    json!({
        "replicator": { "simulator": {} },
        "initialReplication": "Online",
        "rpoThreshold": "15m",
        "interval": "30s",
        "recoveryPoints": { "retention": "24h", "appConsistentEvery": "60m" },
        "resyncWindow": { "start": "22:00", "end": "05:00" },
    })
}

fn mapping() -> Value {
    json!({
        "sites": sites(),
        "networks": [
            {
                "name": "data",
                "primary": { "network": "vlan20", "subnet": "10.20.0.0/24" },
                "secondary": { "network": "vlan120", "subnet": "10.120.0.0/24" },
                "test": { "primary": "isolated-20", "secondary": "isolated-120" },
                "addresses": "Assign",
            },
            {
                "name": "web",
                "primary": { "network": "vlan10", "subnet": "10.10.0.0/24" },
                "secondary": { "network": "vlan110", "subnet": "10.110.0.0/24" },
                "test": { "primary": "isolated-10", "secondary": "isolated-110" },
                "addresses": "Dynamic",
            },
        ],
    })
}

fn data() -> Value {
    let machine = |name: &str, primary: &str, secondary: &str| {
        let addresses = json!({ "primary": [primary], "secondary": [secondary] });
        json!({ "name": name, "nics": [{ "network": "data", "addresses": addresses }] })
    };
    json!({
        "sites": sites(),
        "policyRef": { "name": "gold" },
        "networkMappingRef": { "name": "seoul-busan" },
        "consistency": "Group",
        "deletionPolicy": "Retain",
        "machines": [
            machine("db-1", "10.20.0.11", "10.120.0.11"),
            machine("db-2", "10.20.0.12", "10.120.0.12"),
        ],
    })
}

fn web() -> Value {
    json!({
        "sites": sites(),
        "policyRef": { "name": "gold" },
        "networkMappingRef": { "name": "seoul-busan" },
        "selector": { "matchLabels": { "app": "shop", "tier": "web" } },
        "memberSettings": [{
            "selector": { "matchLabels": { "tier": "web" } },
            "nics": [{ "network": "web" }],
        }],
    })
}

fn failback_policy() -> Value {
    json!({
        "replicationPolicyRef": { "name": "gold" },
        "dataSync": "DeltaBeforeFailover",
        "betweenPhases": "Continue",
        "location": { "type": "Original" },
        "reprotect": "Automatic",
    })
}

fn plan() -> Value {
    json!({
        "sites": sites(),
        "activeSite": "primary",
        "objectives": { "rto": "15m", "rpo": "5m" },
        "failover": {
            "toSecondary": { "type": "Planned", "maxDataLoss": "5m" },
            "toPrimary": { "type": "Planned", "start": { "policy": "Immediately" } },
        },
        "commit": { "policy": "Manual" },
        "failbackPolicyRef": { "name": "home-again" },
        "guards": { "drillNotOlderThan": "90d" },
        "groups": [
            { "name": "data", "protectionGroups": ["shop-data"], "after": [database_answers()] },
            {
                "name": "web",
                "dependsOn": ["data"],
                "protectionGroups": ["shop-web"],
                "after": [move_traffic(), business_says_go()],
            },
        ],
        "drills": {
            "schedule": { "cron": "0 3 1 * *", "timeZone": "Asia/Seoul" },
            "ttl": "4h",
        },
    })
}

fn database_answers() -> Value {
    json!({
        "name": "database-answers",
        "http": { "machine": "db-1", "port": 8008, "path": "/health", "expectStatus": 200 },
        "timeout": "2m",
        "retries": 5,
        "onFailure": "Halt",
    })
}

fn move_traffic() -> Value {
    json!({
        "name": "move-traffic",
        "dns": {
            "record": "shop.example.com",
            "ttl": "30s",
            "primary": ["203.0.113.10"],
            "secondary": ["198.51.100.10"],
            "rfc2136": {
                "server": "127.0.0.1:5353",
                "zone": "example.com",
                "keySecretRef": { "name": "dns-key" },
            },
        },
    })
}

fn business_says_go() -> Value {
    json!({
        "name": "business-says-go",
        "manual": { "message": "Place a test order, then approve." },
        "when": {
            "runs": ["PlannedFailover", "UnplannedFailover"],
            "directions": ["ToSecondary"],
        },
    })
}

fn drill() -> Value {
    json!({
        "planRef": { "name": "shop" },
        "recoveryPoint": { "type": "LatestAppConsistent" },
        "ttl": "4h",
    })
}
