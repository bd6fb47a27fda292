//! What is left of a drill and of a failover: reports that can be made again and checked, and recorded runs
//! that a rehearsal goes by.

use std::fs;
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;
use serde_json::Value;

use crate::process::Home;

const REVISION: &str = "4f1d2c0a9be37d5518c6a2f00b7e93d1c4a85f62";

#[test]
fn a_drill_and_a_failover_leave_evidence_and_figures() {
    // SPEC: RD-2, RD-5, RD-4, PL-5, PL-10, PL-11, PL-12
    let mut home = Home::new();
    // Whoever applies manifests says which revision they are of.
    let declared = "namespace: shop }\nspec:";
    let revised =
        format!("namespace: shop, annotations: {{ drover.dev/revision: {REVISION} }} }}\nspec:");
    home.edit("plan.yaml", declared, &revised);
    lived(&mut home);

    // A run, in each form.
    let kept = home.drover(&["report", "shop-2", "--format", "json"]);
    let report: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(report["revision"], REVISION);
    assert_eq!(report["result"]["verdict"], "succeeded");
    assert_eq!(report["rto"]["objective"], "15m");
    assert_eq!(report["rto"]["met"], true);
    assert_eq!(report["members"].as_array().unwrap().len(), 12);
    let decisions = report["decisions"].as_array().unwrap();
    let decided: Vec<&Value> = decisions.iter().map(|each| &each["action"]).collect();
    assert_eq!(decided, ["Approve", "Commit"]);
    let digest = report["factsDigest"].as_str().unwrap();
    for format in ["text", "markdown", "html"] {
        let said = home.drover(&["report", "run/shop-2", "--format", format]);
        assert!(said.contains(digest) && said.contains(REVISION), "{said}");
    }

    // The drill that the guard of the plan goes by.
    let drill = home.drover(&["report", "drill/shop-november", "--format", "json"]);
    let drill: Value = serde_json::from_str(&drill).unwrap();
    assert_eq!(drill["run"]["name"], "shop-1");
    assert_eq!(drill["drill"]["result"], "Passed");

    checked(&home, &kept);
    told_of_a_period(&home, digest);
    simulated(&home);
    drifted(&home);
}

/// What differs is told of by an operator that lives, and nothing is not taken for good news.
fn drifted(home: &Home) {
    let said = home.tried(&["drift", "-A", "--format", "json"]);
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(report["kind"], "DriftReport");
    assert_eq!(report["machines"], 12);
    let time = |field: &str| {
        report[field]
            .as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
    };
    let age = time("at").duration_since(time("operatorSeen"));
    assert!(age.as_secs() < 120, "{report}");

    let said = home.tried(&["drift", "--namespace", "elsewhere"]);
    assert_eq!(said.status.code(), Some(1));
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(words.contains("-A in all of them"), "{words}");
}

/// A drill, then a failover, until that is committed.
fn lived(home: &mut Home) {
    home.start(&[]);
    home.until("drill shop/shop-november: Standing, Passed");
    home.kubectl(&["delete", "recoverydrill", "shop-november"]);
    home.until("drill shop/shop-november: gone");
    home.kubectl(&["wait", "rp/shop", "--for=condition=FailoverReady"]);
    let patch = r#"{"spec":{"activeSite":"secondary"}}"#;
    home.kubectl(&["patch", "rp", "shop", "--type=merge", "--patch", patch]);
    home.until("the step web/business-says-go needs 1 approval");
    home.decide("shop-2", "Approve", Some(("web", "business-says-go")));
    home.until("run shop/shop-2: CommitPending: 12 of 12 machines healthy");
    home.decide("shop-2", "Commit", None);
    home.until("run shop/shop-2: Committed");
}

/// A report that was kept is as it was printed, or it is not.
fn checked(home: &Home, kept: &str) {
    let path = home.path("kept.json");
    fs::write(&path, kept).unwrap();
    let verify = ["report", "--verify", "kept.json"];
    assert!(home.drover(&verify).contains("facts and digest agree"));
    let changed = kept.replace("\"by\": \"kim\"", "\"by\": \"lee\"");
    assert_ne!(changed, kept);
    fs::write(&path, changed).unwrap();
    let said = home.tried(&verify);
    assert_eq!(said.status.code(), Some(1));
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(
        words.contains("run shop/shop-2: the digest says"),
        "{words}"
    );
    fs::write(&path, "apiVersion: v1").unwrap();
    assert_eq!(home.tried(&verify).status.code(), Some(1));
}

fn told_of_a_period(home: &Home, digest: &str) {
    let asked = ["report", "--since", "2020-01-01", "--format", "json"];
    let period = home.drover(&asked);
    fs::write(home.path("period.json"), &period).unwrap();
    let said = home.drover(&["report", "--verify", "period.json"]);
    assert_eq!(said.lines().count(), 3, "two runs and the period: {said}");
    let period: Value = serde_json::from_str(&period).unwrap();
    // A run says the same there.
    assert_eq!(period["runs"][1]["factsDigest"], digest);
    let plan = &period["plans"][0];
    assert_eq!(plan["drills"]["passed"], 1);
    assert_eq!(plan["guard"]["holds"], true);
    assert_eq!(plan["lastGreenDrill"]["run"], "shop-1");
    let page = home.drover(&["report", "--since", "2020-01-01", "--format", "html"]);
    assert_eq!(page.matches("<article class=\"inner\">").count(), 2);
}

/// Lengths are those of the run that was recorded, and no longer the fabric's.
fn simulated(home: &Home) {
    let manifests = "shop";
    for (kind, file) in [
        ("recoveryruns", "runs.yaml"),
        ("machineruns", "machines.yaml"),
    ] {
        let saved = home.drover(&["get", kind, "-o", "yaml"]);
        fs::write(home.path(file), saved).unwrap();
    }
    let simulate = |paths: &[&str]| -> Value {
        let mut arguments = vec!["simulate"];
        arguments.extend(paths);
        arguments.extend(["--to", "secondary", "--spread", "0", "--format", "json"]);
        let output = home.tried(&arguments);
        let json = serde_json::from_slice(&output.stdout);
        json.unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let seconds = |report: &Value| report["summary"]["rto"]["p50"].as_f64().unwrap();
    let estimated = simulate(&[manifests]);
    let recorded = simulate(&[manifests, "runs.yaml", "machines.yaml"]);
    // These sites answer at once, so what was recorded is far below what is usual.
    assert!(
        seconds(&recorded) < seconds(&estimated) / 2.0,
        "{} and {}",
        recorded["summary"],
        estimated["summary"]
    );
}

impl Home {
    /// Runs drover in the folder and in the namespace of the shop; it must succeed.
    #[track_caller]
    fn drover(&self, arguments: &[&str]) -> String {
        let mut all = arguments.to_vec();
        all.extend(["--namespace", "shop"]);
        let output = self.tried(&all);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, however it ends.
    fn tried(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_drover"))
            .args(arguments)
            .current_dir(self.path("."))
            .env("KUBECONFIG", self.path("data/kubeconfig"))
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}
