//! The embedded API answers as a real kube-apiserver does.
//!
//! One script of requests is sent to both, over HTTPS. Codes, media types, reasons and bodies must be
//! the same, but for what differs between any two servers: uids, times, resource versions, field
//! managers. Where the embedded API answers otherwise on purpose, the difference has a name, and is in
//! the table of `docs/embedded-api.md`; a difference without a name fails, and so does one that is gone.
#![cfg(test)]

#[path = "embedded_matches/asking.rs"]
mod asking;
#[path = "embedded_matches/differences.rs"]
mod differences;
#[path = "embedded_matches/script.rs"]
mod script;

use asking::Server;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use differences::Judge;
use drover_embedded::{Api, Limits, Options, ServeOptions};
use drover_tests::controlplane::ControlPlane;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use script::script;
use serde_json::{Value, json};

/// Few enough that the script outlives what the embedded API remembers of a kind.
const HISTORY: usize = 128;

#[test]
fn a_script_of_requests_is_answered_the_same_by_both() {
    // SPEC: KU-4
    let mut real = ControlPlane::start_with_controllers().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let wrong = runtime.block_on(compare(&mut real));
    assert!(
        wrong.is_empty(),
        "{} differences:\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

async fn compare(control_plane: &mut ControlPlane) -> Vec<String> {
    let limits = Limits {
        history_events: HISTORY,
        ..Limits::default()
    };
    let api = Api::open(Options {
        limits,
        ..Options::default()
    })
    .await
    .unwrap();
    let server = api.serve(ServeOptions::default()).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(control_plane.kubeconfig_path()).unwrap();
    let mark = |mark: Value| URL_SAFE_NO_PAD.encode(mark.to_string());
    let mut real = Server::new(
        client(kubeconfig).await,
        mark(json!({ "v": "meta.k8s.io/v1", "rv": 1, "start": "shop/a\u{0}" })),
    );
    let mut embedded = Server::new(
        client(Kubeconfig::from_yaml(&server.kubeconfig()).unwrap()).await,
        mark(json!({ "v": 1, "namespace": "shop", "name": "a" })),
    );
    let script = script();
    let mut judge = Judge::new();
    for asked in &script {
        if asked.method == "FORGET" {
            // The embedded API forgets by itself: the steps before this one fill its history.
            control_plane.compact_etcd().unwrap();
            continue;
        }
        let expected = real.answer(asked).await;
        let found = embedded.answer(asked).await;
        judge.compare(asked, &expected, &found);
    }
    println!("{} requests were compared", script.len());
    judge.finish()
}

async fn client(config: Kubeconfig) -> Client {
    let mut config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .unwrap();
    // An answer is compared, whatever it says about asking again.
    config.default_retry = false;
    Client::try_from(config).unwrap()
}
