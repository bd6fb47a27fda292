//! Version 2 in protobuf, as `gnostic` defines it. Only what `v2` makes is written, and nothing is
//! ever read, so that the few numbers below are all that there is to know.

use serde_json::{Map, Value};

use super::components::GVK;

/// The numbers of fields in `openapi.v2`, by message.
mod field {
    pub const DOCUMENT_SWAGGER: u32 = 1;
    pub const DOCUMENT_INFO: u32 = 2;
    pub const DOCUMENT_PATHS: u32 = 8;
    pub const DOCUMENT_DEFINITIONS: u32 = 9;

    pub const INFO_TITLE: u32 = 1;
    pub const INFO_VERSION: u32 = 2;

    /// Of `Definitions` and `Properties`: each entry.
    pub const ENTRY: u32 = 1;
    /// Of each named thing.
    pub const NAME: u32 = 1;
    pub const VALUE: u32 = 2;

    pub const SCHEMA_REF: u32 = 1;
    pub const SCHEMA_FORMAT: u32 = 2;
    pub const SCHEMA_DESCRIPTION: u32 = 4;
    pub const SCHEMA_REQUIRED: u32 = 19;
    pub const SCHEMA_ADDITIONAL: u32 = 21;
    pub const SCHEMA_TYPE: u32 = 22;
    pub const SCHEMA_ITEMS: u32 = 23;
    pub const SCHEMA_PROPERTIES: u32 = 25;
    pub const SCHEMA_EXTENSION: u32 = 31;

    pub const ADDITIONAL_SCHEMA: u32 = 1;
    pub const ADDITIONAL_FLAG: u32 = 2;
    pub const TYPE_VALUE: u32 = 1;
    pub const ITEMS_SCHEMA: u32 = 1;
    pub const ANY_YAML: u32 = 2;
}

/// Extensions of schemas that clients ask for.
const EXTENSIONS: &[&str] = &[GVK, "x-kubernetes-preserve-unknown-fields"];

/// The whole document.
pub(super) fn document(definitions: &Map<String, Value>) -> Vec<u8> {
    let mut out = Message::default();
    out.text(field::DOCUMENT_SWAGGER, "2.0");
    out.message(field::DOCUMENT_INFO, |info| {
        info.text(field::INFO_TITLE, "Drover");
        info.text(field::INFO_VERSION, env!("CARGO_PKG_VERSION"));
    });
    out.message(field::DOCUMENT_PATHS, |_| {});
    out.message(field::DOCUMENT_DEFINITIONS, |all| entries(all, definitions));
    out.bytes
}

fn entries(out: &mut Message, schemas: &Map<String, Value>) {
    for (name, value) in schemas {
        out.message(field::ENTRY, |entry| {
            entry.text(field::NAME, name);
            entry.message(field::VALUE, |out| schema(out, value));
        });
    }
}

fn schema(out: &mut Message, schema: &Value) {
    for (number, name) in [
        (field::SCHEMA_REF, "$ref"),
        (field::SCHEMA_FORMAT, "format"),
        (field::SCHEMA_DESCRIPTION, "description"),
    ] {
        if let Some(text) = schema[name].as_str() {
            out.text(number, text);
        }
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        out.text(field::SCHEMA_REQUIRED, name);
    }
    match &schema["additionalProperties"] {
        Value::Bool(flag) => out.message(field::SCHEMA_ADDITIONAL, |additional| {
            additional.number(field::ADDITIONAL_FLAG, u64::from(*flag));
        }),
        Value::Object(_) => out.message(field::SCHEMA_ADDITIONAL, |additional| {
            additional.message(field::ADDITIONAL_SCHEMA, |out| {
                self::schema(out, &schema["additionalProperties"]);
            });
        }),
        _ => {}
    }
    if let Some(kind) = schema["type"].as_str() {
        out.message(field::SCHEMA_TYPE, |out| out.text(field::TYPE_VALUE, kind));
    }
    if schema["items"].is_object() {
        out.message(field::SCHEMA_ITEMS, |items| {
            items.message(field::ITEMS_SCHEMA, |out| {
                self::schema(out, &schema["items"]);
            });
        });
    }
    if let Some(properties) = schema["properties"].as_object() {
        out.message(field::SCHEMA_PROPERTIES, |out| entries(out, properties));
    }
    for name in EXTENSIONS {
        if let Some(value) = schema.get(*name) {
            out.message(field::SCHEMA_EXTENSION, |extension| {
                extension.text(field::NAME, name);
                // JSON is YAML.
                extension.message(field::VALUE, |any| {
                    any.text(field::ANY_YAML, &value.to_string());
                });
            });
        }
    }
}

/// One message as it is written.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

/// How the value of a field is laid out.
const VARINT: u32 = 0;
const LENGTH_DELIMITED: u32 = 2;

impl Message {
    fn text(&mut self, number: u32, text: &str) {
        self.delimited(number, text.as_bytes());
    }

    fn number(&mut self, number: u32, value: u64) {
        self.varint(u64::from(number << 3 | VARINT));
        self.varint(value);
    }

    fn message(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.delimited(number, &inner.bytes);
    }

    fn delimited(&mut self, number: u32, bytes: &[u8]) {
        self.varint(u64::from(number << 3 | LENGTH_DELIMITED));
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Seven bits at a time, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }
}
