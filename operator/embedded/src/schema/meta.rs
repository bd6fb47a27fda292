//! The fields of `metadata`, which no definition lists.

use serde_json::{Map, Value};

use super::path::Path;

const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
const MANAGED_FIELDS: &[&str] = &[
    "apiVersion",
    "fieldsType",
    "fieldsV1",
    "manager",
    "operation",
    "subresource",
    "time",
];
const OWNER_REFERENCE: &[&str] = &[
    "apiVersion",
    "blockOwnerDeletion",
    "controller",
    "kind",
    "name",
    "uid",
];

/// Leaves out what `metadata` does not have.
pub(super) fn prune(metadata: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
    let Value::Object(fields) = metadata else {
        return;
    };
    keep(fields, METADATA, path, unknown);
    for (list, known) in [
        ("managedFields", MANAGED_FIELDS),
        ("ownerReferences", OWNER_REFERENCE),
    ] {
        let Some(Value::Array(items)) = fields.get_mut(list) else {
            continue;
        };
        let list = Path::Field(path, list);
        for (index, item) in items.iter_mut().enumerate() {
            if let Value::Object(item) = item {
                keep(item, known, &Path::Item(&list, index), unknown);
            }
        }
    }
}

fn keep(
    fields: &mut Map<String, Value>,
    known: &[&str],
    path: &Path<'_>,
    unknown: &mut Vec<String>,
) {
    fields.retain(|name, _| {
        let is_known = known.contains(&name.as_str());
        if !is_known {
            unknown.push(Path::Field(path, name).dotted());
        }
        is_known
    });
}
