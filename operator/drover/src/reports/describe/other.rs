//! An object of which there is nothing special to say: its spec and its conditions.

use drover_api::KindInfo;
use drover_api::conditions::Condition;
use jiff::Timestamp;
use serde_json::Value;

use super::{deletion, title};
use crate::reports::page::{Mood, Page};
use crate::text::Style;

/// An object of any kind. `yaml` is its spec.
pub fn other(
    info: &KindInfo,
    metadata: &kube::core::ObjectMeta,
    object: &Value,
    yaml: &str,
    now: Timestamp,
    style: Style,
) -> String {
    let conditions = object
        .pointer("/status/conditions")
        .cloned()
        .unwrap_or_default();
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    let ready = crate::reports::words::condition(&conditions, drover_api::conditions::READY);
    let said = object
        .pointer("/status/outcome")
        .or_else(|| object.pointer("/status/phase"));
    let (said, mood) = match (said.and_then(Value::as_str), ready) {
        (Some(said), _) => (said.to_owned(), Mood::Plain),
        (None, Some(ready)) if ready.status == "True" => ("Ready".to_owned(), Mood::Good),
        (None, Some(ready)) => (format!("not ready: {}", ready.message), Mood::Notable),
        (None, None) => ("declared".to_owned(), Mood::Plain),
    };
    let mut page = Page::new(style, &title(info.kind, metadata), &said, mood);
    deletion(&mut page, metadata, now);
    if let Some(reason) = object.pointer("/status/reason").and_then(Value::as_str) {
        page.fact("reason", reason);
    }
    page.section("Spec");
    for line in yaml.lines() {
        page.raw(&format!("  {line}\n"));
    }
    page.conditions(&conditions, now);
    page.finish()
}
