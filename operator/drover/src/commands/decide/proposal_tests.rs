#![cfg(test)]

use drover_api::common::RecoveryPointType;

use super::*;
use crate::commands::decide::situation::Situation;
use crate::reports::fixtures::{self, Found};

fn seen(found: Found) -> Situation {
    Situation {
        run: found.run,
        machines: found.machines,
        protected: fixtures::machines(),
        now: "2026-11-20T17:00:00Z".parse().unwrap(),
    }
}

fn in_phase(mut found: Found, phase: RunPhase) -> Situation {
    found.run.status.as_mut().unwrap().record.phase = phase;
    seen(found)
}

fn refusal(seen: &Situation, say: &Say) -> String {
    judge(seen, say, "kim").unwrap_err().to_string()
}

fn actions(proposal: &Proposal) -> Vec<DecisionAction> {
    proposal
        .decisions
        .iter()
        .map(|decided| decided.action)
        .collect()
}

#[test]
fn a_commit_lists_what_it_removes_and_is_typed() {
    // SPEC: SA-6
    let seen = in_phase(fixtures::planned(), RunPhase::CommitPending);
    let proposal = judge(&seen, &Say::Commit, "kim").unwrap();
    let said = proposal.sentences.join("\n");
    assert!(said.contains("44 recovery points are known"), "{said}");
    assert!(said.contains("5 machines stay at busan for good"), "{said}");
    assert_eq!(proposal.confirmation, Confirmation::Typed("shop-7".into()));
    assert_eq!(actions(&proposal), [DecisionAction::Commit]);
}

#[test]
fn what_makes_no_sense_now_is_refused_early() {
    // SPEC: SA-9
    let over = seen(fixtures::planned());
    for say in [Say::Commit, Say::Resume, Say::Cancel { discard: true }] {
        assert!(refusal(&over, &say).contains("the run is over"));
    }
    let halted = seen(fixtures::halted());
    assert!(refusal(&halted, &Say::Commit).contains("this one is Halted"));
    assert!(refusal(&halted, &Say::CompleteSync).contains("no synchronisation is held"));
    let point = RecoveryPointChoice::of(RecoveryPointType::LatestAppConsistent);
    assert!(refusal(&halted, &Say::ChangePoint(point)).contains("no other point"));
}

#[test]
fn a_cancel_after_the_start_needs_consent_to_what_is_lost() {
    // SPEC: FO-6
    let seen = seen(fixtures::halted());
    let refusal = refusal(&seen, &Say::Cancel { discard: false });
    assert!(
        refusal.contains("wrote at busan since 2026-11-20 16:03:59 UTC (56m1s)"),
        "{refusal}"
    );
    let proposal = judge(&seen, &Say::Cancel { discard: true }, "kim").unwrap();
    assert_eq!(
        actions(&proposal),
        [DecisionAction::AcceptDiscard, DecisionAction::Cancel]
    );
    assert_eq!(proposal.confirmation, Confirmation::Typed("shop-9".into()));
}

#[test]
fn a_cancel_before_the_start_loses_nothing() {
    // SPEC: FO-6
    let mut found = fixtures::planned();
    let record = &mut found.run.status.as_mut().unwrap().record;
    record.phase = RunPhase::Leaving;
    for group in &mut record.groups {
        group.enter_released = None;
    }
    let proposal = judge(&seen(found), &Say::Cancel { discard: false }, "kim").unwrap();
    assert_eq!(actions(&proposal), [DecisionAction::Cancel]);
    assert_eq!(proposal.confirmation, Confirmation::Yes);
    assert!(proposal.sentences[0].contains("nothing is lost"));
}

#[test]
fn a_resume_says_why_it_halted_and_what_is_tried_again() {
    // SPEC: FO-2
    let proposal = judge(&seen(fixtures::halted()), &Say::Resume, "kim").unwrap();
    let said = proposal.sentences.join("\n");
    assert!(said.contains("16Gi of memory free"), "{said}");
    assert!(
        said.contains("machines that failed: shop-web/web-2"),
        "{said}"
    );
}

#[test]
fn another_point_says_what_is_lost() {
    // SPEC: FO-5
    let point = RecoveryPointChoice::of(RecoveryPointType::LatestAppConsistent);
    let proposal = judge(
        &seen(fixtures::unplanned()),
        &Say::ChangePoint(point.clone()),
        "kim",
    );
    let proposal = proposal.unwrap();
    let said = proposal.sentences.join("\n");
    assert!(
        said.contains("rebuilt from the newest application-consistent one"),
        "{said}"
    );
    assert!(said.contains("is LOST"), "{said}");
    assert_eq!(proposal.decisions[0].point, Some(point));
}

#[test]
fn accepting_a_loss_shows_the_age_of_each_copy() {
    // SPEC: SA-8
    let proposal = judge(
        &seen(fixtures::unplanned()),
        &Say::Accept(Risk::DataLoss),
        "kim",
    )
    .unwrap();
    assert_eq!(
        proposal.sentences[0],
        "the run may lose 10m; this accepts more"
    );
    assert!(proposal.sentences[1].contains("no recovery point is known"));
    assert!(
        proposal.sentences[2].contains("3h12m ago; 1.5 GiB not sent"),
        "{proposal:?}"
    );
    let proposal = judge(
        &seen(fixtures::unplanned()),
        &Say::Accept(Risk::SplitBrain),
        "kim",
    )
    .unwrap();
    assert!(
        proposal.sentences[0].contains("of 1 machine it is not proven"),
        "{proposal:?}"
    );
}

#[test]
fn the_same_person_approves_once() {
    // SPEC: PL-4
    let mut found = fixtures::planned();
    let record = &mut found.run.status.as_mut().unwrap().record;
    record.phase = RunPhase::Entering;
    record.groups[1].after[1].state = ActionState::Running;
    let seen = seen(found);
    let step = |name: &str| Say::Approve(Some(name.to_owned()));
    assert!(refusal(&seen, &step("web/business-says-go")).contains("kim approved"));
    let proposal = judge(&seen, &step("web/business-says-go"), "lee").unwrap();
    assert_eq!(proposal.sentences[0], "Place a test order, then approve.");
    assert!(refusal(&seen, &step("web/move-traffic")).contains("not a manual step"));
    let failure = judge(&seen, &step("web/busines-says-go"), "lee").unwrap_err();
    assert_eq!(
        failure.hint().as_deref(),
        Some("did you mean web/business-says-go?")
    );
    assert!(refusal(&seen, &Say::Approve(None)).contains("as a whole does not wait"));
}

#[test]
fn machines_are_reprotected_after_the_commit_only() {
    // SPEC: FB-1
    let proposal = judge(&seen(fixtures::planned()), &Say::Reprotect, "kim").unwrap();
    assert!(proposal.sentences[0].contains("what is at seoul is overwritten"));
    assert!(
        refusal(&seen(fixtures::halted()), &Say::Reprotect)
            .contains("once their failover is committed")
    );
}
