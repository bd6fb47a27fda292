//! Problems that come with a change, and problems that go with it.

use std::collections::{BTreeMap, BTreeSet};

use super::sides::Side;
use crate::declared::{ByName, Declared};
use crate::problem::Problem;

/// What makes a problem this one, on either side: lines and positions in lists move.
type Signature<'a> = (
    &'static str,
    Option<(&'static str, &'a str, &'a str)>,
    &'a str,
);

/// The positions of the new ones among those after, and of the gone ones among those before.
pub(super) fn compare(before: &Side<'_>, after: &Side<'_>) -> (Vec<usize>, Vec<usize>) {
    let (old, new) = (signatures(before), signatures(after));
    (missing(&new, &old), missing(&old, &new))
}

/// The positions of those in the first that are not in the second.
fn missing(these: &[Signature<'_>], those: &[Signature<'_>]) -> Vec<usize> {
    let those: BTreeSet<&Signature<'_>> = those.iter().collect();
    let new = these.iter().enumerate();
    new.filter(|(_, signature)| !those.contains(signature))
        .map(|(position, _)| position)
        .collect()
}

fn signatures<'a>(side: &Side<'a>) -> Vec<Signature<'a>> {
    if side.problems.is_empty() {
        return Vec::new();
    }
    let names = names(side.declared);
    let signature = |problem: &'a Problem| {
        let object = names.get(&problem.object).copied();
        (problem.code, object, problem.message.as_str())
    };
    side.problems.iter().map(signature).collect()
}

/// Who each object is, by its position.
fn names<'a>(declared: &Declared<'a>) -> BTreeMap<usize, (&'static str, &'a str, &'a str)> {
    let Declared {
        sites,
        policies,
        mappings,
        groups,
        failback_policies,
        plans,
        drills,
        decisions,
    } = declared;
    let mut names = BTreeMap::new();
    for (name, site) in sites {
        names.insert(site.index, ("Site", "", *name));
    }
    add(&mut names, "ReplicationPolicy", policies);
    add(&mut names, "NetworkMapping", mappings);
    add(&mut names, "ProtectionGroup", groups);
    add(&mut names, "FailbackPolicy", failback_policies);
    add(&mut names, "RecoveryPlan", plans);
    add(&mut names, "RecoveryDrill", drills);
    add(&mut names, "RunDecision", decisions);
    names
}

fn add<'a, T>(
    names: &mut BTreeMap<usize, (&'static str, &'a str, &'a str)>,
    kind: &'static str,
    objects: &ByName<'a, T>,
) {
    let all = objects.iter();
    names.extend(all.map(|((namespace, name), entry)| (entry.index, (kind, *namespace, *name))));
}
