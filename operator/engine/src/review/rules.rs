//! How runs of a plan go: overrides, requests, standing rules, commit, guards (PL-6, PL-9, FO-5).

use std::collections::BTreeMap;

use drover_api::common::{FailoverType, SourceStop, Unfenced, Window};
use drover_api::value::{Duration, GroupName, MachineName};
use drover_api::{
    Commit, CommitPolicy, FailoverRules, Guards, Override, RecoveryPlanSpec, Request, StandingRule,
    Start, StartPolicy,
};

use super::codes::{
    COMMIT_CHANGED, GUARD_ADDED, GUARD_REMOVED, GUARD_WEAKENED, MAX_DATA_LOSS_CHANGED,
    OVERRIDE_CHANGED, REQUEST_CHANGED, STANDING_RULE_CHANGED,
};
use super::meaning::Class;
use super::runs::Ahead;
use super::sheet::Sheet;
use super::words::{count, or, side, window};
use crate::problem::FieldPath;

/// Everything about how runs go.
pub(super) fn compare(
    sheet: &mut Sheet<'_>,
    before: &RecoveryPlanSpec,
    after: &RecoveryPlanSpec,
    ahead: &Ahead,
) {
    // Where a run starts, or is held, they are said with it.
    if matches!(ahead, Ahead::Nothing) {
        overrides(sheet, before, after);
        request(sheet, before.request.as_ref(), after.request.as_ref());
    }
    accepted(sheet, before.request.as_ref(), after.request.as_ref());
    let FailoverRules {
        to_secondary,
        to_primary,
    } = &before.failover;
    let rules = [
        (
            "toSecondary",
            "a failover",
            to_secondary,
            &after.failover.to_secondary,
        ),
        (
            "toPrimary",
            "a failback",
            to_primary,
            &after.failover.to_primary,
        ),
    ];
    for (field, run, before, after) in rules {
        let path = FieldPath::spec("failover").field(field);
        standing(sheet, &path, run, before.as_ref(), after.as_ref());
    }
    commit(sheet, &before.commit, &after.commit);
    let none = Guards::default();
    let old = before.guards.as_ref().unwrap_or(&none);
    guards(sheet, old, after.guards.as_ref().unwrap_or(&none));
}

/// Exceptions by machine: order means nothing, and neither does one that says what the plan says.
fn by_machine(overrides: &[Override]) -> BTreeMap<(&MachineName, Option<&GroupName>), &Override> {
    let all = overrides.iter();
    all.map(|one| ((&one.machine, one.protection_group.as_ref()), one))
        .collect()
}

/// What changes about single machines, in words.
pub(super) fn override_changes(
    before: &[Override],
    after: &[Override],
    plan: &RecoveryPlanSpec,
) -> Vec<String> {
    let (old, new) = (by_machine(before), by_machine(after));
    let mut words = Vec::new();
    for (key, one) in &new {
        let Override {
            machine,
            protection_group: _,
            active_site,
        } = one;
        let was = old.get(key).map(|one| one.active_site);
        if was != Some(*active_site) {
            words.push(format!(
                "override: {machine} → {}",
                side(&plan.sites, *active_site)
            ));
        }
    }
    for ((machine, _), _) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        words.push(format!("override: {machine} goes where the plan is"));
    }
    words
}

fn overrides(sheet: &mut Sheet<'_>, before: &RecoveryPlanSpec, after: &RecoveryPlanSpec) {
    for change in override_changes(&before.overrides, &after.overrides, after) {
        let path = FieldPath::spec("overrides");
        sheet
            .say(OVERRIDE_CHANGED, Class::Harmless, path, change)
            .effect("no machine is moved by that");
    }
}

fn request(sheet: &mut Sheet<'_>, before: Option<&Request>, after: Option<&Request>) {
    if before == after {
        return;
    }
    let path = FieldPath::spec("request");
    let message = match (before, after) {
        (Some(before), Some(after)) if before.id == after.id => {
            format!("request {} says something else, and was used up", after.id)
        }
        (_, Some(after)) => format!(
            "request {} starts nothing: machines are where they should be",
            after.id
        ),
        (Some(before), None) => format!("request {} is taken away", before.id),
        (None, None) => return,
    };
    let id = |request: Option<&Request>| request.map(|request| request.id.clone());
    sheet
        .say(REQUEST_CHANGED, Class::Harmless, path, message)
        .values(id(before), id(after));
}

/// A request may accept by name what nothing else may.
fn accepted(sheet: &mut Sheet<'_>, before: Option<&Request>, after: Option<&Request>) {
    let accepts = |request: Option<&Request>| {
        request.is_some_and(|request| request.unfenced == Unfenced::AcceptSplitBrain)
    };
    if accepts(after) && !accepts(before) {
        sheet.say(
            REQUEST_CHANGED,
            Class::WeakensSafety,
            FieldPath::spec("request").field("unfenced"),
            "the request accepts that machines may serve at both sites (AcceptSplitBrain)",
        );
    }
    let loss =
        |request: Option<&Request>| request.and_then(|request| request.max_data_loss.clone());
    let same = before
        .zip(after)
        .is_some_and(|(before, after)| before.id == after.id);
    if same {
        let path = FieldPath::spec("request").field("maxDataLoss");
        max_loss(
            sheet,
            path,
            "the run",
            loss(before).as_ref(),
            loss(after).as_ref(),
        );
    }
}

fn max_loss(
    sheet: &mut Sheet<'_>,
    path: FieldPath,
    run: &str,
    before: Option<&Duration>,
    after: Option<&Duration>,
) {
    if before == after {
        return;
    }
    let (class, message) = match (before, after) {
        (_, None) => (
            Class::WeakensSafety,
            format!("{run} is no longer held for what it would lose"),
        ),
        (None, Some(after)) => (
            Class::Harmless,
            format!("{run} that would lose more than {after} is held"),
        ),
        (Some(before), Some(after)) => (
            if after > before {
                Class::WeakensSafety
            } else {
                Class::Harmless
            },
            format!("{run} may lose {after} instead of {before} before it is held"),
        ),
    };
    sheet
        .say(MAX_DATA_LOSS_CHANGED, class, path, message)
        .values(before, after);
}

fn standing(
    sheet: &mut Sheet<'_>,
    path: &FieldPath,
    run: &str,
    before: Option<&StandingRule>,
    after: Option<&StandingRule>,
) {
    let loss = |rule: Option<&StandingRule>| rule.and_then(|rule| rule.max_data_loss.clone());
    max_loss(
        sheet,
        path.clone().field("maxDataLoss"),
        run,
        loss(before).as_ref(),
        loss(after).as_ref(),
    );
    let (old, new) = (Rule::of(before), Rule::of(after));
    if old.how != new.how {
        let weaker = matches!((&old.how, &new.how), (How::Planned, How::Unplanned(_)));
        let tries = matches!(
            new.how,
            How::Unplanned(SourceStop::Attempt | SourceStop::Skip)
        );
        let class = if weaker || tries {
            Class::WeakensSafety
        } else {
            Class::Harmless
        };
        let message = format!(
            "{run} is {} instead of {}",
            new.how.words(),
            old.how.words()
        );
        sheet
            .say(
                STANDING_RULE_CHANGED,
                class,
                path.clone().field("type"),
                message,
            )
            .values(Some(old.how.words()), Some(new.how.words()));
    }
    if old.start != new.start {
        let earlier = old.start != NOW_START && new.start == NOW_START;
        let class = if earlier {
            Class::WeakensSafety
        } else {
            Class::Harmless
        };
        let message = format!("{run} starts {} instead of {}", new.start, old.start);
        sheet
            .say(
                STANDING_RULE_CHANGED,
                class,
                path.clone().field("start"),
                message,
            )
            .values(Some(old.start), Some(new.start));
    }
}

/// What a standing rule comes to, be it written or not.
struct Rule {
    how: How,
    start: String,
}

#[derive(PartialEq, Eq)]
enum How {
    Planned,
    Unplanned(SourceStop),
}

const NOW_START: &str = "at once";

impl Rule {
    fn of(rule: Option<&StandingRule>) -> Self {
        let Some(rule) = rule else {
            return Self {
                how: How::Planned,
                start: NOW_START.to_owned(),
            };
        };
        let StandingRule {
            kind,
            max_data_loss: _,
            source_stop,
            start,
        } = rule;
        let how = match kind {
            FailoverType::Planned => How::Planned,
            FailoverType::Unplanned => How::Unplanned(source_stop.unwrap_or(SourceStop::Required)),
        };
        let start = start
            .as_ref()
            .map_or_else(|| NOW_START.to_owned(), start_words);
        Self { how, start }
    }
}

impl How {
    fn words(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Unplanned(SourceStop::Required) => "unplanned, and the source must stop",
            Self::Unplanned(SourceStop::Attempt) => "unplanned, and stopping the source is tried",
            Self::Unplanned(SourceStop::Skip) => "unplanned, and the source is not stopped",
        }
    }
}

fn start_words(start: &Start) -> String {
    let Start {
        policy,
        stable_for,
        window: only,
    } = start;
    match policy {
        StartPolicy::Immediately => NOW_START.to_owned(),
        StartPolicy::WhenStable => {
            let stable = or(stable_for.as_ref(), "0s");
            let when = only.as_ref().map(|only| format!(", from {}", window(only)));
            format!(
                "when the site was stable for {stable}{}",
                when.unwrap_or_default()
            )
        }
    }
}

fn commit(sheet: &mut Sheet<'_>, before: &Commit, after: &Commit) {
    let Commit { policy, soak } = before;
    let path = FieldPath::spec("commit");
    match (policy, &after.policy) {
        (CommitPolicy::Manual, CommitPolicy::Automatic) => {
            let message = match after.soak.as_ref().filter(|soak| !soak.is_zero()) {
                Some(soak) => format!("commit becomes automatic, {soak} after checks pass"),
                None => "commit becomes automatic, as soon as checks pass".to_owned(),
            };
            sheet
                .say(COMMIT_CHANGED, Class::WeakensSafety, path, message)
                .values(Some("Manual"), Some("Automatic"))
                .effect("a commit cannot be undone: it removes the other recovery points");
        }
        (CommitPolicy::Automatic, CommitPolicy::Manual) => {
            sheet
                .say(
                    COMMIT_CHANGED,
                    Class::Harmless,
                    path,
                    "a person commits, it is no longer automatic",
                )
                .values(Some("Automatic"), Some("Manual"));
        }
        _ if *soak != after.soak => {
            let class = if after.soak < *soak {
                Class::WeakensSafety
            } else {
                Class::Harmless
            };
            let (old, new) = (or(soak.as_ref(), "0s"), or(after.soak.as_ref(), "0s"));
            let message =
                format!("it commits itself after {new} of passing checks instead of {old}");
            sheet
                .say(COMMIT_CHANGED, class, path.field("soak"), message)
                .values(Some(old), Some(new));
        }
        _ => {}
    }
}

fn guards(sheet: &mut Sheet<'_>, before: &Guards, after: &Guards) {
    let Guards {
        drill_not_older_than,
        approvals,
        freeze_windows,
        plan_digest,
    } = before;
    let path = |field: &'static str| FieldPath::spec("guards").field(field);
    guard(
        sheet,
        path("drillNotOlderThan"),
        (
            drill_not_older_than.as_ref(),
            after.drill_not_older_than.as_ref(),
        ),
        |before, after| after < before,
        |age| format!("a green drill not older than {age}"),
    );
    guard(
        sheet,
        path("approvals"),
        (approvals.as_ref(), after.approvals.as_ref()),
        |before, after| after > before,
        |number| match *number {
            1 => "a person's approval".to_owned(),
            number => format!("the approval of {number} people"),
        },
    );
    windows(
        sheet,
        path("freezeWindows"),
        freeze_windows,
        &after.freeze_windows,
    );
    guard(
        sheet,
        path("planDigest"),
        (plan_digest.as_ref(), after.plan_digest.as_ref()),
        |_, _| true,
        |digest| {
            format!(
                "the plan to be as reviewed, {}",
                digest.get(..19).unwrap_or(digest)
            )
        },
    );
}

/// One guard: gone, new, weaker or stronger.
fn guard<T: PartialEq + std::fmt::Display>(
    sheet: &mut Sheet<'_>,
    path: FieldPath,
    (before, after): (Option<&T>, Option<&T>),
    stronger: impl FnOnce(&T, &T) -> bool,
    words: impl Fn(&T) -> String,
) {
    if before == after {
        return;
    }
    let (code, class, message) = match (before, after) {
        (Some(before), None) => (
            GUARD_REMOVED,
            Class::WeakensSafety,
            format!("a run no longer waits for {}", words(before)),
        ),
        (None, Some(after)) => (
            GUARD_ADDED,
            Class::Harmless,
            format!("a run waits for {}", words(after)),
        ),
        (Some(before), Some(after)) => {
            let (code, class) = if stronger(before, after) {
                (GUARD_ADDED, Class::Harmless)
            } else {
                (GUARD_WEAKENED, Class::WeakensSafety)
            };
            let message = format!(
                "a run waits for {} instead of {}",
                words(after),
                words(before)
            );
            (code, class, message)
        }
        (None, None) => return,
    };
    sheet.say(code, class, path, message).values(before, after);
}

/// Windows in which no planned run starts; their order means nothing.
fn windows(sheet: &mut Sheet<'_>, path: FieldPath, before: &[Window], after: &[Window]) {
    let only = |of: &[Window], not: &[Window]| -> Vec<String> {
        of.iter()
            .filter(|one| !not.contains(one))
            .map(window)
            .collect()
    };
    let (gone, new) = (only(before, after), only(after, before));
    if !gone.is_empty() {
        let message = format!("planned runs may start from {}", super::words::names(&gone));
        sheet.say(GUARD_REMOVED, Class::WeakensSafety, path.clone(), message);
    }
    if !new.is_empty() {
        let (windows, names) = (count(new.len(), "window"), super::words::names(&new));
        let message = format!("no planned run starts in {windows} more: {names}");
        sheet.say(GUARD_ADDED, Class::Harmless, path, message);
    }
}
