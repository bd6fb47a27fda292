//! What a decision would do, in sentences, or why it makes no sense now.
//!
//! The judge is the engine: it looks at the run in the moment in which it takes the decision. Here is
//! only said early what it would surely refuse, from the same table of states.

use drover_api::common::{RecoveryPointChoice, RunKind};
use drover_api::{ActionState, DecisionAction, RunPhase, StepRef};
use drover_engine::lifecycle::RunEvent;
use drover_engine::problem::did_you_mean;

use super::Say;
use super::situation::{Situation, Step};
use crate::cli::Risk;
use crate::commands::ask::Confirmation;
use crate::failure::Failure;
use crate::reports::moments::full;
use crate::reports::points::Recoverable;
use crate::reports::{progress, words};
use crate::text::{count, elided};

/// Machines that are named one by one.
const MOST: usize = 8;

/// What would be written, and what it would do.
#[derive(Debug, PartialEq)]
pub struct Proposal {
    /// What it would do.
    pub sentences: Vec<String>,
    /// How it is confirmed.
    pub confirmation: Confirmation,
    /// What would be written, in order.
    pub decisions: Vec<Decided>,
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// What is decided.
    pub action: DecisionAction,
    /// For an approval: the step.
    pub step: Option<StepRef>,
    /// For another point: which.
    pub point: Option<RecoveryPointChoice>,
}

impl Decided {
    fn just(action: DecisionAction) -> Self {
        Self {
            action,
            step: None,
            point: None,
        }
    }
}

/// What a decision would do.
///
/// # Errors
/// Where it makes no sense now, with what would.
pub fn judge(seen: &Situation, say: &Say, by: &str) -> Result<Proposal, Failure> {
    if *say == Say::Reprotect {
        return seen.reprotect();
    }
    if words::is_over(&seen.run) {
        return Err(Failure::Refused {
            what: format!("the run is over: it is {:?}", seen.run.phase()),
            hint: format!("`drover report {}` says how it went", seen.name()),
        });
    }
    match say {
        Say::Approve(Some(step)) => seen.approve(step, by),
        Say::Approve(None) => seen.approve_run(by),
        Say::Commit => seen.commit(),
        Say::Cancel { discard } => seen.cancel(*discard),
        Say::Resume => seen.resume(),
        Say::CompleteSync => seen.complete_sync(),
        Say::ChangePoint(point) => seen.change_point(point),
        Say::Accept(risk) => Ok(seen.accept(*risk)),
        Say::Reprotect => seen.reprotect(),
    }
}

impl Situation {
    fn proposal(&self, sentences: Vec<String>, typed: bool, decisions: Vec<Decided>) -> Proposal {
        Proposal {
            sentences,
            confirmation: if typed {
                Confirmation::Typed(self.name().to_owned())
            } else {
                Confirmation::Yes
            },
            decisions,
        }
    }

    fn commit(&self) -> Result<Proposal, Failure> {
        self.possible(
            RunEvent::CommitDecided,
            "a run is committed while it is CommitPending",
        )?;
        let points: u64 = self
            .recoverable()
            .iter()
            .map(|each| u64::from(each.points))
            .sum();
        let mut sentences = vec![format!(
            "{} stay at {} for good: {}",
            count(self.up().len(), "machine"),
            self.target(),
            elided(&self.up(), MOST)
        )];
        sentences.push(match points {
            0 => "all other recovery points of these machines are removed".to_owned(),
            number => format!(
                "{number} recovery points are known; all but those that machines run from are removed"
            ),
        });
        let failed = self.failed();
        if !failed.is_empty() {
            sentences.push(format!(
                "{} failed and cannot be recovered from an older point after this: {}",
                count(failed.len(), "machine"),
                elided(&failed, MOST)
            ));
        }
        sentences.push(format!(
            "going back to {} is another failover then",
            self.source()
        ));
        Ok(self.proposal(sentences, true, vec![Decided::just(DecisionAction::Commit)]))
    }

    fn cancel(&self, discard: bool) -> Result<Proposal, Failure> {
        match self.run.spec.kind {
            RunKind::PlannedFailover | RunKind::UnplannedFailover => {}
            RunKind::TestFailover => {
                return Err(Failure::Refused {
                    what: "a drill ends when its object is deleted".to_owned(),
                    hint: "`drover delete drill NAME` cleans up after it".to_owned(),
                });
            }
            RunKind::Reprotect => {
                self.possible(
                    RunEvent::GivenUp,
                    "a reprotect is cancelled before its machines are protected",
                )?;
                let sentences = vec![format!(
                    "the machines stay at {}; what does not replicate to {} yet is not protected",
                    self.source(),
                    self.target()
                )];
                let decisions = vec![Decided::just(DecisionAction::Cancel)];
                return Ok(self.proposal(sentences, false, decisions));
            }
        }
        let what = "a run is cancelled before it is committed";
        if !progress::entered(&self.run) {
            self.possible(RunEvent::CancelDecidedBeforeEntry, what)?;
            let sentences = vec![format!(
                "no machine was started at {}: those that were stopped start again at {}, and nothing \
                 is lost",
                self.target(),
                self.source()
            )];
            return Ok(self.proposal(
                sentences,
                false,
                vec![Decided::just(DecisionAction::Cancel)],
            ));
        }
        self.possible(RunEvent::CancelDecidedAfterEntry, what)?;
        let accepted = progress::record(&self.run).accepted.discard_target_writes;
        if !accepted && !discard {
            return Err(Failure::Refused {
                what: format!("{} would be lost", self.written_since()),
                hint: format!("`drover cancel {} --discard` accepts that", self.name()),
            });
        }
        let sentences = vec![
            format!(
                "{} stop at {} and start again at {}",
                count(self.up().len(), "machine"),
                self.target(),
                self.source()
            ),
            format!("{} is LOST", self.written_since()),
        ];
        let mut decisions = Vec::new();
        if !accepted {
            decisions.push(Decided::just(DecisionAction::AcceptDiscard));
        }
        decisions.push(Decided::just(DecisionAction::Cancel));
        Ok(self.proposal(sentences, true, decisions))
    }

    fn resume(&self) -> Result<Proposal, Failure> {
        let halt = progress::record(&self.run).halt;
        let Some(halt) = halt.filter(|_| self.phase() == RunPhase::Halted) else {
            return Err(self.refused("only a halted run is resumed"));
        };
        let mut sentences = vec![
            format!("it halted because: {}", halt.reason),
            format!("it goes on in {:?}; what failed is tried again", halt.phase),
        ];
        let failed = self.failed();
        if !failed.is_empty() {
            sentences.push(format!("machines that failed: {}", elided(&failed, MOST)));
        }
        Ok(self.proposal(
            sentences,
            false,
            vec![Decided::just(DecisionAction::Resume)],
        ))
    }

    fn complete_sync(&self) -> Result<Proposal, Failure> {
        if self.phase() != RunPhase::AwaitingCompleteSync {
            return Err(self.refused("no synchronisation is held"));
        }
        let pending: u64 = self
            .recoverable()
            .iter()
            .map(|each| each.pending_bytes)
            .sum();
        let sentences = vec![format!(
            "{} stop at {} now, send what is left ({}), and start at {}",
            words::machines(self.run.spec.machines),
            self.source(),
            drover_api::value::humanize(pending),
            self.target()
        )];
        Ok(self.proposal(
            sentences,
            false,
            vec![Decided::just(DecisionAction::CompleteSync)],
        ))
    }

    fn change_point(&self, point: &RecoveryPointChoice) -> Result<Proposal, Failure> {
        if self.run.spec.kind == RunKind::PlannedFailover {
            return Err(Failure::Refused {
                what: "a planned failover loses nothing and so has no other point".to_owned(),
                hint: format!("`drover cancel {} --discard` goes back", self.name()),
            });
        }
        let what = "another point can be chosen while a run is CommitPending";
        self.possible(RunEvent::PointChanged, what)?;
        let mut sentences = vec![
            format!(
                "{} stop at {} and are rebuilt from {}",
                count(self.up().len(), "machine"),
                self.target(),
                words::point(point)
            ),
            format!("{} is LOST", self.written_since()),
        ];
        let used = self
            .machines
            .iter()
            .filter_map(|machine| machine.status.as_ref()?.point.as_ref());
        if let Some(oldest) = used.map(|point| point.at).min() {
            sentences.push(format!(
                "they run from points of {} UTC or later now",
                full(oldest)
            ));
        }
        let decided = Decided {
            point: Some(point.clone()),
            ..Decided::just(DecisionAction::ChangePoint)
        };
        Ok(self.proposal(sentences, true, vec![decided]))
    }

    fn accept(&self, risk: Risk) -> Proposal {
        let (sentences, action) = match risk {
            Risk::DataLoss => (self.data_loss(), DecisionAction::AcceptDataLoss),
            Risk::Discard => (
                vec![format!("{} may be LOST in a cancel", self.written_since())],
                DecisionAction::AcceptDiscard,
            ),
            Risk::SplitBrain => (self.split_brain(), DecisionAction::AcceptSplitBrain),
        };
        self.proposal(sentences, true, vec![Decided::just(action)])
    }

    /// The age of what would be started, machine by machine (SA-8).
    fn data_loss(&self) -> Vec<String> {
        let allowed = match &self.run.spec.max_data_loss {
            Some(allowed) => format!("the run may lose {allowed}; this accepts more"),
            None => "the run has no limit of data loss".to_owned(),
        };
        let all = self.recoverable();
        let mut sentences = vec![allowed];
        sentences.extend(all.iter().take(MOST).map(Recoverable::sentence));
        if all.len() > MOST {
            sentences.push(format!(
                "… and {}, with younger points",
                count(all.len() - MOST, "more machine")
            ));
        }
        sentences
    }

    fn split_brain(&self) -> Vec<String> {
        let unproven = self.names(|machine| {
            machine
                .status
                .as_ref()
                .is_none_or(|status| status.left.is_none())
        });
        vec![
            format!(
                "of {} it is not proven that they are stopped at {}: {}",
                count(unproven.len(), "machine"),
                self.source(),
                elided(&unproven, MOST)
            ),
            "they may serve at both sites at once, and their data may part for good".to_owned(),
        ]
    }

    fn reprotect(&self) -> Result<Proposal, Failure> {
        let sentences = match (self.run.spec.kind, self.phase()) {
            (RunKind::Reprotect, RunPhase::Cancelled) => {
                vec![self.overwrites(&self.source(), &self.target())]
            }
            (_, RunPhase::Committed) => vec![self.overwrites(&self.target(), &self.source())],
            _ => {
                let what = "machines are reprotected once their failover is committed";
                return Err(self.refused(what));
            }
        };
        Ok(self.proposal(
            sentences,
            true,
            vec![Decided::just(DecisionAction::Reprotect)],
        ))
    }

    fn overwrites(&self, from: &str, to: &str) -> String {
        format!(
            "{} replicate from {from} to {to} then; what is at {to} is overwritten with it",
            words::machines(self.run.spec.machines),
        )
    }

    /// What a run does that waits for its approval.
    fn begins(&self) -> Vec<String> {
        let (source, target) = (self.source(), self.target());
        if self.run.spec.kind != RunKind::Reprotect {
            let machines = words::machines(self.run.spec.machines);
            return vec![format!("it moves {machines} from {source} to {target}")];
        }
        let mut sentences = vec![self.overwrites(&source, &target)];
        if self.run.spec.commits {
            sentences.push(format!(
                "nobody remembers the failover to {source}, and it is not proven to be committed: this \
                 commits it, and its other recovery points go"
            ));
        }
        sentences
    }

    /// The run as a whole, before it does anything.
    fn approve_run(&self, by: &str) -> Result<Proposal, Failure> {
        let record = progress::record(&self.run);
        let Some(needed) = self
            .run
            .spec
            .approvals
            .filter(|_| self.phase() == RunPhase::Pending)
        else {
            return Err(Failure::Refused {
                what: "the run as a whole does not wait for an approval".to_owned(),
                hint: "name the step that does, as GROUP/ACTION".to_owned(),
            });
        };
        if record.approved_by.iter().any(|each| each == by) {
            return Err(Failure::Refused {
                what: format!("{by} approved the run before"),
                hint: format!("it needs {needed} different people"),
            });
        }
        let mut sentences = self.begins();
        sentences.push(format!(
            "{} of {needed} approvals are there",
            record.approved_by.len()
        ));
        Ok(self.proposal(
            sentences,
            self.run.spec.commits,
            vec![Decided::just(DecisionAction::Approve)],
        ))
    }

    fn approve(&self, step: &str, by: &str) -> Result<Proposal, Failure> {
        let steps = self.steps();
        let found = steps.iter().find(|(name, ..)| name == step);
        let Some((_, group, action, state)) = found else {
            return Err(self.no_such_step(step, &steps));
        };
        let Some(manual) = &action.manual else {
            return Err(Failure::Refused {
                what: format!("{step} is not a manual step"),
                hint: self.how_it_waits(),
            });
        };
        if state.state != ActionState::Running {
            return Err(Failure::Refused {
                what: format!(
                    "{step} does not wait for an approval now: it is {:?}",
                    state.state
                ),
                hint: self.how_it_waits(),
            });
        }
        if state.approved_by.iter().any(|each| each == by) {
            return Err(Failure::Refused {
                what: format!("{by} approved {step} before"),
                hint: format!("it needs {} different people", manual.approvals),
            });
        }
        let sentences = vec![
            manual.message.clone(),
            format!(
                "{} of {} approvals are there",
                state.approved_by.len(),
                manual.approvals
            ),
        ];
        let decided = Decided {
            step: Some(StepRef {
                group: group.clone(),
                action: action.name.clone(),
            }),
            ..Decided::just(DecisionAction::Approve)
        };
        Ok(self.proposal(sentences, false, vec![decided]))
    }

    fn no_such_step(&self, step: &str, steps: &[Step]) -> Failure {
        let manual: Vec<&str> = steps
            .iter()
            .filter(|(_, _, action, _)| action.manual.is_some())
            .map(|(name, ..)| name.as_str())
            .collect();
        let hint = match (
            did_you_mean(step, manual.iter().copied()),
            manual.as_slice(),
        ) {
            (Some(meant), _) => format!("did you mean {meant}?"),
            (None, []) => "the run has no manual steps".to_owned(),
            (None, names) => format!("its manual steps are {}", elided(names, MOST)),
        };
        Failure::Refused {
            what: format!("run {} has no step {step}", self.name()),
            hint,
        }
    }
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
