//! Protection groups: who is protected, under which policy, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::SiteRole;
use drover_api::{Consistency, DeletionPolicy, ProtectionGroup, ProtectionGroupSpec, Purpose};

use super::codes::{
    CANNOT_BE_CHANGED, DELETION_POLICY_CHANGED, MACHINE_CHANGES_GROUP, MACHINE_NO_LONGER_MATCHES,
    MACHINE_PROTECTED, MACHINE_UNPROTECTED, MAPPING_REF_CHANGED, POLICY_REF_CHANGED,
    PROTECTION_GROUP_ADDED, PROTECTION_GROUP_REMOVED, PROTECTION_GROUP_RENAMED, PURPOSE_CHANGED,
    RESUMED, SELECTOR_CHANGED, SUSPENDED,
};
use super::lists::{same_selector, selector_words};
use super::meaning::{Class, Meaning};
use super::members::{Transition, transitions};
use super::sheet::Sheet;
use super::sides::{Key, Pair, Sides, pairs};
use super::words::{are, count, for_number, is_suspended, names, or};
use super::{policies, targets};
use crate::problem::FieldPath;

const KIND: &str = "ProtectionGroup";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let (before, after) = (&sides.before.declared.groups, &sides.after.declared.groups);
    let all = pairs(before, after);
    let transitions = transitions(sides);
    let renamed = renamed(sides, &transitions);
    let by_key: BTreeMap<Key<'_>, &Pair<'_, ProtectionGroup>> =
        all.iter().map(|(key, pair)| (*key, pair)).collect();
    for (key, pair) in &all {
        let mut sheet = Sheet::new(out, pair.subject(KIND, *key));
        match pair {
            Pair::Added(_) if renamed.values().any(|new| new == key) => {}
            Pair::Removed(_) if renamed.contains_key(key) => {}
            Pair::Added(_) => added(&mut sheet, sides, *key),
            Pair::Removed(old) => removed(&mut sheet, *key, &old.object.spec, &transitions),
            Pair::Both(old, new) => {
                suspension(&mut sheet, old.object, new.object);
                compare(&mut sheet, sides, *key, &old.object.spec, &new.object.spec);
                selector(&mut sheet, sides, *key, &transitions);
            }
        }
    }
    for (old, new) in &renamed {
        if let Some(pair) = by_key.get(new) {
            let sheet = Sheet::new(out, pair.subject(KIND, *new));
            rename(sheet, sides, *old, *new);
        }
    }
    for transition in &transitions {
        moved(out, &by_key, &renamed, transition);
    }
}

/// Groups that go while all of their machines go to one that comes.
fn renamed<'a>(sides: &Sides<'a>, transitions: &[Transition<'a>]) -> BTreeMap<Key<'a>, Key<'a>> {
    let mut renamed = BTreeMap::new();
    for transition in transitions {
        let (Some(from), Some(to)) = (transition.from, transition.to) else {
            continue;
        };
        let members = sides.before.members().get(&from);
        let all = members.is_some_and(|members| members.known.len() == transition.machines.len());
        let gone = !sides.after.declared.groups.contains_key(&from);
        let new = !sides.before.declared.groups.contains_key(&to);
        if all && gone && new && from.0 == to.0 {
            renamed.insert(from, to);
        }
    }
    renamed
}

fn rename(mut sheet: Sheet<'_>, sides: &Sides<'_>, old: Key<'_>, new: Key<'_>) {
    let machines = sides
        .before
        .members()
        .get(&old)
        .map_or(0, |members| members.known.len());
    let message = format!("is called {} and was called {}", new.1, old.1);
    let mut effects = vec![format!(
        "the API has no renaming: the old group is deleted and the new one begins, so protection of {} \
         begins anew",
        count(machines, "machine"),
    )];
    let before = sides.before.declared.groups.get(&old);
    effects.extend(before.map(|before| copies(before.object.spec.deletion_policy)));
    sheet
        .say(
            PROTECTION_GROUP_RENAMED,
            Class::LosesProtection,
            FieldPath::name(),
            message,
        )
        .values(Some(old.1), Some(new.1))
        .effects(effects);
}

/// What becomes of the copies of a group that is deleted (PR-12).
fn copies(policy: DeletionPolicy) -> String {
    match policy {
        DeletionPolicy::Retain => {
            "its copies stay where they are, and nobody keeps them up to date"
        }
        DeletionPolicy::RemoveReplica => {
            "its copies and recovery points are removed (deletionPolicy: RemoveReplica)"
        }
    }
    .to_owned()
}

fn added(sheet: &mut Sheet<'_>, sides: &Sides<'_>, key: Key<'_>) {
    let Some(group) = sides.after.declared.groups.get(&key) else {
        return;
    };
    let spec = &group.object.spec;
    let members = sides.after.members().get(&key);
    let (known, open) = members.map_or((0, false), |members| (members.known.len(), members.open));
    let sites = &spec.sites;
    let who = match (known, open) {
        (0, true) => format!(
            "the machines with {}",
            selector_words(spec.selector.as_ref())
        ),
        (known, true) => format!("{} or more", count(known, "machine")),
        (known, false) => count(known, "machine"),
    };
    let message = format!(
        "is new: {who} {} protected from {} to {}",
        if known == 1 && !open { "is" } else { "are" },
        sites.primary,
        sites.secondary
    );
    sheet.say(
        PROTECTION_GROUP_ADDED,
        Class::Harmless,
        FieldPath::name(),
        message,
    );
}

/// Its machines may be protected by another group now, which is said of them.
fn removed(
    sheet: &mut Sheet<'_>,
    key: Key<'_>,
    spec: &ProtectionGroupSpec,
    transitions: &[Transition<'_>],
) {
    let gone = transitions
        .iter()
        .find(|each| each.from == Some(key) && each.to.is_none());
    let message = match gone {
        Some(gone) => {
            let number = gone.machines.len();
            let who = names(&gone.machines);
            format!("is deleted: {who} {} no longer protected", are(number))
        }
        None => "is deleted".to_owned(),
    };
    sheet
        .say(
            PROTECTION_GROUP_REMOVED,
            Class::LosesProtection,
            FieldPath::name(),
            message,
        )
        .effect(copies(spec.deletion_policy));
}

fn moved<'a>(
    out: &mut Vec<Meaning>,
    pairs: &BTreeMap<Key<'a>, &Pair<'a, ProtectionGroup>>,
    renamed: &BTreeMap<Key<'a>, Key<'a>>,
    transition: &Transition<'a>,
) {
    let who = names(&transition.machines);
    let number = transition.machines.len();
    let path = || FieldPath::spec("machines");
    let pair = |key: Key<'a>| pairs.get(&key).map(|pair| (key, *pair));
    match (transition.from, transition.to) {
        (Some(from), Some(to)) => {
            let Some((key, pair)) = pair(to).filter(|_| renamed.get(&from) != Some(&to)) else {
                return;
            };
            let (was, is) = (called(from, to), called(to, from));
            let message = format!("{who} {} protected by it instead of {was}", are(number));
            Sheet::new(out, pair.subject(KIND, key))
                .say(
                    MACHINE_CHANGES_GROUP,
                    Class::LosesProtection,
                    path(),
                    message,
                )
                .values(Some(was), Some(is))
                .effect(
                    "protection begins anew, and until its first copy is complete there is none",
                );
        }
        (None, Some(to)) => {
            // A new group says it all at once.
            if let Some((key, pair @ Pair::Both(..))) = pair(to) {
                let message = format!(
                    "{who} {} protected",
                    for_number(number, "becomes", "become")
                );
                Sheet::new(out, pair.subject(KIND, key)).say(
                    MACHINE_PROTECTED,
                    Class::Harmless,
                    path(),
                    message,
                );
            }
        }
        (Some(from), None) => {
            // A group that is deleted says it all at once.
            if let Some((key, pair @ Pair::Both(..))) = pair(from) {
                let sheet = Sheet::new(out, pair.subject(KIND, key));
                unprotected(sheet, pair, &who, number);
            }
        }
        (None, None) => {}
    }
}

/// The name of a group beside another one: with its namespace where that is not the same, because the names may be.
fn called(group: Key<'_>, beside: Key<'_>) -> String {
    if group.0 == beside.0 {
        group.1.to_owned()
    } else {
        format!("{}/{}", group.0, group.1)
    }
}

/// One that was listed is let go of; one that a selector found stays protected and is reported (PR-10).
fn unprotected(mut sheet: Sheet<'_>, pair: &Pair<'_, ProtectionGroup>, who: &str, number: usize) {
    if let Pair::Both(_, new) = pair
        && new.object.spec.selector.is_some()
    {
        let message = format!(
            "{who} no longer {} it",
            for_number(number, "belongs to", "belong to")
        );
        sheet
            .say(
                MACHINE_NO_LONGER_MATCHES,
                Class::WeakensSafety,
                FieldPath::spec("selector"),
                message,
            )
            .effect(format!(
                "{} protected and {} reported, until somebody lets go of {}",
                for_number(number, "it stays", "they stay"),
                are(number),
                for_number(number, "it", "them"),
            ));
        return;
    }
    let message = format!("{who} {} no longer protected", are(number));
    let draft = sheet.say(
        MACHINE_UNPROTECTED,
        Class::LosesProtection,
        FieldPath::spec("machines"),
        message,
    );
    if let Pair::Both(_, new) = pair {
        draft.effect(copies(new.object.spec.deletion_policy));
    }
}

fn suspension(sheet: &mut Sheet<'_>, before: &ProtectionGroup, after: &ProtectionGroup) {
    let path = FieldPath::name();
    match (
        is_suspended(before.metadata.annotations.as_ref()),
        is_suspended(after.metadata.annotations.as_ref()),
    ) {
        (false, true) => {
            sheet.say(
                SUSPENDED,
                Class::WeakensSafety,
                path,
                "is suspended: no machine is taken up or let go of",
            );
        }
        (true, false) => {
            sheet.say(
                RESUMED,
                Class::Harmless,
                path,
                "is no longer suspended: machines are taken up and let go of again",
            );
        }
        _ => {}
    }
}

fn compare(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'_>,
    key: Key<'_>,
    before: &ProtectionGroupSpec,
    after: &ProtectionGroupSpec,
) {
    let ProtectionGroupSpec {
        sites,
        policy_ref,
        network_mapping_ref,
        consistency,
        purpose,
        deletion_policy,
        // Who they are is said by transitions, what they become by `targets`.
        machines: _,
        selector: _,
        member_settings: _,
        target_settings: _,
    } = before;
    let mut refuse = |field: &'static str, what: &str| {
        let message = format!("{what} of a protection group cannot be changed: make a new group");
        sheet.say(
            CANNOT_BE_CHANGED,
            Class::Refused,
            FieldPath::spec(field),
            message,
        );
    };
    if *sites != after.sites {
        refuse("sites", "the sites");
    }
    if *consistency != after.consistency {
        let to = match after.consistency {
            Consistency::Group => "the consistency (to shared recovery points)",
            Consistency::PerMachine => "the consistency (to recovery points of each machine)",
        };
        refuse("consistency", to);
    }
    if policy_ref != &after.policy_ref {
        policy(sheet, sides, key, before, after);
    }
    if network_mapping_ref != &after.network_mapping_ref {
        let name = |spec: &ProtectionGroupSpec| {
            or(
                spec.network_mapping_ref
                    .as_ref()
                    .map(|reference| &reference.name),
                "none",
            )
        };
        let (old, new) = (name(before), name(after));
        let message = format!("goes by network mapping {new} instead of {old}");
        let path = FieldPath::spec("networkMappingRef");
        sheet
            .say(MAPPING_REF_CHANGED, Class::Harmless, path, message)
            .values(Some(old), Some(new));
    }
    if *purpose != after.purpose {
        let (class, message) = match after.purpose {
            Purpose::MigrationOnly => (
                Class::WeakensSafety,
                "is for a one-way move: there is no failback after a failover",
            ),
            Purpose::DisasterRecovery => (Class::Harmless, "is for failover and failback"),
        };
        sheet.say(PURPOSE_CHANGED, class, FieldPath::spec("purpose"), message);
    }
    if *deletion_policy != after.deletion_policy {
        let (class, message) = match after.deletion_policy {
            DeletionPolicy::RemoveReplica => (
                Class::WeakensSafety,
                "deleting it, or letting go of a machine, removes the copies",
            ),
            DeletionPolicy::Retain => (
                Class::Harmless,
                "deleting it leaves the copies where they are",
            ),
        };
        sheet.say(
            DELETION_POLICY_CHANGED,
            class,
            FieldPath::spec("deletionPolicy"),
            message,
        );
    }
    targets::compare(sheet, sides, key, before, after);
}

fn policy(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'_>,
    key: Key<'_>,
    before: &ProtectionGroupSpec,
    after: &ProtectionGroupSpec,
) {
    let (old, new) = (&before.policy_ref.name, &after.policy_ref.name);
    let find = |view: &super::sides::View<'_>, name: &str| {
        let policy = view.declared.policies.get(&(key.0, name))?;
        Some(policy.object.spec.clone())
    };
    let specs = find(&sides.before, old.as_str()).zip(find(&sides.after, new.as_str()));
    let same = specs.as_ref().is_some_and(|(old, new)| old == new);
    let message = format!("goes by replication policy {new} instead of {old}");
    let draft = sheet
        .say(
            POLICY_REF_CHANGED,
            Class::Harmless,
            FieldPath::spec("policyRef"),
            message,
        )
        .values(Some(old), Some(new));
    if same {
        draft.effect("which says the same");
    }
    if let Some((old, new)) = specs {
        policies::compare(sheet, &old, &new);
    }
}

/// A selector that changes without machines coming or going; where they do, that is what is said.
fn selector(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'_>,
    key: Key<'_>,
    transitions: &[Transition<'_>],
) {
    let spec = |view: &super::sides::View<'_>| {
        let group = view.declared.groups.get(&key)?;
        group.object.spec.selector.clone()
    };
    let (before, after) = (spec(&sides.before), spec(&sides.after));
    if same_selector(before.as_ref(), after.as_ref()) {
        return;
    }
    let open = |view: &super::sides::View<'_>| {
        view.members().get(&key).is_some_and(|members| members.open)
    };
    let (old, new) = (
        selector_words(before.as_ref()),
        selector_words(after.as_ref()),
    );
    let path = FieldPath::spec("selector");
    if open(&sides.before) || open(&sides.after) {
        let site = sides.after.declared.groups.get(&key);
        let site = site.map(|group| group.object.spec.sites.at(SiteRole::Primary).to_string());
        let message = format!("selects {new} instead of {old}");
        sheet
            .say(SELECTOR_CHANGED, Class::WeakensSafety, path, message)
            .values(Some(old), Some(new))
            .effect(format!(
                "who that is is not known here: {} was not asked",
                site.unwrap_or_default()
            ));
        return;
    }
    let touched: BTreeSet<Option<Key<'_>>> = transitions
        .iter()
        .flat_map(|each| [each.from, each.to])
        .collect();
    if !touched.contains(&Some(key)) {
        let message = format!("selects {new} instead of {old}");
        sheet
            .say(SELECTOR_CHANGED, Class::Harmless, path, message)
            .values(Some(old), Some(new))
            .effect("the same machines match");
    }
}
