//! The bench of real guests works: a site is a site, a WAN fails as told, and nothing stays behind.
#![cfg(test)]

use drover_tests::libvirt::{Guest, Lab, Side};

#[test]
fn a_guest_counts() {
    let lab = Lab::start().unwrap();
    let primary = lab.site(Side::Primary);
    println!("{}", primary.uri());
    primary.define(&Guest::new("db-1").with_disks(2)).unwrap();
    primary.virsh(&["start", "db-1"]).unwrap();
    let console = primary
        .wait_for("db-1", |console| console.heartbeat() > Some(10))
        .unwrap();
    assert_eq!(console.boots.len(), 1);
}
