//! The columns of the kinds that need no definition.

use jiff::Timestamp;
use serde_json::Value;

use super::{Column, age};

/// A cell that is made of more than one field, or in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Name,
    Age,
    /// The time itself, not how long ago it was.
    CreatedAt,
    NamespaceStatus,
    DataCount,
    LeaseHolder,
    EventLastSeen,
    EventFirstSeen,
    /// The field `type`, of secrets and events.
    Type,
    EventReason,
    EventObject,
    EventSubobject,
    EventSource,
    EventMessage,
    EventCount,
}

pub(super) fn columns(plural: &str) -> Vec<Column> {
    let name = || Column::made("Name", "string", Made::Name);
    let age = || Column::made("Age", "string", Made::Age);
    match plural {
        "namespaces" => {
            vec![
                name(),
                Column::made("Status", "string", Made::NamespaceStatus),
                age(),
            ]
        }
        "secrets" => vec![
            name(),
            Column::made("Type", "string", Made::Type),
            Column::made("Data", "string", Made::DataCount),
            age(),
        ],
        "configmaps" => vec![
            name(),
            Column::made("Data", "string", Made::DataCount),
            age(),
        ],
        "leases" => vec![
            name(),
            Column::made("Holder", "string", Made::LeaseHolder),
            age(),
        ],
        "events" => events(),
        _ => vec![name(), Column::made("Created At", "date", Made::CreatedAt)],
    }
}

fn events() -> Vec<Column> {
    let wide = |name: &str, made: Made| Column {
        priority: 1,
        ..Column::made(name, "string", made)
    };
    vec![
        Column::made("Last Seen", "string", Made::EventLastSeen),
        Column::made("Type", "string", Made::Type),
        Column::made("Reason", "string", Made::EventReason),
        Column::made("Object", "string", Made::EventObject),
        wide("Subobject", Made::EventSubobject),
        wide("Source", Made::EventSource),
        Column::made("Message", "string", Made::EventMessage),
        wide("First Seen", Made::EventFirstSeen),
        wide("Count", Made::EventCount),
        wide("Name", Made::Name),
    ]
}

impl Made {
    pub fn cell(self, object: &Value, now: Timestamp) -> Value {
        let text = |pointers: &[&str]| Value::from(first(object, pointers));
        match self {
            Self::Name => text(&["/metadata/name"]),
            Self::Age => age::since(first(object, &["/metadata/creationTimestamp"]), now).into(),
            Self::CreatedAt => text(&["/metadata/creationTimestamp"]),
            Self::NamespaceStatus => text(&["/status/phase"]),
            Self::DataCount => {
                let count = |part: &str| object[part].as_object().map_or(0, serde_json::Map::len);
                (count("data") + count("binaryData")).into()
            }
            Self::LeaseHolder => text(&["/spec/holderIdentity"]),
            Self::EventLastSeen => last_seen(object, now).into(),
            Self::EventFirstSeen => first_seen(object, now).into(),
            Self::Type => text(&["/type"]),
            Self::EventReason => text(&["/reason"]),
            Self::EventObject => event_object(object).into(),
            Self::EventSubobject => text(&["/involvedObject/fieldPath", "/regarding/fieldPath"]),
            Self::EventSource => event_source(object).into(),
            Self::EventMessage => first(object, &["/message", "/note"]).trim().into(),
            Self::EventCount => event_count(object),
        }
    }
}

/// The first of these places that holds a text. An event is spelled in two ways, by its group.
fn first<'v>(object: &'v Value, pointers: &[&str]) -> &'v str {
    let texts = pointers
        .iter()
        .filter_map(|pointer| object.pointer(pointer)?.as_str());
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn first_seen(event: &Value, now: Timestamp) -> String {
    age::since(
        first(
            event,
            &["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"],
        ),
        now,
    )
}

fn last_seen(event: &Value, now: Timestamp) -> String {
    let series = first(event, &["/series/lastObservedTime"]);
    if event["series"].is_object() {
        return age::since(series, now);
    }
    match first(event, &["/lastTimestamp", "/deprecatedLastTimestamp"]) {
        "" => first_seen(event, now),
        last => age::since(last, now),
    }
}

fn event_object(event: &Value) -> String {
    let kind = first(event, &["/involvedObject/kind", "/regarding/kind"]).to_lowercase();
    match first(event, &["/involvedObject/name", "/regarding/name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn event_source(event: &Value) -> String {
    let component = [
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ];
    let instance = [
        "/source/host",
        "/deprecatedSource/host",
        "/reportingInstance",
    ];
    match (first(event, &component), first(event, &instance)) {
        (component, "") => component.to_owned(),
        (component, instance) => format!("{component}, {instance}"),
    }
}

fn event_count(event: &Value) -> Value {
    let counts = ["/series/count", "/count", "/deprecatedCount"];
    let found = counts
        .iter()
        .filter_map(|pointer| event.pointer(pointer)?.as_i64());
    // One that was never counted happened once.
    found
        .into_iter()
        .find(|count| *count != 0)
        .unwrap_or(1)
        .into()
}
