//! The kinds that are there without a definition.

use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, Namespace, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::{Cause, qualified},
    event,
    object::{Head, Selectable},
    registry::{Resource, Traits, Version, group_version},
    rules::Rules,
    table::Columns,
};

/// What is special about a built-in kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Namespace,
    Secret,
    ConfigMap,
    Event,
    GroupEvent,
    Lease,
    Definition,
}

impl Builtin {
    /// The object with what is unknown left out, as its type reads and writes it.
    pub fn read(self, object: &Value) -> Result<Value, serde_json::Error> {
        match self {
            Self::Namespace => through::<Namespace>(object),
            Self::Secret => through::<Secret>(object),
            Self::ConfigMap => through::<ConfigMap>(object),
            // What is shown in the other shape is stored in this one.
            Self::Event | Self::GroupEvent => through::<Event>(object),
            Self::Lease => through::<Lease>(object),
            Self::Definition => through::<CustomResourceDefinition>(object),
        }
    }

    /// Fills in what people may leave out.
    pub fn default(self, object: &mut Value) {
        match self {
            Self::Namespace => {
                let name = object["metadata"]["name"].clone();
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
                object["spec"]["finalizers"] = json!(["kubernetes"]);
                if !object["status"]["phase"].is_string() {
                    object["status"]["phase"] = json!("Active");
                }
            }
            Self::Secret => {
                if let Some(Value::Object(plain)) = object
                    .as_object_mut()
                    .and_then(|object| object.remove("stringData"))
                {
                    for (key, value) in plain {
                        object["data"][key] = json!(encode(value.as_str().unwrap_or_default()));
                    }
                }
                if !object["type"].is_string() {
                    object["type"] = json!("Opaque");
                }
            }
            Self::Event | Self::GroupEvent => {
                for (field, value) in [
                    ("source", json!({})),
                    ("reportingComponent", json!("")),
                    ("reportingInstance", json!("")),
                ] {
                    if object[field].is_null() {
                        object[field] = value;
                    }
                }
            }
            Self::Definition => whole_numbers(object),
            Self::Lease if object["spec"].is_null() => object["spec"] = json!({}),
            Self::ConfigMap | Self::Lease => {}
        }
    }

    /// Leaves out what is empty where Go does.
    pub fn leave_out_empty(object: &mut Value) {
        let Some(fields) = object.as_object_mut() else {
            return;
        };
        fields.retain(|field, value| {
            let is_map = ["data", "binaryData", "stringData"].contains(&field.as_str());
            !(is_map && value.as_object().is_some_and(serde_json::Map::is_empty))
        });
    }

    /// What is wrong with an object.
    pub fn validate(self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = Vec::new();
        match self {
            Self::Lease => {
                let spec = &new["spec"];
                if let Some(seconds) = spec["leaseDurationSeconds"]
                    .as_i64()
                    .filter(|seconds| *seconds <= 0)
                {
                    causes.push(Cause::invalid(
                        "spec.leaseDurationSeconds",
                        &seconds.to_string(),
                        "must be greater than 0",
                    ));
                }
                if let Some(count) = spec["leaseTransitions"].as_i64().filter(|count| *count < 0) {
                    causes.push(Cause::invalid(
                        "spec.leaseTransitions",
                        &count.to_string(),
                        "must be greater than or equal to 0",
                    ));
                }
            }
            Self::Secret | Self::ConfigMap => {
                data_keys(new, &mut causes);
                keep_immutable(self, new, old, &mut causes);
            }
            Self::Event | Self::GroupEvent => {
                event::validate(new, self == Self::GroupEvent && old.is_none(), &mut causes);
            }
            Self::Namespace | Self::Definition => {}
        }
        causes
    }
}

/// Bounds in schemas are floating point in their type, and were mostly written as whole numbers.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            // Written without exponent and fraction it is exactly that whole number.
            let text = number.to_string();
            if let Some(whole) = text
                .strip_suffix(".0")
                .and_then(|whole| whole.parse::<i64>().ok())
            {
                *value = json!(whole);
            }
        }
        _ => {}
    }
}

fn encode(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

const DATA_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Keys become names of files.
fn data_keys(new: &Value, causes: &mut Vec<Cause>) {
    let keys = |field: &str| {
        new[field]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
    };
    for field in ["data", "binaryData"] {
        for key in keys(field) {
            let letters = |letter: u8| letter.is_ascii_alphanumeric() || b"-._".contains(&letter);
            if key.is_empty() || key.len() > 253 || !key.bytes().all(letters) {
                causes.push(Cause::invalid(
                    &format!("{field}[{key}]"),
                    &json!(key).to_string(),
                    DATA_KEY_RULE,
                ));
            }
        }
    }
    for key in keys("data").filter(|key| !new["binaryData"][key.as_str()].is_null()) {
        causes.push(Cause::invalid(
            &format!("data[{key}]"),
            &json!(key).to_string(),
            "duplicate of key present in binaryData",
        ));
    }
}

fn keep_immutable(kind: Builtin, new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(old) = old else { return };
    if kind == Builtin::Secret && new["type"] != old["type"] {
        causes.push(Cause::invalid(
            "type",
            &new["type"].to_string(),
            "field is immutable",
        ));
    }
    if old["immutable"] == json!(true) {
        if new["immutable"] != json!(true) {
            causes.push(Cause::forbidden(
                "immutable",
                "field is immutable when `immutable` is set",
            ));
        }
        for field in ["data", "binaryData"] {
            if new[field] != old[field] {
                causes.push(Cause::forbidden(
                    field,
                    "field is immutable when `immutable` is set",
                ));
            }
        }
    }
}

fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(object)?)
}

#[derive(Clone, Copy)]
struct Form<'a> {
    group: &'a str,
    plural: &'a str,
    kind: &'a str,
    short_names: &'a [&'a str],
    namespaced: bool,
    status: bool,
    selectable: &'a [&'a str],
    traits: Traits,
}

const PLAIN: Traits = Traits {
    generation: false,
    unconditional_update: true,
    create_on_update: false,
    strategic_merge: true,
    bare_items: true,
    standard_finalizers: true,
};

/// All built-in kinds.
pub(crate) fn resources() -> Vec<Resource> {
    let made = [core_forms(), group_forms()].concat();
    made.into_iter()
        .map(|(form, builtin)| resource(form, builtin))
        .collect()
}

fn core_forms() -> Vec<(Form<'static>, Builtin)> {
    let namespace = Form {
        group: "",
        plural: "namespaces",
        kind: "Namespace",
        short_names: &["ns"],
        namespaced: false,
        status: true,
        selectable: &["status.phase"],
        traits: PLAIN,
    };
    let secret = Form {
        plural: "secrets",
        kind: "Secret",
        short_names: &[],
        namespaced: true,
        status: false,
        selectable: &["type"],
        ..namespace
    };
    let config_map = Form {
        plural: "configmaps",
        kind: "ConfigMap",
        short_names: &["cm"],
        selectable: &[],
        ..secret
    };
    let event = Form {
        plural: "events",
        kind: "Event",
        short_names: &["ev"],
        selectable: EVENT_FIELDS,
        traits: Traits {
            create_on_update: true,
            ..PLAIN
        },
        ..secret
    };
    vec![
        (namespace, Builtin::Namespace),
        (secret, Builtin::Secret),
        (config_map, Builtin::ConfigMap),
        (event, Builtin::Event),
    ]
}

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

fn group_forms() -> Vec<(Form<'static>, Builtin)> {
    let events = core_forms()
        .into_iter()
        .find(|(_, builtin)| *builtin == Builtin::Event)
        .map(|(form, _)| form);
    let lease = Form {
        group: "coordination.k8s.io",
        plural: "leases",
        kind: "Lease",
        short_names: &[],
        namespaced: true,
        status: false,
        selectable: &[],
        traits: Traits {
            create_on_update: true,
            unconditional_update: false,
            ..PLAIN
        },
    };
    let definition = Form {
        group: "apiextensions.k8s.io",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        short_names: &["crd", "crds"],
        namespaced: false,
        status: true,
        traits: Traits {
            generation: true,
            unconditional_update: false,
            standard_finalizers: false,
            ..PLAIN
        },
        ..lease
    };
    let mut forms = vec![(lease, Builtin::Lease), (definition, Builtin::Definition)];
    if let Some(events) = events {
        forms.push((
            Form {
                group: "events.k8s.io",
                ..events
            },
            Builtin::GroupEvent,
        ));
    }
    forms
}

fn resource(form: Form<'_>, builtin: Builtin) -> Resource {
    let is_view = builtin == Builtin::GroupEvent;
    // Events of both groups are the same objects, kept as those of the core group.
    let id = if is_view {
        "events".to_owned()
    } else {
        qualified(form.plural, form.group)
    };
    let strings = |list: &[&str]| list.iter().map(|each| (*each).to_owned()).collect();
    Resource {
        id: id.into(),
        group: form.group.to_owned(),
        plural: form.plural.to_owned(),
        singular: form.kind.to_lowercase(),
        kind: form.kind.to_owned(),
        list_kind: format!("{}List", form.kind),
        short_names: strings(form.short_names),
        categories: if builtin == Builtin::Definition {
            strings(&["api-extensions"])
        } else {
            Vec::new()
        },
        namespaced: form.namespaced,
        versions: vec![Version {
            name: "v1".to_owned(),
            served: true,
            head: Head::new(
                &group_version(if is_view { "" } else { form.group }, "v1"),
                form.kind,
            ),
            rules: Rules::Builtin(builtin),
            status: form.status,
            columns: Columns::builtin(form.plural),
        }],
        stored: 0,
        selectable: form
            .selectable
            .iter()
            .map(|path| Selectable::new(path))
            .collect(),
        traits: form.traits,
        is_view,
        definition: None,
    }
}
