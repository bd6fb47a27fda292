//! Actions around groups: what runs, when, and in which order (PL-4).

use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::{Address, Duration};
use drover_api::{
    Action, ActionKind, DnsAction, HttpAction, ManualAction, OnFailure, PlanGroup,
    RecoveryPlanSpec, When,
};
use serde_json::Value;

use super::codes::{ACTION_ADDED, ACTION_CHANGED, ACTION_MOVED, ACTION_REMOVED, ACTIONS_REORDERED};
use super::forecasts::Marginal;
use super::meaning::Class;
use super::order::{Groups, place};
use super::settings;
use super::sheet::Sheet;
use super::words::names;
use crate::problem::FieldPath;

/// Which side of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Around {
    Before,
    After,
}

impl Around {
    fn of(self, group: &PlanGroup) -> &[Action] {
        match self {
            Self::Before => &group.before,
            Self::After => &group.after,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Actions that are in the same place on both sides: what they do, and their order.
pub(super) fn compare(
    sheet: &mut Sheet<'_>,
    before: &PlanGroup,
    after: &PlanGroup,
    marginal: &Marginal<'_, '_>,
) {
    let group = after.name.as_str();
    for when in [Around::Before, Around::After] {
        let (old, new) = (when.of(before), when.of(after));
        if old == new {
            continue;
        }
        let names_of = |actions: &[Action]| -> BTreeSet<String> {
            actions
                .iter()
                .map(|action| action.name.to_string())
                .collect()
        };
        let (had, has) = (names_of(old), names_of(new));
        let order = |actions: &[Action]| -> Vec<String> {
            let kept = actions.iter().map(|action| action.name.to_string());
            kept.filter(|name| had.contains(name) && has.contains(name))
                .collect()
        };
        let (old_order, new_order) = (order(old), order(new));
        if old_order != new_order {
            let message = format!(
                "actions {} group {group} run in another order",
                when.as_str()
            );
            let path = place_of(marginal.groups(), group, when, None);
            sheet
                .say(ACTIONS_REORDERED, Class::Harmless, path, message)
                .values(Some(old_order.join(", ")), Some(new_order.join(", ")));
        }
        for (position, action) in new.iter().enumerate() {
            let was = old.iter().find(|old| old.name == action.name);
            if let Some(was) = was.filter(|was| *was != action) {
                let path = place_of(marginal.groups(), group, when, Some(position));
                changed(sheet, was, action, group, path);
            }
        }
    }
}

fn place_of(groups: &[PlanGroup], group: &str, when: Around, position: Option<usize>) -> FieldPath {
    let path = place(groups, group).field(when.as_str());
    match position {
        Some(position) => path.index(position),
        None => path,
    }
}

/// An action by where it runs: the group as it is called now, the side, and its name.
type Spot<'a> = (&'a str, Around, &'a str);

/// Actions that come, go, or run elsewhere.
pub(super) fn moved<'a>(
    sheet: &mut Sheet<'_>,
    before: &'a RecoveryPlanSpec,
    after: &'a RecoveryPlanSpec,
    groups: &Groups<'a>,
) {
    let old: BTreeMap<Spot<'a>, &Action> = spots(before, |name| groups.now(name));
    let new: BTreeMap<Spot<'a>, &Action> = spots(after, |name| name);
    let mut gone: Vec<(Spot<'a>, &Action)> = old
        .iter()
        .filter(|(spot, _)| !new.contains_key(*spot))
        .map(|(s, a)| (*s, *a))
        .collect();
    for (spot, action) in new.iter().filter(|(spot, _)| !old.contains_key(*spot)) {
        let (group, when, name) = *spot;
        let path = place(&after.groups, group).field(when.as_str());
        let from = gone
            .iter()
            .position(|(was, old)| was.2 == name && same(old, action));
        if let Some(from) = from {
            let ((old_group, old_when, _), _) = gone.remove(from);
            let message = format!(
                "action {name} runs {} group {group} instead of {} {old_group}",
                when.as_str(),
                old_when.as_str()
            );
            sheet.say(ACTION_MOVED, Class::Harmless, path, message);
        } else {
            let message = format!(
                "action {name} runs {} group {group}: {}",
                when.as_str(),
                words(action)
            );
            sheet.say(ACTION_ADDED, Class::Harmless, path, message);
        }
    }
    for ((group, when, name), action) in gone {
        let waits = matches!(action.kind(), Ok(ActionKind::Wait(_)));
        let class = if waits {
            Class::Harmless
        } else {
            Class::WeakensSafety
        };
        let message = format!(
            "action {name} no longer runs {} group {group}",
            when.as_str()
        );
        sheet
            .say(ACTION_REMOVED, class, place(&after.groups, group), message)
            .effect(format!("it was: {}", words(action)));
    }
}

fn spots<'a>(
    plan: &'a RecoveryPlanSpec,
    now: impl Fn(&'a str) -> &'a str,
) -> BTreeMap<Spot<'a>, &'a Action> {
    let mut spots = BTreeMap::new();
    for group in &plan.groups {
        for when in [Around::Before, Around::After] {
            for action in when.of(group) {
                spots.insert(
                    (now(group.name.as_str()), when, action.name.as_str()),
                    action,
                );
            }
        }
    }
    spots
}

fn same(one: &Action, other: &Action) -> bool {
    one == other || canonical(one) == canonical(other)
}

fn changed(sheet: &mut Sheet<'_>, before: &Action, after: &Action, group: &str, path: FieldPath) {
    let changes = settings::differences(&canonical(before), &canonical(after));
    if changes.is_empty() {
        return;
    }
    let approvals = |action: &Action| match action.kind() {
        Ok(ActionKind::Manual(ManualAction { approvals, .. })) => *approvals,
        _ => 0,
    };
    let lenient = before.on_failure == OnFailure::Halt && after.on_failure == OnFailure::Continue;
    let weaker = lenient || approvals(after) < approvals(before);
    let class = if weaker {
        Class::WeakensSafety
    } else {
        Class::Harmless
    };
    let name = &after.name;
    let mut effects = changes;
    if lenient {
        effects.push("a run goes on when it fails".to_owned());
    }
    sheet
        .say(
            ACTION_CHANGED,
            class,
            path,
            format!("action {name} of group {group} changes"),
        )
        .effects(effects);
}

/// An action as it counts: the same for lengths of time however they are written, names whose case means
/// nothing, and lists whose order means nothing.
fn canonical(action: &Action) -> Value {
    let mut action = action.clone();
    action.timeout = action.timeout.map(|timeout| plain(&timeout));
    if let Some(wait) = &mut action.wait {
        wait.duration = plain(&wait.duration);
    }
    if let Some(dns) = &mut action.dns {
        point(dns);
    }
    if let Some(http) = &mut action.http {
        call(http);
    }
    if let Some(When { runs, directions }) = &mut action.when {
        runs.sort_unstable();
        directions.sort_unstable();
    }
    serde_json::to_value(&action).unwrap_or_default()
}

fn plain(length: &Duration) -> Duration {
    Duration::from_millis(length.as_millis())
}

fn point(dns: &mut DnsAction) {
    let lower = |name: &str| name.trim_end_matches('.').to_lowercase();
    let sorted = |addresses: &mut Vec<Address>| addresses.sort_by_key(ToString::to_string);
    dns.record = lower(&dns.record);
    dns.ttl = plain(&dns.ttl);
    sorted(&mut dns.primary);
    sorted(&mut dns.secondary);
    if let Some(server) = &mut dns.rfc2136 {
        server.server = server.server.to_lowercase();
        server.zone = lower(&server.zone);
    }
}

/// Defaults that are written out are the defaults.
fn call(http: &mut HttpAction) {
    if http.machine.is_some() {
        http.port = http.port.or(Some(80));
        http.path.get_or_insert_with(|| "/".to_owned());
    }
}

/// What an action does, in few words.
fn words(action: &Action) -> String {
    match action.kind() {
        Ok(ActionKind::Script(script)) => {
            format!(
                "script {}",
                script.command.first().map_or("", String::as_str)
            )
        }
        Ok(ActionKind::Http(http)) => {
            let machine = http.machine.as_ref();
            machine.map_or_else(
                || "HTTP call".to_owned(),
                |one| format!("HTTP call to {one}"),
            )
        }
        Ok(ActionKind::Wait(wait)) => format!("wait {}", wait.duration),
        Ok(ActionKind::Manual(manual)) => match manual.approvals {
            1 => "waits for a person".to_owned(),
            approvals => format!("waits for {approvals} people"),
        },
        Ok(ActionKind::Dns(dns)) => {
            let addresses: Vec<String> = dns.secondary.iter().map(ToString::to_string).collect();
            format!(
                "DNS {}, at the secondary site {}",
                dns.record,
                names(&addresses)
            )
        }
        Err(_) => "no one kind of action".to_owned(),
    }
}
