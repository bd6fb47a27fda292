//! From `openAPIV3Schema` to a tree of nodes. What is not understood is refused here, so that
//! nothing is passed over later.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::{
    cel,
    error::SchemaError,
    format::Format,
    node::{Bounds, Inside, Kind, ListKind, Logic, Node, Others, Span},
    pattern::Pattern,
};

/// How deep a schema may be nested: each level is a level of the stack in every later walk.
const DEEPEST: usize = 128;

/// The node of a whole object.
pub(super) fn root(
    definition: &CustomResourceDefinition,
    version: &str,
) -> Result<Node, SchemaError> {
    let found = definition
        .spec
        .versions
        .iter()
        .find(|known| known.name == version);
    let Some(found) = found else {
        return Err(SchemaError::NoVersion(version.to_owned()));
    };
    let schema = found
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let Some(schema) = schema else {
        return Err(SchemaError::NoSchema(version.to_owned()));
    };
    standalone(&with_every_object(schema))
}

/// The node of values that are no objects of a kind.
pub(super) fn standalone(schema: &JSONSchemaProps) -> Result<Node, SchemaError> {
    let mut compiler = Compiler {
        at: String::new(),
        depth: 0,
    };
    compiler.node(schema, Spine::On)
}

/// The schema of a kind with what every object has, of which rules may speak though it is not written
/// down.
fn with_every_object(schema: &JSONSchemaProps) -> JSONSchemaProps {
    let mut schema = schema.clone();
    if schema.x_kubernetes_validations.is_some() {
        let properties = schema.properties.get_or_insert_default();
        for (name, kind) in [
            ("apiVersion", "string"),
            ("kind", "string"),
            ("metadata", "object"),
        ] {
            properties
                .entry(name.to_owned())
                .or_insert_with(|| JSONSchemaProps {
                    type_: Some(kind.to_owned()),
                    ..JSONSchemaProps::default()
                });
        }
    }
    schema
}

/// Whether a node is one of the object's places, or a further demand on one (`anyOf` and its like).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spine {
    On,
    Off,
}

struct Compiler {
    /// Where it is, for errors.
    at: String,
    depth: usize,
}

impl Compiler {
    fn unsupported(&self, what: impl Into<String>) -> SchemaError {
        let at = if self.at.is_empty() {
            "the schema"
        } else {
            &self.at
        };
        SchemaError::Unsupported {
            at: at.to_owned(),
            what: what.into(),
        }
    }

    /// Does something one step further down.
    fn below<T>(
        &mut self,
        step: std::fmt::Arguments<'_>,
        work: impl FnOnce(&mut Self) -> Result<T, SchemaError>,
    ) -> Result<T, SchemaError> {
        if self.depth == DEEPEST {
            return Err(self.unsupported("the schema is nested too deep"));
        }
        let length = self.at.len();
        // Writing to a text cannot fail.
        let _ = self.at.write_fmt(step);
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        self.at.truncate(length);
        done
    }

    fn node(&mut self, schema: &JSONSchemaProps, spine: Spine) -> Result<Node, SchemaError> {
        self.refuse_unknown(schema)?;
        let kind = self.kind(schema)?;
        let (format_name, format) = self.format(schema, kind)?;
        let pattern = self.pattern(schema)?;
        let items = self.items(schema, spine)?;
        let properties = self.properties(schema, spine)?;
        let others = self.others(schema, spine)?;
        let logic = self.logic(schema)?;
        let list = self.list_kind(schema)?;
        let default = schema.default.as_ref().map(|default| default.0.clone());
        let mut node = Node {
            kind,
            nullable: schema.nullable == Some(true),
            format_name,
            format,
            choices: schema
                .enum_
                .iter()
                .flatten()
                .map(|choice| choice.0.clone())
                .collect(),
            length: Span {
                least: schema.min_length,
                most: schema.max_length,
            },
            pattern,
            bounds: bounds(schema),
            items,
            item_count: Span {
                least: schema.min_items,
                most: schema.max_items,
            },
            unique_items: schema.unique_items == Some(true),
            list,
            properties,
            others,
            required: schema.required.clone().unwrap_or_default(),
            property_count: Span {
                least: schema.min_properties,
                most: schema.max_properties,
            },
            preserves_unknown: schema.x_kubernetes_preserve_unknown_fields == Some(true),
            embedded: schema.x_kubernetes_embedded_resource == Some(true),
            default,
            logic,
            rules: Vec::new(),
            inside: Inside::default(),
        };
        // The rules are checked against the fields that the node has.
        let rules = schema
            .x_kubernetes_validations
            .as_deref()
            .unwrap_or_default();
        if spine == Spine::Off && !rules.is_empty() {
            return Err(self.unsupported("rules inside anyOf, oneOf, allOf or not"));
        }
        node.rules = cel::compile(rules, &node, &self.at)?;
        node.inside = inside(&node);
        Ok(node)
    }

    fn refuse_unknown(&self, schema: &JSONSchemaProps) -> Result<(), SchemaError> {
        let found = [
            ("$ref", schema.ref_path.is_some()),
            ("additionalItems", schema.additional_items.is_some()),
            (
                "definitions",
                schema
                    .definitions
                    .as_ref()
                    .is_some_and(|map| !map.is_empty()),
            ),
            (
                "dependencies",
                schema
                    .dependencies
                    .as_ref()
                    .is_some_and(|map| !map.is_empty()),
            ),
            (
                "patternProperties",
                schema
                    .pattern_properties
                    .as_ref()
                    .is_some_and(|map| !map.is_empty()),
            ),
        ];
        match found.iter().find(|(_, is_there)| *is_there) {
            Some((name, _)) => Err(self.unsupported(format!("{name} is not allowed"))),
            None => Ok(()),
        }
    }

    fn kind(&self, schema: &JSONSchemaProps) -> Result<Kind, SchemaError> {
        if schema.x_kubernetes_int_or_string == Some(true) {
            return Ok(Kind::IntOrString);
        }
        Ok(match schema.type_.as_deref() {
            None | Some("") => Kind::Any,
            Some("object") => Kind::Object,
            Some("array") => Kind::Array,
            Some("string") => Kind::String,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some(other) => return Err(self.unsupported(format!("there is no type {other:?}"))),
        })
    }

    /// The format, where it is one that is checked for this type.
    fn format(
        &self,
        schema: &JSONSchemaProps,
        kind: Kind,
    ) -> Result<(Option<String>, Option<Format>), SchemaError> {
        let Some(name) = schema.format.as_deref().filter(|name| !name.is_empty()) else {
            return Ok((None, None));
        };
        let known = match kind {
            Kind::Any | Kind::String => {
                let format = Format::named(name).map_err(|what| self.unsupported(what))?;
                return Ok((format.map(|_| name.to_owned()), format));
            }
            Kind::Integer => matches!(name, "int32" | "int64"),
            Kind::Number => matches!(name, "float" | "double"),
            Kind::Object | Kind::Array | Kind::Boolean | Kind::IntOrString => false,
        };
        Ok((known.then(|| name.to_owned()), None))
    }

    fn pattern(&self, schema: &JSONSchemaProps) -> Result<Option<Pattern>, SchemaError> {
        let Some(text) = schema.pattern.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        Pattern::new(text)
            .map(Some)
            .map_err(|source| SchemaError::Pattern {
                at: self.at.clone(),
                pattern: text.to_owned(),
                source: Box::new(source),
            })
    }

    fn items(
        &mut self,
        schema: &JSONSchemaProps,
        spine: Spine,
    ) -> Result<Option<Box<Node>>, SchemaError> {
        match &schema.items {
            None => Ok(None),
            Some(JSONSchemaPropsOrArray::Schema(items)) => {
                let node = self.below(format_args!("[]"), |this| this.node(items, spine))?;
                Ok(Some(Box::new(node)))
            }
            Some(JSONSchemaPropsOrArray::Schemas(_)) => {
                Err(self.unsupported("a schema for each item is not allowed"))
            }
        }
    }

    fn properties(
        &mut self,
        schema: &JSONSchemaProps,
        spine: Spine,
    ) -> Result<Vec<(String, Node)>, SchemaError> {
        let mut properties = Vec::new();
        for (name, property) in schema.properties.iter().flatten() {
            let dot = if self.at.is_empty() { "" } else { "." };
            let node = self.below(format_args!("{dot}{name}"), |this| {
                this.node(property, spine)
            })?;
            properties.push((name.clone(), node));
        }
        // They come from a sorted map, and lookups count on that order.
        debug_assert!(properties.is_sorted_by(|a, b| a.0 < b.0));
        Ok(properties)
    }

    fn others(&mut self, schema: &JSONSchemaProps, spine: Spine) -> Result<Others, SchemaError> {
        match &schema.additional_properties {
            None => Ok(Others::Unknown),
            Some(JSONSchemaPropsOrBool::Bool(true)) => Ok(Others::Any),
            // On the spine it says what is so anyway: what is unknown has been left out.
            Some(JSONSchemaPropsOrBool::Bool(false)) => Ok(Others::Forbidden),
            Some(JSONSchemaPropsOrBool::Schema(entry)) => {
                let node = self.below(format_args!("[*]"), |this| this.node(entry, spine))?;
                Ok(Others::Entries(Box::new(node)))
            }
        }
    }

    fn logic(&mut self, schema: &JSONSchemaProps) -> Result<Option<Box<Logic>>, SchemaError> {
        let mut branches = |name: &str, schemas: &Option<Vec<JSONSchemaProps>>| {
            let schemas = schemas.iter().flatten();
            let compiled = schemas.map(|schema| {
                self.below(format_args!("<{name}>"), |this| {
                    this.node(schema, Spine::Off)
                })
            });
            compiled.collect::<Result<Vec<Node>, SchemaError>>()
        };
        let all_of = branches("allOf", &schema.all_of)?;
        let any_of = branches("anyOf", &schema.any_of)?;
        let one_of = branches("oneOf", &schema.one_of)?;
        let not = match &schema.not {
            Some(not) => {
                let node = self.below(format_args!("<not>"), |this| this.node(not, Spine::Off))?;
                Some(Box::new(node))
            }
            None => None,
        };
        let is_empty = all_of.is_empty() && any_of.is_empty() && one_of.is_empty() && not.is_none();
        Ok((!is_empty).then(|| {
            Box::new(Logic {
                all_of,
                any_of,
                one_of,
                not,
            })
        }))
    }

    fn list_kind(&self, schema: &JSONSchemaProps) -> Result<ListKind, SchemaError> {
        let keys = schema
            .x_kubernetes_list_map_keys
            .clone()
            .unwrap_or_default();
        match schema.x_kubernetes_list_type.as_deref() {
            None | Some("atomic") => Ok(ListKind::Atomic),
            Some("set") => Ok(ListKind::Set),
            Some("map") if keys.is_empty() => Err(self.unsupported("a list-type map without keys")),
            Some("map") => Ok(ListKind::Map(keys)),
            Some(other) => Err(self.unsupported(format!("there is no list-type {other:?}"))),
        }
    }
}

fn bounds(schema: &JSONSchemaProps) -> Bounds {
    Bounds {
        minimum: schema.minimum,
        maximum: schema.maximum,
        exclusive_minimum: schema.exclusive_minimum == Some(true),
        exclusive_maximum: schema.exclusive_maximum == Some(true),
        multiple_of: schema.multiple_of,
        is_int32: schema.format.as_deref() == Some("int32"),
        is_float32: schema.format.as_deref() == Some("float"),
    }
}

fn inside(node: &Node) -> Inside {
    let own = Inside {
        rules: !node.rules.is_empty(),
        defaults: node.default.is_some(),
        lists: node.list != ListKind::Atomic,
    };
    let entries = match &node.others {
        Others::Entries(entry) => Some(&**entry),
        Others::Unknown | Others::Any | Others::Forbidden => None,
    };
    let properties = node.properties.iter().map(|(_, node)| node);
    let below = properties.chain(node.items.as_deref()).chain(entries);
    below.map(|node| node.inside).fold(own, Inside::and)
}
