//! Actions that reach what is real: name servers and web servers, on loopback, each started by its test. The
//! sites are simulated all the same. One file for each idea.
//!
//! Servers take real time, so these tests do too.

#![cfg(test)]

#[path = "../lab/mod.rs"]
mod lab;

mod dns;
mod http;
mod name_server;
mod slow_answer;
mod web_server;

use drover_api::{ActionRecord, ActionState};
use drover_simulator::Latency;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use lab::{Lab, Shop, shop};
use serde_json::{Value, json};

/// The shop with one action after its databases, at sites that answer for no zone.
fn after_data(action: &Value) -> Shop {
    let real = json!({"fabric": {"simulator": {"zones": []}}});
    shop().sites(&real).plan(&json!({"groups": [
        {"name": "data", "protectionGroups": ["data"], "after": [action]},
        {"name": "web", "protectionGroups": ["web"]},
    ]}))
}

async fn lab() -> Lab {
    Lab::new(Latency::Zero).await
}

async fn secret(lab: &Lab, name: &str, entries: Value) {
    let secret = json!({"metadata": {"name": name}, "stringData": entries});
    let mut secret: Secret = serde_json::from_value(secret).unwrap();
    // An API server does this itself.
    let plain = secret.string_data.take().unwrap_or_default().into_iter();
    let data = plain.map(|(name, value)| (name, k8s_openapi::ByteString(value.into_bytes())));
    secret.data = Some(data.collect());
    let api: Api<Secret> = Api::namespaced(lab.client.clone(), "default");
    api.create(&PostParams::default(), &secret).await.unwrap();
}

/// What is on record of the action.
async fn record(lab: &Lab, run: &str) -> ActionRecord {
    let status = lab.run(run).await.unwrap().status.unwrap();
    status.record.groups[0].after[0].clone()
}

/// Waits until the action has finally failed, and says why.
async fn failure(lab: &mut Lab, run: &str) -> String {
    lab.until_phase(run, drover_api::RunPhase::Halted).await;
    let action = record(lab, run).await;
    assert_eq!(action.state, ActionState::Failed);
    action.error.unwrap()
}
