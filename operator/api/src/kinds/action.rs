//! What a plan does around a group besides machines: actions (PL-4).

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Direction, RunKind, SecretRef, SiteRole};
use crate::value::{Address, Duration, GroupName, MachineName, StepName};

/// One action. Exactly one of `script`, `http`, `wait`, `manual`, `dns` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.script)?1:0)+(has(self.http)?1:0)+(has(self.wait)?1:0)+(has(self.manual)?1:0)+(has(self.dns)?1:0)==1").message("set exactly one of: script, http, wait, manual, dns"))]
pub struct Action {
    /// Name of the action, unique among those before and among those after its group.
    pub name: StepName,
    /// Runs a program: a process in the embedded mode, a Job in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptAction>,
    /// Calls an HTTP endpoint and looks at the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAction>,
    /// Waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitAction>,
    /// Waits for a person's approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<ManualAction>,
    /// Points a DNS record at the active site (NM-6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsAction>,
    /// How long one attempt may take. A manual step has no timeout unless this is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// What a final failure does to the run.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// In which runs the action takes part. Unset: real failovers both ways, never drills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// The one kind that an action is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind<'a> {
    /// Runs a program.
    Script(&'a ScriptAction),
    /// Calls an HTTP endpoint.
    Http(&'a HttpAction),
    /// Waits.
    Wait(&'a WaitAction),
    /// Waits for a person.
    Manual(&'a ManualAction),
    /// Points a DNS record.
    Dns(&'a DnsAction),
}

impl ActionKind<'_> {
    /// The field name of the kind.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Http(_) => "http",
            Self::Wait(_) => "wait",
            Self::Manual(_) => "manual",
            Self::Dns(_) => "dns",
        }
    }
}

impl Action {
    /// The kind, or the number of kinds that are set where it is not one.
    ///
    /// # Errors
    /// When none or several of the kinds are set.
    pub fn kind(&self) -> Result<ActionKind<'_>, usize> {
        let set: Vec<ActionKind<'_>> = [
            self.script.as_ref().map(ActionKind::Script),
            self.http.as_ref().map(ActionKind::Http),
            self.wait.as_ref().map(ActionKind::Wait),
            self.manual.as_ref().map(ActionKind::Manual),
            self.dns.as_ref().map(ActionKind::Dns),
        ]
        .into_iter()
        .flatten()
        .collect();
        match set.as_slice() {
            [one] => Ok(*one),
            other => Err(other.len()),
        }
    }

    /// Whether the action takes part in a run of this kind and direction.
    ///
    /// Without `when` it takes part in failovers both ways and never in a drill; a DNS change never
    /// takes part in a drill, whatever `when` says (NM-6).
    pub fn takes_part(&self, kind: RunKind, direction: Direction) -> bool {
        if self.dns.is_some() && kind == RunKind::TestFailover {
            return false;
        }
        let real = matches!(kind, RunKind::PlannedFailover | RunKind::UnplannedFailover);
        let Some(when) = &self.when else {
            return real;
        };
        let run = if when.runs.is_empty() {
            real
        } else {
            when.runs.contains(&kind)
        };
        run && (when.directions.is_empty() || when.directions.contains(&direction))
    }
}

/// In which runs an action takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// Kinds of runs; empty means planned and unplanned failovers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub runs: Vec<RunKind>,
    /// Directions; empty means both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub directions: Vec<Direction>,
}

/// What a final failure of an action does to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// The run halts (a planned one) or goes on and reports it (an unplanned one, FO-3).
    #[default]
    Halt,
    /// The failure is recorded and the run goes on.
    Continue,
}

/// Runs a program. It runs at least once and is given an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScriptAction {
    /// The program and its arguments.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 4096)))]
    pub command: Vec<String>,
    /// Container image of the Job in a cluster, where it is required; a process has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Service account of the Job in a cluster, in the plan's namespace. Unset, the Job may not speak to the
    /// API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Further environment variables. Not for secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub env: BTreeMap<String, String>,
}

/// Calls an HTTP endpoint: of a machine of the plan, or any URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.machine)?1:0)+(has(self.url)?1:0)==1").message("set exactly one of: machine, url"))]
#[x_kube(validation = Rule::new("has(self.machine) || (!has(self.port) && !has(self.path) && !has(self.protectionGroup))").message("port, path and protectionGroup belong to machine; write them into the url"))]
pub struct HttpAction {
    /// A machine of the plan, reached at its address at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineName>,
    /// The machine's protection group; needed where two groups have a machine of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_group: Option<GroupName>,
    /// Port at the machine; 80 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// Path at the machine; `/` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// A full URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://"))]
    pub url: Option<String>,
    /// The method.
    #[serde(default)]
    pub method: HttpMethod,
    /// The status that counts as success.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub expect_status: u16,
    /// Secret whose entries are sent as headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_secret_ref: Option<SecretRef>,
}

fn ok() -> u16 {
    200
}

/// The method of an HTTP call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpMethod {
    /// Reads.
    #[default]
    #[serde(rename = "GET")]
    Get,
    /// Posts the run's context as JSON.
    #[serde(rename = "POST")]
    Post,
    /// Puts the run's context as JSON.
    #[serde(rename = "PUT")]
    Put,
}

/// Waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitAction {
    /// How long.
    #[serde(rename = "for")]
    pub duration: Duration,
}

/// Waits for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManualAction {
    /// What the person is asked to do.
    #[schemars(length(min = 1, max = 2048))]
    pub message: String,
    /// How many different people must approve.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub approvals: u32,
}

fn one() -> u32 {
    1
}

/// Points a DNS record at the active site (NM-6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.rfc2136)?1:0)+(has(self.dnsEndpoint)?1:0)==1").message("set exactly one of: rfc2136, dnsEndpoint"))]
pub struct DnsAction {
    /// The record, as a full name.
    #[schemars(length(min = 1, max = 253))]
    pub record: String,
    /// Its time to live.
    #[serde(default = "thirty_seconds")]
    pub ttl: Duration,
    /// Addresses while the primary site is active.
    #[schemars(length(min = 1, max = 64))]
    pub primary: Vec<Address>,
    /// Addresses while the secondary site is active.
    #[schemars(length(min = 1, max = 64))]
    pub secondary: Vec<Address>,
    /// Writes the record with dynamic updates (RFC 2136).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfc2136: Option<Rfc2136>,
    /// Writes a `DNSEndpoint` for `ExternalDNS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_endpoint: Option<DnsEndpoint>,
}

impl DnsAction {
    /// Addresses while the site in this role is active.
    pub fn at(&self, role: SiteRole) -> &[Address] {
        match role {
            SiteRole::Primary => &self.primary,
            SiteRole::Secondary => &self.secondary,
        }
    }
}

fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}

/// A name server that takes dynamic updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rfc2136 {
    /// Address and port of the server, for example `192.0.2.53:53`.
    #[schemars(length(min = 3, max = 260))]
    pub server: String,
    /// The zone that the record is in.
    #[schemars(length(min = 1, max = 253))]
    pub zone: String,
    /// Secret with the TSIG key: `algorithm`, `name`, `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretRef>,
}

/// Where the `DNSEndpoint` object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsEndpoint {
    /// Labels of the object, so that the right `ExternalDNS` picks it up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub labels: BTreeMap<String, String>,
}
