//! For what a run waits, since when, and who can release it, as far as its record says.

use drover_api::common::RunKind;
use drover_api::{Action, ActionRecord, ActionState, RecoveryRun, RunPhase};
use jiff::Timestamp;
use serde::Serialize;

use super::moments;
use super::progress::{entered, is_failover, record};
use super::words::is_over;

/// Something that only a person can release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// For what.
    pub what: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Commands, each of which releases it.
    pub release: Vec<String>,
}

impl Waiting {
    /// For what, and since when.
    pub fn sentence(&self, now: Timestamp) -> String {
        match self.since {
            Some(since) => format!("{}, for {} now", self.what, moments::ago(since, now)),
            None => self.what.clone(),
        }
    }
}

/// What waits for a person in a run.
pub fn waits(run: &RecoveryRun) -> Vec<Waiting> {
    if is_over(run) {
        return Vec::new();
    }
    let mut waits = approvals(run);
    let (record, commands) = (record(run), Commands::of(run));
    let wait = |what: String, release: Vec<String>| Waiting {
        what,
        since: record.since,
        release,
    };
    match record.phase {
        RunPhase::Pending => waits.extend(run_approvals(run).map(|what| {
            let release = vec![commands.of_run("approve"), commands.of_run("cancel")];
            wait(what, release)
        })),
        RunPhase::AwaitingCompleteSync => waits.push(wait(
            "the first phase of the synchronisation is done; a person ends the hold".to_owned(),
            vec![commands.of_run("complete-sync"), commands.of_run("cancel")],
        )),
        RunPhase::CommitPending => waits.push(wait(
            commit_pending(run),
            commands.at_commit_pending(run.spec.kind),
        )),
        RunPhase::Halted => {
            let halt = record.halt.as_ref();
            let why = halt.map_or("the reason is not recorded", |halt| halt.reason.as_str());
            let at = halt.map_or_else(String::new, |halt| format!(" in {:?}", halt.phase));
            let mut release = vec![commands.of_run("resume")];
            if is_failover(run) {
                release.push(commands.cancel(run));
            }
            waits.push(wait(format!("the run halted{at}: {why}"), release));
        }
        _ => {}
    }
    waits
}

fn commit_pending(run: &RecoveryRun) -> String {
    let automatic = run.spec.commit.soak.as_ref();
    match automatic {
        Some(soak) => format!(
            "machines run at the target; it commits by itself when they were healthy for {soak}"
        ),
        None => "machines run at the target; a person commits, or sends them back".to_owned(),
    }
}

/// What a run as a whole needs before it does anything.
fn run_approvals(run: &RecoveryRun) -> Option<String> {
    let needed = usize::try_from(run.spec.approvals?).unwrap_or(usize::MAX);
    let given = record(run).approved_by;
    let missing = needed.saturating_sub(given.len());
    (missing > 0).then(|| {
        format!(
            "the run needs {}{}",
            crate::text::count(missing, "approval"),
            besides(&given)
        )
    })
}

fn besides(given: &[String]) -> String {
    match given {
        [] => String::new(),
        given => format!(" besides that of {}", given.join(", ")),
    }
}

fn approvals(run: &RecoveryRun) -> Vec<Waiting> {
    let (record, commands) = (record(run), Commands::of(run));
    let mut waits = Vec::new();
    for (group, done) in run.spec.groups.iter().zip(&record.groups) {
        let sides = [(&group.before, &done.before), (&group.after, &done.after)];
        for (action, state) in sides
            .into_iter()
            .flat_map(|(all, states)| all.iter().zip(states))
        {
            if let Some(missing) = missing_approvals(action, state) {
                let step = format!("{}/{}", group.name, action.name);
                waits.push(Waiting {
                    what: format!("the step {step} needs {missing}: {}", message(action)),
                    since: state.since,
                    release: vec![format!("{} {step}", commands.of_run("approve"))],
                });
            }
        }
    }
    waits
}

fn missing_approvals(action: &Action, state: &ActionRecord) -> Option<String> {
    let manual = action.manual.as_ref()?;
    if state.state != ActionState::Running {
        return None;
    }
    let needed = usize::try_from(manual.approvals).unwrap_or(usize::MAX);
    let missing = needed.saturating_sub(state.approved_by.len());
    let approvals = crate::text::count(missing, "approval");
    Some(format!("{approvals}{}", besides(&state.approved_by)))
}

fn message(action: &Action) -> &str {
    action
        .manual
        .as_ref()
        .map_or("", |manual| manual.message.as_str())
}

/// Commands that name a run, as somebody would type them.
struct Commands {
    run: String,
    namespace: String,
}

impl Commands {
    fn of(run: &RecoveryRun) -> Self {
        Self {
            run: run.metadata.name.clone().unwrap_or_default(),
            namespace: run
                .metadata
                .namespace
                .as_deref()
                .map(|namespace| format!(" -n {namespace}"))
                .unwrap_or_default(),
        }
    }

    fn of_run(&self, verb: &str) -> String {
        format!("drover {verb}{} {}", self.namespace, self.run)
    }

    /// Once machines were started at the target, what they wrote there is lost by a cancel.
    fn cancel(&self, run: &RecoveryRun) -> String {
        if entered(run) {
            self.cancel_and_discard()
        } else {
            self.of_run("cancel")
        }
    }

    fn cancel_and_discard(&self) -> String {
        format!("{} --discard", self.of_run("cancel"))
    }

    fn at_commit_pending(&self, kind: RunKind) -> Vec<String> {
        let mut commands = vec![self.of_run("commit"), self.cancel_and_discard()];
        // A planned failover loses nothing, so it has no other point.
        if kind == RunKind::UnplannedFailover {
            commands.push(format!(
                "{} --latest-app-consistent",
                self.of_run("change-point")
            ));
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::fixtures;

    #[test]
    fn whoever_can_release_something_is_told_how() {
        // SPEC: PL-10
        let mut run = fixtures::planned().run;
        let waits = super::waits(&run);
        assert_eq!(waits, [], "a committed run waits for nobody");

        let status = run.status.as_mut().unwrap();
        status.record.phase = RunPhase::Entering;
        let state = &mut status.record.groups[1].after[1];
        state.state = ActionState::Running;
        state.approved_by.clear();
        let waits = super::waits(&run);
        assert_eq!(waits.len(), 1);
        assert_eq!(
            waits[0].release,
            ["drover approve -n shop shop-7 web/business-says-go"]
        );
        assert!(waits[0].what.contains("needs 1 approval"));
    }

    #[test]
    fn a_halted_run_names_both_ways_on() {
        let run = fixtures::halted().run;
        let waits = super::waits(&run);
        assert_eq!(
            waits[0].release,
            [
                "drover resume -n shop shop-9",
                "drover cancel -n shop shop-9 --discard"
            ]
        );
        assert!(
            waits[0].what.starts_with("the run halted in Entering: "),
            "{waits:?}"
        );
    }
}
