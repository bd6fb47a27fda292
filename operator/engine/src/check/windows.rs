//! Windows that leave no minute in which a planned run could start.

use std::collections::BTreeSet;

use drover_api::StandingRule;
use drover_api::common::{Direction, FailoverType, Window};
use drover_api::value::SiteName;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::codes::{ALWAYS_FROZEN, START_WINDOW_FROZEN};
use super::context::{Context, Plan};
use crate::problem::{FieldPath, Problem};

const DAY: i32 = 24 * 60;

/// Two zones are compared in each week of one year: often enough to see both clocks change.
const WEEKS: i64 = 53;
const WEEK: i64 = 7 * 86_400;
/// 2026-01-01T00:00:00Z. Any year does: the answer must not depend on when it is asked.
const YEAR_BEGINS: i64 = 1_767_225_600;

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for plan in &context.plans {
        let windows = plan
            .spec
            .guards
            .as_ref()
            .map(|guards| &guards.freeze_windows);
        let Some(windows) = windows.filter(|windows| !windows.is_empty()) else {
            continue;
        };
        let frozen = Frozen::new(windows);
        let rules = [
            (
                Direction::ToSecondary,
                "toSecondary",
                &plan.spec.failover.to_secondary,
            ),
            (
                Direction::ToPrimary,
                "toPrimary",
                &plan.spec.failover.to_primary,
            ),
        ];
        let planned = rules
            .iter()
            .filter(|(_, _, rule)| rule.as_ref().is_none_or(is_planned));
        if frozen.is_always() {
            if planned.count() > 0 {
                problems.push(always(plan));
            }
            continue;
        }
        for (direction, field, rule) in planned {
            if let Some(rule) = rule {
                problems.extend(start(context, plan, &frozen, *direction, field, rule));
            }
        }
    }
}

fn is_planned(rule: &StandingRule) -> bool {
    rule.kind == FailoverType::Planned
}

fn always(plan: &Plan<'_>) -> Problem {
    let path = FieldPath::spec("guards").field("freezeWindows");
    let message = "these windows cover the whole day, so no planned run would ever start";
    Problem::error(ALWAYS_FROZEN, plan.object, path, message)
        .hint("leave part of the day open; to hold a plan for a while, remove its `activeSite`")
}

fn start(
    context: &Context<'_>,
    plan: &Plan<'_>,
    frozen: &Frozen,
    direction: Direction,
    field: &'static str,
    rule: &StandingRule,
) -> Option<Problem> {
    let window = rule.start.as_ref()?.window.as_ref()?;
    if window.start == window.end {
        return None;
    }
    let zone = |site: &SiteName| Some(context.site(site)?.object.spec.time_zone.to_jiff());
    let source = plan.spec.sites.at(direction.source());
    let target = plan.spec.sites.at(direction.target());
    let ahead = ahead(&zone(target)?, &zone(source)?);
    let closed = |ahead: &i32| minutes(window).all(|minute| frozen.holds(minute - ahead));
    if !ahead.iter().all(closed) {
        return None;
    }
    let path = FieldPath::spec("failover")
        .field(field)
        .field("start")
        .field("window");
    let message = format!(
        "from {} to {} in the time zone of `{target}` the plan is frozen, so no run would ever start",
        window.start, window.end
    );
    let freeze = FieldPath::spec("guards").field("freezeWindows");
    Some(
        Problem::error(START_WINDOW_FROZEN, plan.object, path, message)
            .hint("open the window outside the freeze windows, which are in the source site's time zone")
            .related(plan.object, freeze, "the freeze windows"),
    )
}

/// By how many minutes one zone can be ahead of another.
fn ahead(zone: &TimeZone, of: &TimeZone) -> BTreeSet<i32> {
    (0..WEEKS)
        .filter_map(|week| Timestamp::from_second(YEAR_BEGINS + week * WEEK).ok())
        .map(|moment| {
            let seconds = zone.to_offset(moment).seconds() - of.to_offset(moment).seconds();
            seconds / 60
        })
        .collect()
}

/// The minutes of a day that a window covers; it may pass midnight.
fn minutes(window: &Window) -> impl Iterator<Item = i32> {
    let start = i32::from(window.start.minutes_since_midnight());
    let end = i32::from(window.end.minutes_since_midnight());
    let end = if end < start { end + DAY } else { end };
    start..end
}

/// For each minute of a day, whether nothing starts in it.
struct Frozen(Vec<bool>);

impl Frozen {
    fn new(windows: &[Window]) -> Self {
        let mut day = Self((0..DAY).map(|_| false).collect());
        for minute in windows.iter().flat_map(minutes) {
            if let Some(frozen) = day.0.get_mut(of_day(minute)) {
                *frozen = true;
            }
        }
        day
    }

    fn is_always(&self) -> bool {
        self.0.iter().all(|frozen| *frozen)
    }

    fn holds(&self, minute: i32) -> bool {
        self.0.get(of_day(minute)).is_some_and(|frozen| *frozen)
    }
}

fn of_day(minute: i32) -> usize {
    usize::try_from(minute.rem_euclid(DAY)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";

    fn window(start: &str, end: &str) -> Value {
        json!({ "start": start, "end": end })
    }

    fn frozen(windows: Value) -> World {
        World::example().set(PLAN, "/spec/guards/freezeWindows", windows)
    }

    #[test]
    fn a_plan_is_not_frozen_all_day() {
        let halves = json!([window("08:00", "20:00"), window("20:00", "08:00")]);
        let expected = format!("error always-frozen {PLAN} spec.guards.freezeWindows");
        assert_eq!(frozen(halves.clone()).found(), [expected]);
        let gap = json!([window("08:00", "20:00"), window("20:01", "08:00")]);
        assert_eq!(frozen(gap).found(), Vec::<String>::new());
        // Freeze windows are for planned runs only.
        let unplanned = frozen(halves)
            .set(PLAN, "/spec/failover/toSecondary/type", json!("Unplanned"))
            .set(PLAN, "/spec/failover/toPrimary/type", json!("Unplanned"));
        assert_eq!(unplanned.found(), Vec::<String>::new());
    }

    /// Home between 01:00 and 05:00 in Seoul, frozen between these times in Busan.
    fn home(start: &str, end: &str, busan: &str) -> Vec<String> {
        frozen(json!([window(start, end)]))
            .set(
                PLAN,
                "/spec/failover/toPrimary/start",
                json!({
                    "policy": "WhenStable",
                    "stableFor": "2h",
                    "window": window("01:00", "05:00"),
                }),
            )
            .set("Site/busan", "/spec/timeZone", json!(busan))
            .found()
    }

    #[test]
    fn the_start_window_is_open_some_time() {
        // SPEC: FB-9
        let frozen = [format!(
            "error start-window-frozen {PLAN} spec.failover.toPrimary.start.window"
        )];
        assert_eq!(home("00:00", "06:00", "Asia/Seoul"), frozen);
        assert_eq!(home("23:00", "05:00", "Asia/Seoul"), frozen);
        assert_eq!(home("00:00", "04:00", "Asia/Seoul"), Vec::<String>::new());
    }

    #[test]
    fn each_window_is_in_the_time_zone_of_its_site() {
        // 01:00 to 05:00 in Seoul is 16:00 to 20:00 of the day before in UTC.
        let frozen = [format!(
            "error start-window-frozen {PLAN} spec.failover.toPrimary.start.window"
        )];
        assert_eq!(home("00:00", "06:00", "UTC"), Vec::<String>::new());
        assert_eq!(home("16:00", "20:00", "UTC"), frozen);
        // In London the clocks change: 16:00 to 20:00 covers it in winter only.
        assert_eq!(
            home("16:00", "20:00", "Europe/London"),
            Vec::<String>::new()
        );
        assert_eq!(home("16:00", "21:00", "Europe/London"), frozen);
    }
}
