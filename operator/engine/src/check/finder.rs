//! Which member of a plan a name means.

use std::collections::BTreeMap;

use drover_api::value::{GroupName, MachineName};

use super::context::{Context, Group, Plan};

/// A member of a protection group: position of the group, position of the member.
pub(super) type Found = (usize, usize);

/// The members of one plan that certain names mean.
pub(super) struct Finder<'c, 'a> {
    context: &'c Context<'a>,
    plan: &'c Plan<'a>,
    hits: BTreeMap<&'c MachineName, Vec<Found>>,
    /// Whether the plan may have members that are not known.
    open: bool,
}

/// What a name means.
pub(super) enum Meaning {
    /// This member.
    One(Found),
    /// Members of these protection groups.
    Several(Vec<usize>),
    /// The plan has no protection group of the name that was given with it.
    NoSuchGroup,
    /// No member that is known, and all are known.
    Nobody,
    /// No member that is known; not all are.
    Unknown,
}

impl<'c, 'a> Finder<'c, 'a> {
    /// Looks for all of these names at once, so that the cost is that of the plan's members or less.
    pub(super) fn new(
        context: &'c Context<'a>,
        plan: &'c Plan<'a>,
        names: impl Iterator<Item = &'c MachineName>,
    ) -> Self {
        let mut hits: BTreeMap<&MachineName, Vec<Found>> =
            names.map(|name| (name, Vec::new())).collect();
        let whole: Vec<usize> = wholes(plan);
        let size = |group: &usize| context.groups[*group].members.known.len();
        if hits.len() * whole.len() <= whole.iter().map(size).sum() {
            for (name, found) in &mut hits {
                let members = whole.iter().filter_map(|group| {
                    let member = context.groups[*group].find(name)?;
                    Some((*group, member))
                });
                found.extend(members);
            }
        } else if !hits.is_empty() {
            for group in whole {
                let known = context.groups[group].members.known.iter().enumerate();
                for (position, member) in known {
                    if let Some(found) = hits.get_mut(member.name) {
                        found.push((group, position));
                    }
                }
            }
        }
        for single in &plan.single {
            let found = hits.get_mut(single.name(plan));
            if let (Some(found), Some(member)) = (found, single.member)
                && !found.contains(&(single.group, member))
            {
                found.push((single.group, member));
            }
        }
        let open = context.parts(plan).any(|group| group.members.open) || unresolved(plan);
        Self {
            context,
            plan,
            hits,
            open,
        }
    }

    /// What this name means, with the protection group that was given with it.
    pub(super) fn find(&self, name: &MachineName, group: Option<&GroupName>) -> Meaning {
        let found = self.hits.get(name).map(Vec::as_slice).unwrap_or_default();
        let Some(wanted) = group else {
            return match found {
                [] if self.open => Meaning::Unknown,
                [] => Meaning::Nobody,
                [one] => Meaning::One(*one),
                several => Meaning::Several(several.iter().map(|(group, _)| *group).collect()),
            };
        };
        let groups = &self.context.groups;
        let named = self.context.group(self.plan.namespace, wanted.as_str());
        let Some(part) = named.filter(|group| self.plan.parts.binary_search(group).is_ok()) else {
            return if unresolved(self.plan) {
                Meaning::Unknown
            } else {
                Meaning::NoSuchGroup
            };
        };
        match found.iter().find(|(group, _)| *group == part) {
            Some(found) => Meaning::One(*found),
            None if groups[part].members.open => Meaning::Unknown,
            None => Meaning::Nobody,
        }
    }

    /// The names of all known members, for "did you mean".
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.context.parts(self.plan).flat_map(Group::names)
    }
}

/// The protection groups that the plan names as a whole, each once.
fn wholes(plan: &Plan<'_>) -> Vec<usize> {
    let mut groups: Vec<usize> = plan.whole.iter().map(|whole| whole.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Whether the plan names protection groups that are not there: what they would have is unknown.
fn unresolved(plan: &Plan<'_>) -> bool {
    let groups = plan.spec.groups.iter();
    let named: usize = groups
        .map(|group| group.protection_groups.len() + group.machines.len())
        .sum();
    named > plan.whole.len() + plan.single.len()
}
