//! Calls of URLs: they are really made, whatever the sites are.

use drover_api::{ActionState, RunPhase};
use serde_json::{Value, json};

use crate::lab::shop;
use crate::web_server::WebServer;
use crate::{after_data, failure, lab, record, secret};

fn call(http: &Value) -> Value {
    json!({"name": "tell", "http": http})
}

#[tokio::test]
async fn a_url_is_called_with_the_context_and_a_key_that_tells_repetitions() {
    // SPEC: PL-4
    let server = WebServer::start("503 Busy");
    let mut lab = lab().await;
    let mut action = call(&json!({"url": server.url("/go?token=hunter2"), "method": "POST"}));
    action["retries"] = json!(1);
    lab.protect(&after_data(&action)).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("/go: it answered 503 and not 200"), "{why}");
    // SPEC: BI-3
    assert!(!why.contains("hunter2"), "{why}");

    server.answers(Some("200 OK"));
    lab.decide("shop-1", "Resume").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for each in &asked {
        assert_eq!(each.line, "POST /go?token=hunter2");
        assert_eq!(each.headers["content-type"], "application/json");
        assert!(each.headers["idempotency-key"].ends_with("data/After/tell"));
        assert_eq!(
            each.headers["idempotency-key"],
            asked[0].headers["idempotency-key"]
        );
        let about: Value = serde_json::from_str(&each.body).unwrap();
        assert_eq!(about["plan"], "shop");
        assert_eq!(about["direction"], "ToSecondary");
        assert_eq!(about["machines"].as_array().unwrap().len(), 3);
    }
    assert_eq!(record(&lab, "shop-1").await.state, ActionState::Succeeded);
    lab.sound();
}

#[tokio::test]
async fn a_call_sends_the_headers_of_its_secret_and_a_get_has_no_body() {
    // SPEC: PL-4, BI-3
    let server = WebServer::start("204 No Content");
    let mut lab = lab().await;
    secret(&lab, "hook", json!({"Authorization": "Bearer hunter2\n"})).await;
    let http = json!({
        "url": server.url("/go"),
        "expectStatus": 204,
        "headersSecretRef": {"name": "hook"},
    });
    lab.protect(&after_data(&call(&http))).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "GET /go");
    assert_eq!(asked[0].headers["authorization"], "Bearer hunter2");
    assert_eq!(asked[0].body, "");
    assert!(!lab.picture().await.contains("hunter2"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    // SPEC: PL-4
    let elsewhere = WebServer::start("200 OK");
    let location = elsewhere.url("/secret");
    let server = WebServer::start(&format!("302 Found\r\nLocation: {location}"));
    let mut lab = lab().await;
    lab.protect(&after_data(&call(&json!({"url": server.url("/")}))))
        .await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(
        why.contains("it answered 302 and not 200; redirects are not followed"),
        "{why}"
    );
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    // SPEC: PL-4
    let server = WebServer::start("");
    server.answers(None);
    let mut lab = lab().await;
    let mut action = call(&json!({"url": server.url("/")}));
    action["timeout"] = json!("1s");
    lab.protect(&after_data(&action)).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(
        why.contains("longer than 1 s") || why.contains("too long"),
        "{why}"
    );
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    // SPEC: PL-4, BI-3
    let port = {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        probe.local_addr().unwrap().port()
    };
    let mut lab = lab().await;
    let url = format!("http://127.0.0.1:{port}/go?token=hunter2");
    lab.protect(&after_data(&call(&json!({"url": url})))).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("it could not be called"), "{why}");
    assert!(why.contains("refused"), "{why}");
    assert!(!why.contains("hunter2"), "{why}");
}

#[tokio::test]
async fn a_server_without_a_certificate_that_is_trusted_here_is_not_spoken_to() {
    // SPEC: PL-4
    let server = WebServer::start("200 OK");
    let mut lab = lab().await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    lab.protect(&after_data(&call(&json!({"url": url})))).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("it could not be called"), "{why}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn credentials_in_a_url_are_refused_and_not_repeated() {
    // SPEC: BI-3
    let server = WebServer::start("200 OK");
    let mut lab = lab().await;
    let url = format!("http://kim:hunter2@127.0.0.1:{}/", server.port);
    lab.protect(&after_data(&call(&json!({"url": url})))).await;
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(
        why.contains("headersSecretRef") && !why.contains("hunter2"),
        "{why}"
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_machine_of_a_simulated_site_is_answered_by_the_simulation() {
    // SPEC: PL-4
    let mut lab = lab().await;
    let http = json!({"machine": "db-1", "port": 8008, "path": "/health"});
    lab.protect(&shop().plan(&json!({"groups": [
        {"name": "data", "protectionGroups": ["data"], "after": [call(&http)]},
        {"name": "web", "protectionGroups": ["web"]},
    ]})))
    .await;
    let (busan, db) = ("busan".parse().unwrap(), "db-1".parse().unwrap());
    lab.world.set_answer(&busan, &db, 8008, "/health", 503);
    lab.set_active("secondary").await;
    let why = failure(&mut lab, "shop-1").await;
    assert!(why.contains("it answered 503 and not 200"), "{why}");
}
