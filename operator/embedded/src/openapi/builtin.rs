//! The schemas of the kinds that need no definition, as `k8s-openapi` has them.

use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, Namespace, Secret},
        events::v1::Event as GroupEvent,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta},
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Collects schemas by the names that Kubernetes gives them, with all that they refer to.
pub(super) struct Schemas {
    generator: SchemaGenerator,
}

impl Schemas {
    /// The metadata of objects and lists is always there.
    pub fn new() -> Self {
        let mut schemas = Self {
            generator: SchemaSettings::openapi3().into_generator(),
        };
        schemas.add::<ObjectMeta>();
        schemas.add::<ListMeta>();
        schemas
    }

    fn add<T: JsonSchema>(&mut self) -> String {
        self.generator.subschema_for::<T>();
        T::schema_name().into_owned()
    }

    /// Adds a built-in kind and returns the name of its schema; none for a kind that is not known.
    pub fn add_kind(&mut self, group: &str, kind: &str) -> Option<String> {
        Some(match (group, kind) {
            ("", "ConfigMap") => self.add::<ConfigMap>(),
            ("", "Event") => self.add::<Event>(),
            ("", "Namespace") => self.add::<Namespace>(),
            ("", "Secret") => self.add::<Secret>(),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                self.add::<CustomResourceDefinition>()
            }
            ("coordination.k8s.io", "Lease") => self.add::<Lease>(),
            ("events.k8s.io", "Event") => self.add::<GroupEvent>(),
            _ => return None,
        })
    }

    pub fn into_map(mut self) -> Map<String, Value> {
        let mut all = self.generator.take_definitions(true);
        for schema in all.values_mut() {
            plain_references(schema);
        }
        all
    }
}

/// Beside a reference nothing else counts: what stands there goes around it.
fn plain_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for value in fields.values_mut() {
                plain_references(value);
            }
            if fields.len() > 1
                && let Some(reference) = fields.remove("$ref")
            {
                let reference = Map::from_iter([("$ref".to_owned(), reference)]);
                fields.insert(
                    "allOf".to_owned(),
                    Value::Array(vec![Value::Object(reference)]),
                );
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_references),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
