//! The webhook: an API server refuses what `drover validate` refuses, with the same words.

use std::collections::BTreeSet;

use drover_api::KINDS;
use drover_tests::corpus::{self, Broken, Expect};
use drover_tests::manifests::{self, Document};
use serde_json::json;

use crate::cluster::{Cluster, quickstart};
use crate::process::Process;

/// A process that never leads, because somebody else has the lease for a day; it serves the webhook.
struct Served {
    cluster: Cluster,
    _process: Process,
}

impl Served {
    fn new() -> Self {
        let cluster = Cluster::new();
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": "drover", "namespace": "default" },
            "spec": { "holderIdentity": "somebody", "leaseDurationSeconds": 86400 },
        });
        cluster.apply(&lease.to_string());
        let arguments = [
            "--webhook-listen",
            "127.0.0.1:0",
            "--webhook-config",
            "drover",
        ];
        let mut process = Process::start(&cluster, &arguments);
        let line = process.until("serves /validate");
        let address = line["address"].as_str().unwrap();
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "drover" },
            "webhooks": [{
                "name": "validate.drover.dev",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": { "url": format!("https://{address}/validate") },
                "rules": [{
                    "apiGroups": ["drover.dev"],
                    "apiVersions": ["v1alpha1"],
                    "resources": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                }],
            }],
        });
        cluster.apply(&configuration.to_string());
        process.until("the API server trusts the webhook");
        let served = Self {
            cluster,
            _process: process,
        };
        served.until_asked();
        served
    }

    /// An API server begins to ask a while after it is told to.
    fn until_asked(&self) {
        let site = "
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: mars }
spec: { fabric: { simulator: {} }, timeZone: Mars/Olympus }
";
        let create = ["create", "--dry-run=server", "--filename=-"];
        loop {
            let said = self.cluster.try_kubectl(&create, site);
            if said.talk.contains("denied the request") {
                return;
            }
        }
    }

    /// Offers a file document by document, in the order of `drover apply`, and takes it away again.
    fn offer(&self, file: &Broken) -> Result<(), String> {
        let mut documents: Vec<Document> = manifests::documents(&file.text)
            .map_err(|error| error.to_string())?
            .into_iter()
            .filter(Document::is_ours)
            .collect();
        let rank = |document: &Document| KINDS.iter().position(|info| info.kind == document.kind());
        documents.sort_by_key(rank);
        let text: Vec<&str> = documents.iter().map(|document| &*document.text).collect();
        let text = text.join("\n---\n");
        let create = ["create", "--validate=ignore", "--filename=-"];
        let said = self.cluster.anywhere(&create, &text);
        let delete = ["delete", "--ignore-not-found", "--filename=-"];
        self.cluster.anywhere(&delete, &text);
        if said.fine {
            return Err("it was taken".to_owned());
        }
        if said.talk.contains(&file.says) {
            Ok(())
        } else {
            Err(format!("it does not say `{}`:\n{}", file.says, said.talk))
        }
    }
}

/// Two objects of one name in one file: for an API server the second is there already.
const FOR_FILES_ONLY: &[&str] = &["engine-duplicate-object"];

#[test]
fn what_validate_refuses_is_refused_with_the_same_words() {
    // SPEC: BI-1, PL-12, KU-1
    let served = Served::new();
    let mut files = corpus::broken().unwrap();
    files.retain(|file| {
        file.expect == Expect::Engine && !FOR_FILES_ONLY.contains(&file.name().as_str())
    });
    let namespaces: BTreeSet<String> = files
        .iter()
        .flat_map(|file| manifests::documents(&file.text).unwrap())
        .filter_map(|document| document.namespace().map(str::to_owned))
        .filter(|name| name != "shop" && name != "default")
        .collect();
    for namespace in &namespaces {
        served.cluster.kubectl(&["create", "namespace", namespace]);
    }
    let problems: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let problem = served.offer(file).err()?;
            Some(format!("{}: {problem}", file.name()))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));

    // What is in order is taken, and what is changed is judged as it then is.
    served.cluster.apply(&quickstart());
    let patch = r#"{"spec":{"groups":[{"name":"data","protectionGroups":["nobody"]}]}}"#;
    let arguments = ["patch", "rp", "shop", "--type=merge", "--patch", patch];
    let said = served.cluster.try_kubectl(&arguments, "");
    assert!(!said.fine && said.talk.contains("nobody"), "{}", said.talk);
    // A finalizer comes and goes whatever is wrong.
    let arguments = ["annotate", "rp", "shop", "note=looked-at"];
    served.cluster.kubectl(&arguments);
    // A warning is shown, and the object is taken.
    let patch = r#"{"spec":{"guards":{"drillNotOlderThan":"10d"}}}"#;
    let arguments = ["patch", "rp", "shop", "--type=merge", "--patch", patch];
    let said = served.cluster.try_kubectl(&arguments, "");
    assert!(
        said.fine && said.talk.contains("Warning: "),
        "{}",
        said.talk
    );
}
