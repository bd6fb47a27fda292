//! A registry of small kinds for the tests of this crate.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::de::from_node;
use crate::load::{Loaded, Options, Source, load};
use crate::registry::{FormatError, KindEntry, Registry};
use crate::render::Renderer;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    Site(Site),
    Plan(Box<Plan>),
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Site {
    pub(crate) metadata: Json,
    pub(crate) spec: SiteSpec,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct SiteSpec {
    pub(crate) fabric: Json,
    #[serde(flatten)]
    pub(crate) rest: Json,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Plan {
    pub(crate) metadata: Json,
    pub(crate) spec: PlanSpec,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanSpec {
    pub(crate) active_site: String,
    #[serde(default)]
    pub(crate) groups: Vec<Group>,
    #[serde(flatten)]
    pub(crate) rest: Json,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) retries: u32,
    #[serde(flatten)]
    pub(crate) rest: Json,
}

fn site_schema() -> Json {
    let arm = json!({ "type": "object", "properties": {} });
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": { "metadata": { "type": "object" }, "spec": {
            "type": "object",
            "required": ["fabric"],
            "properties": {
                "fabric": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": { "simulator": arm, "libvirt": arm },
                },
                "password": { "type": "string", "maxLength": 3 },
            },
        } },
    })
}

fn plan_schema() -> Json {
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": { "metadata": { "type": "object" }, "spec": {
            "type": "object",
            "required": ["activeSite"],
            "properties": {
                "activeSite": { "type": "string", "enum": ["primary", "secondary"] },
                "rto": { "type": "string", "format": "duration", "pattern": "^[0-9]+[smh]$" },
                "spread": { "type": "string", "format": "unit", "maxLength": 1 },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "port": { "x-kubernetes-int-or-string": true },
                "notes": { "type": "string", "nullable": true },
                "tags": {
                    "type": "array",
                    "items": { "type": "string", "pattern": "^[a-z]+$" },
                    "x-kubernetes-list-type": "set",
                },
                "start": {
                    "type": "object",
                    "properties": { "now": { "type": "boolean" }, "at": { "type": "string" } },
                    "oneOf": [{ "required": ["now"] }, { "required": ["at"] }],
                },
                "groups": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 3,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": { "type": "string", "minLength": 1, "maxLength": 5 },
                            "retries": { "type": "integer", "minimum": 0, "maximum": 9 },
                            "ratio": { "type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5 },
                            "dependsOn": { "type": "array", "items": { "type": "string" } },
                        },
                    },
                },
            },
        } },
    })
}

fn check_format(format: &str, text: &str) -> Result<(), FormatError> {
    let wrong = match format {
        "duration" => text.ends_with("min"),
        "unit" => text == "15",
        _ => false,
    };
    if wrong {
        return Err(FormatError {
            message: format!("{text:?} is not a duration"),
            hint: Some("did you mean 15m?".to_owned()),
        });
    }
    Ok(())
}

/// `Site` without namespaces and `RecoveryPlan` with, in `drover.dev/v1alpha1`.
pub(crate) fn registry() -> Registry<Object> {
    let site = KindEntry {
        api_version: "drover.dev/v1alpha1",
        kind: "Site",
        namespaced: false,
        schema: Box::new(site_schema),
        decode: Box::new(|node| from_node(node).map(|decoded| decoded.map(Object::Site))),
    };
    let plan = KindEntry {
        api_version: "drover.dev/v1alpha1",
        kind: "RecoveryPlan",
        namespaced: true,
        schema: Box::new(plan_schema),
        decode: Box::new(|node| {
            from_node(node).map(|decoded| decoded.map(|plan| Object::Plan(Box::new(plan))))
        }),
    };
    Registry::new(vec![site, plan]).with_format_check(check_format)
}

pub(crate) fn load_one(text: &str) -> Loaded<Object> {
    load_bytes(text.as_bytes())
}

pub(crate) fn load_bytes(text: &[u8]) -> Loaded<Object> {
    let source = Source {
        name: "a.yaml",
        text,
    };
    load(&[source], &registry(), &Options::default())
}

/// What a person would see.
pub(crate) fn shown(text: &str) -> String {
    let source = Source {
        name: "a.yaml",
        text: text.as_bytes(),
    };
    Renderer::plain().render_all(&load_one(text).diagnostics, &[source])
}

/// A plan with this as the inside of its spec, indented by two.
pub(crate) fn plan(spec: &str) -> String {
    format!(
        "apiVersion: drover.dev/v1alpha1\nkind: RecoveryPlan\nmetadata: {{ name: shop }}\nspec:\n{spec}"
    )
}

/// The code of that name: those of this crate are known before it runs.
pub(crate) fn known(code: &str) -> &'static str {
    let known = crate::code::ALL.iter().find(|each| each.code == code);
    known.unwrap().code
}
