//! Two processes: one leads, the other carries on when it is gone.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::cluster::{Cluster, quickstart};
use crate::process::Process;

/// The metrics by name and labels.
fn metrics(process: &Process) -> Vec<(String, f64)> {
    let (status, text) = process.get("/metrics");
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// A level is exactly this.
#[track_caller]
fn is(metrics: &[(String, f64)], name: &str, wanted: f64) {
    let found = metric(metrics, name);
    assert!((found - wanted).abs() < 1e-9, "{name}: {found}");
}

#[track_caller]
fn metric(metrics: &[(String, f64)], name: &str) -> f64 {
    let found = metrics.iter().find(|(found, _)| found == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {metrics:#?}"))
        .1
}

/// Takes traces, as a collector does; gives its address and what it was sent.
fn collector() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let spans = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&spans);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let taken = Arc::clone(&taken);
            thread::spawn(move || take(stream, &taken));
        }
    });
    (address, spans)
}

fn take(stream: TcpStream, taken: &Mutex<Vec<Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let message: Value = serde_json::from_slice(&body).unwrap();
        let spans = &message["resourceSpans"][0]["scopeSpans"][0]["spans"];
        taken
            .lock()
            .unwrap()
            .extend(spans.as_array().unwrap().clone());
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        reader.get_mut().write_all(answer).ok()?;
    }
}

fn look_at_metrics(first: &Process, second: &Process) {
    let of_first = metrics(first);
    let plan = r#"{namespace="shop",plan="shop"}"#;
    is(&of_first, "drover_leader", 1.0);
    is(&of_first, &format!("drover_plan_ready{plan}"), 1.0);
    assert!(metric(&of_first, &format!("drover_plan_drill_age_seconds{plan}")) < 3600.0);
    let group = r#"{namespace="shop",group="shop-data"}"#;
    is(
        &of_first,
        &format!("drover_group_rpo_threshold_seconds{group}"),
        900.0,
    );
    assert!(metric(&of_first, &format!("drover_group_rpo_seconds{group}")) < 900.0);
    let protected =
        r#"drover_group_machines{namespace="shop",group="shop-data",phase="Protected"}"#;
    is(&of_first, protected, 2.0);
    let reached = r#"drover_run_duration_seconds_count{kind="TestFailover",phase="Standing"}"#;
    is(&of_first, reached, 1.0);
    assert!(
        of_first.iter().all(|(name, _)| !name.contains("db-1")),
        "{of_first:#?}"
    );
    // A standby knows nothing of plans, and says nothing.
    let of_second = metrics(second);
    is(&of_second, "drover_leader", 0.0);
    assert!(
        of_second
            .iter()
            .all(|(name, _)| !name.contains("drover_plan"))
    );
}

#[test]
fn a_failover_outlives_the_process_that_leads() {
    // SPEC: KU-3, KU-4, FO-7, SA-3, BI-2
    let cluster = Cluster::new();
    let (collector, spans) = collector();
    let arguments = ["--no-webhook", "--otlp-endpoint", &collector];
    let mut first = Process::start(&cluster, &arguments);
    first.until("heard everything that there is");
    let mut second = Process::start(&cluster, &arguments);
    second.until("stands by");
    for process in [&first, &second] {
        assert_eq!(process.get("/livez").0, 200);
        assert_eq!(process.get("/readyz").0, 200, "a standby is ready as well");
    }
    let wait_ready = [
        "wait",
        "rp/shop",
        "--for=condition=FailoverReady",
        "--timeout=300s",
    ];
    cluster.apply(&quickstart());
    let standing = "--for=jsonpath={.status.phase}=Standing";
    let drill = [
        "wait",
        "recoverydrill/shop-november",
        standing,
        "--timeout=300s",
    ];
    cluster.kubectl(&drill);
    cluster.kubectl(&["delete", "recoverydrill", "shop-november"]);
    cluster.kubectl(&wait_ready);

    look_at_metrics(&first, &second);

    let patch = r#"{"spec":{"activeSite":"secondary"}}"#;
    cluster.kubectl(&["patch", "rp", "shop", "--type=merge", "--patch", patch]);
    while first.until("compiled")["run"] != "shop-2" {}
    first.kill();
    let killed = Instant::now();
    second.until("leads");
    println!("killed: another leads after {:.1?}", killed.elapsed());
    second.until("heard everything that there is");
    println!("killed: it works after {:.1?}", killed.elapsed());
    let approval = "--for=condition=ApprovalPending";
    cluster.kubectl(&["wait", "recoveryrun/shop-2", approval, "--timeout=300s"]);
    cluster.decide("shop-2", "Approve", Some(("web", "business-says-go")));
    let pending = "--for=jsonpath={.status.phase}=CommitPending";
    cluster.kubectl(&["wait", "recoveryrun/shop-2", pending, "--timeout=300s"]);
    println!(
        "killed: its failover was done after {:.1?}",
        killed.elapsed()
    );
    let run = cluster.object("recoveryrun", "shop-2");
    assert_eq!(run["status"]["machines"]["healthy"], 12);
    assert_eq!(run["status"]["rpo"], "0s");

    // Told to end, it hands over.
    let mut third = Process::start(&cluster, &arguments);
    third.until("stands by");
    let told = Instant::now();
    let exit = second.terminate();
    assert_eq!(exit.code(), Some(0));
    let lease = cluster.kubectl(&["get", "lease", "drover", "-n", "default", "-o", "json"]);
    let lease: serde_json::Value = serde_json::from_str(&lease).unwrap();
    third.until("leads");
    println!("told to end: another leads after {:.1?}", told.elapsed());
    // The lease was given back: nobody waited for its end.
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    let acquired = &lease["spec"]["leaseTransitions"];
    assert!(holder.is_empty() || *acquired == 3, "{lease:#}");
    cluster.decide("shop-2", "Commit", None);
    let committed = "--for=jsonpath={.status.phase}=Committed";
    cluster.kubectl(&["wait", "recoveryrun/shop-2", committed, "--timeout=300s"]);
    assert_eq!(third.terminate().code(), Some(0));

    // Three processes carried it, and it is one trace.
    let uid = run["metadata"]["uid"].as_str().unwrap().replace('-', "");
    let spans = spans.lock().unwrap();
    let ours = spans.iter().filter(|span| span["traceId"] == *uid);
    let names: BTreeSet<&str> = ours.filter_map(|span| span["name"].as_str()).collect();
    for name in [
        "Leaving",
        "leave db-1",
        "Entering",
        "enter db-1",
        "PlannedFailover shop",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
}
