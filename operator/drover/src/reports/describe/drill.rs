//! A drill.

use drover_api::{DrillPhase, DrillResult, MachineRun, RecoveryDrill, RecoveryRun};
use jiff::Timestamp;

use super::{deletion, title};
use crate::reports::moments::ago;
use crate::reports::page::{Mood, Page};
use crate::reports::{progress, words};
use crate::text::{Style, elided};

/// Everything that matters of a drill.
pub fn drill(
    drill: &RecoveryDrill,
    run: Option<(&RecoveryRun, &[MachineRun])>,
    now: Timestamp,
    style: Style,
) -> String {
    let nothing = drover_api::RecoveryDrillStatus::default();
    let status = drill.status.as_ref().unwrap_or(&nothing);
    let (result, mood) = match status.result {
        Some(DrillResult::Passed) => (", passed", Mood::Good),
        Some(DrillResult::Failed) => (", failed", Mood::Bad),
        Some(DrillResult::Abandoned) => (", abandoned", Mood::Notable),
        None => ("", Mood::Plain),
    };
    let said = format!("{:?}{result}", status.phase);
    let mut page = Page::new(style, &title("RecoveryDrill", &drill.metadata), &said, mood);
    deletion(&mut page, &drill.metadata, now);
    page.fact("plan", drill.spec.plan_ref.name.as_str());
    page.fact("point", words::point(&drill.spec.recovery_point));
    if !drill.spec.groups.is_empty() {
        page.fact("groups", elided(&drill.spec.groups, 5));
    }
    page.maybe("RTO", status.rto.as_ref().map(ToString::to_string));
    if let Some(expires) = status.expires
        && status.phase != DrillPhase::CleanedUp
    {
        let text = if expires <= now {
            format!("expired {} ago", ago(expires, now))
        } else {
            format!(
                "in {}; then its machines go and this object stays",
                ago(now, expires)
            )
        };
        page.fact("expires", text);
    }
    if let Some((run, machines)) = run {
        let name = run.metadata.name.as_deref().unwrap_or_default();
        page.section(&format!("Run {name}"));
        page.fact("phase", progress::in_one_line(run));
        page.table(&super::plan::groups(run, machines));
    }
    page.conditions(&status.conditions, now);
    page.finish()
}
