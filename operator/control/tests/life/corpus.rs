//! What is wrong between objects is told where people look: without a webhook an API server takes each of
//! these manifests, and then a condition says what `drover validate` says. Nothing else is disturbed.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_api::{KINDS, RunPhase};
use drover_simulator::Latency;
use drover_tests::corpus::{self, Broken, Expect};
use drover_tests::manifests::{self, Document};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::json;

use crate::lab::{Lab, Shop, shop};

/// Files that an API never has as they are: two objects of one name in one file.
const FOR_FILES_ONLY: &[&str] = &["engine-duplicate-object"];

/// The shop of others, at sites of their own.
fn bystander() -> Shop {
    let text: Vec<String> = shop().objects().map(ToString::to_string).collect();
    let text = text.join("\n---\n").replace("seoul", "daegu");
    Shop::read(&text.replace("busan", "ulsan"))
}

fn rank(document: &Document) -> Option<usize> {
    KINDS.iter().position(|info| info.kind == document.kind())
}

fn resource(kind: &str) -> (ApiResource, bool) {
    let info = KINDS.iter().find(|info| info.kind == kind).unwrap();
    let gvk = GroupVersionKind::gvk("drover.dev", "v1alpha1", kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, info.plural);
    (resource, info.namespaced)
}

fn api_of(lab: &Lab, document: &Document) -> Api<DynamicObject> {
    let (resource, namespaced) = resource(document.kind());
    let namespace = document.namespace().unwrap_or("default");
    if namespaced {
        Api::namespaced_with(lab.client.clone(), namespace, &resource)
    } else {
        Api::all_with(lab.client.clone(), &resource)
    }
}

/// Every message of every condition of a kind of Drover.
async fn messages(lab: &Lab) -> Vec<String> {
    let mut messages = Vec::new();
    for info in KINDS {
        let (resource, _) = resource(info.kind);
        let api: Api<DynamicObject> = Api::all_with(lab.client.clone(), &resource);
        for object in api.list(&ListParams::default()).await.unwrap() {
            let conditions = object.data["status"]["conditions"].as_array().cloned();
            let conditions = conditions.unwrap_or_default().into_iter();
            let told = conditions.filter_map(|one| one["message"].as_str().map(str::to_owned));
            messages.extend(told);
        }
    }
    messages
}

/// Declares a file beside the shop of others, and waits until it is told what is wrong with it.
async fn told(file: &Broken) -> Result<(), String> {
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&bystander()).await;
    let mut documents: Vec<Document> = manifests::documents(&file.text).unwrap();
    documents.retain(Document::is_ours);
    documents.sort_by_key(rank);
    let namespaces: BTreeSet<&str> = documents.iter().filter_map(Document::namespace).collect();
    let api: Api<Namespace> = Api::all(lab.client.clone());
    for name in namespaces.into_iter().filter(|name| *name != "default") {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        api.create(&PostParams::default(), &namespace)
            .await
            .unwrap();
    }
    for document in &documents {
        let object: DynamicObject = serde_json::from_value(document.value.clone()).unwrap();
        api_of(&lab, document)
            .create(&PostParams::default(), &object)
            .await
            .map_err(|error| format!("refused: {error}"))?;
        // Objects that a person writes one after the other.
        lab.pass(Duration::from_secs(1)).await;
    }
    let mut found = Vec::new();
    for _ in 0..120 {
        found = messages(&lab).await;
        if found.iter().any(|message| message.contains(&file.says)) {
            // The shop of others is as it was, and can be failed over.
            lab.until_protected().await;
            lab.change_plan(json!({"activeSite": "secondary"})).await;
            lab.until_phase("shop-1", RunPhase::CommitPending).await;
            lab.sound();
            return Ok(());
        }
        lab.pass(Duration::from_millis(500)).await;
    }
    Err(format!(
        "nobody says `{}`, but:\n{}",
        file.says,
        found.join("\n")
    ))
}

#[tokio::test(start_paused = true)]
async fn what_validate_refuses_is_told_in_a_condition() {
    // SPEC: BI-1, KU-1
    let mut files = corpus::broken().unwrap();
    files.retain(|file| {
        file.expect == Expect::Engine && !FOR_FILES_ONLY.contains(&file.name().as_str())
    });
    assert!(files.len() > 50);
    let mut problems = Vec::new();
    for file in &files {
        if let Err(problem) = told(file).await {
            problems.push(format!("{}: {problem}", file.name()));
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        files.len(),
        problems.join("\n\n")
    );
}
