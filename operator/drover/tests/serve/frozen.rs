//! A leader that was frozen in the middle of a failover, and believes that no time has passed.

use serde_json::Value;

use crate::cluster::{Cluster, quickstart};
use crate::process::Process;

#[test]
fn a_leader_that_was_frozen_does_nothing_more_when_it_wakes() {
    // SPEC: SA-3, SA-4, FO-7, BI-2
    let cluster = Cluster::new();
    let arguments = ["--no-webhook"];
    let mut first = Process::start(&cluster, &arguments);
    first.until("heard everything that there is");
    let mut second = Process::start(&cluster, &arguments);
    second.until("stands by");
    cluster.apply(&quickstart());
    let ready = [
        "wait",
        "rp/shop",
        "--for=condition=FailoverReady",
        "--timeout=300s",
    ];
    // The plan has a guard: no failover without a drill.
    let standing = "--for=jsonpath={.status.phase}=Standing";
    let drill = [
        "wait",
        "recoverydrill/shop-november",
        standing,
        "--timeout=300s",
    ];
    cluster.kubectl(&drill);
    cluster.kubectl(&["delete", "recoverydrill", "shop-november"]);
    cluster.kubectl(&ready);
    let patch = r#"{"spec":{"activeSite":"secondary"}}"#;
    cluster.kubectl(&["patch", "rp", "shop", "--type=merge", "--patch", patch]);
    let run = loop {
        let compiled = first.until("compiled");
        let run = compiled["run"].as_str().unwrap().to_owned();
        let kind = cluster.object("recoveryrun", &run)["spec"]["kind"].clone();
        if kind == "PlannedFailover" {
            break run;
        }
    };

    // It holds its lease and all that it had in mind; the world is nobody else's while it keeps it open.
    first.freeze();
    second.until("leads");
    second.until("heard everything that there is");
    let holder = holder(&cluster);
    first.thaw();
    first.until("leads no longer");

    let approval = "--for=condition=ApprovalPending";
    let of_run = format!("recoveryrun/{run}");
    cluster.kubectl(&["wait", &of_run, approval, "--timeout=300s"]);
    cluster.decide(&run, "Approve", Some(("web", "business-says-go")));
    let pending = "--for=jsonpath={.status.phase}=CommitPending";
    cluster.kubectl(&["wait", &of_run, pending, "--timeout=300s"]);
    let ended = cluster.object("recoveryrun", &run);
    assert_eq!(ended["status"]["machines"]["healthy"], 12);
    assert_eq!(ended["status"]["rpo"], "0s");
    assert_eq!(holder, self::holder(&cluster));
    // Each machine runs at one site.
    let moved = "--for=jsonpath={.status.activeSite}=secondary";
    cluster.kubectl(&["wait", "pm", "--all", moved, "--timeout=300s"]);
    let machines = cluster.kubectl(&["get", "protectedmachines", "--output", "json"]);
    let machines: Value = serde_json::from_str(&machines).unwrap();
    let machines = machines["items"].as_array().unwrap();
    assert_eq!(machines.len(), 12);
    for machine in machines {
        let instances = machine["status"]["instances"].as_array().unwrap();
        let running = instances.iter().filter(|at| at["state"] == "Healthy");
        let sites: Vec<_> = running.map(|at| at["site"].clone()).collect();
        assert_eq!(sites, ["secondary"], "{machine:#}");
    }
    assert_eq!(second.terminate().code(), Some(0));
}

fn holder(cluster: &Cluster) -> Value {
    let arguments = ["get", "lease", "drover", "--namespace", "default", "-ojson"];
    let said = cluster.anywhere(&arguments, "");
    assert!(said.fine, "{}", said.talk);
    let lease: Value = serde_json::from_str(&said.data).unwrap();
    lease["spec"]["holderIdentity"].clone()
}
