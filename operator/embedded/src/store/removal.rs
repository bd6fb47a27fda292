//! What deleting one object means: it goes, or it is marked and waits for its finalizers.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Propagation, WriteError, Written, batch::Batch};
use crate::{
    object::Entry,
    registry::{DEFINITIONS, NAMESPACES, Resource},
    time,
};

/// Held by a foreground deletion until all dependents that block it are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Held until dependents no longer refer to their owner.
pub(super) const ORPHAN: &str = "orphan";
/// Held by a definition until the last object of its kind is gone.
pub(super) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The namespace that is always there.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// Deletes `entry`, or begins to.
pub(super) fn delete(
    batch: &mut Batch<'_>,
    resource: &Resource,
    entry: &Arc<Entry>,
    propagation: Propagation,
    now: Timestamp,
) -> Result<Written, WriteError> {
    if entry.meta.deleting {
        return Ok(Written::Stands(Arc::clone(entry)));
    }
    let is_namespace = &*resource.id == NAMESPACES;
    if is_namespace && &*entry.key().name == DEFAULT_NAMESPACE {
        return Err(WriteError::Kept);
    }
    let is_definition = &*resource.id == DEFINITIONS;
    let mut added = Vec::new();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => added.push(FOREGROUND),
        Propagation::Orphan => added.push(ORPHAN),
    }
    if is_definition {
        added.push(CLEANUP);
    }
    if entry.meta.finalizers.is_empty() && added.is_empty() && !is_namespace {
        return Ok(Written::Gone(batch.remove(resource, entry)));
    }
    let marked = batch.edit(resource, entry, |object| {
        mark(object, &added, now, !is_namespace && !is_definition);
        match &*resource.id {
            NAMESPACES => object["status"]["phase"] = json!("Terminating"),
            DEFINITIONS => add_terminating(object, now),
            _ => {}
        }
    });
    Ok(Written::Stands(marked))
}

/// Namespaces and definitions are not `is_plain`: the real API server marks them in a way of their own.
fn mark(object: &mut Value, added: &[&str], now: Timestamp, is_plain: bool) {
    let metadata = &mut object["metadata"];
    metadata["deletionTimestamp"] = json!(time::seconds(now));
    if is_plain {
        metadata["deletionGracePeriodSeconds"] = json!(0);
        if let Some(generation) = metadata["generation"].as_i64() {
            metadata["generation"] = json!(generation + 1);
        }
    }
    let mut finalizers = metadata["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    finalizers.extend(added.iter().map(|finalizer| json!(finalizer)));
    if !finalizers.is_empty() {
        metadata["finalizers"] = Value::Array(finalizers);
    }
}

fn add_terminating(definition: &mut Value, now: Timestamp) {
    let condition = json!({
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": time::seconds(now),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    if let Some(conditions) = definition["status"]["conditions"].as_array_mut() {
        conditions.push(condition);
    }
}

/// Takes `finalizer` off an object that is being deleted; without any left it goes.
pub(super) fn release(batch: &mut Batch<'_>, resource: &Resource, entry: &Entry, finalizer: &str) {
    let mut left = entry.meta.finalizers.clone();
    left.retain(|each| &**each != finalizer);
    if left.is_empty() {
        batch.remove(resource, entry);
    } else {
        batch.edit(resource, entry, |object| {
            object["metadata"]["finalizers"] = json!(left);
        });
    }
}

/// Makes an object forget owners for whose uid `gone` says so.
pub(super) fn disown(
    batch: &mut Batch<'_>,
    resource: &Resource,
    entry: &Entry,
    gone: impl Fn(&str) -> bool,
) {
    batch.edit(resource, entry, |object| {
        let metadata = &mut object["metadata"];
        if let Some(owners) = metadata["ownerReferences"].as_array_mut() {
            owners.retain(|owner| !gone(owner["uid"].as_str().unwrap_or_default()));
            if owners.is_empty()
                && let Some(metadata) = metadata.as_object_mut()
            {
                metadata.remove("ownerReferences");
            }
        }
    });
}
