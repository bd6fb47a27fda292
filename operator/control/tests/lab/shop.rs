//! The manifests of a small world: two sites, three machines in two groups, one plan. A test says what is
//! different in its own.

#![cfg(test)]

use serde_json::{Value, json};

/// What is declared, ready to be created: sites, then policies, then groups, then the plan.
#[derive(Clone, Default)]
pub struct Shop {
    objects: Vec<Value>,
}

/// `db-1` and `db-2` share their recovery points; `web-1` starts after them. All are at Seoul.
pub fn shop() -> Shop {
    let sites = json!({"primary": "seoul", "secondary": "busan"});
    let site = json!({
        "fabric": {"simulator": {}},
        "tenants": [{"namespaceSelector": {}, "inventorySelector": {}}],
        "fencing": {"method": "Power"},
    });
    Shop {
        objects: Vec::new(),
    }
    .with("Site", "seoul", site.clone())
    .with("Site", "busan", site)
    .with(
        "ReplicationPolicy",
        "gold",
        json!({"replicator": {"simulator": {}}, "interval": "30s"}),
    )
    .with(
        "ProtectionGroup",
        "data",
        json!({
            "sites": sites,
            "policyRef": {"name": "gold"},
            "consistency": "Group",
            "machines": [{"name": "db-1"}, {"name": "db-2"}],
        }),
    )
    .with(
        "ProtectionGroup",
        "web",
        json!({
            "sites": sites,
            "policyRef": {"name": "gold"},
            "machines": [{"name": "web-1"}],
        }),
    )
    .with(
        "RecoveryPlan",
        "shop",
        json!({
            "sites": sites,
            "activeSite": "primary",
            "groups": [
                {"name": "data", "protectionGroups": ["data"]},
                {"name": "web", "protectionGroups": ["web"]},
            ],
        }),
    )
}

impl Shop {
    /// What a text declares.
    pub fn read(text: &str) -> Self {
        let documents = text.split("\n---\n");
        Self {
            objects: documents
                .map(|document| serde_yaml::from_str(document).unwrap())
                .collect(),
        }
    }

    /// One object more. What others refer to goes before them.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is written where it is passed"
    )]
    pub fn with(mut self, kind: &str, name: &str, spec: Value) -> Self {
        let metadata = if kind == "Site" {
            json!({"name": name})
        } else {
            json!({"name": name, "namespace": "default"})
        };
        self.objects.push(json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }));
        self
    }

    /// What is different in the spec of an object, as a merge patch.
    #[must_use]
    pub fn but(mut self, kind: &str, name: &str, different: &Value) -> Self {
        let mut objects = self.objects.iter_mut();
        let object = objects
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("there is no {kind} {name}"));
        merge(&mut object["spec"], different);
        self
    }

    /// What is different at both sites.
    #[must_use]
    pub fn sites(self, different: &Value) -> Self {
        self.but("Site", "seoul", different)
            .but("Site", "busan", different)
    }

    /// What is different in the plan.
    #[must_use]
    pub fn plan(self, different: &Value) -> Self {
        self.but("RecoveryPlan", "shop", different)
    }

    /// The simulator follows the rules of this pair.
    #[must_use]
    pub fn profile(self, profile: &str) -> Self {
        let replicator = json!({"replicator": {"simulator": {"profile": profile}}});
        self.but("ReplicationPolicy", "gold", &replicator)
    }

    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.iter()
    }
}

/// RFC 7386: objects are merged, everything else is replaced, null takes away.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        into.clone_from(patch);
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key.as_str()], value);
        }
    }
}
