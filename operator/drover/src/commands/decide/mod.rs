//! A person's word on a run: `approve`, `commit`, `cancel`, `resume`, `complete-sync`, `change-point`,
//! `accept`, `reprotect`.
//!
//! Each says what it will do before it does anything, asks, writes an immutable `RunDecision` that is
//! bound to the run and to its digest, and waits for the answer. For programs the answer is a
//! `DecisionReport`:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1", "kind": "DecisionReport",
//!   "decisions": [{ "name": "shop-7-commit-k3x9q1", "run": "shop-7", "action": "Commit",
//!                   "outcome": "Accepted", "reason": null }]
//! }
//! ```

mod name;
mod proposal;
mod situation;

use drover_api::common::{RecoveryPointChoice, RecoveryPointType};
use drover_api::value::RunName;
use drover_api::{
    DecisionAction, DecisionOutcome, MachineRun, ProtectedMachine, RecoveryRun, RunDecision,
    RunDecisionSpec, RunRef,
};
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use serde::Serialize;

use super::ask;
use super::describe::machines_of;
use crate::cli::{
    Accept, Approve, Cancel, ChangePoint, Commit, CompleteSync, Reprotect, Resume, Risk,
    TextOrData, Word,
};
use crate::cluster::access::{Access, block_on};
use crate::cluster::error::failed;
use crate::cluster::goal::Goal;
use crate::cluster::reading;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Report;
use crate::reports::words;
use name::name_of;
use proposal::Proposal;
use situation::{Situation, describe};

/// A suffix may be taken already; so many in a row never are.
const MOST_NAMES: u64 = 10;

/// What is decided.
#[derive(Clone, Debug, PartialEq)]
enum Say {
    /// A step; nothing for the run as a whole.
    Approve(Option<String>),
    Commit,
    Cancel {
        discard: bool,
    },
    Resume,
    CompleteSync,
    ChangePoint(RecoveryPointChoice),
    Accept(Risk),
    Reprotect,
}

#[derive(Debug, Serialize)]
struct Body {
    decisions: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    run: String,
    action: DecisionAction,
    outcome: Option<DecisionOutcome>,
    reason: Option<String>,
}

/// Approves a manual step.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn approve(arguments: &Approve, output: &mut Output) -> Result<Exit, Failure> {
    decide(
        &arguments.run,
        &Say::Approve(arguments.step.clone()),
        &arguments.word,
        output,
    )
}

/// Makes a failover final.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn commit(arguments: &Commit, output: &mut Output) -> Result<Exit, Failure> {
    decide(&arguments.run, &Say::Commit, &arguments.word, output)
}

/// Sends machines back.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn cancel(arguments: &Cancel, output: &mut Output) -> Result<Exit, Failure> {
    let say = Say::Cancel {
        discard: arguments.discard,
    };
    decide(&arguments.run, &say, &arguments.word, output)
}

/// Lets a halted run go on.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn resume(arguments: &Resume, output: &mut Output) -> Result<Exit, Failure> {
    decide(&arguments.run, &Say::Resume, &arguments.word, output)
}

/// Ends the hold between the phases of a synchronisation.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn complete_sync(arguments: &CompleteSync, output: &mut Output) -> Result<Exit, Failure> {
    decide(&arguments.run, &Say::CompleteSync, &arguments.word, output)
}

/// Rebuilds machines from another recovery point.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn change_point(arguments: &ChangePoint, output: &mut Output) -> Result<Exit, Failure> {
    let say = Say::ChangePoint(point(arguments));
    decide(&arguments.run, &say, &arguments.word, output)
}

/// Accepts a risk.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn accept(arguments: &Accept, output: &mut Output) -> Result<Exit, Failure> {
    decide(
        &arguments.run,
        &Say::Accept(arguments.risk),
        &arguments.word,
        output,
    )
}

/// Protects machines in the other direction.
///
/// # Errors
/// When it cannot be decided, nobody confirms, or the answer is no.
pub fn reprotect(arguments: &Reprotect, output: &mut Output) -> Result<Exit, Failure> {
    decide(&arguments.run, &Say::Reprotect, &arguments.word, output)
}

fn point(arguments: &ChangePoint) -> RecoveryPointChoice {
    let kind = if arguments.point.is_some() {
        RecoveryPointType::Named
    } else if arguments.time.is_some() {
        RecoveryPointType::Time
    } else if arguments.latest_app_consistent {
        RecoveryPointType::LatestAppConsistent
    } else if arguments.latest_processed {
        RecoveryPointType::LatestProcessed
    } else {
        RecoveryPointType::Latest
    };
    RecoveryPointChoice {
        kind,
        time: arguments.time,
        name: arguments.point.clone(),
    }
}

fn decide(run: &str, say: &Say, word: &Word, output: &mut Output) -> Result<Exit, Failure> {
    block_on(async {
        let access = Access::open(&word.target).await?;
        let by = who(word, &access).await?;
        let seen = look(&access, run).await?;
        same_digest(&seen.run, word.digest.as_deref())?;
        let proposal = proposal::judge(&seen, say, &by)?;
        tell(&seen, &proposal, output);
        ask::confirm(&proposal.confirmation, word.yes, output)?;
        let decision = Decision {
            access: &access,
            word,
            run: &seen.run,
            by,
        };
        decision.carry_out(&proposal, output).await
    })
}

/// Who decides: named, else whom the cluster knows, which is the only name that its admission policy takes;
/// else whoever the operating system says.
async fn who(word: &Word, access: &Access) -> Result<String, Failure> {
    let of_system = || {
        ["LOGNAME", "USER", "USERNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .or_else(of_process)
    };
    if let Some(by) = &word.by {
        return Ok(by.clone());
    }
    access
        .user()
        .await?
        .or_else(of_system)
        .ok_or_else(|| Failure::Refused {
            what: "it is not known who decides".to_owned(),
            hint: "say so with --by".to_owned(),
        })
}

/// The user of this process, where nothing says so: in a container nobody logged in.
fn of_process() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let user = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut users = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let found = users.find(|user_of| user_of.get(2) == Some(&user.as_str()))?;
    found.first().map(|name| (*name).to_owned())
}

async fn look(access: &Access, name: &str) -> Result<Situation, Failure> {
    let (client, namespace) = (access.client(), Some(access.namespace()));
    let run: RecoveryRun = reading::one(client, namespace, name).await?;
    let machines = machines_of(client, namespace, &run).await?;
    let protected = reading::typed::<ProtectedMachine>(client, namespace)
        .await?
        .items;
    let protected = protected
        .into_iter()
        .filter(|each| is_part(each, &machines))
        .collect();
    Ok(Situation {
        run,
        machines,
        protected,
        now: Timestamp::now(),
    })
}

fn is_part(protected: &ProtectedMachine, machines: &[MachineRun]) -> bool {
    machines.iter().any(|machine| {
        let machine = &machine.spec.machine;
        machine.name == protected.spec.machine
            && machine.protection_group == protected.spec.group_ref.name
    })
}

fn same_digest(run: &RecoveryRun, wanted: Option<&str>) -> Result<(), Failure> {
    match wanted {
        Some(wanted) if wanted != run.spec.digest => Err(Failure::Refused {
            what: format!("the run has another digest: {}", run.spec.digest),
            hint: "it is not the one that was looked at: look again".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What is decided, on what, and what it will do.
fn tell(seen: &Situation, proposal: &Proposal, output: &mut Output) {
    let (run, style) = (&seen.run, output.talk_style());
    let name = format!("{}/{}", run.namespace().unwrap_or_default(), run.name_any());
    output.talk(&format!(
        "{}: {}, {}, {:?}",
        style.strong(format!("Run {name}")),
        words::what(&run.spec),
        words::way(&run.spec.sites, run.spec.direction),
        run.phase(),
    ));
    output.talk(&format!("  digest {}", run.spec.digest));
    for sentence in &proposal.sentences {
        output.talk(&crate::text::wrapped(
            sentence,
            style.width(),
            "  - ",
            "    ",
        ));
    }
}

struct Decision<'a> {
    access: &'a Access,
    word: &'a Word,
    run: &'a RecoveryRun,
    by: String,
}

impl Decision<'_> {
    async fn carry_out(self, proposal: &Proposal, output: &mut Output) -> Result<Exit, Failure> {
        let mut rows = Vec::new();
        let mut refused = None;
        for spec in &proposal.decisions {
            let written = self.write(spec).await?;
            let name = written.name_any();
            let mut row = Row {
                name: name.clone(),
                run: self.run.name_any(),
                action: written.spec.action,
                outcome: None,
                reason: None,
            };
            if !self.word.no_wait {
                let answer = self.answer(&name).await?;
                row.outcome = answer.status.as_ref().and_then(|status| status.outcome);
                row.reason = answer.status.and_then(|status| status.reason);
            }
            self.say(&row, output)?;
            refused = (row.outcome == Some(DecisionOutcome::Refused)).then(|| row.reason.clone());
            rows.push(row);
            // What follows was meant to follow on this one.
            if refused.is_some() {
                break;
            }
        }
        let report = Report::new("DecisionReport", Body { decisions: rows });
        match self.word.output {
            TextOrData::Text => {}
            TextOrData::Json => output.json(&report)?,
            TextOrData::Yaml => output.yaml(&report)?,
        }
        match refused {
            None => Ok(Exit::Fine),
            Some(reason) => Err(Failure::Refused {
                what: format!(
                    "refused: {}",
                    reason.unwrap_or_else(|| "no reason is given".to_owned())
                ),
                hint: format!("`{}` says how it stands", describe(self.run)),
            }),
        }
    }

    fn say(&self, row: &Row, output: &mut Output) -> Result<(), Failure> {
        if self.word.output != TextOrData::Text {
            return Ok(());
        }
        let answer = match row.outcome {
            Some(DecisionOutcome::Accepted) => "accepted",
            Some(DecisionOutcome::Refused) => "refused",
            None => "written",
        };
        output.data(&format!("RunDecision {} {answer}\n", row.name))
    }

    async fn write(&self, say: &proposal::Decided) -> Result<RunDecision, Failure> {
        let namespace = self.access.namespace();
        let api: Api<RunDecision> = Api::namespaced(self.access.client().clone(), namespace);
        let doing = || format!("write the decision on {}", self.run.name_any());
        let spec = self.spec(say)?;
        let seed = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        for attempt in 0..MOST_NAMES {
            let name = name_of(&self.run.name_any(), say.action, seed.wrapping_add(attempt));
            let decision = RunDecision::new(&name, spec.clone());
            match api.create(&PostParams::default(), &decision).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                result => return result.map_err(failed(doing())),
            }
        }
        Err(Failure::Refused {
            what: format!("cannot {}: all names that were tried are taken", doing()),
            hint: "try again".to_owned(),
        })
    }

    fn spec(&self, say: &proposal::Decided) -> Result<RunDecisionSpec, Failure> {
        let name: RunName = self
            .run
            .name_any()
            .parse()
            .map_err(|error| Failure::Refused {
                what: format!("{error}"),
                hint: "was the run made by Drover?".to_owned(),
            })?;
        Ok(RunDecisionSpec {
            run_ref: RunRef {
                name,
                uid: self.run.uid().unwrap_or_default(),
            },
            action: say.action,
            step: say.step.clone(),
            recovery_point: say.point.clone(),
            digest: self.run.spec.digest.clone(),
            by: self.by.clone(),
            reason: self.word.reason.clone(),
        })
    }

    async fn answer(&self, name: &str) -> Result<RunDecision, Failure> {
        let info = reading::info_of::<RunDecision>();
        let timeout = self.word.timeout.as_std();
        super::wait::until(self.access, info, name, &Goal::Answer, timeout).await?;
        reading::one(self.access.client(), Some(self.access.namespace()), name).await
    }
}
