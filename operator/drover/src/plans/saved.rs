//! Plans that were reviewed, kept in a file: what each run would do, and its digest.
//!
//! ```json
//! {
//!   "apiVersion": "review.drover.dev/v1alpha1", "kind": "SavedPlan",
//!   "saved": "2026-11-20T00:00:00Z", "question": {},
//!   "plans": [{
//!     "plan": { "namespace": "shop", "name": "shop" }, "starts": true,
//!     "says": "a planned failover, seoul → busan: 12 machines, ...",
//!     "digest": "sha256:...", "run": {}, "machines": []
//!   }]
//! }
//! ```
//!
//! The digest is that of `run` and `machines`, and of nothing else; a file in which they do not fit
//! together is refused. The same digest goes into `guards.planDigest`, and holds every other run.

use std::collections::BTreeMap;

use drover_api::common::{FailoverType, SiteRole};
use drover_api::{MachineRunSpec, RecoveryRunSpec};
use drover_engine::compile::{Compiled, digest, substance};
use drover_world::PlanId;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::survey::Question;

/// The group and version of the file: none of the kinds of a cluster, so that it may lie among manifests.
const API_VERSION: &str = "review.drover.dev/v1alpha1";
/// The kind of the file.
const KIND: &str = "SavedPlan";
/// The most differences of one plan that are told.
const MOST_TOLD: usize = 20;

/// Reviewed plans.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    api_version: String,
    kind: String,
    /// When they were saved.
    #[serde(rename = "saved")]
    pub at: Timestamp,
    /// What was asked.
    pub question: Asked,
    /// The plans.
    pub plans: Vec<SavedPlan>,
}

/// What was asked of plans, so that the same can be asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<SiteRole>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<FailoverType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actual: Option<SiteRole>,
}

/// One reviewed plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    /// The plan.
    #[serde(deserialize_with = "plan_id")]
    pub plan: PlanId,
    /// Whether the run would have started; else it was a preview of one.
    pub starts: bool,
    /// What it was, for people.
    pub says: String,
    /// The digest of the run.
    pub digest: String,
    /// The run.
    pub run: RecoveryRunSpec,
    /// Its machines.
    pub machines: Vec<MachineRunSpec>,
}

/// Why a file is no reviewed plan.
#[derive(Debug, thiserror::Error)]
pub enum NotSaved {
    /// It is something else.
    #[error("it is no saved plan of {}", API_VERSION)]
    Kind,
    /// It cannot be read.
    #[error("it cannot be read")]
    Json(#[from] serde_json::Error),
    /// Somebody changed it.
    #[error("the digest of {0} is not that of the run beside it: the file was changed")]
    Digest(PlanId),
}

impl From<Question> for Asked {
    fn from(question: Question) -> Self {
        let Question { to, kind, actual } = question;
        Self { to, kind, actual }
    }
}

impl From<Asked> for Question {
    fn from(asked: Asked) -> Self {
        let Asked { to, kind, actual } = asked;
        Self { to, kind, actual }
    }
}

impl Saved {
    /// Plans as they are reviewed now.
    pub fn new(plans: Vec<SavedPlan>, question: Question, now: Timestamp) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            at: now,
            question: question.into(),
            plans,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is something else, or was changed.
    pub fn read(text: &[u8]) -> Result<Self, NotSaved> {
        let value: Value = serde_json::from_slice(text)?;
        if value["kind"] != KIND || value["apiVersion"] != API_VERSION {
            return Err(NotSaved::Kind);
        }
        let saved: Self = serde_json::from_value(value)?;
        for plan in &saved.plans {
            let own = digest(&plan.run, &plan.machines);
            if own != plan.digest || own != plan.run.digest {
                return Err(NotSaved::Digest(plan.plan.clone()));
            }
        }
        Ok(saved)
    }
}

impl SavedPlan {
    /// What is another thing now than when it was reviewed, a line each; empty where nothing is.
    pub fn changes(&self, now: &Compiled) -> Vec<String> {
        if self.digest == now.run.digest {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let (old, new) = (
            flat(&self.run, &self.machines),
            flat(&now.run, &now.machines),
        );
        for (path, before) in &old {
            match new.get(path) {
                None => changes.push(format!("{path}: was {before}, is gone")),
                Some(after) if after != before => {
                    changes.push(format!("{path}: was {before}, is {after}"));
                }
                Some(_) => {}
            }
        }
        let added = new.iter().filter(|(path, _)| !old.contains_key(*path));
        changes.extend(added.map(|(path, after)| format!("{path}: is new, {after}")));
        let more = changes.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            changes.truncate(MOST_TOLD);
            changes.push(format!("and {more} more"));
        }
        changes
    }
}

fn plan_id<'de, D: Deserializer<'de>>(from: D) -> Result<PlanId, D::Error> {
    #[derive(Deserialize)]
    struct Written {
        namespace: String,
        name: String,
    }
    let Written { namespace, name } = Written::deserialize(from)?;
    Ok(PlanId {
        namespace: namespace.parse().map_err(D::Error::custom)?,
        name: name.parse().map_err(D::Error::custom)?,
    })
}

/// What a run does as paths and values. What its digest does not cover is not in it; where a list has
/// names they stand for its positions, so that one machine more is one difference.
fn flat(run: &RecoveryRunSpec, machines: &[MachineRunSpec]) -> BTreeMap<String, String> {
    let same = substance(run);
    let mut found = BTreeMap::new();
    descend(
        "run",
        &serde_json::to_value(same).unwrap_or_default(),
        &mut found,
    );
    for machine in machines {
        let name = format!(
            "machine {}/{}",
            machine.machine.protection_group, machine.machine.name
        );
        let mut value = serde_json::to_value(machine).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("run");
            fields.remove("machine");
        }
        descend(&name, &value, &mut found);
    }
    found
}

fn descend(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                descend(&format!("{path}.{name}"), value, found);
            }
        }
        Value::Array(items)
            if items.iter().all(|item| item["name"].is_string()) && !items.is_empty() =>
        {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default();
                descend(&format!("{path}[{name}]"), item, found);
            }
        }
        leaf => {
            found.insert(path.to_owned(), leaf.to_string());
        }
    }
}
