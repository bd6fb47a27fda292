//! Who is protected, and by which group: a machine is one of a site, whatever group it is in (PR-11).

use std::collections::BTreeMap;

use drover_api::value::MachineName;

use super::sides::{Key, Sides, View};

/// Machines that go from one state of protection to another together.
pub(super) struct Transition<'a> {
    /// The group that protected them.
    pub(super) from: Option<Key<'a>>,
    /// The group that protects them now.
    pub(super) to: Option<Key<'a>>,
    /// Who they are.
    pub(super) machines: Vec<&'a MachineName>,
}

/// What changes about who protects whom, by groups.
pub(super) fn transitions<'a>(sides: &Sides<'a>) -> Vec<Transition<'a>> {
    let (before, after) = (protected(&sides.before), protected(&sides.after));
    let mut found: BTreeMap<(Option<Key<'a>>, Option<Key<'a>>), Vec<&'a MachineName>> =
        BTreeMap::new();
    for (machine, to) in &after {
        let from = before.get(machine).copied();
        if from != Some(*to) {
            found.entry((from, Some(*to))).or_default().push(machine.1);
        }
    }
    for (machine, from) in &before {
        if !after.contains_key(machine) {
            found
                .entry((Some(*from), None))
                .or_default()
                .push(machine.1);
        }
    }
    found
        .into_iter()
        .map(|((from, to), machines)| Transition { from, to, machines })
        .collect()
}

/// The group of every machine that is known to be protected. A second claim is refused, so the first
/// counts.
fn protected<'a>(view: &View<'a>) -> BTreeMap<(&'a str, &'a MachineName), Key<'a>> {
    let mut protected = BTreeMap::new();
    for (key, members) in view.members() {
        let Some(group) = view.declared.groups.get(key) else {
            continue;
        };
        let site = group.object.spec.sites.primary.as_str();
        for member in &members.known {
            protected.entry((site, member.name)).or_insert(*key);
        }
    }
    protected
}
