//! The embedded API answers as a real kube-apiserver does.
//!
//! One script of requests is sent to both, over HTTPS. Codes, reasons and bodies must be the same,
//! but for what differs between any two servers: uids, times, resource versions, field managers.
#![cfg(test)]
#![recursion_limit = "256"]

#[path = "embedded_matches/script.rs"]
mod script;

use std::collections::BTreeMap;

use drover_embedded::{Api, Options, ServeOptions};
use drover_tests::controlplane::ControlPlane;
use http::{Request, header};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use script::{Compared, Step, script};
use serde_json::{Value, json};

/// What one server said to one step.
#[derive(Debug, PartialEq)]
struct Said {
    code: u16,
    body: Value,
    warnings: Vec<String>,
}

#[test]
fn a_script_of_requests_is_answered_the_same_by_both() {
    // SPEC: KU-4
    let real = ControlPlane::start_with_controllers().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(real.kubeconfig_path()).unwrap();
        let api = Api::open(Options::default()).await.unwrap();
        let server = api.serve(ServeOptions::default()).await.unwrap();
        let embedded = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
        let (real, embedded) = (client(kubeconfig).await, client(embedded).await);
        let mut differences = Vec::new();
        let (mut known_real, mut known_embedded) = (Known::default(), Known::default());
        for step in script() {
            let expected = said(&real, &step, &mut known_real).await;
            let found = said(&embedded, &step, &mut known_embedded).await;
            if expected != found {
                differences.push(difference(&step, &expected, &found));
            }
        }
        assert!(
            differences.is_empty(),
            "{} differences:\n\n{}",
            differences.len(),
            differences.join("\n")
        );
    });
}

async fn client(config: Kubeconfig) -> Client {
    Client::try_from(
        Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .unwrap(),
    )
    .unwrap()
}

/// What a server gave to objects by itself, by the object's name, for later steps to send back.
#[derive(Debug, Default)]
struct Known {
    uids: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
}

impl Known {
    /// Puts `{uid:NAME}` and `{version:NAME}` in their places.
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (kind, values) in [("uid", &self.uids), ("version", &self.versions)] {
            for (name, value) in values {
                text = text.replace(&format!("{{{kind}:{name}}}"), value);
            }
        }
        text
    }

    fn learn(&mut self, body: &Value) {
        let metadata = &body["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(name) = text(&metadata["name"]) {
            if let Some(uid) = text(&metadata["uid"]) {
                self.uids.insert(name.clone(), uid);
            }
            if let Some(version) = text(&metadata["resourceVersion"]) {
                self.versions.insert(name, version);
            }
        }
    }
}

async fn said(client: &Client, step: &Step, known: &mut Known) -> Said {
    // Controllers act in their own time; some steps wait until they have.
    for _ in 0..200 {
        let said = once(client, step, known).await;
        if step.until.is_none_or(|code| code == said.code) {
            return said;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!(
        "{} {} never came to {:?}",
        step.method, step.path, step.until
    );
}

async fn once(client: &Client, step: &Step, known: &mut Known) -> Said {
    let request = Request::builder()
        .method(step.method)
        .uri(known.fill(step.path))
        .header(header::CONTENT_TYPE, step.content_type)
        .header(header::ACCEPT, step.accept)
        .body(Body::from(known.fill(&step.body).into_bytes()))
        .unwrap();
    let answer = client.send(request).await.unwrap();
    let code = answer.status().as_u16();
    let mut warnings: Vec<String> = answer
        .headers()
        .get_all(header::WARNING)
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    warnings.sort();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let mut body: Value =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    known.learn(&body);
    let mut text = Vec::new();
    normalise(&mut body, step, &mut text);
    match step.compared {
        Compared::All => Said {
            code,
            body,
            warnings,
        },
        Compared::AllButWords => Said {
            code,
            body,
            warnings: Vec::new(),
        },
        Compared::Code => Said {
            code,
            body: Value::Null,
            warnings: Vec::new(),
        },
    }
}

/// Takes out what differs between any two servers.
fn normalise(value: &mut Value, step: &Step, path: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            // The real server makes it up from its storage.
            fields.remove("storageVersionHash");
            fields.retain(|field, value| !(value.is_null() || field == "continue" && value == ""));
            if fields.get("kind").is_some_and(|kind| kind == "Status")
                && step.compared == Compared::AllButWords
            {
                fields.remove("message");
                if let Some(Value::Object(details)) = fields.get_mut("details") {
                    details.remove("causes");
                }
            }
            for (key, value) in fields.iter_mut() {
                let is_own = [
                    "uid",
                    "creationTimestamp",
                    "deletionTimestamp",
                    "resourceVersion",
                    "lastTransitionTime",
                    "continue",
                    "retryAfterSeconds",
                ];
                if is_own.contains(&key.as_str()) && value.is_string() {
                    *value = json!("*");
                } else {
                    path.push(key.clone());
                    normalise(value, step, path);
                    path.pop();
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| normalise(item, step, path)),
        _ => {}
    }
}

fn difference(step: &Step, expected: &Said, found: &Said) -> String {
    let shown = |said: &Said| format!("{} {:?}\n{:#}", said.code, said.warnings, said.body);
    format!(
        "== {}: {} {}\n-- kube-apiserver\n{}\n-- embedded\n{}\n",
        step.about,
        step.method,
        step.path,
        shown(expected),
        shown(found)
    )
}
