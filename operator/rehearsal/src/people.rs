//! Who answers in a rehearsal: as many people as are asked for, each after the same time.

use drover_api::value::RunName;
use drover_api::{DecisionAction, RecoveryRunSpec, RunDecisionSpec, RunRef, StepRef};
use drover_engine::decide::{Wait, WaitReason};
use jiff::Timestamp;

/// What people were asked and said.
#[derive(Debug)]
pub(crate) struct People {
    /// The run that they are asked about.
    about: RunRef,
    /// Decisions that were taken, oldest first.
    pub said: Vec<(String, RunDecisionSpec)>,
    /// Those that are being thought about.
    thinking: Vec<(Timestamp, RunDecisionSpec)>,
}

impl People {
    /// Nobody was asked yet.
    pub fn new(run: RunName) -> Self {
        Self {
            about: RunRef {
                name: run,
                uid: "rehearsal".to_owned(),
            },
            said: Vec::new(),
            thinking: Vec::new(),
        }
    }

    /// They hear for what is waited. What only a person's acceptance of a risk would release is left alone:
    /// that it is needed is what a rehearsal should show. Who wants to see it accepted rehearses a request that does.
    pub fn hear(&mut self, run: &RecoveryRunSpec, waits: &[Wait], answered: Timestamp) {
        for wait in waits {
            let (action, step, missing) = match &wait.reason {
                WaitReason::Approval {
                    group,
                    name,
                    missing,
                } => {
                    let group = run.groups.get(*group).map(|group| group.name.clone());
                    let step = group.zip(name.parse().ok());
                    let step = step.map(|(group, action)| StepRef { group, action });
                    (DecisionAction::Approve, step, *missing)
                }
                WaitReason::Approvals { missing } => (DecisionAction::Approve, None, *missing),
                WaitReason::CompleteSync => (DecisionAction::CompleteSync, None, 1),
                _ => continue,
            };
            let same = |known: &RunDecisionSpec| known.action == action && known.step == step;
            if self.thinking.iter().any(|(_, known)| same(known)) {
                continue;
            }
            let before = self.said.iter().filter(|(_, known)| same(known)).count();
            for person in 0..usize::try_from(missing).unwrap_or(usize::MAX) {
                let spec = self.decision(run, action, step.clone(), before + person);
                self.thinking.push((answered, spec));
            }
        }
    }

    /// They say what they had thought about by now.
    pub fn speak(&mut self, now: Timestamp) {
        let (ready, thinking): (Vec<_>, Vec<_>) =
            self.thinking.drain(..).partition(|(at, _)| *at <= now);
        self.thinking = thinking;
        for (_, spec) in ready {
            let name = format!("decision-{}", self.said.len());
            self.said.push((name, spec));
        }
    }

    /// When somebody speaks next.
    pub fn next(&self) -> Option<Timestamp> {
        self.thinking.iter().map(|(at, _)| *at).min()
    }

    fn decision(
        &self,
        run: &RecoveryRunSpec,
        action: DecisionAction,
        step: Option<StepRef>,
        person: usize,
    ) -> RunDecisionSpec {
        RunDecisionSpec {
            run_ref: self.about.clone(),
            action,
            step,
            recovery_point: None,
            digest: run.digest.clone(),
            by: format!("person {}", person + 1),
            reason: None,
        }
    }
}
