//! Decisions on runs. The test stands in for the controller that answers them.

use serde_json::{Value, json};

use crate::world::{RUN, SHOP, SITES, Said, World};

const DIGEST: &str = "sha256:3f5a9c0e7b1d4f628a90c3e1d7b5f2a4968c0d1e3b5a7f9c2d4e6f8091a3b5c7";

fn in_phase(namespace: &str, phase: &str, action: &str) -> World {
    let world = World::new(namespace);
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    world.drover(&["apply", "."]).fine();
    world.make(RUN);
    world.set_status(
        "recoveryrun",
        "shop-1",
        &json!({
            "phase": phase, "epoch": 2, "movementEpoch": 2,
            "groups": [{ "enterReleased": "2026-11-20T14:01:00Z",
                         "after": [{ "state": action, "attempts": 1 }] }],
        }),
    );
    world
}

fn decisions(world: &World) -> Vec<Value> {
    let list = world
        .kubectl_here(&["get", "rundecisions", "-o", "json"])
        .fine()
        .json();
    list["items"].as_array().unwrap().clone()
}

fn whoami(world: &World) -> Value {
    let review = world.kubectl(&["auth", "whoami", "-o", "json"]).fine();
    review.json()["status"]["userInfo"]["username"].clone()
}

#[test]
fn a_commit_is_bound_to_the_run_and_to_what_was_shown() {
    // SPEC: PL-10
    let world = in_phase("commit", "CommitPending", "Succeeded");
    let said = world.drover(&["commit", "shop-1"]).wrong();
    assert!(said.talk.contains("for good"), "{said:?}");
    assert!(said.talk.contains(DIGEST), "{said:?}");
    assert!(
        said.talk.contains("standard input is no terminal"),
        "{said:?}"
    );
    assert!(said.talk.contains("give --yes"), "{said:?}");
    assert_eq!(decisions(&world), [] as [Value; 0]);

    let said = world
        .drover(&[
            "commit",
            "shop-1",
            "--yes",
            "--no-wait",
            "--reason",
            "checked",
        ])
        .fine();
    assert!(
        said.data.starts_with("RunDecision shop-1-commit-"),
        "{said:?}"
    );
    let decisions = decisions(&world);
    let spec = &decisions[0]["spec"];
    let uid = &world.object("recoveryrun", "shop-1")["metadata"]["uid"];
    assert_eq!(spec["runRef"], json!({ "name": "shop-1", "uid": uid }));
    assert_eq!(spec["action"], "Commit");
    assert_eq!(spec["digest"], DIGEST);
    assert_eq!(
        (&spec["by"], &spec["reason"]),
        // Whom the cluster knows, not whom the operating system does.
        (&whoami(&world), &json!("checked"))
    );
    let named = ["commit", "shop-1", "--yes", "--no-wait", "--by", "lee"];
    world.drover(&named).fine();
    let by = |decision: &Value| decision["spec"]["by"].clone();
    assert!(self::decisions(&world).iter().map(by).any(|by| by == "lee"));
}

#[test]
fn the_answer_is_waited_for_and_told() {
    // SPEC: PL-10
    let world = in_phase("answer", "Entering", "Running");
    let approve = [
        "approve",
        "shop-1",
        "data/business-says-go",
        "--yes",
        "--by",
        "lee",
    ];
    for (outcome, exit) in [("Accepted", 0), ("Refused", 1)] {
        let before = decisions(&world).len();
        let waiting = world.command(&approve).spawn().unwrap();
        let name = loop {
            let all = decisions(&world);
            let new = all.iter().find(|each| each["status"]["outcome"].is_null());
            if all.len() > before {
                break new.unwrap()["metadata"]["name"]
                    .as_str()
                    .unwrap()
                    .to_owned();
            }
        };
        let status = json!({ "outcome": outcome, "reason": "because of the test" });
        world.set_status("rundecision", &name, &status);
        let said = Said::from(waiting.wait_with_output().unwrap());
        assert_eq!(said.exit, Some(exit), "{said:?}");
        let word = outcome.to_lowercase();
        assert_eq!(said.data, format!("RunDecision {name} {word}\n"));
        assert_eq!(
            said.talk.contains("refused: because of the test"),
            exit == 1,
            "{said:?}"
        );
    }
    assert_eq!(
        decisions(&world)[0]["spec"]["step"],
        json!({ "group": "data", "action": "business-says-go" })
    );
}

#[test]
fn nobody_who_answers_is_told_too() {
    let world = in_phase("unanswered", "CommitPending", "Succeeded");
    let said = world
        .drover(&["commit", "shop-1", "--yes", "--timeout", "50ms"])
        .wrong();
    assert!(
        said.talk
            .contains("nobody answered; does Drover run there?"),
        "{said:?}"
    );
}

#[test]
fn what_makes_no_sense_writes_nothing() {
    // SPEC: SA-9
    let world = in_phase("refused", "Entering", "Running");
    let said = world.drover(&["commit", "shop-1", "--yes"]).wrong();
    assert!(said.talk.contains("this one is Entering"), "{said:?}");
    let said = world
        .drover(&["approve", "shop-1", "data/busines-says-go", "--yes"])
        .wrong();
    assert!(
        said.talk.contains("did you mean data/business-says-go?"),
        "{said:?}"
    );
    let other = DIGEST.replace('3', "4");
    let said = world
        .drover(&["cancel", "shop-1", "--discard", "--yes", "--digest", &other])
        .wrong();
    assert!(said.talk.contains("the run has another digest"), "{said:?}");
    let said = world.drover(&["cancel", "shop-1", "--yes"]).wrong();
    assert!(said.talk.contains("--discard` accepts that"), "{said:?}");
    let said = world.drover(&["resume", "shop-9", "--yes"]).wrong();
    assert!(
        said.talk.contains("there is no RecoveryRun refused/shop-9"),
        "{said:?}"
    );
    assert_eq!(decisions(&world), [] as [Value; 0]);
}

#[test]
fn every_word_is_one_that_the_cluster_takes() {
    // SPEC: PL-10
    let world = in_phase("words", "CommitPending", "Succeeded");
    let say = |words: &[&str]| {
        world
            .drover(&[words, &["--yes", "--no-wait"]].concat())
            .fine()
    };
    say(&["change-point", "shop-1", "--latest-app-consistent"]);
    say(&["change-point", "shop-1", "--time", "2026-11-20T13:00:00Z"]);
    say(&["change-point", "shop-1", "--point", "rp-1"]);
    say(&["accept", "shop-1", "data-loss"]);
    say(&["accept", "shop-1", "split-brain"]);
    say(&["cancel", "shop-1", "--discard"]);
    world.set_status(
        "recoveryrun",
        "shop-1",
        &json!({
            "phase": "Halted", "halt": { "phase": "Entering", "reason": "a test" },
        }),
    );
    say(&["resume", "shop-1"]);
    world.set_status(
        "recoveryrun",
        "shop-1",
        &json!({ "phase": "AwaitingCompleteSync" }),
    );
    say(&["complete-sync", "shop-1"]);
    world.set_status("recoveryrun", "shop-1", &json!({ "phase": "Committed" }));
    say(&["reprotect", "shop-1"]);
    let mut actions: Vec<String> = decisions(&world)
        .iter()
        .map(|each| each["spec"]["action"].as_str().unwrap().to_owned())
        .collect();
    actions.sort();
    assert_eq!(
        actions,
        [
            "AcceptDataLoss",
            "AcceptDiscard",
            "AcceptSplitBrain",
            "Cancel",
            "ChangePoint",
            "ChangePoint",
            "ChangePoint",
            "CompleteSync",
            "Reprotect",
            "Resume",
        ]
    );
}
