//! One run, carried through as the operator carries it: look, ask the engine, record, ask drivers. There
//! is no API; what would be written there is kept here.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::{ActionKind, LeftProof, MachineRunStatus, RunCounts, RunPhase, RunRecord};
use drover_engine::decide::{
    self, ActionId, ActionReport, Failure, MachineStep, MachineView, Places, Room, RunView,
    Standing, Wait, WaitReason,
};
use drover_engine::lifecycle::RUN;
use drover_engine::plan::expected_length;
use drover_fabric::{Materialize, step_name};
use drover_simulator::Violation;
use drover_world::{Effect, FabricError, Stamp};
use jiff::Timestamp;

use crate::chance::Chance;
use crate::fault::{What, Who};
use crate::looks::Looks;
use crate::people::People;
use crate::prepared::Prepared;
use crate::stage::Stage;
use crate::told::{Ended, Rehearsal};
use crate::trace::Trace;

/// After so long a request is made again that is not seen to be done, as the operator does.
const AGAIN: Duration = Duration::from_secs(5);
/// Nothing is looked at more often: what is due within so long is seen together.
const GRAIN: Duration = Duration::from_millis(100);
/// More looks than any run that goes on needs.
const LOOKS: u32 = 1_000_000;

/// Lives a run through.
///
/// # Errors
/// When the simulated sites refuse what is declared.
pub(crate) async fn live(prepared: &Prepared, seed: u64) -> Result<Rehearsal, FabricError> {
    let mut chance = Chance::of(seed);
    let stage = Stage::set(prepared, &mut chance).await?;
    let begun = stage.clock.now();
    let mut life = Life {
        looks: Looks::new(prepared, begun),
        people: People::new(prepared.name.clone()),
        trace: Trace::new(prepared, begun),
        record: RunRecord::default(),
        journals: vec![MachineRunStatus::default(); prepared.actors.len()],
        failures: BTreeMap::new(),
        asked: vec![None; prepared.actors.len()],
        reports: BTreeMap::new(),
        acting: BTreeMap::new(),
        failing: BTreeMap::new(),
        waits: Vec::new(),
        moved: begun,
        up: None,
        prepared,
        stage,
        begun,
    };
    life.plan_faults(&mut chance);
    life.go_on(&mut chance).await;
    Ok(life.told(seed))
}

struct Life<'a> {
    prepared: &'a Prepared,
    stage: Stage,
    begun: Timestamp,
    looks: Looks,
    people: People,
    trace: Trace,
    record: RunRecord,
    journals: Vec<MachineRunStatus>,
    failures: BTreeMap<usize, Failure>,
    /// What each machine's drivers were asked for last.
    asked: Vec<Option<(Effect, u64, Timestamp)>>,
    reports: BTreeMap<ActionId, ActionReport>,
    /// Attempts that are under way, and when each ends.
    acting: BTreeMap<(ActionId, u32), (Timestamp, ActionReport)>,
    /// Attempts that still fail.
    failing: BTreeMap<ActionId, u32>,
    /// What the run and its machines wait for, as they said last.
    waits: Vec<Wait>,
    /// When something changed last.
    moved: Timestamp,
    /// When the machines were up.
    up: Option<Timestamp>,
}

impl Life<'_> {
    async fn go_on(&mut self, chance: &mut Chance) {
        for _ in 0..LOOKS {
            self.looks.look(&self.stage).await;
            self.take_reports();
            while self.step(chance).await {
                self.moved = self.stage.clock.now();
                // What was asked for a moment ago may be so already.
                self.looks.look(&self.stage).await;
            }
            let over = RUN.is_final(self.record.phase)
                || matches!(
                    self.record.phase,
                    RunPhase::CommitPending | RunPhase::Halted
                );
            if over || !self.pass().await {
                return;
            }
        }
    }

    /// Does what is to be done now; whether anything was.
    async fn step(&mut self, chance: &mut Chance) -> bool {
        self.people.speak(self.stage.clock.now());
        let (run, machines) = self.view(|view| {
            let run = decide::run(view);
            let machines = match run.record {
                Some(_) => Vec::new(),
                None => steps(view),
            };
            (run, machines)
        });
        if let Some(record) = run.record {
            let now = self.stage.clock.now();
            self.trace.recorded(self.prepared, &record, now);
            self.record = record;
            let up = matches!(
                self.record.phase,
                RunPhase::CommitPending | RunPhase::Committing | RunPhase::Committed
            );
            if up && self.up.is_none() {
                self.up = Some(now);
            }
            return true;
        }
        self.waits = run.waits;
        for (id, attempt) in run.actions {
            self.act(id, attempt, chance);
        }
        let answered = self.stage.clock.now() + self.prepared.assumed.answer;
        self.people
            .hear(&self.prepared.compiled.run, &self.waits, answered);
        let moved = self.carry_out(machines).await;
        // Somebody may have had the answer ready.
        let now = self.stage.clock.now();
        moved || self.people.next().is_some_and(|at| at <= now)
    }

    async fn carry_out(&mut self, steps: Vec<(usize, MachineStep)>) -> bool {
        let mut moved = false;
        for (position, step) in steps {
            match step {
                MachineStep::Record(journal) => {
                    self.trace.outcome(position, &journal);
                    if journal.left == Some(LeftProof::AcceptedSplitBrain) {
                        self.accept_split_brain(position);
                    }
                    self.journals[position] = *journal;
                    moved = true;
                }
                MachineStep::Ensure(effect) => moved |= self.ask(position, effect).await,
                MachineStep::Wait(wait) => self.waits.push(wait),
                MachineStep::Rest => {}
            }
        }
        moved
    }

    /// What somebody accepted by name is nothing that must never happen.
    fn accept_split_brain(&self, position: usize) {
        let name = &self.prepared.actors[position].subject.primary;
        let site = &self.prepared.sites.primary;
        self.stage.world.accept_split_brain(site, name);
    }

    /// Asks for an effect, unless that was done a moment ago; whether it was asked for.
    async fn ask(&mut self, position: usize, effect: Effect) -> bool {
        let now = self.stage.clock.now();
        let epoch = self.record.epoch;
        let stands = self.asked[position].is_some_and(|(asked, at_epoch, at)| {
            asked == effect && at_epoch == epoch && now < at + AGAIN
        });
        if stands {
            return false;
        }
        self.asked[position] = Some((effect, epoch, now));
        self.trace.asked(position, effect, now);
        let prepared = self.prepared;
        let machine = &prepared.compiled.machines[position];
        let point = self.journals[position].point.as_ref();
        let point = point.map(|point| point.name.clone());
        let stamp = Stamp {
            run: prepared.name.to_string(),
            step: step_name(effect),
            epoch,
        };
        let with = |site, drill| Materialize {
            site,
            drill,
            point,
            nics: machine.nics.clone(),
            settings: machine.target_settings.clone(),
            location: prepared.compiled.run.location.clone(),
        };
        let actor = &prepared.actors[position];
        match self.stage.ask(actor, &stamp, effect, with).await {
            Ok(_) => {
                self.failures.remove(&position);
            }
            Err(error) => self.note(position, effect, epoch, error),
        }
        true
    }

    fn note(&mut self, position: usize, effect: Effect, epoch: u64, error: FabricError) {
        let now = self.stage.clock.now();
        let former = self.failures.get(&position);
        let same = former.filter(|former| former.effect == effect && former.epoch == epoch);
        let attempts = same.map_or(0, |former| former.attempts).saturating_add(1);
        let retry = &self.prepared.pairs[self.prepared.actors[position].pair]
            .policy
            .retry;
        let failure = Failure::of((effect, epoch, error), attempts, now, retry);
        self.asked[position] = None;
        self.failures.insert(position, failure);
    }

    // ---- actions ----

    /// An attempt begins; how it ends is known from here on.
    fn act(&mut self, id: ActionId, attempt: u32, chance: &mut Chance) {
        if self.acting.contains_key(&(id, attempt)) {
            return;
        }
        let Some(action) = self.prepared.action(id) else {
            return;
        };
        let length = match action.kind() {
            // Nobody carries these out.
            Ok(ActionKind::Wait(_) | ActionKind::Manual(_)) | Err(_) => return,
            Ok(_) => expected_length(action).ok().flatten(),
        };
        let length = length.map_or(Duration::ZERO, |length| length.as_std());
        let length = chance.length(length, self.prepared.assumed.spread);
        let fails = self.failing.get_mut(&id).filter(|times| **times > 0);
        let result = match fails {
            Some(times) => {
                *times = times.saturating_sub(u32::from(*times < u32::MAX));
                Err("it failed, as the rehearsal has it".to_owned())
            }
            None => Ok(()),
        };
        let report = ActionReport {
            epoch: self.record.epoch,
            attempt,
            result,
        };
        let ends = self.stage.clock.now() + length;
        self.acting.insert((id, attempt), (ends, report));
    }

    fn take_reports(&mut self) {
        let now = self.stage.clock.now();
        for ((id, _), (ends, report)) in &self.acting {
            if *ends <= now {
                self.reports.insert(*id, report.clone());
            }
        }
    }

    // ---- time ----

    /// Lets time pass until something may be different; false where nobody waits for it any more.
    async fn pass(&mut self) -> bool {
        let now = self.stage.clock.now();
        let since = |at: Timestamp| now.duration_since(at).unsigned_abs();
        if since(self.begun) >= self.prepared.assumed.patience {
            return false;
        }
        let acting = self.acting.values().map(|(ends, _)| *ends);
        let retries = self.failures.values().map(|failure| failure.retry_at);
        let due = acting
            .chain(retries)
            .chain(self.people.next())
            .chain(self.stage.world.next_due())
            .chain(self.deadlines());
        let next = due.filter(|at| *at > now).min();
        let ahead = next.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        // The longer nothing happened the less is lost by looking later.
        let usual = AGAIN.max(since(self.moved) / 10);
        let ahead = ahead.unwrap_or(usual).min(usual);
        tokio::time::advance(ahead.max(GRAIN)).await;
        true
    }

    /// When what goes on is given up, and when waits are over.
    fn deadlines(&self) -> Vec<Timestamp> {
        let run = &self.prepared.compiled.run;
        let stop = run.source.stop_timeout.as_std();
        let stops = self.record.groups.iter();
        let stops = stops.filter_map(|group| group.leave_released?.checked_add(stop).ok());
        let actions = self.prepared.actions().flat_map(|(id, action)| {
            let record = decide::action_record(&self.record, id);
            let since = record.and_then(|record| record.since);
            let wait = match action.kind() {
                Ok(ActionKind::Wait(wait)) => Some(wait.duration.as_std()),
                _ => None,
            };
            let limit = action
                .timeout
                .as_ref()
                .map(drover_api::value::Duration::as_std);
            let ends = wait.into_iter().chain(limit);
            ends.filter_map(move |length| since?.checked_add(length).ok())
        });
        stops.chain(actions).collect()
    }

    // ---- what the engine is shown ----

    fn view<T>(&self, look: impl FnOnce(&RunView<'_>) -> T) -> T {
        let machines: Vec<MachineView<'_>> = self
            .journals
            .iter()
            .zip(&self.looks.sights)
            .enumerate()
            .map(|(position, (journal, sight))| MachineView {
                journal,
                sight,
                failure: self.failures.get(&position),
            })
            .collect();
        let said = self.people.said.iter();
        let decisions: Vec<_> = said.map(|(name, spec)| (name.as_str(), spec)).collect();
        let shape = &self.prepared.shape;
        let standings = Standing::all(shape, &self.record, &machines);
        let places = |role| {
            let limits = &self.prepared.specs[crate::stage::side(role)].limits;
            Places {
                stops: limits.concurrent_stops,
                starts: limits.concurrent_starts,
                copies: limits.concurrent_copies,
            }
        };
        look(&RunView {
            shape,
            record: &self.record,
            machines: &machines,
            standings: &standings,
            room: Room {
                source: places(shape.source()),
                target: places(shape.target()),
                from: shape.source(),
            },
            decisions: &decisions,
            unauthenticated: true,
            actions: &self.reports,
            intent_withdrawn: false,
            now: self.stage.clock.now(),
        })
    }

    // ---- faults ----

    fn plan_faults(&mut self, chance: &mut Chance) {
        for fault in &self.prepared.faults {
            if let What::FailedAction {
                group,
                action,
                times,
            } = &fault.what
            {
                let found = self.prepared.find_action(group, action);
                self.failing.extend(found.map(|id| (id, *times)));
                continue;
            }
            let hit = self
                .prepared
                .actors
                .iter()
                .filter(|actor| match fault.who() {
                    Some(Who::Machine(name)) => actor.subject.primary == *name,
                    Some(Who::Share(percent)) => chance.happens(*percent),
                    None => false,
                });
            for harm in fault.harms(self.prepared, hit) {
                self.stage.world.at(fault.after, harm);
            }
        }
    }

    // ---- the end ----

    fn told(self, seed: u64) -> Rehearsal {
        let standings = self.view(|view| view.standings.to_vec());
        let (left, healthy, failed) = Standing::counts(&standings);
        let since = |at: Timestamp| Duration::try_from(at.duration_since(self.begun)).ok();
        let losses = self
            .journals
            .iter()
            .filter_map(|journal| journal.point.as_ref());
        let loss = losses.filter_map(|point| point.loss.as_ref()).max();
        let planned = self.prepared.shape.planned();
        let ended = self.ended(failed);
        let lacks_a_fence = matches!(ended, Ended::Waits { .. })
            && self
                .waits
                .iter()
                .any(|wait| matches!(wait.reason, WaitReason::Fence));
        // What nobody waits for any more does not go on.
        let steps = self.trace.end(self.prepared, self.moved);
        let violations = self.stage.world.violations();
        Rehearsal {
            seed,
            lacks_a_fence,
            ended,
            rto: self.up.and_then(since),
            rpo: if planned {
                self.up.map(|_| Duration::ZERO)
            } else {
                loss.map(drover_api::value::Duration::as_std)
            },
            machines: RunCounts {
                left,
                healthy,
                failed,
            },
            decisive: crate::decisive::path(&steps),
            steps,
            violations: violations
                .iter()
                .filter(|violation| !violation.accepted)
                .map(|found| {
                    let Violation {
                        invariant,
                        site,
                        machine,
                        message,
                        ..
                    } = found;
                    format!("{invariant}: {machine} at {site}: {message}")
                })
                .collect(),
        }
    }

    fn ended(&self, failed: u32) -> Ended {
        if self.up.is_some() {
            return if failed == 0 {
                Ended::Up
            } else {
                Ended::Partly
            };
        }
        if let Some(halt) = &self.record.halt {
            return Ended::Halted {
                why: halt.reason.clone(),
            };
        }
        let waits = self.waits.iter().map(|wait| &wait.reason);
        let mut telling: Vec<String> = waits
            .filter(|reason| !matches!(reason, WaitReason::Machines { .. } | WaitReason::Release))
            .map(ToString::to_string)
            .collect();
        telling.sort();
        telling.dedup();
        Ended::Waits {
            why: telling.join("; "),
        }
    }
}

/// What the machines do that may act now.
fn steps(view: &RunView<'_>) -> Vec<(usize, MachineStep)> {
    let admitted = decide::admitted(view).machines.into_iter();
    admitted
        .map(|position| (position, decide::machine(view, position)))
        .filter(|(_, step)| !matches!(step, MachineStep::Rest))
        .collect()
}
