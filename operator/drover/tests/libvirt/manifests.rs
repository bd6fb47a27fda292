//! What is declared of two libvirt sites.

use drover_lab::Side;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::lab::Movers;

pub const POLICY: &str = "bitmaps";

/// The name of a site, as a plan says where machines should be.
pub fn word(side: Side) -> &'static str {
    side.name()
}

fn sites() -> Value {
    json!({"primary": "primary", "secondary": "secondary"})
}

/// Both sites, the policy between them, and the networks; with more of the policy, and of the sites' fencing.
pub fn ground(movers: &Movers, policy: &Value, fencing: &Value) -> Vec<Value> {
    let site = |side: Side| {
        let mut spec = serde_json::to_value(movers.spec(side)).unwrap();
        spec["tenants"] = json!([{"namespaceSelector": {}, "inventorySelector": {}}]);
        extend(&mut spec["fencing"], fencing);
        object("Site", side.name(), &spec)
    };
    let mut spec = json!({
        "replicator": {"qemuBitmap": {}},
        "rpoThreshold": "1m",
        // At any time: whether it is night makes no difference here.
        "resyncWindow": {"start": "00:00", "end": "23:59"},
        // Nobody has minutes here.
        "retry": {"pauses": ["2s"], "thenEvery": "2s"},
    });
    extend(&mut spec, policy);
    vec![
        site(Side::Primary),
        site(Side::Secondary),
        object("ReplicationPolicy", POLICY, &spec),
        object(
            "NetworkMapping",
            "lan",
            &json!({
                "sites": sites(),
                "networks": [{
                    "name": "lan",
                    "primary": {"network": "lan", "subnet": "192.168.77.0/24"},
                    "secondary": {"network": "lan", "subnet": "192.168.77.0/24"},
                    "test": {"primary": "isolated", "secondary": "isolated"},
                    "addresses": "Dynamic",
                }],
            }),
        ),
        object(
            "FailbackPolicy",
            "home-again",
            &json!({"reprotect": "Automatic"}),
        ),
    ]
}

fn extend(object: &mut Value, more: &Value) {
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
}

/// A group of machines, and the plan of the same name.
pub fn protected(
    name: &str,
    machines: &[&str],
    consistency: bool,
    active: Side,
    request: Option<&Value>,
) -> [Value; 2] {
    let member = |name: &&str| json!({"name": name, "nics": [{"network": "lan"}]});
    let mut group = json!({
        "sites": sites(),
        "policyRef": {"name": POLICY},
        "networkMappingRef": {"name": "lan"},
        "machines": machines.iter().map(member).collect::<Vec<_>>(),
    });
    if consistency {
        group["consistency"] = json!("Group");
    }
    let mut plan = json!({
        "sites": sites(),
        "activeSite": word(active),
        "failover": {"toSecondary": {"type": "Planned"}, "toPrimary": {"type": "Planned"}},
        "commit": {"policy": "Manual"},
        "failbackPolicyRef": {"name": "home-again"},
        "groups": [{"name": "all", "protectionGroups": [name]}],
    });
    if let Some(request) = request {
        plan["request"] = request.clone();
    }
    [
        object("ProtectionGroup", name, &group),
        object("RecoveryPlan", name, &plan),
    ]
}

/// A planned failover that is asked for by name.
pub fn planned(id: &str) -> Value {
    json!({"id": id, "expires": in_an_hour(), "type": "Planned"})
}

/// An unplanned failover from the latest point.
pub fn unplanned(id: &str, source_stop: &str, unfenced: &str) -> Value {
    json!({
        "id": id,
        "expires": in_an_hour(),
        "type": "Unplanned",
        "recoveryPoint": {"type": "Latest"},
        "sourceStop": source_stop,
        "unfenced": unfenced,
    })
}

fn in_an_hour() -> String {
    let expires = Timestamp::now() + SignedDuration::from_hours(1);
    expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let mut metadata = json!({"name": name});
    if kind != "Site" {
        metadata["namespace"] = json!("shop");
    }
    json!({"apiVersion": "drover.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}
