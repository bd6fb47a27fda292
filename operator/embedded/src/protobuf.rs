//! Bodies in protobuf: typed clients (`kubectl create namespace`, leader election) send built-in
//! kinds in it and do not ask first. They are read into the same values as JSON; answers are JSON.
//!
//! Field numbers: `generated.proto` of `k8s.io/api` and `k8s.io/apimachinery`, version 1.36.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// One field of a message.
struct Field(u64, &'static str, Kind);

/// What a field holds.
enum Kind {
    /// Left out when empty, as Go writes fields that are not set.
    Text,
    Bool,
    /// Left out when 0.
    Number,
    /// A pointer in Go: 0 is a value.
    GivenNumber,
    Time,
    MicroTime,
    Texts,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

use Kind::{
    Bool, BytesMap, GivenNumber, Message, Messages, MicroTime, Number, Text, TextMap, Texts, Time,
};

const OWNER: &[Field] = &[
    Field(1, "kind", Text),
    Field(3, "name", Text),
    Field(4, "uid", Text),
    Field(5, "apiVersion", Text),
    Field(6, "controller", Bool),
    Field(7, "blockOwnerDeletion", Bool),
];

const METADATA: &[Field] = &[
    Field(1, "name", Text),
    Field(2, "generateName", Text),
    Field(3, "namespace", Text),
    Field(5, "uid", Text),
    Field(6, "resourceVersion", Text),
    Field(7, "generation", Number),
    Field(8, "creationTimestamp", Time),
    Field(9, "deletionTimestamp", Time),
    Field(10, "deletionGracePeriodSeconds", GivenNumber),
    Field(11, "labels", TextMap),
    Field(12, "annotations", TextMap),
    Field(13, "ownerReferences", Messages(OWNER)),
    Field(14, "finalizers", Texts),
];

const REFERENCE: &[Field] = &[
    Field(1, "kind", Text),
    Field(2, "namespace", Text),
    Field(3, "name", Text),
    Field(4, "uid", Text),
    Field(5, "apiVersion", Text),
    Field(6, "resourceVersion", Text),
    Field(7, "fieldPath", Text),
];

const NAMESPACE: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(2, "spec", Message(&[Field(1, "finalizers", Texts)])),
    Field(3, "status", Message(&[Field(1, "phase", Text)])),
];

const SECRET: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(2, "data", BytesMap),
    Field(3, "type", Text),
    Field(4, "stringData", TextMap),
    Field(5, "immutable", Bool),
];

const CONFIG_MAP: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(2, "data", TextMap),
    Field(3, "binaryData", BytesMap),
    Field(4, "immutable", Bool),
];

const LEASE: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(
        2,
        "spec",
        Message(&[
            Field(1, "holderIdentity", Text),
            Field(2, "leaseDurationSeconds", GivenNumber),
            Field(3, "acquireTime", MicroTime),
            Field(4, "renewTime", MicroTime),
            Field(5, "leaseTransitions", GivenNumber),
            Field(6, "strategy", Text),
            Field(7, "preferredHolder", Text),
        ]),
    ),
];

const SOURCE: &[Field] = &[Field(1, "component", Text), Field(2, "host", Text)];
const SERIES: &[Field] = &[
    Field(1, "count", Number),
    Field(2, "lastObservedTime", MicroTime),
];

const EVENT: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(2, "involvedObject", Message(REFERENCE)),
    Field(3, "reason", Text),
    Field(4, "message", Text),
    Field(5, "source", Message(SOURCE)),
    Field(6, "firstTimestamp", Time),
    Field(7, "lastTimestamp", Time),
    Field(8, "count", Number),
    Field(9, "type", Text),
    Field(10, "eventTime", MicroTime),
    Field(11, "series", Message(SERIES)),
    Field(12, "action", Text),
    Field(13, "related", Message(REFERENCE)),
    Field(14, "reportingComponent", Text),
    Field(15, "reportingInstance", Text),
];

const GROUP_EVENT: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(2, "eventTime", MicroTime),
    Field(3, "series", Message(SERIES)),
    Field(4, "reportingController", Text),
    Field(5, "reportingInstance", Text),
    Field(6, "action", Text),
    Field(7, "reason", Text),
    Field(8, "regarding", Message(REFERENCE)),
    Field(9, "related", Message(REFERENCE)),
    Field(10, "note", Text),
    Field(11, "type", Text),
    Field(12, "deprecatedSource", Message(SOURCE)),
    Field(13, "deprecatedFirstTimestamp", Time),
    Field(14, "deprecatedLastTimestamp", Time),
    Field(15, "deprecatedCount", Number),
];

const DELETE_OPTIONS: &[Field] = &[
    Field(1, "gracePeriodSeconds", GivenNumber),
    Field(
        2,
        "preconditions",
        Message(&[Field(1, "uid", Text), Field(2, "resourceVersion", Text)]),
    ),
    Field(3, "orphanDependents", Bool),
    Field(4, "propagationPolicy", Text),
    Field(5, "dryRun", Texts),
];

const REVIEW: &[Field] = &[
    Field(1, "metadata", Message(METADATA)),
    Field(
        2,
        "spec",
        Message(&[
            Field(
                1,
                "resourceAttributes",
                Message(&[
                    Field(1, "namespace", Text),
                    Field(2, "verb", Text),
                    Field(3, "group", Text),
                    Field(4, "version", Text),
                    Field(5, "resource", Text),
                    Field(6, "subresource", Text),
                    Field(7, "name", Text),
                ]),
            ),
            Field(
                2,
                "nonResourceAttributes",
                Message(&[Field(1, "path", Text), Field(2, "verb", Text)]),
            ),
        ]),
    ),
];

/// Reads a body; `None`: it is broken, or of a kind that is not known in protobuf.
pub(crate) fn read(body: &[u8]) -> Option<Value> {
    let envelope = message(
        body.strip_prefix(MAGIC)?,
        &[Field(
            1,
            "type",
            Message(&[Field(1, "apiVersion", Text), Field(2, "kind", Text)]),
        )],
    )?;
    let kind = &envelope["type"];
    let fields = match (kind["apiVersion"].as_str()?, kind["kind"].as_str()?) {
        ("v1", "Namespace") => NAMESPACE,
        ("v1", "Secret") => SECRET,
        ("v1", "ConfigMap") => CONFIG_MAP,
        ("v1", "Event") => EVENT,
        ("events.k8s.io/v1", "Event") => GROUP_EVENT,
        ("coordination.k8s.io/v1", "Lease") => LEASE,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => REVIEW,
        (_, "DeleteOptions") => DELETE_OPTIONS,
        _ => return None,
    };
    let mut object = Value::Object(Map::new());
    for (number, raw) in records(body.strip_prefix(MAGIC)?)? {
        if let (2, Raw::Bytes(bytes)) = (number, raw) {
            object = message(bytes, fields)?;
        }
    }
    object["apiVersion"] = kind["apiVersion"].clone();
    object["kind"] = kind["kind"].clone();
    Some(object)
}

enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Numbers and contents of the fields of a message, in order.
fn records(mut bytes: &[u8]) -> Option<Vec<(u64, Raw<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let raw = match tag & 7 {
            0 => Raw::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (content, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Raw::Bytes(content)
            }
            // Floating point and groups: nothing that is read here has any.
            _ => return None,
        };
        found.push((tag >> 3, raw));
    }
    Some(found)
}

fn text(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(|text| json!(text))
}

fn message(bytes: &[u8], fields: &[Field]) -> Option<Value> {
    let mut object = json!({});
    for (number, raw) in records(bytes)? {
        let Some(Field(_, name, kind)) = fields.iter().find(|field| field.0 == number) else {
            continue;
        };
        let value = match (kind, raw) {
            (Text | Time | MicroTime, Raw::Bytes([])) | (Number, Raw::Number(0)) => continue,
            (Text, Raw::Bytes(bytes)) => text(bytes)?,
            (Bool, Raw::Number(number)) => json!(number != 0),
            // Negative numbers are written as their 64 bits.
            (Number | GivenNumber, Raw::Number(number)) => json!(number.cast_signed()),
            (Time, Raw::Bytes(bytes)) => {
                json!(time(bytes)?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            }
            (MicroTime, Raw::Bytes(bytes)) => {
                json!(time(bytes)?.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
            }
            (Message(fields), Raw::Bytes(bytes)) => message(bytes, fields)?,
            (Texts, Raw::Bytes(bytes)) => appended(object[name].take(), text(bytes)?),
            (Messages(fields), Raw::Bytes(bytes)) => {
                appended(object[name].take(), message(bytes, fields)?)
            }
            (TextMap, Raw::Bytes(bytes)) => with_entry(object[name].take(), bytes, text)?,
            (BytesMap, Raw::Bytes(bytes)) => with_entry(object[name].take(), bytes, |bytes| {
                Some(json!(STANDARD.encode(bytes)))
            })?,
            _ => return None,
        };
        object[name] = value;
    }
    Some(object)
}

fn appended(list: Value, value: Value) -> Value {
    let mut list = if let Value::Array(list) = list {
        list
    } else {
        Vec::new()
    };
    list.push(value);
    Value::Array(list)
}

fn with_entry(map: Value, entry: &[u8], read: impl Fn(&[u8]) -> Option<Value>) -> Option<Value> {
    let mut map = if let Value::Object(map) = map {
        map
    } else {
        Map::new()
    };
    let (mut key, mut value) = (String::new(), read(&[])?);
    for (number, raw) in records(entry)? {
        match (number, raw) {
            (1, Raw::Bytes(bytes)) => std::str::from_utf8(bytes).ok()?.clone_into(&mut key),
            (2, Raw::Bytes(bytes)) => value = read(bytes)?,
            _ => return None,
        }
    }
    map.insert(key, value);
    Some(Value::Object(map))
}

fn time(bytes: &[u8]) -> Option<Timestamp> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    for (number, raw) in records(bytes)? {
        match (number, raw) {
            (1, Raw::Number(number)) => seconds = number.cast_signed(),
            (2, Raw::Number(number)) => nanoseconds = i32::try_from(number.cast_signed()).ok()?,
            _ => return None,
        }
    }
    Timestamp::new(seconds, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [
            &[number << 3 | 2, u8::try_from(content.len()).unwrap()],
            content,
        ]
        .concat()
    }

    fn body(kind: &[u8], object: &[u8]) -> Vec<u8> {
        let kind = [field(1, b"v1"), field(2, kind)].concat();
        [
            MAGIC.to_vec(),
            field(1, &kind),
            field(2, object),
            field(3, b""),
            field(4, b""),
        ]
        .concat()
    }

    #[test]
    fn a_secret_is_read_as_in_json() {
        // SPEC: KU-4
        let label = [field(1, b"tier"), field(2, b"web")].concat();
        let metadata = [
            field(1, b"s"),
            field(2, b""),
            field(11, &label),
            field(8, b""),
        ]
        .concat();
        let data = [field(1, b"key"), field(2, b"\x00\xff")].concat();
        let secret = [
            field(1, &metadata),
            field(2, &data),
            field(3, b"Opaque"),
            vec![5 << 3, 1],
        ]
        .concat();
        let expected = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "s", "labels": { "tier": "web" } },
            "data": { "key": "AP8=" },
            "type": "Opaque",
            "immutable": true,
        });
        assert_eq!(read(&body(b"Secret", &secret)), Some(expected));
    }

    #[test]
    fn what_is_cut_off_is_refused_and_harms_nobody() {
        // SPEC: BI-1
        let whole = body(b"Namespace", &field(1, &field(1, b"shop")));
        assert!(read(&whole).is_some());
        for end in 0..whole.len() - 4 {
            assert_ne!(read(&whole[..end]), read(&whole), "{end}");
        }
        assert_eq!(read(&body(b"Pod", b"")), None);
    }
}
