//! What the history of changes in `tests/history` does not reach, and what holds for every change.

use serde_json::json;

use super::{Class, Review, Side, review};
use crate::check::testing::World;
use crate::declared::Declared;
use crate::members::declared_inventories;

const PLAN: &str = "RecoveryPlan/shop";
const DATA: &str = "ProtectionGroup/shop-data";
const POLICY: &str = "ReplicationPolicy/gold";

const NOW: &str = "2026-11-20T00:00:00Z";

/// What is said of a change.
fn changed(before: &World, after: &World) -> Review {
    let (old, new) = (before.objects(), after.objects());
    let (old, new) = (Declared::new(&old), Declared::new(&new));
    let (old_known, new_known) = (declared_inventories(&old), declared_inventories(&new));
    let (old_problems, new_problems) = (before.problems(), after.problems());
    let side = |declared, inventories, problems| Side {
        declared,
        inventories,
        problems,
    };
    review(
        &side(&old, &old_known, &old_problems),
        &side(&new, &new_known, &new_problems),
        NOW.parse().unwrap(),
    )
}

fn codes(review: &Review) -> Vec<&'static str> {
    review.meanings.iter().map(|meaning| meaning.code).collect()
}

#[test]
fn nothing_is_said_of_no_change() {
    // SPEC: RD-3
    let review = changed(&World::example(), &World::example());
    assert_eq!(review, Review::default());
}

#[test]
fn what_would_run_is_what_the_operator_would_decide() {
    // SPEC: RD-3, PL-8
    let before = World::example();
    let after = World::example().set(PLAN, "/spec/activeSite", json!("secondary"));
    let review = changed(&before, &after);
    assert_eq!(codes(&review), ["run-would-start"]);
    let run = review.meanings[0].run.as_ref().unwrap();
    assert_eq!(review.worst(), Some(Class::WouldRun));
    assert!(run.machines > 0);
    // The other way round it is a failback, and the rule for that direction holds.
    let back = changed(&after, &before);
    assert_eq!(codes(&back), ["run-would-start"]);
    let home = back.meanings[0].run.as_ref().unwrap();
    assert_eq!(
        (home.machines, home.direction),
        (run.machines, drover_api::common::Direction::ToPrimary)
    );
}

#[test]
fn a_machine_that_joins_a_plan_at_the_other_site_is_not_moved() {
    // SPEC: PL-8
    let there = World::example().set(PLAN, "/spec/activeSite", json!("secondary"));
    let member = json!([{ "name": "db-1" }, { "name": "db-2" }, { "name": "db-9" }]);
    let more = there.clone().set(DATA, "/spec/machines", member);
    let review = changed(&there, &more);
    let held = review
        .meanings
        .iter()
        .find(|meaning| meaning.code == "run-held");
    assert!(
        held.is_some_and(|held| held.effects[0].contains("a request with a fresh id")),
        "{review:?}"
    );
}

#[test]
fn a_group_of_the_same_name_elsewhere_is_told_by_its_namespace() {
    // SPEC: RD-3
    let after = World::example().set(DATA, "/metadata/namespace", json!("bank"));
    let review = changed(&World::example(), &after);
    let moved = review.meanings.iter();
    let mut moved = moved.filter(|meaning| meaning.code == "machine-changes-group");
    let moved = moved.next().unwrap();
    let message = &moved.message;
    assert!(
        message.ends_with("protected by it instead of shop/shop-data"),
        "{message}"
    );
    assert_eq!(moved.before.as_deref(), Some("shop/shop-data"));
    assert_eq!(moved.after.as_deref(), Some("bank/shop-data"));
}

#[test]
fn what_nobody_goes_by_is_harmless() {
    // SPEC: RD-3
    let spare = json!({ "replicator": { "simulator": {} }, "interval": "1m" });
    let before = World::example().with_shop("ReplicationPolicy", "spare", &spare);
    let after = before
        .clone()
        .set("ReplicationPolicy/spare", "/spec/interval", json!("1h"));
    assert_eq!(changed(&before, &after).worst(), Some(Class::Harmless));
    let used = before.clone().set(POLICY, "/spec/interval", json!("1h"));
    assert_eq!(
        changed(&before, &used).worst(),
        Some(Class::WorsensObjectives)
    );
}

#[test]
fn a_problem_is_new_or_gone_and_never_both() {
    // SPEC: RD-3
    let wrong = World::example().set(PLAN, "/spec/groups/0/protectionGroups", json!(["shop-dta"]));
    let review = changed(&World::example(), &wrong);
    assert_eq!(
        (review.new_problems.len(), review.gone_problems.len()),
        (1, 0)
    );
    let review = changed(&wrong, &World::example());
    assert_eq!(
        (review.new_problems.len(), review.gone_problems.len()),
        (0, 1)
    );
    assert_eq!(changed(&wrong, &wrong), Review::default());
}

#[test]
fn every_code_is_named_once() {
    let mut names: Vec<&str> = super::CODES.iter().map(|code| code.code).collect();
    names.extend(Class::ALL.iter().map(|class| class.as_str()));
    // Policies name checks too, and a code must be one or the other.
    names.extend(crate::check::CODES.iter().map(|code| code.code));
    let number = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), number);
}
