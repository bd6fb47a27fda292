//! One stored object: its bytes as they go over the wire, and the little that must be known of it
//! without parsing them.
//!
//! The text of an object is laid out so that its parts can be cut out and replaced:
//!
//! ```text
//! {"apiVersion":"g/v","kind":"K","metadata":{"resourceVersion":"7","name":…},"spec":{…},"status":{…}}
//!                                ^ metadata                    ^ tail       ^ rest     ^ status
//! ```
//!
//! A write of status keeps everything up to `status` as it stands; a new resource version replaces
//! the digits before the tail. Object keys are sorted, so that equal objects have equal bytes.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use serde_json::{Map, Value};

/// Namespace (empty for cluster-scoped objects) and name. Ordered as lists are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Key {
    pub namespace: Box<str>,
    pub name: Box<str>,
}

impl Key {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// Who an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub uid: Box<str>,
    /// A foreground deletion of the owner waits for this object.
    pub blocks: bool,
}

/// What is known of an object without parsing it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meta {
    pub key: Key,
    pub uid: Box<str>,
    pub labels: BTreeMap<Box<str>, Box<str>>,
    pub owners: Vec<Owner>,
    pub finalizers: Vec<Box<str>>,
    pub generation: i64,
    pub deleting: bool,
    /// Values of the fields that this kind can be selected by, in the kind's order.
    pub fields: Vec<Box<str>>,
}

impl Meta {
    fn of(object: &Value, selectable: &[Selectable]) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Value| Box::<str>::from(value.as_str().unwrap_or_default());
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        Self {
            key: Key {
                namespace: text(&metadata["namespace"]),
                name: text(&metadata["name"]),
            },
            uid: text(&metadata["uid"]),
            labels: metadata["labels"]
                .as_object()
                .map(|labels| {
                    labels
                        .iter()
                        .map(|(key, value)| (key.as_str().into(), text(value)))
                        .collect()
                })
                .unwrap_or_default(),
            owners: list(&metadata["ownerReferences"])
                .iter()
                .map(|owner| Owner {
                    uid: text(&owner["uid"]),
                    blocks: owner["blockOwnerDeletion"].as_bool().unwrap_or_default(),
                })
                .collect(),
            finalizers: list(&metadata["finalizers"]).iter().map(text).collect(),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            deleting: metadata["deletionTimestamp"].is_string(),
            fields: selectable
                .iter()
                .map(|field| field.value(object).into())
                .collect(),
        }
    }

    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|each| &**each == finalizer)
    }
}

/// A field that lists can be selected by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selectable {
    /// As written in a field selector: `spec.color`.
    pub name: String,
    path: Vec<String>,
}

impl Selectable {
    /// From a name or a simple JSON path (`.spec.color`).
    pub fn new(path: &str) -> Self {
        let name = path.trim_start_matches('.');
        Self {
            name: name.to_owned(),
            path: name.split('.').map(str::to_owned).collect(),
        }
    }

    fn is_of_status(&self) -> bool {
        self.path.first().is_some_and(|step| step == "status")
    }

    fn value(&self, object: &Value) -> String {
        let mut value = object;
        for step in &self.path {
            value = &value[step.as_str()];
        }
        match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => String::new(),
        }
    }
}

/// An object that has no resource version yet.
#[derive(Clone)]
pub(crate) struct Draft {
    pub meta: Arc<Meta>,
    /// From the quote after the resource version on.
    tail: Vec<u8>,
    rest: usize,
    status: usize,
}

impl Draft {
    /// Takes `object` apart. Its resource version, if any, is left out.
    pub fn of(object: &Value, selectable: &[Selectable]) -> Self {
        let mut tail = Vec::with_capacity(1024);
        tail.push(b'"');
        if let Some(metadata) = object["metadata"].as_object() {
            members(&mut tail, metadata, &["resourceVersion", "managedFields"]);
        }
        tail.push(b'}');
        let rest = tail.len();
        if let Some(object) = object.as_object() {
            members(
                &mut tail,
                object,
                &["apiVersion", "kind", "metadata", "status"],
            );
        }
        let status = tail.len();
        if let Some(value) = object.get("status") {
            tail.extend_from_slice(b",\"status\":");
            write(&mut tail, value);
        }
        tail.push(b'}');
        Self {
            meta: Arc::new(Meta::of(object, selectable)),
            tail,
            rest,
            status,
        }
    }

    /// `entry` with another status, and nothing else changed. `status` is JSON with sorted keys,
    /// `new` an object with at least that status.
    pub fn with_status(
        entry: &Entry,
        status: &[u8],
        selectable: &[Selectable],
        new: &Value,
    ) -> Self {
        let kept = &entry.bytes[entry.tail..entry.status];
        let mut tail = Vec::with_capacity(kept.len() + status.len() + 12);
        tail.extend_from_slice(kept);
        if !status.is_empty() {
            tail.extend_from_slice(b",\"status\":");
            tail.extend_from_slice(status);
        }
        tail.push(b'}');
        let mut fields = entry.meta.fields.clone();
        for (field, value) in selectable
            .iter()
            .zip(&mut fields)
            .filter(|(field, _)| field.is_of_status())
        {
            *value = field.value(new).into();
        }
        let meta = if fields == entry.meta.fields {
            Arc::clone(&entry.meta)
        } else {
            Arc::new(Meta {
                fields,
                ..(*entry.meta).clone()
            })
        };
        Self {
            meta,
            tail,
            rest: entry.rest - entry.tail,
            status: entry.status - entry.tail,
        }
    }

    /// Everything but kind and metadata and status, to see whether that has changed.
    pub fn rest(&self) -> &[u8] {
        &self.tail[self.rest..self.status]
    }

    /// The status as it will stand; empty if there is none.
    pub fn status(&self) -> &[u8] {
        status(&self.tail, self.status)
    }

    /// Whether storing this over `entry` would change nothing.
    pub fn same_as(&self, entry: &Entry) -> bool {
        self.tail == entry.bytes[entry.tail..]
    }

    /// The object with its head and its resource version.
    pub fn seal(&self, head: &Head, version: u64) -> Entry {
        let mut digits = itoa(version);
        let mut bytes = Vec::with_capacity(head.text.len() + 20 + self.tail.len());
        bytes.extend_from_slice(head.text.as_bytes());
        bytes.append(&mut digits);
        let tail = bytes.len();
        bytes.extend_from_slice(&self.tail);
        Entry {
            version,
            bytes: Bytes::from(bytes),
            metadata: head.metadata,
            tail,
            rest: tail + self.rest,
            status: tail + self.status,
            meta: Arc::clone(&self.meta),
        }
    }
}

fn itoa(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn members(out: &mut Vec<u8>, map: &Map<String, Value>, skipped: &[&str]) {
    for (key, value) in map {
        if !skipped.contains(&key.as_str()) {
            out.push(b',');
            write(out, &Value::String(key.clone()));
            out.push(b':');
            write(out, value);
        }
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    // Writing a value into memory has nothing that can fail; an empty object would be seen at once.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

fn status(text: &[u8], at: usize) -> &[u8] {
    const NAME: usize = b",\"status\":".len();
    let end = text.len() - 1;
    if at == end {
        &[]
    } else {
        &text[at + NAME..end]
    }
}

/// How the text of a kind's objects begins, up to the resource version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    text: String,
    metadata: usize,
}

impl Head {
    pub fn new(api_version: &str, kind: &str) -> Self {
        let mut text = format!(
            "{{\"apiVersion\":{},\"kind\":{},",
            quoted(api_version),
            quoted(kind)
        );
        let metadata = text.len();
        text.push_str("\"metadata\":{\"resourceVersion\":\"");
        Self { text, metadata }
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

// Objects may be secrets: what is printed for a developer names them and no more.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("key", &self.meta.key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", self.key())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A stored object.
#[derive(Clone)]
pub(crate) struct Entry {
    pub version: u64,
    /// As it goes over the wire, in the version it is stored in.
    pub bytes: Bytes,
    metadata: usize,
    tail: usize,
    rest: usize,
    status: usize,
    pub meta: Arc<Meta>,
}

impl Entry {
    pub fn key(&self) -> &Key {
        &self.meta.key
    }

    /// The object as a value.
    pub fn value(&self) -> Value {
        // What is stored was written by `Draft`; an unreadable object would have failed at opening.
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// Everything but kind and metadata and status, to see whether that has changed.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.rest..self.status]
    }

    /// The status as JSON; empty if there is none.
    pub fn status(&self) -> &[u8] {
        status(&self.bytes, self.status)
    }

    /// `"metadata":{…}`.
    pub fn metadata(&self) -> &[u8] {
        &self.bytes[self.metadata..self.rest]
    }

    /// From `"metadata":` on: with a brace before it, the object as lists of built-in kinds hold it.
    pub fn without_kind(&self) -> Bytes {
        self.bytes.slice(self.metadata..)
    }

    /// Whether it is written as this version of its kind.
    pub fn is_under(&self, head: &Head) -> bool {
        self.bytes.starts_with(head.text.as_bytes())
    }

    /// The same object, as another version of its kind.
    pub fn under(&self, head: &Head) -> Bytes {
        let mut bytes = Vec::with_capacity(head.text.len() + self.bytes.len());
        bytes.extend_from_slice(&head.text.as_bytes()[..head.metadata]);
        bytes.extend_from_slice(&self.bytes[self.metadata..]);
        Bytes::from(bytes)
    }

    /// The same object without a resource version, as a rehearsal shows it.
    pub fn unversioned(&self) -> Self {
        const FIELD: usize = "\"resourceVersion\":\"\"".len();
        let start = self.tail + 1 - FIELD - self.version.to_string().len();
        // The comma goes too; a name always follows.
        let after = (self.tail + 2).min(self.bytes.len());
        let cut = after - start;
        let bytes = [&self.bytes[..start], &self.bytes[after..]].concat();
        Self {
            bytes: Bytes::from(bytes),
            tail: start,
            rest: self.rest - cut,
            status: self.status - cut,
            ..self.clone()
        }
    }

    /// The same object at another resource version, as the last event of a deleted object has it.
    pub fn at(&self, version: u64) -> Self {
        let digits = itoa(version);
        let start = self.tail - self.version.to_string().len();
        let mut bytes = Vec::with_capacity(self.bytes.len() + 2);
        bytes.extend_from_slice(&self.bytes[..start]);
        bytes.extend_from_slice(&digits);
        bytes.extend_from_slice(&self.bytes[self.tail..]);
        let tail = start + digits.len();
        Self {
            version,
            bytes: Bytes::from(bytes),
            metadata: self.metadata,
            tail,
            rest: self.rest - self.tail + tail,
            status: self.status - self.tail + tail,
            meta: Arc::clone(&self.meta),
        }
    }
}
