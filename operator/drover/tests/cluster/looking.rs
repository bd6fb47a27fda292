//! `get`, `describe`, `wait`, `events`, `report`.

use std::io::{BufRead as _, BufReader};

use serde_json::json;

use crate::world::{RUN, SHOP, SITES, Said, World};

fn shop(namespace: &str) -> World {
    let world = World::new(namespace);
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    world.drover(&["apply", "."]).fine();
    world
}

/// A run that machines came through, with what a controller would have written.
fn with_run(namespace: &str) -> World {
    let world = shop(namespace);
    world.make(RUN);
    world.set_status("recoveryrun", "shop-1", &json!({
        "phase": "CommitPending", "since": "2026-11-20T14:10:00Z", "epoch": 2, "movementEpoch": 2,
        "groups": [{ "leaveReleased": "2026-11-20T14:00:01Z", "enterReleased": "2026-11-20T14:01:00Z",
                     "after": [{ "state": "Succeeded", "attempts": 1,
                                 "since": "2026-11-20T14:05:00Z", "approvedBy": ["lee"] }] }],
        "machines": { "left": 1, "healthy": 1, "failed": 0 },
        "history": [{ "phase": "Pending", "at": "2026-11-20T14:00:00Z" },
                    { "phase": "CommitPending", "at": "2026-11-20T14:10:00Z" }],
        "rto": "10m", "rpo": "2m",
    }));
    world.set_status("machinerun", "shop-1-db", &json!({
        "leave": { "state": "Done", "epoch": 2, "at": "2026-11-20T14:00:40Z" }, "left": "Stopped",
        "enter": { "state": "Done", "epoch": 2, "at": "2026-11-20T14:04:30Z" },
        "point": { "name": "rp-1", "epoch": 2, "at": "2026-11-20T13:58:40Z", "loss": "2m" },
    }));
    world.set_status(
        "recoveryplan",
        "shop",
        &json!({
            "observedGeneration": 1, "activeSite": "secondary", "currentRun": "shop-1",
            "conditions": [{ "type": "Ready", "status": "True", "reason": "CommitPending",
                             "message": "a person commits", "observedGeneration": 1,
                             "lastTransitionTime": "2026-11-20T14:10:00Z" }],
        }),
    );
    world
}

#[test]
fn the_overview_shows_where_plans_are_and_what_waits_for_whom() {
    let world = with_run("overview");
    let said = world.drover(&["get"]).fine();
    let row = said
        .data
        .lines()
        .find(|line| line.starts_with("shop "))
        .unwrap();
    assert!(
        row.contains("primary") && row.contains("secondary"),
        "{said:?}"
    );
    assert!(
        row.contains("CommitPending") && row.contains("shop-1"),
        "{said:?}"
    );
    assert!(
        said.data.contains("drover commit -n overview shop-1\n"),
        "{said:?}"
    );
    assert!(said.data.contains("seoul"), "{said:?}");
    assert!(
        said.data.lines().all(|line| line.chars().count() <= 80),
        "{}",
        said.data
    );

    let report = world.drover(&["get", "-o", "json"]).fine().json();
    assert_eq!(report["apiVersion"], "drover.dev/v1alpha1");
    assert_eq!(report["kind"], "Overview");
    assert_eq!(report["plans"][0]["actual"], "secondary");
}

#[test]
fn objects_are_shown_as_tables_names_and_data() {
    let world = with_run("get");
    let said = world.drover(&["get", "runs"]).fine();
    assert!(said.data.starts_with("NAME"), "{said:?}");
    assert!(said.data.contains("shop-1"), "{said:?}");
    let said = world.drover(&["get", "plan", "-o", "name"]).fine();
    assert_eq!(said.data, "recoveryplan.drover.dev/shop\n");
    world.kubectl_here(&["get", said.data.trim()]).fine();
    let one = world
        .drover(&["get", "plan", "shop", "-o", "json"])
        .fine()
        .json();
    assert_eq!(one["kind"], "RecoveryPlan");
    assert_eq!(one["spec"], world.object("recoveryplan", "shop")["spec"]);
    let list = world.drover(&["get", "rp", "-o", "json"]).fine().json();
    assert_eq!(
        (&list["kind"], list["items"].as_array().unwrap().len()),
        (&json!("List"), 1)
    );
    let said = world.drover(&["get", "plan", "shop", "-o", "yaml"]).fine();
    assert!(said.data.contains("kind: RecoveryPlan\n"), "{said:?}");
    let said = world.drover(&["get", "drills"]).fine();
    assert_eq!(said.talk, "there are no recoverydrills in namespace get\n");
    let said = world.drover(&["get", "plan", "shpo"]).wrong();
    assert!(said.talk.contains("hint: did you mean shop?"), "{said:?}");
}

#[test]
fn a_watch_shows_what_changes() {
    let world = shop("watch");
    let mut child = world.command(&["get", "plans", "-w"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("NAME"));
    assert!(lines.next().unwrap().starts_with("shop "));
    world.set_status(
        "recoveryplan",
        "shop",
        &json!({ "activeSite": "primary", "currentRun": "shop-1" }),
    );
    assert!(lines.next().unwrap().contains("shop-1"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_description_holds_what_matters() {
    let world = with_run("describe");
    let plan = world.drover(&["describe", "plan", "shop"]).fine().data;
    for part in [
        "RecoveryPlan describe/shop: CommitPending",
        "primary (seoul)",
        "secondary (busan)",
        "Run shop-1: unplanned failover, seoul → busan",
        "drover commit -n describe shop-1",
        "Last runs",
    ] {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    let run = world.drover(&["describe", "run", "shop-1"]).fine().data;
    assert!(run.contains("Waiting for a person"), "{run}");
    for (kind, name) in [
        ("group", "shop-data"),
        ("site", "seoul"),
        ("policy", "gold"),
    ] {
        let said = world.drover(&["describe", kind, name]).fine();
        assert!(said.data.contains(name), "{said:?}");
    }
}

#[test]
fn a_report_is_the_same_facts_in_three_forms() {
    // SPEC: RD-5
    let world = with_run("report");
    let text = world.drover(&["report", "shop-1"]).fine().data;
    assert!(text.contains("10m, within the objective of 15m"), "{text}");
    let json = world
        .drover(&["report", "shop-1", "--format", "json"])
        .fine()
        .json();
    assert_eq!(json["apiVersion"], "drover.dev/report/v1alpha1");
    assert_eq!(json["rto"]["met"], true);
    assert_eq!(json["members"][0]["point"]["loss"], "2m");
    let markdown = world
        .drover(&["report", "shop-1", "--format", "markdown"])
        .fine()
        .data;
    assert!(
        markdown.starts_with("## Run `report/shop-1`: "),
        "{markdown}"
    );
    let page = ["report", "shop-1", "--format", "html"];
    let page = world.drover(&page).fine().data;
    assert!(
        page.contains("<h1><small>Run</small> report/shop-1</h1>"),
        "{page}"
    );
    // Evidence outlives its plan, and says the same.
    world.drover(&["delete", "plan", "shop", "--yes"]).fine();
    let again = world.drover(&["report", "shop-1", "--format", "json"]);
    assert_eq!(again.fine().json()["factsDigest"], json["factsDigest"]);
}

#[test]
fn evidence_that_is_not_there_is_asked_for_with_a_hint() {
    // SPEC: RD-5
    let world = with_run("no-report");
    let said = world.drover(&["report", "shop-11"]).wrong();
    assert!(said.talk.contains("hint: did you mean shop-1?"), "{said:?}");
    let said = world.drover(&["report", "drill/november"]).wrong();
    assert!(said.talk.contains("there is no RecoveryDrill"), "{said:?}");
    let said = world.drover(&["report", "--since", "2026-11-02", "--until", "2026-11-01"]);
    let said = said.wrong();
    assert!(said.talk.contains("ends before it begins"), "{said:?}");
}

#[test]
fn a_plan_that_is_applied_knows_the_revision_of_its_manifests() {
    // SPEC: RD-5
    let world = shop("revision");
    let apply = ["apply", ".", "--revision", "4f1d2c0"];
    let said = world.drover(&apply).fine();
    let configured = said.data.matches(" configured").count();
    assert_eq!(configured, 1, "the plan, and nothing else: {said:?}");
    let plan = world.object("recoveryplan", "shop");
    let annotations = &plan["metadata"]["annotations"];
    assert_eq!(annotations["drover.dev/revision"], "4f1d2c0");
    // What is applied without one is of none that is known.
    world.drover(&["apply", "."]).fine();
    let plan = world.object("recoveryplan", "shop");
    let annotations = &plan["metadata"]["annotations"];
    assert!(
        annotations.get("drover.dev/revision").is_none(),
        "{annotations}"
    );
}

#[test]
fn waiting_ends_when_it_is_so() {
    // SPEC: KU-2
    let world = with_run("wait");
    let said = world
        .drover(&["wait", "run/shop-1", "--for", "phase=CommitPending"])
        .fine();
    assert_eq!(said.data, "recoveryrun/shop-1 has phase CommitPending\n");
    world
        .drover(&["wait", "plan/shop", "--for", "condition=Ready"])
        .fine();

    let waiting = world
        .command(&["wait", "run/shop-1", "--for", "phase=Committed"])
        .spawn()
        .unwrap();
    world.set_status("recoveryrun", "shop-1", &json!({ "phase": "Committing" }));
    world.set_status("recoveryrun", "shop-1", &json!({ "phase": "Committed" }));
    Said::from(waiting.wait_with_output().unwrap()).fine();

    let deleted = ["wait", "plan/shop", "--for", "delete"];
    let waiting = world.command(&deleted).spawn().unwrap();
    world
        .kubectl_here(&["delete", "recoveryplan", "shop"])
        .fine();
    Said::from(waiting.wait_with_output().unwrap()).fine();
    world.drover(&deleted).fine();
}

#[test]
fn waiting_says_what_was_so_at_the_end() {
    let world = with_run("wait-over");
    let said = world.drover(&[
        "wait",
        "plan/shop",
        "--for",
        "condition=Ready=False",
        "--timeout",
        "50ms",
    ]);
    let said = said.wrong();
    assert!(said.talk.contains("timed out after 50ms"), "{said:?}");
    let said = world
        .drover(&["wait", "plan/nobody", "--for", "condition=Ready"])
        .wrong();
    assert!(said.talk.contains("there is no RecoveryPlan"), "{said:?}");
    world.set_status("recoveryrun", "shop-1", &json!({ "phase": "Cancelled" }));
    let said = world
        .drover(&["wait", "run/shop-1", "--for", "phase=Committed"])
        .wrong();
    assert!(
        said.talk.contains("will not come: phase Cancelled"),
        "{said:?}"
    );
}

#[test]
fn events_of_others_are_left_out() {
    let world = shop("events");
    world.make(
        "
apiVersion: v1
kind: Event
metadata: { name: shop.1, namespace: NAMESPACE }
involvedObject: { apiVersion: drover.dev/v1alpha1, kind: RecoveryPlan, name: shop, namespace: NAMESPACE }
reason: RunStarted
message: run shop-1 was started
type: Normal
count: 3
lastTimestamp: 2026-11-20T14:00:00Z
---
apiVersion: v1
kind: Event
metadata: { name: pod.1, namespace: NAMESPACE }
involvedObject: { apiVersion: v1, kind: Pod, name: shop, namespace: NAMESPACE }
reason: Pulled
message: an image
type: Normal
",
    );
    let said = world.drover(&["events"]).fine();
    assert!(
        said.data.contains("run shop-1 was started (3 times)"),
        "{said:?}"
    );
    assert!(!said.data.contains("Pulled"), "{said:?}");
    world.drover(&["events", "plan/shop"]).fine();
    let said = world.drover(&["events", "plan/other"]).fine();
    assert_eq!(
        (said.data.as_str(), said.talk.as_str()),
        ("", "nothing happened lately\n")
    );
    let list = world.drover(&["events", "-o", "json"]).fine().json();
    assert_eq!(list["items"][0]["kind"], "Event");
}
