//! A scenario, made ready to be lived through as often as one likes.

use std::collections::BTreeMap;

use drover_api::common::{SitePair, SiteRole};
use drover_api::value::{GroupName, MachineName, RunName, StepName};
use drover_api::{
    Action, Consistency, Fabric, ReplicationPolicySpec, Replicator, SimulatorFabric,
    SimulatorReplicator, SiteSpec,
};
use drover_engine::compile::{CompileError, Compiled, Order, What as Wanted, compile};
use drover_engine::decide::{ActionId, Around, Shape};
use drover_engine::plan::{Protection, Resolved, resolve};
use drover_fabric::Subject;
use drover_world::{Estimates, MachineId, pairs};

use crate::fault::{Fault, FaultError, Unknown, What, Who};
use crate::{Assumed, Error, Scenario};

/// Epochs up to here are those of what happened before the run.
const BEFORE: u64 = 16;

/// A scenario with everything that each life of it needs.
#[derive(Debug)]
pub struct Prepared {
    /// The compiled run.
    pub(crate) compiled: Compiled,
    pub(crate) name: RunName,
    pub(crate) shape: Shape,
    /// Its sites as simulated ones, primary and secondary.
    pub(crate) sites: SitePair,
    pub(crate) specs: [SiteSpec; 2],
    /// What replicates the machines.
    pub(crate) pairs: Vec<Pair>,
    /// The machines, in the order of the compiled run.
    pub(crate) actors: Vec<Actor>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) assumed: Assumed,
}

/// What replicates the machines of a protection group.
#[derive(Debug)]
pub(crate) struct Pair {
    pub policy: ReplicationPolicySpec,
    /// The same without the rules of the pair: to bring machines to where the run begins.
    pub unruled: ReplicationPolicySpec,
}

/// A machine of the run.
#[derive(Debug)]
pub(crate) struct Actor {
    pub subject: Subject,
    /// Its position among the pairs.
    pub pair: usize,
    pub estimates: Estimates,
}

impl Prepared {
    /// Compiles the run of a scenario, and sees whether its faults can be.
    ///
    /// # Errors
    /// As the planner and the compiler fail; and when a fault names what is not there.
    pub fn of(scenario: &Scenario<'_>) -> Result<Self, Error> {
        let Scenario { planner, plan, .. } = *scenario;
        let resolved = resolve(planner, plan, scenario.intent)?;
        let order = Order {
            plan,
            what: Wanted::Failover {
                intent: scenario.intent,
                request: scenario.request,
            },
            number: 1,
            highest_epoch: BEFORE,
            forecast: None,
        };
        let compiled = compile(planner, &order)?;
        let name = compiled.machines.first().map(|machine| machine.run.clone());
        let name = name.ok_or(CompileError::Empty)?;
        let groups: Vec<(&GroupName, &Protection<'_>)> = resolved
            .protection
            .iter()
            .map(|(name, found)| (*name, found))
            .collect();
        let specs = [SiteRole::Primary, SiteRole::Secondary].map(|role| {
            let of_source = role == scenario.intent.from();
            simulated(if of_source {
                resolved.source
            } else {
                resolved.target
            })
        });
        let this = Self {
            name,
            shape: Shape::of(compiled.run.clone(), &compiled.machines),
            sites: resolved.plan.sites.clone(),
            specs,
            pairs: groups.iter().map(|(_, found)| Pair::of(found)).collect(),
            actors: actors(plan.namespace.as_str(), &resolved, &compiled, &groups),
            faults: scenario.faults.clone(),
            assumed: scenario.assumed,
            compiled,
        };
        this.faults
            .iter()
            .try_for_each(|fault| this.can_be(fault))?;
        Ok(this)
    }

    /// Machines that take part.
    pub fn machines(&self) -> usize {
        self.actors.len()
    }

    /// An action of the run.
    pub(crate) fn action(&self, id: ActionId) -> Option<&Action> {
        let group = self.compiled.run.groups.get(id.group)?;
        match id.around {
            Around::Before => group.before.get(id.index),
            Around::After => group.after.get(id.index),
        }
    }

    /// All actions of the run.
    pub(crate) fn actions(&self) -> impl Iterator<Item = (ActionId, &Action)> {
        let groups = self.compiled.run.groups.iter().enumerate();
        groups.flat_map(|(group, spec)| {
            let sides = [(Around::Before, &spec.before), (Around::After, &spec.after)];
            sides.into_iter().flat_map(move |(around, actions)| {
                let actions = actions.iter().enumerate();
                actions.map(move |(index, action)| {
                    let id = ActionId {
                        group,
                        around,
                        index,
                    };
                    (id, action)
                })
            })
        })
    }

    pub(crate) fn find_action(&self, group: &StepName, name: &StepName) -> Option<ActionId> {
        let groups = &self.compiled.run.groups;
        let mut all = self.actions();
        let found =
            all.find(|(id, action)| groups[id.group].name == *group && action.name == *name);
        found.map(|(id, _)| id)
    }

    fn can_be(&self, fault: &Fault) -> Result<(), FaultError> {
        let (name, known, why) = match &fault.what {
            What::SiteLoss(site)
            | What::SiteReturn(site)
            | What::Partition(site)
            | What::Heal(site)
            | What::SlowDisks(site, _) => {
                let SitePair { primary, secondary } = &self.sites;
                let known = vec![primary.to_string(), secondary.to_string()];
                (site.to_string(), known, "the plan has no site")
            }
            What::FailedBoot(Who::Machine(name), _) | What::HungShutdown(Who::Machine(name)) => {
                let machines = self.actors.iter().map(|actor| &actor.subject.primary);
                let known = machines.map(ToString::to_string).collect();
                (name.to_string(), known, "the run has no machine")
            }
            What::FailedBoot(Who::Share(_), _) | What::HungShutdown(Who::Share(_)) => return Ok(()),
            What::FailedAction { group, action, .. } => {
                let name = format!("{group}/{action}");
                (name, self.action_names(), "the run has no action")
            }
        };
        if known.contains(&name) {
            return Ok(());
        }
        Err(FaultError {
            text: fault.to_string(),
            why: format!("{why} {name}"),
            unknown: Some(Box::new(Unknown { name, known })),
        })
    }

    /// As they are written in a fault: `GROUP/ACTION`.
    fn action_names(&self) -> Vec<String> {
        let groups = &self.compiled.run.groups;
        let all = self.actions();
        all.map(|(id, action)| format!("{}/{}", groups[id.group].name, action.name))
            .collect()
    }
}

/// A declared site as a simulated one. What a simulated site lists of itself stays.
fn simulated(site: &SiteSpec) -> SiteSpec {
    let fabric = match &site.fabric {
        own @ Fabric::Simulator(_) => own.clone(),
        _ => Fabric::Simulator(SimulatorFabric::default()),
    };
    SiteSpec {
        fabric,
        ..site.clone()
    }
}

impl Pair {
    fn of(protection: &Protection<'_>) -> Self {
        let profile = protection.rules.as_ref().ok().copied();
        let profile = profile.and_then(pairs::profile_of);
        let with = |profile| ReplicationPolicySpec {
            replicator: Replicator::Simulator(SimulatorReplicator { profile }),
            ..protection.policy.clone()
        };
        Self {
            policy: with(profile),
            unruled: with(None),
        }
    }
}

fn actors(
    namespace: &str,
    resolved: &Resolved<'_>,
    compiled: &Compiled,
    groups: &[(&GroupName, &Protection<'_>)],
) -> Vec<Actor> {
    let all = resolved.groups.iter().flat_map(|group| &group.machines);
    let estimates: BTreeMap<&MachineId, Estimates> = all
        .map(|machine| (&machine.id, *machine.estimate.figures()))
        .collect();
    let machines = compiled.machines.iter().map(|machine| {
        let group = &machine.machine.protection_group;
        let pair = groups.iter().position(|(name, _)| *name == group);
        let pair = pair.unwrap_or_default();
        let (_, protection) = groups[pair];
        let name = &machine.machine.name;
        let known = estimates
            .iter()
            .find(|(id, _)| id.group == *group && id.name == *name);
        let shared = protection.spec.consistency == Consistency::Group;
        Actor {
            subject: Subject {
                primary: name.clone(),
                secondary: at_the_secondary(protection, name),
                consistency: shared.then(|| format!("{namespace}/{group}")),
                excluded_disks: Vec::new(),
            },
            pair,
            estimates: known.map_or_else(
                || Estimates::of_fabrics(&resolved.source.fabric, &resolved.target.fabric),
                |(_, estimates)| *estimates,
            ),
        }
    });
    machines.collect()
}

/// What a machine is called at the secondary site.
fn at_the_secondary(protection: &Protection<'_>, name: &MachineName) -> MachineName {
    let known = &protection.members.known;
    let member = known.iter().find(|member| member.name == name);
    let settings = member.and_then(|member| member.target_settings?.secondary.as_ref());
    let other = settings.and_then(|settings| settings.name.clone());
    other.unwrap_or_else(|| name.clone())
}
