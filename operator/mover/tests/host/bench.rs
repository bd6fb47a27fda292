//! What all tests share.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use drover_lab::{Guest, Lab, Side, Site};
use drover_mover::host::{DomainPower, Host, Start};
use tokio::time::Instant;

/// A busy machine takes its time; nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_mins(5);
const INTERVAL: Duration = Duration::from_millis(100);

/// The site where guests are.
pub(crate) fn primary() -> &'static Site {
    lab().site(Side::Primary)
}

/// The site whose libvirt is harmed, by one test at a time.
pub(crate) fn secondary() -> &'static Site {
    lab().site(Side::Secondary)
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    // It ends with this process.
    LAB.get_or_init(|| Lab::start().unwrap())
}

/// The host of a site.
pub(crate) fn host(site: &Site) -> Host {
    Host::new("host-1", site.uri())
}

/// A guest at the primary site that counts.
pub(crate) async fn counting(host: &Host, guest: &Guest) {
    primary().define(guest).unwrap();
    start(host, guest.name()).await;
}

/// Starts a guest at the primary site, and returns when it counts.
pub(crate) async fn start(host: &Host, name: &str) {
    let boots = primary().console(name).unwrap().boots.len();
    host.start(name, Start::GoOn).await.unwrap();
    until("it counts", async || {
        let console = primary().console(name).unwrap();
        let boot = console.boots.get(boots);
        boot.is_some_and(|boot| boot.heartbeat > Some(boot.last))
    })
    .await;
}

/// Returns when a guest at the primary site has counted on.
pub(crate) async fn count_on(name: &str) {
    let now = heartbeat(name);
    until("it counts on", async || heartbeat(name) > now).await;
}

pub(crate) fn heartbeat(name: &str) -> Option<u64> {
    primary().console(name).unwrap().heartbeat()
}

/// What a machine does.
pub(crate) async fn power(host: &Host, name: &str) -> DomainPower {
    host.domain(name).await.unwrap().unwrap().power
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not so: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What `qemu-img` says.
pub(crate) fn qemu_img(args: &[&str], paths: &[&Path]) -> String {
    let output = Command::new("qemu-img")
        .args(args)
        .args(paths)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{args:?} {paths:?}: {said} {output:?}"
    );
    said
}
