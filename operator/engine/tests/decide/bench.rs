//! A small world that does what it is asked at once, and a driver that asks what is decided: enough to
//! see a run through, and to look at it at any point.

use std::collections::BTreeMap;

use drover_api::common::{
    Direction, MachineRef, PlanRef, RecoveryPointChoice, RecoveryPointType, RunKind, SitePair,
    SiteRole, SourceStop, Unfenced,
};
use drover_api::value::Duration;
use drover_api::{
    Action, Commit, DecisionAction, FailbackLocation, MachineRunSpec, MachineRunStatus,
    OnStopTimeout, RecoveryRunSpec, RunDecisionSpec, RunGroup, RunLimits, RunPhase, RunRecord,
    RunRef, SourceRule, StepRef,
};
use drover_engine::decide::{
    self, ActionId, ActionReport, Failure, MachineStep, MachineView, Room, RunStep, RunView, Shape,
    Sight, Standing, WaitReason,
};
use drover_world::{
    Disk, Effect, ErrorClass, FabricError, Instance, Link, LinkState, Observed, Point, Power,
};
use jiff::{SignedDuration, Timestamp};

pub const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// An instant, in seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

/// An action from JSON, as people write it in YAML.
pub fn action(value: serde_json::Value) -> Action {
    serde_json::from_value(value).unwrap()
}

/// A run of one kind over a chain of groups with so many machines each.
pub fn spec(kind: RunKind, groups: &[u32]) -> RecoveryRunSpec {
    let group = |position: usize| name(&format!("g{position}"));
    RecoveryRunSpec {
        plan_ref: PlanRef { name: name("shop") },
        number: 1,
        kind,
        direction: Direction::ToSecondary,
        sites: SitePair {
            primary: name("seoul"),
            secondary: name("busan"),
        },
        request_id: None,
        intent: None,
        epoch: 1,
        digest: DIGEST.into(),
        groups: groups
            .iter()
            .enumerate()
            .map(|(position, machines)| RunGroup {
                name: group(position),
                depends_on: position.checked_sub(1).map(group).into_iter().collect(),
                wave: u32::try_from(position).unwrap() + 1,
                machines: *machines,
                before: vec![],
                after: vec![],
            })
            .collect(),
        machines: groups.iter().sum(),
        source: SourceRule {
            stop: SourceStop::Attempt,
            unfenced: Unfenced::Refuse,
            stop_timeout: Duration::from_mins(5),
            on_stop_timeout: OnStopTimeout::Halt,
        },
        recovery_point: RecoveryPointChoice::of(RecoveryPointType::Latest),
        max_data_loss: None,
        commit: Commit::default(),
        synchronization: None,
        approvals: None,
        commits: false,
        location: FailbackLocation::default(),
        limits: RunLimits {
            stops: 100,
            starts: 100,
        },
        forecast: None,
        objectives: None,
        revision: None,
    }
}

/// Everything around one run.
pub struct Bench {
    pub shape: Shape,
    pub record: RunRecord,
    pub journals: Vec<MachineRunStatus>,
    pub sights: Vec<Sight>,
    pub failures: Vec<Option<Failure>>,
    pub decisions: Vec<(String, RunDecisionSpec)>,
    pub reports: BTreeMap<ActionId, ActionReport>,
    pub room: Room,
    pub intent_withdrawn: bool,
    pub now: Timestamp,
    /// Every effect that was asked for, in order.
    pub asked: Vec<(usize, Effect)>,
}

pub fn seen<T>(value: T) -> Observed<T> {
    // Later than everything that the bench does.
    let at = at(1_000_000);
    Observed::Seen { value, at }
}

pub fn unknown<T>() -> Observed<T> {
    Observed::Unknown {
        since: at(0),
        last: None,
    }
}

pub fn point(seconds: i64) -> Point {
    Point {
        at: at(seconds),
        name: format!("p{seconds}"),
        app_consistent: false,
        processed: true,
    }
}

fn protected() -> Sight {
    let disk = Disk::Whole;
    Sight {
        source: seen(Instance {
            power: Power::Healthy,
            disk,
            ..Instance::ABSENT
        }),
        target: seen(Instance {
            disk,
            ..Instance::ABSENT
        }),
        drill: seen(Instance::ABSENT),
        link: seen(Link {
            finalized: true,
            points: vec![point(0)],
            ..Link::new(SiteRole::Secondary, LinkState::Replicating)
        }),
        fenced: None,
    }
}

impl Bench {
    pub fn new(spec: RecoveryRunSpec) -> Self {
        Self::with_machines(spec, |_| {})
    }

    pub fn with_machines(spec: RecoveryRunSpec, change: impl Fn(&mut MachineRunSpec)) -> Self {
        let mut machines = Vec::new();
        for group in &spec.groups {
            for _ in 0..group.machines {
                let mut machine = MachineRunSpec {
                    run: name("shop-1"),
                    group: group.name.clone(),
                    machine: MachineRef {
                        protection_group: name("pg"),
                        name: name(&format!("m{}", machines.len())),
                    },
                    consistency_group: false,
                    nics: vec![],
                    target_settings: None,
                };
                change(&mut machine);
                machines.push(machine);
            }
        }
        let count = machines.len();
        let shape = Shape::of(spec, &machines);
        let room = Room::any(shape.source());
        Self {
            shape,
            record: RunRecord::default(),
            journals: vec![MachineRunStatus::default(); count],
            sights: vec![protected(); count],
            failures: vec![None; count],
            decisions: vec![],
            reports: BTreeMap::new(),
            room,
            intent_withdrawn: false,
            now: at(1000),
            asked: vec![],
        }
    }

    pub fn view<T>(&self, look: impl FnOnce(&RunView<'_>) -> T) -> T {
        let machines: Vec<MachineView<'_>> = self
            .journals
            .iter()
            .zip(&self.sights)
            .zip(&self.failures)
            .map(|((journal, sight), failure)| MachineView {
                journal,
                sight,
                failure: failure.as_ref(),
            })
            .collect();
        let decisions: Vec<(&str, &RunDecisionSpec)> = self
            .decisions
            .iter()
            .map(|(name, spec)| (name.as_str(), spec))
            .collect();
        let standings = Standing::all(&self.shape, &self.record, &machines);
        look(&RunView {
            shape: &self.shape,
            record: &self.record,
            machines: &machines,
            standings: &standings,
            room: self.room,
            decisions: &decisions,
            unauthenticated: false,
            actions: &self.reports,
            intent_withdrawn: self.intent_withdrawn,
            now: self.now,
        })
    }

    pub fn decide(&self) -> RunStep {
        self.view(decide::run)
    }

    pub fn machine(&self, index: usize) -> MachineStep {
        self.view(|view| decide::machine(view, index))
    }

    /// Decides for the run once and writes its record.
    pub fn step_run(&mut self) -> RunStep {
        let step = self.decide();
        if let Some(record) = &step.record {
            self.record = record.clone();
        }
        step
    }

    /// Decides for all admitted machines once; what is asked is done at once.
    pub fn step_machines(&mut self) -> bool {
        let mut changed = false;
        for index in self.view(decide::admitted).machines {
            match self.machine(index) {
                MachineStep::Ensure(effect) => {
                    self.asked.push((index, effect));
                    self.obey(index, effect);
                    changed = true;
                }
                MachineStep::Record(journal) => {
                    self.journals[index] = *journal;
                    changed = true;
                }
                MachineStep::Wait(_) | MachineStep::Rest => {}
            }
        }
        changed
    }

    /// Goes on until nothing changes any more.
    pub fn settle(&mut self) -> RunStep {
        for _ in 0..200 {
            let step = self.step_run();
            let moved = self.step_machines();
            if step.record.is_none() && !moved {
                return step;
            }
        }
        panic!("it does not settle: {:?}", self.record);
    }

    pub fn phase(&self) -> RunPhase {
        self.record.phase
    }

    pub fn say(&mut self, action: DecisionAction) -> Result<(), String> {
        self.say_with(action, |_| {})
    }

    /// Takes a decision and returns what became of it.
    pub fn say_with(
        &mut self,
        action: DecisionAction,
        change: impl FnOnce(&mut RunDecisionSpec),
    ) -> Result<(), String> {
        let mut spec = RunDecisionSpec {
            run_ref: RunRef {
                name: name("shop-1"),
                uid: "1".into(),
            },
            action,
            step: None,
            recovery_point: None,
            digest: DIGEST.into(),
            by: "alice".into(),
            reason: None,
        };
        change(&mut spec);
        let decision = format!("d{}", self.decisions.len());
        self.decisions.push((decision.clone(), spec));
        let step = self.step_run();
        let answer = step
            .answers
            .into_iter()
            .find(|answer| answer.decision == decision);
        answer.expect("an answer").result
    }

    pub fn approve(&mut self, by: &str) -> Result<(), String> {
        let by = by.to_owned();
        self.say_with(DecisionAction::Approve, |spec| {
            spec.by = by;
            spec.step = Some(StepRef {
                group: name("g0"),
                action: name("go"),
            });
        })
    }

    /// The next request of this machine fails so.
    pub fn fail(&mut self, index: usize, effect: Effect, class: ErrorClass) {
        self.failures[index] = Some(Failure {
            effect,
            epoch: self.record.epoch,
            error: FabricError {
                class,
                message: "it did not work".into(),
                hint: None,
                epoch_seen: None,
            },
            attempts: 1,
            at: self.now,
            retry_at: self.now + SignedDuration::from_secs(60),
        });
    }

    pub fn waits(&self) -> Vec<WaitReason> {
        self.decide()
            .waits
            .into_iter()
            .map(|wait| wait.reason)
            .collect()
    }

    fn obey(&mut self, index: usize, effect: Effect) {
        let epoch = self.record.epoch;
        let source = self.shape.source();
        let sight = &mut self.sights[index];
        let link = |sight: &mut Sight, change: &dyn Fn(&mut Link)| {
            if let Observed::Seen { value, .. } = &mut sight.link {
                change(value);
            }
        };
        let instance = |observed: &mut Observed<Instance>, change: &dyn Fn(&mut Instance)| {
            if let Observed::Seen { value, .. } = observed {
                value.epoch = epoch;
                change(value);
            }
        };
        let off = |value: &mut Instance| {
            if value.power != Power::Absent {
                value.power = Power::Off;
            }
        };
        match effect {
            Effect::Stopped { site } if site == source => instance(&mut sight.source, &off),
            Effect::Stopped { .. } => instance(&mut sight.target, &off),
            Effect::Started { site } if site == source => {
                instance(&mut sight.source, &|value| value.power = Power::Healthy);
            }
            Effect::Started { .. } => {
                instance(&mut sight.target, &|value| value.power = Power::Healthy);
            }
            Effect::Materialized { .. } => instance(&mut sight.target, &|value| {
                value.power = Power::Off;
                value.made_at = Some(epoch);
            }),
            Effect::Fenced { .. } => {
                sight.fenced = Some(epoch);
                // Its power is cut; that is seen where the site answers.
                if sight.source.seen().is_some() {
                    instance(&mut sight.source, &off);
                }
            }
            Effect::FinalSync { .. } => link(sight, &|link| link.final_sync = Some(epoch)),
            Effect::SyncedBack { towards } | Effect::Reversed { towards } => {
                link(sight, &|link| {
                    link.towards = towards;
                    link.state = LinkState::Replicating;
                });
            }
            Effect::Committed { .. } => link(sight, &|link| link.committed = Some(epoch)),
            Effect::DrillMaterialized { .. } => instance(&mut sight.drill, &|value| {
                value.power = Power::Off;
                value.disk = Disk::Whole;
            }),
            Effect::DrillStarted { .. } => {
                instance(&mut sight.drill, &|value| value.power = Power::Healthy);
            }
            Effect::DrillRemoved { .. } => {
                sight.drill = seen(Instance {
                    epoch: self.record.epoch,
                    ..Instance::ABSENT
                });
            }
            other => panic!("a run never asks for {other:?}"),
        }
    }
}
