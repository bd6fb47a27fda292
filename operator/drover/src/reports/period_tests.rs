#![cfg(test)]

use super::*;
use crate::reports::fixtures::{self, golden};
use crate::sheet;
use crate::text::Style;

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn november() -> Asked {
    Asked {
        namespace: None,
        plan: None,
        since: instant("2026-11-01T00:00:00Z"),
        until: instant("2026-12-01T00:00:00Z"),
        now: instant("2026-12-05T09:00:00Z"),
    }
}

/// What a shop and an office did in a month.
fn found() -> Found {
    let all = [
        fixtures::planned(),
        fixtures::unplanned(),
        fixtures::drill(),
    ];
    let mut found = Found {
        plans: Vec::new(),
        runs: Vec::new(),
        journals: Vec::new(),
        machines: fixtures::machines(),
    };
    for each in all {
        // Of the shop there is one plan, with two runs.
        found
            .plans
            .retain(|plan| plan.name_any() != each.plan.name_any());
        found.plans.push(each.plan);
        found.runs.push(each.run);
        found.journals.extend(each.machines);
    }
    found
}

fn period() -> Period {
    Period::of(&november(), &found())
}

#[test]
fn a_period_in_four_forms() {
    // SPEC: RD-5
    let period = period();
    let sheet = sheet(&period);
    let shown = sheet::text(&sheet, Style::new(false, 80));
    let lines = shown.lines().filter(|line| !line.contains("sha256:"));
    let widest = lines.map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}\n{shown}");
    golden("period.txt", &shown);
    golden("period.md", &sheet::markdown(&sheet));
    golden("period.html", &sheet::html(&sheet));
    let json = serde_json::to_string_pretty(&period).unwrap();
    golden("period-json.txt", &(json + "\n"));
}

#[test]
fn a_run_belongs_to_the_period_that_it_began_in() {
    // SPEC: RD-5
    let names = |asked: &Asked| -> Vec<String> {
        let runs = Period::of(asked, &found()).runs;
        runs.iter().map(|run| run.run.name.clone()).collect()
    };
    assert_eq!(names(&november()), ["shop-6", "mail-3", "shop-7"]);
    let mut asked = november();
    asked.since = instant("2026-11-20T14:00:00Z");
    assert_eq!(names(&asked), ["shop-7"]);
    asked.since = november().since;
    asked.until = instant("2026-11-20T14:00:00Z");
    assert_eq!(names(&asked), ["shop-6", "mail-3"]);
    asked.plan = Some("mail".to_owned());
    assert_eq!(names(&asked), ["mail-3"]);
}

#[test]
fn the_guard_is_judged_by_the_end_of_the_period() {
    // SPEC: RD-5, RD-1
    let holds = |until: &str| {
        let mut asked = november();
        (asked.until, asked.now) = (instant(until), instant("2027-06-01T00:00:00Z"));
        let period = Period::of(&asked, &found());
        let shop = period.plans.iter().find(|plan| plan.name == "shop");
        shop.unwrap().guard.as_ref().unwrap().holds
    };
    assert!(holds("2026-12-01T00:00:00Z"));
    assert!(!holds("2027-02-01T00:00:00Z"), "91 days later");
    assert!(!holds("2026-11-01T01:00:00Z"), "before the drill");
}

#[test]
fn a_plan_remembers_a_drill_whose_run_is_gone() {
    // SPEC: RD-5, PL-12
    let mut found = found();
    found.runs.retain(|run| run.name_any() != "shop-6");
    let period = Period::of(&november(), &found);
    let shop = period
        .plans
        .iter()
        .find(|plan| plan.name == "shop")
        .unwrap();
    let last = shop.last_green_drill.as_ref().unwrap();
    assert_eq!(
        (last.at, &last.run),
        (instant("2026-11-01T03:06:00Z"), &None)
    );
    assert!(shop.guard.as_ref().unwrap().holds);
}

#[test]
fn a_run_that_outlives_its_plan_is_still_told() {
    // SPEC: PL-12
    let mut found = found();
    found.plans.clear();
    let period = Period::of(&november(), &found);
    assert!(period.plans.iter().all(|plan| !plan.declared));
    assert_eq!(period.runs.len(), 3);
}

#[test]
fn nothing_is_told_of_the_future_and_the_moment_of_printing_is_no_fact() {
    // SPEC: RD-5
    let mut asked = november();
    asked.now = instant("2026-11-25T00:00:00Z");
    assert_eq!(Period::of(&asked, &found()).until, asked.now);
    asked.now = instant("2027-01-25T00:00:00Z");
    let later = Period::of(&asked, &found());
    assert_eq!(later.facts_digest, period().facts_digest);
    assert_eq!(digest::of_facts(&later), later.facts_digest);
}

#[test]
fn a_period_that_goes_on_says_how_it_is_printed_again() {
    // SPEC: RD-5
    let mut asked = november();
    asked.now = instant("2026-11-25T09:30:15.123456789Z");
    let first = Period::of(&asked, &found());
    assert_eq!(first.until, instant("2026-11-25T09:30:15Z"));
    let shown = sheet::text(&sheet(&first), Style::new(false, 80));
    assert!(shown.contains("--until 2026-11-25T09:30:15Z"), "{shown}");
    // And so it is.
    asked.until = first.until;
    asked.now = instant("2026-11-28T00:00:00.5Z");
    let again = Period::of(&asked, &found());
    assert_eq!(again.facts_digest, first.facts_digest);
    let shown = sheet::text(&sheet(&again), Style::new(false, 80));
    assert!(!shown.contains("--until"), "{shown}");
}

#[test]
fn a_period_of_many_runs_fits_into_an_issue() {
    let mut found = found();
    let one = found.runs[0].clone();
    for number in 100..400 {
        let mut more = one.clone();
        more.metadata.name = Some(format!("shop-{number}"));
        found.runs.push(more);
    }
    let text = sheet::markdown(&sheet(&Period::of(&november(), &found)));
    assert!(text.len() < 65_535, "{}", text.len());
    assert!(
        text.contains("more reports: there is no room for all"),
        "{text}"
    );
}
