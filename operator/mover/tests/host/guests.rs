//! Guests are spoken to through their agents.

use drover_lab::Guest;
use drover_mover::host::HostError;

use super::bench::{count_on, counting, heartbeat, host, primary, until};

/// Some counts of a guest take this long.
const COUNTS: std::time::Duration = std::time::Duration::from_secs(3);

#[tokio::test]
async fn a_guest_that_is_frozen_writes_nothing() {
    // Given a guest with an agent and an address
    let (name, host) = ("frozen", host(primary()));
    counting(&host, &Guest::new(name).with_address(21)).await;
    let mut changed = host.changed();
    while let Err(error) = host.freeze(name).await {
        // Its agent starts a little later, which is heard of.
        assert!(matches!(error, HostError::NoAgent { .. }), "{error:?}");
        changed.changed().await.unwrap();
    }

    // When it is frozen, then it counts no more, for what it says that it counted is on its disk.
    tokio::time::sleep(COUNTS).await;
    let now = heartbeat(name);
    tokio::time::sleep(COUNTS).await;
    assert_eq!(heartbeat(name), now);

    // When it is thawed, twice, then it counts on.
    host.thaw(name).await.unwrap();
    host.thaw(name).await.unwrap();
    count_on(name).await;

    // And its addresses are known.
    assert_eq!(host.addresses(name).await.unwrap(), ["192.168.77.21"]);
}

#[tokio::test]
async fn a_guest_whose_freeze_nobody_waits_for_is_not_left_frozen() {
    // Given a guest with an agent
    let (name, host) = ("abandoned", host(primary()));
    counting(&host, &Guest::new(name)).await;
    until("its agent answers", async || host.thaw(name).await.is_ok()).await;

    // When who freezes it goes away at once
    let freeze = host.freeze(name);
    let gone = tokio::time::timeout(std::time::Duration::from_millis(1), freeze).await;
    assert!(gone.is_err(), "the freeze was too quick to go away from");

    // Then it counts on.
    tokio::time::sleep(COUNTS).await;
    count_on(name).await;
}
