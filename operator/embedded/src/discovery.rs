//! What is served: groups, versions and resources, one by one or all in one document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    definition::priority,
    registry::{Kinds, Resource, Version, group_version},
};

/// The version of Kubernetes whose behaviour this follows.
const MAJOR: &str = "1";
const MINOR: &str = "36";

/// Reviews that only ever say yes: whoever reaches this API may do everything.
pub(crate) const REVIEW_GROUP: &str = "authorization.k8s.io";
pub(crate) const REVIEWS: &str = "selfsubjectaccessreviews";
const REVIEW_KIND: &str = "SelfSubjectAccessReview";

/// `/version`
pub(crate) fn version() -> Value {
    json!({
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": format!("v{MAJOR}.{MINOR}.0+drover"),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`
pub(crate) fn core() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// `/apis`
pub(crate) fn groups(kinds: &Kinds) -> Value {
    let groups: Vec<Value> = names(kinds)
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| one(kinds, name))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`
pub(crate) fn group(kinds: &Kinds, name: &str) -> Option<Value> {
    names(kinds).contains(name).then(|| {
        let mut group = one(kinds, name);
        group["kind"] = json!("APIGroup");
        group["apiVersion"] = json!("v1");
        group
    })
}

fn names(kinds: &Kinds) -> BTreeSet<String> {
    kinds
        .values()
        .map(|resource| resource.group.clone())
        .chain([REVIEW_GROUP.to_owned()])
        .collect()
}

fn one(kinds: &Kinds, name: &str) -> Value {
    let versions: Vec<Value> = versions(kinds, name)
        .iter()
        .map(|version| json!({ "groupVersion": group_version(name, version), "version": version }))
        .collect();
    json!({ "name": name, "versions": versions, "preferredVersion": versions.first() })
}

/// The versions of a group, the preferred one first.
fn versions(kinds: &Kinds, group: &str) -> Vec<String> {
    if group == REVIEW_GROUP {
        return vec!["v1".to_owned()];
    }
    let served = |resource: &Resource| -> Vec<String> {
        resource
            .versions
            .iter()
            .filter(|version| version.served)
            .map(|version| version.name.clone())
            .collect()
    };
    let all: BTreeSet<String> = kinds
        .values()
        .filter(|resource| resource.group == group)
        .flat_map(|resource| served(resource))
        .collect();
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    all
}

fn of_version<'a>(
    kinds: &'a Kinds,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = (&'a Resource, &'a Version)> {
    kinds
        .values()
        .filter(move |resource| resource.group == group)
        .filter_map(move |resource| {
            let found = resource
                .versions
                .iter()
                .find(|each| each.served && each.name == version)?;
            Some((&**resource, found))
        })
}

const VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
/// Built-in kinds have them by the alphabet.
const BUILT_IN_VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const STATUS_VERBS: &[&str] = &["get", "patch", "update"];

/// Nobody deletes all namespaces at once.
fn verbs(resource: &Resource) -> Vec<&'static str> {
    let keeps = resource.plural == crate::registry::NAMESPACES && resource.group.is_empty();
    let verbs = if resource.definition.is_some() {
        VERBS
    } else {
        BUILT_IN_VERBS
    };
    verbs
        .iter()
        .copied()
        .filter(|verb| !keeps || *verb != "deletecollection")
        .collect()
}

/// `/apis/GROUP/VERSION`
pub(crate) fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    if !versions(kinds, group).iter().any(|each| each == version) {
        return None;
    }
    let mut resources = Vec::new();
    for (resource, version) in of_version(kinds, group, version) {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": verbs(resource),
        });
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        resources.push(entry);
        if version.status {
            resources.push(json!({
                "name": format!("{}/status", resource.plural),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": STATUS_VERBS,
            }));
        }
    }
    if group == REVIEW_GROUP {
        resources.push(json!({
            "name": REVIEWS,
            "singularName": "selfsubjectaccessreview",
            "namespaced": false,
            "kind": REVIEW_KIND,
            "verbs": ["create"],
        }));
    }
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version(group, version),
        "resources": resources,
    }))
}

/// `/api` or `/apis` with everything below it.
pub(crate) fn aggregated(kinds: &Kinds, core: bool) -> Value {
    let groups: Vec<Value> = names(kinds)
        .iter()
        .filter(|name| name.is_empty() == core)
        .map(|name| {
            let versions: Vec<Value> = versions(kinds, name)
                .iter()
                .map(|version| {
                    json!({ "version": version, "freshness": "Current", "resources": aggregated_resources(kinds, name, version) })
                })
                .collect();
            let metadata = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": groups,
    })
}

fn aggregated_resources(kinds: &Kinds, group: &str, version: &str) -> Vec<Value> {
    let kind = |kind: &str| json!({ "group": group, "version": version, "kind": kind });
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let mut resources: BTreeMap<&str, Value> = BTreeMap::new();
    for (resource, version) in of_version(kinds, group, version) {
        let mut entry = json!({
            "resource": resource.plural,
            "responseKind": kind(&resource.kind),
            "scope": scope(resource.namespaced),
            "singularResource": resource.singular,
            "verbs": verbs(resource),
        });
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        if version.status {
            entry["subresources"] = json!([{
                "subresource": "status",
                "responseKind": kind(&resource.kind),
                "verbs": STATUS_VERBS,
            }]);
        }
        resources.insert(&resource.plural, entry);
    }
    if group == REVIEW_GROUP {
        let review = json!({
            "resource": REVIEWS,
            "responseKind": kind(REVIEW_KIND),
            "scope": scope(false),
            "singularResource": "selfsubjectaccessreview",
            "verbs": ["create"],
        });
        resources.insert(REVIEWS, review);
    }
    resources.into_values().collect()
}
