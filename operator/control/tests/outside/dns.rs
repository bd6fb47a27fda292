//! Records of a real zone follow the active site, and nothing else of it is touched.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use drover_api::{ActionState, DrillPhase, RecoveryDrill, RunPhase};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::name_server::{NameServer, fresh_secret};
use crate::slow_answer::SlowAnswer;
use crate::{after_data, failure, lab, record, secret};

const NAME: &str = "shop.example.com";

fn set<const N: usize>(addresses: [&str; N]) -> BTreeSet<String> {
    addresses.into_iter().map(str::to_owned).collect()
}

/// An action that moves the record at this server.
fn moves(server: &str, different: &[(&str, Value)]) -> Value {
    let mut dns = json!({
        "record": NAME,
        "primary": ["203.0.113.10"],
        "secondary": ["198.51.100.10"],
        "rfc2136": {"server": server, "zone": "example.com", "keySecretRef": {"name": "dns-key"}},
    });
    for (pointer, value) in different {
        *dns.pointer_mut(pointer).unwrap() = value.clone();
    }
    json!({"name": "clients", "dns": dns})
}

/// A laboratory whose action moves the record at this server, with its key.
async fn shop_at(server: &NameServer, action: &Value) -> Lab {
    let mut lab = lab().await;
    secret(&lab, "dns-key", server.key()).await;
    lab.protect(&after_data(action)).await;
    lab
}

async fn fail_over(lab: &mut Lab) {
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
}

#[tokio::test]
async fn a_record_that_was_not_there_is_written_and_follows_the_active_site_there_and_back() {
    // SPEC: NM-6, PL-4
    let server = NameServer::start("");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    assert_eq!(server.addresses(NAME), set([]));
    fail_over(&mut lab).await;
    assert_eq!(server.addresses(NAME), set(["198.51.100.10"]));
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    assert_eq!(server.addresses(NAME), set(["203.0.113.10"]));
    // The simulated world heard of none of it.
    assert_eq!(lab.world.record(NAME), None);
    lab.sound();
}

#[tokio::test]
async fn a_record_that_stands_as_wanted_is_not_written() {
    // SPEC: NM-6
    let server = NameServer::start("shop 30 A 198.51.100.10");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    let before = server.serial();
    fail_over(&mut lab).await;
    assert_eq!(server.serial(), before);
    assert_eq!(record(&lab, "shop-1").await.state, ActionState::Succeeded);
}

#[tokio::test]
async fn both_families_move_in_one_update() {
    // SPEC: NM-6
    let server = NameServer::start("shop A 203.0.113.10\nshop AAAA 2001:db8::10");
    let primary = json!(["203.0.113.10", "2001:db8::10"]);
    let action = moves(&server.address(), &[("/primary", primary)]);
    let mut lab = shop_at(&server, &action).await;
    let before = server.serial();
    fail_over(&mut lab).await;
    // The other site has no address of the other family, so nobody is sent to the old one.
    assert_eq!(server.addresses(NAME), set(["198.51.100.10"]));
    assert_eq!(server.serial(), before + 1);
}

#[tokio::test]
async fn a_record_that_somebody_else_wrote_is_left_alone() {
    // SPEC: SA-7
    let server = NameServer::start("shop A 192.0.2.99");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    let before = server.serial();
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("shop.example.com is 192.0.2.99"), "{why}");
    assert!(why.contains("remove that record"), "{why}");
    assert_eq!(server.addresses(NAME), set(["192.0.2.99"]));
    assert_eq!(server.serial(), before);
}

#[tokio::test]
async fn an_alias_is_left_alone() {
    // SPEC: SA-7
    let server = NameServer::start("shop CNAME elsewhere.example.net.");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("an alias of elsewhere.example.net"), "{why}");
    assert_eq!(server.serial(), 1);
}

#[tokio::test]
async fn what_a_wildcard_answers_is_no_record_of_the_name() {
    // SPEC: NM-6, SA-7
    let server = NameServer::start("* A 192.0.2.99");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    fail_over(&mut lab).await;
    assert_eq!(server.addresses(NAME), set(["198.51.100.10"]));
    assert_eq!(server.addresses("other.example.com"), set(["192.0.2.99"]));
    assert_eq!(server.serial(), 2);
}

#[tokio::test]
async fn a_key_that_the_server_does_not_have_is_said_to_be_the_reason() {
    // SPEC: BI-3
    let server = NameServer::start("");
    for (name, means) in [("stranger", "BADKEY"), ("drover", "BADSIG")] {
        let mut lab = lab().await;
        let wrong = fresh_secret();
        secret(&lab, "dns-key", json!({"name": name, "secret": wrong})).await;
        lab.protect(&after_data(&moves(&server.address(), &[])))
            .await;
        lab.set_active("secondary").await;
        let why = failure(&mut lab, "shop-1").await;
        assert!(why.contains(means), "{why}");
        assert!(why.contains("compare the secret"), "{why}");
        assert!(!why.contains(&wrong), "{why}");
    }
    assert_eq!(server.serial(), 1);
}

#[tokio::test]
async fn a_key_that_may_only_read_is_refused_with_what_the_server_must_allow() {
    let server = NameServer::start("");
    let mut lab = lab().await;
    let mut key = server.key();
    key["name"] = json!("reader");
    secret(&lab, "dns-key", key).await;
    lab.protect(&after_data(&moves(&server.address(), &[])))
        .await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("REFUSED"), "{why}");
    assert!(why.contains("update-policy"), "{why}");
    assert_eq!(server.serial(), 1);
}

#[tokio::test]
async fn a_zone_that_the_server_does_not_have_is_said_to_be_the_reason() {
    let server = NameServer::start("");
    let elsewhere = [
        ("/record", json!("shop.example.org")),
        ("/rfc2136/zone", json!("example.org")),
    ];
    let mut lab = shop_at(&server, &moves(&server.address(), &elsewhere)).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(
        why.contains("REFUSED") && why.contains("example.org"),
        "{why}"
    );
}

#[tokio::test]
async fn a_missing_key_is_named() {
    let server = NameServer::start("");
    let mut lab = lab().await;
    lab.protect(&after_data(&moves(&server.address(), &[])))
        .await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(
        why.contains("there is no secret dns-key in namespace default"),
        "{why}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_halts_the_run_and_a_person_resumes_it() {
    // SPEC: FO-2, PL-4
    let mut server = NameServer::start("shop A 203.0.113.10");
    let mut lab = shop_at(&server, &moves(&server.address(), &[])).await;
    server.kill();
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains(&server.address()), "{why}");
    assert!(why.contains("cannot be reached"), "{why}");
    server.revive();
    lab.decide("shop-1", "Resume").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(server.addresses(NAME), set(["198.51.100.10"]));
    lab.sound();
}

#[tokio::test]
async fn a_crash_between_a_change_and_its_record_changes_nothing_twice() {
    // SPEC: NM-6, SA-4, BI-2
    let server = NameServer::start("shop A 203.0.113.10");
    let between = SlowAnswer::before(server.port);
    let mut lab = shop_at(&server, &moves(&between.address(), &[])).await;
    lab.set_active("secondary").await;
    lab.until("the server changed it", async |_| {
        between.kept.load(Ordering::SeqCst)
    })
    .await;
    lab.crash();
    lab.start();
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(server.addresses(NAME), set(["198.51.100.10"]));
    assert_eq!(server.serial(), 2);
    assert_eq!(between.updates.load(Ordering::SeqCst), 1);
    lab.sound();
}

#[tokio::test]
async fn a_drill_changes_no_record() {
    // SPEC: NM-6
    let server = NameServer::start("shop A 203.0.113.10");
    let mut action = moves(&server.address(), &[]);
    // It is asked for, and all the same it takes no part.
    action["when"] = json!({"runs": ["TestFailover", "PlannedFailover"]});
    let mut lab = shop_at(&server, &action).await;
    let api: Api<RecoveryDrill> = Api::namespaced(lab.client.clone(), "default");
    let drill = serde_json::from_value(json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RecoveryDrill",
        "metadata": {"name": "practice"},
        "spec": {"planRef": {"name": "shop"}},
    }));
    api.create(&PostParams::default(), &drill.unwrap())
        .await
        .unwrap();
    lab.until("the drill stands", async |_| {
        let status = api.get("practice").await.unwrap().status;
        status.is_some_and(|status| status.phase == DrillPhase::Standing)
    })
    .await;
    assert_eq!(server.addresses(NAME), set(["203.0.113.10"]));
    assert_eq!(server.serial(), 1);
}
