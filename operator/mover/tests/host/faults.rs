//! libvirt freezes, dies and returns.

use std::time::Duration;

use drover_mover::host::{Host, HostError};
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::bench::{host, secondary, until};

/// Much longer than a question may take, much shorter than a call would hang.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_libvirt_that_is_frozen_or_gone_is_unreachable_and_returns() {
    // Given a connected host
    let host = host(secondary());
    assert_eq!(host.domains().await.unwrap(), []);
    let mut changed = host.changed();
    changed.mark_unchanged();

    // When its libvirt is frozen, and many ask, then all are told so in time; so is who never connected.
    secondary().freeze_libvirtd().unwrap();
    let begun = Instant::now();
    let stranger = Host::new("stranger", secondary().uri());
    let (asked, strange) = tokio::join!(
        join_all((0..40).map(|_| host.domains())),
        stranger.domains()
    );
    for answer in asked.into_iter().chain([strange]) {
        assert!(
            matches!(answer, Err(HostError::Unreachable { .. })),
            "{answer:?}"
        );
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());

    // And the connection is given up, which is heard of, and still all are told so.
    timeout(PATIENCE, changed.changed()).await.unwrap().unwrap();
    unreachable_host(&host).await;
    assert!(threads() < 100, "{}", threads());

    // When it thaws, then both answer.
    secondary().thaw_libvirtd().unwrap();
    answers(&host).await;
    answers(&stranger).await;

    // When it is frozen for less than the connection lives, then who asks is told so, and later answered.
    secondary().freeze_libvirtd().unwrap();
    unreachable_host(&host).await;
    secondary().thaw_libvirtd().unwrap();
    answers(&host).await;

    // When it is killed, then that is heard of, and told.
    changed.mark_unchanged();
    secondary().kill_libvirtd().unwrap();
    timeout(PATIENCE, changed.changed()).await.unwrap().unwrap();
    unreachable_host(&host).await;

    // When it is started again, then it answers.
    secondary().start_libvirtd_again().unwrap();
    answers(&host).await;
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable() {
    for uri in [
        "qemu:///system?socket=/nowhere/libvirt-sock",
        "qemu+tcp://127.0.0.1:1/system",
    ] {
        let host = Host::new("nowhere", uri);
        let error = host.domains().await.unwrap_err();
        assert!(matches!(error, HostError::Unreachable { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("cannot list machines at nowhere: the host does not answer"),
            "{error}"
        );
    }
}

async fn unreachable_host(host: &Host) {
    let begun = Instant::now();
    let answer = host.domain("nobody").await;
    assert!(
        matches!(answer, Err(HostError::Unreachable { .. })),
        "{answer:?}"
    );
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

async fn answers(host: &Host) {
    until("it answers", async || host.domains().await.is_ok()).await;
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
