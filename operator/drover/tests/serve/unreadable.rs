//! An object that a real API server takes and nobody can read.

use crate::cluster::Cluster;
use crate::process::Process;

const SITES: &str = "
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: mars }
spec: { fabric: { simulator: {} }, timeZone: Mars/Olympus }
---
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: seoul }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
";

#[test]
fn an_object_that_cannot_be_read_stops_nobody() {
    // SPEC: BI-1, KU-1
    let cluster = Cluster::new();
    cluster.apply(SITES);
    let mut process = Process::start(&cluster, &["--no-webhook"]);
    process.until("heard everything that there is");
    let ready = [
        "wait",
        "site/seoul",
        "--for=condition=Ready",
        "--timeout=300s",
    ];
    cluster.kubectl(&ready);
    let stalled = [
        "wait",
        "site/mars",
        "--for=condition=Stalled",
        "--timeout=300s",
    ];
    cluster.kubectl(&stalled);
    let mars = cluster.object("site", "mars");
    let conditions = mars["status"]["conditions"].as_array().unwrap();
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready");
    let ready = ready.unwrap();
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&"False".into(), &"Invalid".into())
    );
    assert!(
        ready["message"].as_str().unwrap().contains("spec.timeZone"),
        "{ready}"
    );
    let (_, metrics) = process.get("/metrics");
    assert!(
        metrics.contains(r#"drover_unreadable_objects{kind="Site"} 1"#),
        "{metrics}"
    );

    let patch = r#"{"spec":{"timeZone":"Asia/Seoul"}}"#;
    cluster.kubectl(&["patch", "site", "mars", "--type=merge", "--patch", patch]);
    let mended = [
        "wait",
        "site/mars",
        "--for=condition=Ready",
        "--timeout=300s",
    ];
    cluster.kubectl(&mended);
}
