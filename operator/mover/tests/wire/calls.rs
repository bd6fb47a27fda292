//! Questions and answers.

use std::time::Duration;

use drover_libvirt::call::{CallError, Caller};
use drover_mover::serve::{Listen, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::certificates::{Authority, write};
use crate::mover::{Local, Mover, NAME, Site, failure, router};

async fn double(caller: &Caller) -> Result<u64, CallError> {
    caller.call("/v1/double", &21).await
}

async fn who(caller: &Caller) -> String {
    caller.call("/v1/who", &()).await.unwrap()
}

#[tokio::test]
async fn who_calls_over_a_unix_socket_is_local() {
    let site = Local::new(router()).await;
    let caller = site.caller();
    assert_eq!(double(&caller).await.unwrap(), 42);
    assert_eq!(who(&caller).await, "local");
}

// SPEC: PR-8
#[tokio::test]
async fn who_calls_over_tls_is_known_by_the_certificate() {
    let site = Site::new(router()).await;
    let caller = site.mover.caller(&site.authority.issue("site-b.example"));
    assert_eq!(double(&caller).await.unwrap(), 42);
    let who = who(&caller).await;
    assert!(who.starts_with("site-b.example at 127.0.0.1:"), "{who}");
}

#[tokio::test]
async fn many_calls_at_a_time_are_answered() {
    let site = Site::new(router()).await;
    let caller = site.mover.caller(&site.authority.issue("site-b.example"));
    let calls = (0..50_u64).map(|n| {
        let caller = caller.clone();
        async move { (n, caller.call::<_, u64>("/v1/double", &n).await) }
    });
    for (n, answer) in futures::future::join_all(calls).await {
        assert_eq!(answer.unwrap(), 2 * n);
    }
}

#[tokio::test]
async fn errors_travel_as_they_are() {
    let site = Site::new(router()).await;
    let caller = site.mover.caller(&site.authority.issue("site-b.example"));
    let error = caller.call::<_, ()>("/v1/fail", &()).await.unwrap_err();
    assert_eq!(error, CallError::Answered(failure()));
}

#[tokio::test]
async fn a_mover_that_is_replaced_between_two_calls_is_called_again() {
    let mut site = Site::new(router()).await;
    let caller = site.mover.caller(&site.authority.issue("site-b.example"));
    assert_eq!(double(&caller).await.unwrap(), 42);
    let address = site.mover.addresses[0];
    site.mover.stop().await;
    let error = double(&caller).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    let tls = ServerTls::of_folder(site.folder.path()).unwrap();
    site.mover = Mover::start(Listen::Tcp(address, tls), router()).await;
    assert_eq!(double(&caller).await.unwrap(), 42);
}

#[tokio::test]
async fn a_question_of_more_than_a_megabyte_is_not_heard() {
    let site = Local::new(router()).await;
    let ask = async |length| {
        let question = "x".repeat(length);
        site.caller()
            .call::<_, usize>("/v1/length", &question)
            .await
    };
    assert_eq!(ask(1_000_000).await.unwrap(), 1_000_000);
    assert!(ask(1 << 20).await.is_err());
}

#[tokio::test]
async fn more_connections_than_there_are_places_for_wait() {
    let site = Local::new(router()).await;
    let mut idle = Vec::new();
    for _ in 0..256 {
        idle.push(UnixStream::connect(site.path()).await.unwrap());
    }
    let hurried = site.caller().with_patience(Duration::from_millis(200));
    let error = double(&hurried).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    drop(idle);
    let patient = site.caller().with_patience(Duration::from_mins(5));
    assert_eq!(double(&patient).await.unwrap(), 42);
}

#[tokio::test]
async fn a_connection_over_which_nothing_is_asked_is_closed() {
    let site = Local::new(router()).await;
    let fresh = UnixStream::connect(site.path()).await.unwrap();
    let mut used = UnixStream::connect(site.path()).await.unwrap();
    let asked =
        b"POST /v1/who HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\r\n";
    used.write_all(asked).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\"local\"") {
        assert!(used.read_buf(&mut heard).await.unwrap() > 0);
    }
    for mut idle in [fresh, used] {
        tokio::time::pause();
        let read = tokio::time::timeout(Duration::from_mins(1), idle.read_u8()).await;
        read.unwrap().unwrap_err();
        tokio::time::resume();
    }
}

// SPEC: PR-8
#[tokio::test]
async fn renewed_certificates_serve_without_a_restart() {
    let site = Site::new(router()).await;
    let old = site.authority.issue("site-b.example");
    let next = Authority::new("next authority");
    let (own, new) = (next.issue(NAME), next.issue("site-b.example"));

    // The key comes last: until then those before serve.
    let mut half = own.clone();
    half.key = site.authority.issue(NAME).key;
    write(site.folder.path(), &half);
    assert_eq!(double(&site.mover.caller(&old)).await.unwrap(), 42);

    write(site.folder.path(), &own);
    assert_eq!(double(&site.mover.caller(&new)).await.unwrap(), 42);
    let error = double(&site.mover.caller(&old)).await.unwrap_err();
    assert!(matches!(error, CallError::Refused { .. }), "{error:?}");

    // While there are no files those that were read serve.
    std::fs::remove_file(site.folder.path().join("tls.key")).unwrap();
    assert_eq!(double(&site.mover.caller(&new)).await.unwrap(), 42);
}
