//! Which plan moves which machine: at most one with `activeSite` (PL-7).

use super::codes::MACHINE_OWNED_TWICE;
use super::context::{Context, Plan, Single, Whole};
use super::words::quoted;
use crate::problem::{FieldPath, Problem};

/// The owner of each machine.
pub(super) struct Owners {
    /// By protection group.
    whole: Vec<Option<(usize, Whole)>>,
    /// By machine, for those that a plan names singly.
    single: Vec<Option<(usize, Single)>>,
    /// By protection group: the first plan that names one of its machines singly.
    first_single: Vec<Option<(usize, Single)>>,
}

impl Owners {
    /// The owners, and a problem for each further plan that claims what has one. The plan that comes
    /// first in the input counts as the owner.
    pub(super) fn new(context: &Context<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut owners = Self {
            whole: vec![None; context.groups.len()],
            single: vec![None; context.machines],
            first_single: vec![None; context.groups.len()],
        };
        let mut plans: Vec<usize> = (0..context.plans.len()).collect();
        plans.retain(|plan| context.plans[*plan].spec.active_site.is_some());
        plans.sort_by_key(|plan| context.plans[*plan].object);
        for plan in plans {
            let declared = &context.plans[plan];
            for whole in &declared.whole {
                owners.claim_whole(context, plan, *whole, problems);
            }
            for single in &declared.single {
                owners.claim_single(context, plan, *single, problems);
            }
        }
        owners
    }

    /// The plan that moves this machine.
    pub(super) fn of(&self, context: &Context<'_>, group: usize, member: usize) -> Option<usize> {
        let whole = self.whole[group].map(|(plan, _)| plan);
        whole.or_else(|| {
            let machine = context.groups[group].first + member;
            self.single[machine].map(|(plan, _)| plan)
        })
    }

    fn claim_whole(
        &mut self,
        context: &Context<'_>,
        plan: usize,
        whole: Whole,
        problems: &mut Vec<Problem>,
    ) {
        let declared = &context.plans[plan];
        let group = &context.groups[whole.group];
        let earlier = match (self.whole[whole.group], self.first_single[whole.group]) {
            (Some((other, place)), _) => Some((other, place.path())),
            (None, Some((other, place))) => Some((other, place.path())),
            (None, None) => None,
        };
        match earlier {
            Some((other, path)) if other != plan => {
                let what = format!("ProtectionGroup {}", quoted(group.name));
                let other = &context.plans[other];
                problems.push(contested(declared, whole.path(), &what, other, path));
            }
            Some(_) => {}
            None => self.whole[whole.group] = Some((plan, whole)),
        }
    }

    fn claim_single(
        &mut self,
        context: &Context<'_>,
        plan: usize,
        single: Single,
        problems: &mut Vec<Problem>,
    ) {
        let Some(member) = single.member else { return };
        let machine = context.groups[single.group].first + member;
        let earlier = match (self.whole[single.group], self.single[machine]) {
            (Some((other, place)), _) => Some((other, place.path())),
            (None, Some((other, place))) => Some((other, place.path())),
            (None, None) => None,
        };
        match earlier {
            Some((other, path)) if other != plan => {
                let declared = &context.plans[plan];
                let what = format!("machine {}", quoted(single.name(declared).as_str()));
                let other = &context.plans[other];
                problems.push(contested(declared, single.path(), &what, other, path));
            }
            Some(_) => {}
            None => {
                self.single[machine] = Some((plan, single));
                self.first_single[single.group].get_or_insert((plan, single));
            }
        }
    }
}

fn contested(
    plan: &Plan<'_>,
    path: FieldPath,
    what: &str,
    other: &Plan<'_>,
    there: FieldPath,
) -> Problem {
    let message = format!(
        "{what} is already moved by RecoveryPlan `{}`; with two plans that have `activeSite`, \
         neither would move it",
        other.name
    );
    Problem::error(MACHINE_OWNED_TWICE, plan.object, path, message)
        .hint(
            "remove it from one of the plans, or remove `activeSite` from the one that only drills",
        )
        .related(other.object, there, "the other plan")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    #[test]
    fn one_plan_moves_a_machine() {
        // SPEC: PL-7
        let world = World::example().copy("RecoveryPlan/shop", "again");
        assert_eq!(
            world.found_of("machine-owned-twice"),
            [
                "error machine-owned-twice RecoveryPlan/again spec.groups[0].protectionGroups[0]",
                "error machine-owned-twice RecoveryPlan/again spec.groups[1].protectionGroups[0]",
            ]
        );
        let drills_only = world.remove("RecoveryPlan/again", "/spec/activeSite");
        assert_eq!(drills_only.found(), Vec::<String>::new());
    }

    #[test]
    fn a_machine_and_its_group_have_one_owner() {
        let single = json!([{
            "name": "one",
            "machines": [{ "protectionGroup": "shop-data", "name": "db-1" }],
        }]);
        let world = World::example().copy("RecoveryPlan/shop", "again").set(
            "RecoveryPlan/again",
            "/spec/groups",
            single.clone(),
        );
        assert_eq!(
            world.found_of("machine-owned-twice"),
            ["error machine-owned-twice RecoveryPlan/again spec.groups[0].machines[0]"]
        );
        let reversed = World::example().copy("RecoveryPlan/shop", "again").set(
            "RecoveryPlan/shop",
            "/spec/groups",
            single,
        );
        assert_eq!(
            reversed.found_of("machine-owned-twice"),
            ["error machine-owned-twice RecoveryPlan/again spec.groups[0].protectionGroups[0]"]
        );
    }
}
