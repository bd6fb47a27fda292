//! Everything that matters of one object, for a person who has little time.

mod drill;
mod group;
mod machine;
mod other;
mod plan;
mod run;
mod site;

pub use drill::drill;
pub use group::group;
pub use machine::machine;
pub use other::other;
pub use plan::{Around, plan};
pub use run::run;
pub use site::site;

use jiff::Timestamp;

use super::page::{Mood, Page};
use super::waiting::Waiting;

/// What waits for a person, each with the commands that release it.
fn waiting(page: &mut Page, waits: &[Waiting], now: Timestamp) {
    if waits.is_empty() {
        return;
    }
    page.section("Waiting for a person");
    for wait in waits {
        page.list(&[wait.sentence(now)], Mood::Notable);
        for command in &wait.release {
            page.command(command);
        }
    }
}

/// `Kind namespace/name`.
fn title(kind: &str, metadata: &kube::core::ObjectMeta) -> String {
    let name = metadata.name.as_deref().unwrap_or_default();
    match &metadata.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// What is said of an object that somebody deletes.
fn deletion(page: &mut Page, metadata: &kube::core::ObjectMeta, now: Timestamp) {
    if let Some(since) = &metadata.deletion_timestamp {
        let held = metadata.finalizers.clone().unwrap_or_default().join(", ");
        let ago = super::moments::ago(since.0, now);
        page.fact_as(
            "deleting",
            format!("for {ago} now, held by {held}"),
            Mood::Notable,
        );
    }
}

/// Whether a status speaks of the spec that is there now.
fn observed(page: &mut Page, metadata: &kube::core::ObjectMeta, observed: Option<i64>) {
    if let (Some(declared), Some(observed)) = (metadata.generation, observed)
        && observed < declared
    {
        page.fact_as(
            "note",
            "what follows speaks of an older declaration; Drover has not looked at this one yet",
            Mood::Notable,
        );
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
