#![cfg(test)]

use jiff::Timestamp;

use super::*;
use crate::reports::fixtures::{self, golden};
use crate::text::Style;

const STYLE: fn() -> Style = || Style::new(false, 80);

fn now() -> Timestamp {
    "2026-11-20T17:00:00Z".parse().unwrap()
}

fn fits(text: &str) {
    // What is copied from the terminal stays whole.
    let folded =
        |line: &&str| !line.trim_start().starts_with("drover ") && !line.contains("sha256:");
    let lines = text.lines().filter(folded);
    let widest = lines.map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}\n{text}");
}

#[test]
fn a_plan_says_why_it_waits_and_who_can_release_it() {
    let (old, found) = (fixtures::planned(), fixtures::halted());
    let around = Around {
        last: vec![found.run.clone(), old.run],
        current: Some((found.run, found.machines)),
    };
    let text = plan(&found.plan, &around, now(), STYLE());
    fits(&text);
    assert!(text.contains("drover resume -n shop shop-9"), "{text}");
    golden("describe-plan.txt", &text);
}

#[test]
fn a_plan_that_nobody_looked_at_is_described_too() {
    let mut found = fixtures::planned();
    found.plan.status = None;
    let text = plan(&found.plan, &Around::default(), now(), STYLE());
    assert!(text.contains("nobody looked at it yet"), "{text}");
}

#[test]
fn a_run_shows_its_timeline_failures_and_decisions() {
    for (name, found) in [
        ("planned", fixtures::planned()),
        ("unplanned", fixtures::unplanned()),
    ] {
        let decisions = &found.decisions;
        let text = run(&found.run, &found.machines, decisions, now(), STYLE());
        fits(&text);
        golden(&format!("describe-run-{name}.txt"), &text);
    }
}

#[test]
fn a_decision_that_nobody_answered_is_told() {
    // SPEC: PL-10
    let mut found = fixtures::halted();
    let mut decision = fixtures::planned().decisions.remove(1);
    decision.metadata.name = Some("shop-9-commit-zzzzzz".into());
    decision.status = None;
    found.decisions.push(decision);
    let decisions = &found.decisions;
    let text = run(&found.run, &found.machines, decisions, now(), STYLE());
    assert!(text.contains("Commit by lee, 2h30m ago"), "{text}");
}

#[test]
fn a_machine_that_runs_twice_is_told() {
    // SPEC: FO-8
    let machines = fixtures::machines();
    let text = machine(&machines[0], now(), STYLE());
    fits(&text);
    assert!(text.contains("seen running at both sites"), "{text}");
    golden("describe-machine.txt", &text);
    let text = machine(&machines[2], now(), STYLE());
    assert!(text.contains("5.0 GiB of 20.0 GiB (25 %)"), "{text}");
}
