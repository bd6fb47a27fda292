//! `NetworkMapping`: which network at one site stands for which at the other.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{SitePair, SiteRole};
use crate::value::{Cidr, NetworkAlias, NetworkName};

/// Pairs the networks of two sites, for real failovers and, isolated, for drills. It works in both
/// directions (NM-1).
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "NetworkMapping",
    namespaced,
    derive = "PartialEq",
    status = "NetworkMappingStatus",
    shortname = "nmap",
    category = "drover",
    doc = "Pairs the networks of two sites, for real failovers and, isolated, for drills.",
    printcolumn(name = "Primary", type_ = "string", json_path = ".spec.sites.primary"),
    printcolumn(
        name = "Secondary",
        type_ = "string",
        json_path = ".spec.sites.secondary"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct NetworkMappingSpec {
    /// The two sites.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the sites of a mapping cannot be changed: make a new one"))]
    pub sites: SitePair,
    /// The pairs of networks.
    #[schemars(length(min = 1, max = 512))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub networks: Vec<NetworkPair>,
}

/// One network at both sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.test) || ((!has(self.test.primary) || self.test.primary != self.primary.network) && (!has(self.test.secondary) || self.test.secondary != self.secondary.network))").message("a test network must be another than the production network"))]
pub struct NetworkPair {
    /// The name that protection groups call the pair by.
    pub name: NetworkAlias,
    /// The network at the primary site.
    pub primary: SiteNetwork,
    /// The network at the secondary site.
    pub secondary: SiteNetwork,
    /// The isolated networks that drills use; without the one of the target, a drill is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestNetworks>,
    /// What becomes of addresses in a failover (NM-2).
    #[serde(default)]
    pub addresses: AddressRule,
}

impl NetworkPair {
    /// The network at the site in this role.
    pub fn at(&self, role: SiteRole) -> &SiteNetwork {
        match role {
            SiteRole::Primary => &self.primary,
            SiteRole::Secondary => &self.secondary,
        }
    }

    /// The isolated network at the site in this role.
    pub fn test_at(&self, role: SiteRole) -> Option<&NetworkName> {
        let test = self.test.as_ref()?;
        match role {
            SiteRole::Primary => test.primary.as_ref(),
            SiteRole::Secondary => test.secondary.as_ref(),
        }
    }
}

/// A network, and optionally one subnet of it, at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteNetwork {
    /// The fabric's own name of the network.
    pub network: NetworkName,
    /// The subnet, as CIDR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Cidr>,
}

/// Isolated networks for drills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestNetworks {
    /// At the primary site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<NetworkName>,
    /// At the secondary site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<NetworkName>,
}

/// What becomes of addresses in a failover (NM-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AddressRule {
    /// The machine keeps its address: only when the whole subnet moves (NM-3).
    Keep,
    /// The machine gets the address that its group declares for that site.
    Assign,
    /// DHCP chooses.
    #[default]
    Dynamic,
}

/// What Drover found of the mapped networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkMappingStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Networks that were found at both sites.
    #[serde(default)]
    pub resolved: u32,
    /// What is wrong with the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(max = 1024)))]
    pub problems: Vec<String>,
    /// Conditions; `Ready` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
