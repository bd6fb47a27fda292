//! Making a cluster hold what manifests say, as `kubectl apply` does.
//!
//! [`apply`] does it for one object and [`surplus`] finds what an earlier application of the same set
//! made and nobody declares any more. What is said about it is the caller's: the command line and
//! whoever watches a folder say different things.

use std::collections::BTreeSet;

use drover_api::annotations::REVISION;
use drover_api::{KINDS, KindInfo};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};

use super::access::objects;
use super::merge::{annotated, last_applied, three_way};
use super::reading;
use super::written::{Key, Written};
use crate::failure::Failure;

/// The label of objects that belong to a set.
pub const APPLIED_BY: &str = "drover.dev/applied-by";

/// What changes of Drover's command line are recorded under.
const MANAGER: &str = "drover";

/// Somebody else may write between looking and writing; that it happens so often in a row is a
/// quarrel that a person must end.
const MOST_ATTEMPTS: usize = 5;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was changed.
    Configured,
    /// It was so already.
    Unchanged,
    /// It belonged to the set, and is declared no longer.
    Pruned,
}

impl Outcome {
    /// The word of `kubectl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
        }
    }
}

/// Whether something is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Real,
    /// Nothing is; what would change is worked out here.
    DryHere,
    /// Nothing is; what would change is worked out by the cluster.
    DryThere,
}

/// What became of an object, and what it was before.
#[derive(Debug)]
pub struct Applied {
    /// What became of it.
    pub outcome: Outcome,
    /// What the cluster held before.
    pub before: Option<Value>,
}

/// Makes the cluster hold this object: creates it, or merges into it what is declared. What others
/// set stays as it is.
///
/// # Errors
/// When the cluster refuses, does not answer, or somebody else writes the same object all the time.
pub async fn apply(client: &Client, object: &Written, mode: Mode) -> Result<Applied, kube::Error> {
    let mut attempt = 1;
    loop {
        match once(client, object, mode).await {
            // Created, deleted or changed by somebody else in between: look again.
            Err(kube::Error::Api(status))
                if attempt < MOST_ATTEMPTS
                    && (status.is_conflict()
                        || status.is_already_exists()
                        || status.is_not_found()) =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn once(client: &Client, object: &Written, mode: Mode) -> Result<Applied, kube::Error> {
    let api = objects(client, object.info, object.namespace.as_deref());
    let modified = annotated(&object.value);
    let Some(found) = api.get_opt(&object.name).await? else {
        if mode != Mode::DryHere {
            let params = PostParams {
                dry_run: mode == Mode::DryThere,
                field_manager: Some(MANAGER.to_owned()),
            };
            api.create(&params, &dynamic(&modified)?).await?;
        }
        return Ok(Applied {
            outcome: Outcome::Created,
            before: None,
        });
    };
    let before = reading::json(&found);
    let patch = three_way(last_applied(&before).as_ref(), &modified, &before);
    let empty = patch.as_object().is_some_and(serde_json::Map::is_empty);
    let outcome = if empty {
        Outcome::Unchanged
    } else if mode == Mode::DryHere {
        Outcome::Configured
    } else {
        let params = PatchParams {
            dry_run: mode == Mode::DryThere,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let after = api
            .patch(&object.name, &params, &Patch::Merge(&patch))
            .await?;
        // Lists are patched whole, so what a server fills in inside them makes a patch that changes
        // nothing.
        if substance(&before) == substance(&reading::json(&after)) {
            Outcome::Unchanged
        } else {
            Outcome::Configured
        }
    };
    Ok(Applied {
        outcome,
        before: Some(before),
    })
}

/// An object without what a server writes about writing it, and without its status.
fn substance(object: &Value) -> Value {
    let mut object = object.clone();
    for field in ["managedFields", "resourceVersion", "generation"] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove(field);
        }
    }
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    object
}

fn dynamic(object: &Value) -> Result<DynamicObject, kube::Error> {
    serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)
}

/// Marks an object as one of a set.
pub fn mark(object: &mut Written, set: &str) {
    put(object, "labels", APPLIED_BY, set);
}

/// Says which revision of the manifests a plan is of. The others keep their peace: what a run was made of
/// was applied with its plan, and an estate of thousands of objects must not change with each commit.
pub fn revise(object: &mut Written, revision: &str) {
    if object.info.kind == "RecoveryPlan" {
        put(object, "annotations", REVISION, revision);
    }
}

fn put(object: &mut Written, of: &str, key: &str, value: &str) {
    let map = &mut object.value["metadata"][of];
    if !map.is_object() {
        *map = json!({});
    }
    map[key] = json!(value);
}

/// A revision of manifests, as a run can keep it.
///
/// # Errors
/// When there is none, or it is none.
pub fn revision(text: &str) -> Result<String, String> {
    let is_one = !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_one && text.chars().count() <= 256 {
        Ok(text.to_owned())
    } else {
        Err("a revision has 1 to 256 characters and no blanks".to_owned())
    }
}

/// A name of a set: it becomes the value of a label.
///
/// # Errors
/// When it cannot be one.
pub fn set_name(name: &str) -> Result<String, String> {
    let allowed = |each: char| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.');
    let edge = |each: Option<char>| each.is_some_and(|each| each.is_ascii_alphanumeric());
    let edges = edge(name.chars().next()) && edge(name.chars().last());
    if name.len() <= 63 && name.chars().all(allowed) && edges {
        Ok(name.to_owned())
    } else {
        Err("a set is called by at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit \
             at both ends"
            .to_owned())
    }
}

/// Something that belongs to a set and is declared no longer.
#[derive(Debug)]
pub struct Surplus {
    /// Its kind.
    pub info: &'static KindInfo,
    /// The object.
    pub object: DynamicObject,
}

/// The objects of a set that are declared no longer, in the order in which they are best deleted.
/// Decisions are evidence and never among them.
///
/// # Errors
/// When the cluster refuses or does not answer.
pub async fn surplus(
    client: &Client,
    set: &str,
    kept: &BTreeSet<Key>,
) -> Result<Vec<Surplus>, Failure> {
    let selector = format!("{APPLIED_BY}={set}");
    let mut surplus = Vec::new();
    let kinds = KINDS
        .iter()
        .filter(|info| info.written_by_people && info.kind != "RunDecision");
    for info in kinds.rev() {
        for object in reading::list(client, info, None, Some(&selector)).await? {
            let key = Key::new(info, object.namespace(), object.name_any());
            if !kept.contains(&key) && object.metadata.deletion_timestamp.is_none() {
                surplus.push(Surplus { info, object });
            }
        }
    }
    Ok(surplus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_label() {
        for good in ["shop", "a", "team-1.prod_x"] {
            assert_eq!(set_name(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "a b", "é", &"a".repeat(64)] {
            assert!(set_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_revision_is_one_word() {
        // SPEC: RD-5
        for good in ["4f1d2c0", "v1.2.3", "main@sha1:4f1d2c0"] {
            assert_eq!(revision(good).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a\n", &"x".repeat(257)] {
            assert!(revision(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_server_writes_about_writing_is_no_change() {
        let before =
            json!({ "metadata": { "name": "a", "resourceVersion": "1" }, "spec": { "x": 1 } });
        let mut after = before.clone();
        after["metadata"]["resourceVersion"] = "2".into();
        after["metadata"]["managedFields"] = json!([]);
        after["status"] = json!({ "phase": "x" });
        assert_eq!(substance(&before), substance(&after));
        after["spec"]["x"] = 2.into();
        assert_ne!(substance(&before), substance(&after));
    }
}
