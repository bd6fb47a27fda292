//! Definitions of kinds: what is checked and filled in when one is written, and the resource that
//! one defines.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use crate::{
    error::Cause,
    object::{Head, Selectable},
    registry::{Resource, Traits, Version, group_version},
    rules::Rules,
    schema::Compiled,
    table::Columns,
    time,
};

/// Fills in what the real API server fills in, and says how the definition is received.
pub(crate) fn complete(definition: &mut Value, now: Timestamp) {
    let names = &mut definition["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    if !names["singular"].is_string() {
        names["singular"] = json!(kind.to_lowercase());
    }
    if !names["listKind"].is_string() {
        names["listKind"] = json!(format!("{kind}List"));
    }
    let names = names.clone();
    if !definition["spec"]["conversion"]["strategy"].is_string() {
        definition["spec"]["conversion"] = json!({ "strategy": "None" });
    }
    let storage = stored_version(definition);
    let status = &mut definition["status"];
    status["acceptedNames"] = names;
    let mut stored = status["storedVersions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(storage) = storage
        && !stored.contains(&json!(storage))
    {
        stored.push(json!(storage));
    }
    status["storedVersions"] = Value::Array(stored);
    for (kind, reason, message) in [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        (
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ] {
        set_condition(status, kind, reason, message, now);
    }
}

fn stored_version(definition: &Value) -> Option<String> {
    let versions = definition["spec"]["versions"].as_array()?;
    let stored = versions
        .iter()
        .find(|version| version["storage"] == json!(true))?;
    stored["name"].as_str().map(str::to_owned)
}

fn set_condition(status: &mut Value, kind: &str, reason: &str, message: &str, now: Timestamp) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else {
        return;
    };
    if !conditions.iter().any(|condition| condition["type"] == kind) {
        conditions.push(json!({
            "type": kind,
            "status": "True",
            "lastTransitionTime": time::seconds(now),
            "reason": reason,
            "message": message,
        }));
    }
}

/// The resource that a definition defines.
///
/// # Errors
///
/// What is wrong with the definition.
pub(crate) fn resource(definition: &Value) -> Result<Resource, Vec<Cause>> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map(|list| list.iter().map(text).collect())
            .unwrap_or_default()
    };
    let names = &spec["names"];
    let (group, plural, kind) = (
        text(&spec["group"]),
        text(&names["plural"]),
        text(&names["kind"]),
    );
    let mut causes = check(definition, &group, &plural, &kind);
    let typed: CustomResourceDefinition = match serde_json::from_value(definition.clone()) {
        Ok(typed) => typed,
        Err(error) => return Err(vec![Cause::invalid("spec", "", &error.to_string())]),
    };
    let mut given: Vec<&Value> = spec["versions"]
        .as_array()
        .map(|list| list.iter().collect())
        .unwrap_or_default();
    given.sort_by_cached_key(|version| {
        Reverse(priority(version["name"].as_str().unwrap_or_default()))
    });
    let mut versions = Vec::new();
    for version in &given {
        match self::version(&typed, version, &group, &kind) {
            Ok(version) => versions.push(version),
            Err(mut wrong) => causes.append(&mut wrong),
        }
    }
    let stored = given
        .iter()
        .position(|version| version["storage"] == json!(true));
    let (true, Some(stored)) = (causes.is_empty(), stored) else {
        return Err(causes);
    };
    let selectable = given[stored]["selectableFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(Resource {
        id: format!("{plural}.{group}").into(),
        singular: text(&names["singular"]),
        list_kind: names["listKind"]
            .as_str()
            .map_or_else(|| format!("{kind}List"), str::to_owned),
        short_names: list(&names["shortNames"]),
        categories: list(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        versions,
        stored,
        selectable: selectable
            .iter()
            .filter_map(|field| field["jsonPath"].as_str())
            .map(Selectable::new)
            .collect(),
        traits: Traits {
            generation: true,
            ..Traits::default()
        },
        is_view: false,
        definition: Some(Arc::new(typed)),
        group,
        plural,
        kind,
    })
}

/// What a definition may not change, because objects of its kind are there.
pub(crate) fn immutable(new: &Value, old: &Value) -> Vec<Cause> {
    [
        ("spec.scope", "/spec/scope"),
        ("spec.names.kind", "/spec/names/kind"),
    ]
    .into_iter()
    .filter(|(_, path)| new.pointer(path) != old.pointer(path))
    .map(|(field, path)| {
        let given = new.pointer(path).map(Value::to_string).unwrap_or_default();
        Cause::invalid(field, &given, "field is immutable")
    })
    .collect()
}

fn check(definition: &Value, group: &str, plural: &str, kind: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = definition["metadata"]["name"].as_str().unwrap_or_default();
    for (field, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", kind),
    ] {
        if value.is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    if name != format!("{plural}.{group}") {
        causes.push(Cause::invalid(
            "metadata.name",
            &json!(name).to_string(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    if !["Namespaced", "Cluster"]
        .contains(&definition["spec"]["scope"].as_str().unwrap_or_default())
    {
        causes.push(Cause::required("spec.scope", ""));
    }
    if definition["spec"]["conversion"]["strategy"] == "Webhook" {
        causes.push(Cause::invalid(
            "spec.conversion.strategy",
            "\"Webhook\"",
            "conversion by webhook is not supported here",
        ));
    }
    let versions = definition["spec"]["versions"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if versions
        .iter()
        .filter(|version| version["storage"] == json!(true))
        .count()
        != 1
    {
        causes.push(Cause::invalid(
            "spec.versions",
            "",
            "must have exactly one version marked as storage version",
        ));
    }
    causes
}

fn version(
    definition: &CustomResourceDefinition,
    version: &Value,
    group: &str,
    kind: &str,
) -> Result<Version, Vec<Cause>> {
    let name = version["name"].as_str().unwrap_or_default();
    let at = |what: &str| format!("spec.versions[{name}].{what}");
    let compiled = Compiled::of(definition, name).map_err(|error| {
        vec![Cause::invalid(
            &at("schema.openAPIV3Schema"),
            "",
            &error.to_string(),
        )]
    })?;
    let printed = definition
        .spec
        .versions
        .iter()
        .find(|each| each.name == name);
    let printed = printed
        .and_then(|version| version.additional_printer_columns.as_deref())
        .unwrap_or_default();
    let columns = Columns::of(printed).map_err(|error| {
        vec![Cause::invalid(
            &at("additionalPrinterColumns"),
            "",
            &error.to_string(),
        )]
    })?;
    let about_all = version["schema"]["openAPIV3Schema"]["x-kubernetes-validations"].as_array();
    let status_alone = about_all.is_none_or(Vec::is_empty);
    Ok(Version {
        name: name.to_owned(),
        served: version["served"] == json!(true),
        head: Head::new(&group_version(group, name), kind),
        rules: Rules::Defined {
            compiled: Box::new(compiled),
            status_alone,
        },
        status: version["subresources"]["status"].is_object(),
        columns,
    })
}

/// Orders versions as Kubernetes does: stable ones before betas before alphas before all others.
pub(crate) fn priority(name: &str) -> (u8, u64, u64) {
    let parse = || -> Option<(u8, u64, u64)> {
        let rest = name.strip_prefix('v')?;
        for (word, rank) in [("alpha", 1), ("beta", 2)] {
            if let Some((major, minor)) = rest.split_once(word) {
                return Some((rank, major.parse().ok()?, minor.parse().ok()?));
            }
        }
        Some((3, rest.parse().ok()?, 0))
    };
    parse().unwrap_or_default()
}
