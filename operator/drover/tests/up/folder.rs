//! The folder is what people declare: it is followed, object by object, and nothing else is touched.

use std::fs;

use crate::process::Home;

const READY: &str = "plan shop/shop: ready, a failover could start now";

#[test]
fn what_is_broken_changes_nothing_until_it_is_mended() {
    // SPEC: BI-1, RD-3
    let mut home = Home::new();
    home.start(&[]);
    home.until(READY);
    home.edit("plan.yaml", "rto: 15m", "rto: 15 parsecs");
    home.until("nothing was applied, what was applied before stays");
    assert!(home.said().contains("shop/plan.yaml:"), "{}", home.said());
    assert_eq!(
        home.object("rp", "shop")["spec"]["objectives"]["rto"],
        "15m"
    );
    home.edit("plan.yaml", "rto: 15 parsecs", "rto: 20m");
    home.until("RecoveryPlan shop/shop: configured");
    assert_eq!(
        home.object("rp", "shop")["spec"]["objectives"]["rto"],
        "20m"
    );
}

#[test]
fn broken_from_the_start_it_is_up_all_the_same() {
    // SPEC: BI-1
    let mut home = Home::new();
    home.edit(
        "plan.yaml",
        "protectionGroups: [shop-web]",
        "protectionGroups: [shop-wep]",
    );
    home.start(&[]);
    home.until("nothing was applied");
    assert!(home.said().contains("shop-wep"), "{}", home.said());
    home.edit(
        "plan.yaml",
        "protectionGroups: [shop-wep]",
        "protectionGroups: [shop-web]",
    );
    home.until("RecoveryPlan shop/shop: created");
}

#[test]
fn a_patch_is_not_fought_and_a_changed_manifest_wins() {
    // SPEC: KU-2
    let mut home = Home::new();
    home.start(&[]);
    home.until(READY);
    let patch = r#"{"spec":{"objectives":{"rto":"45m"}}}"#;
    home.kubectl(&["patch", "rp", "shop", "--type=merge", "--patch", patch]);
    // Another object of the folder changes, and drover is started anew: the plan is left alone.
    home.edit("policies.yaml", "interval: 30s", "interval: 45s");
    home.until("ReplicationPolicy shop/gold: configured");
    home.kill();
    home.start(&[]);
    home.edit("policies.yaml", "interval: 45s", "interval: 60s");
    home.until("ReplicationPolicy shop/gold: configured");
    assert_eq!(
        home.object("rp", "shop")["spec"]["objectives"]["rto"],
        "45m"
    );
    home.edit("plan.yaml", "rto: 15m", "rto: 16m");
    home.until("RecoveryPlan shop/shop: configured");
    assert_eq!(
        home.object("rp", "shop")["spec"]["objectives"]["rto"],
        "16m"
    );
}

#[test]
fn what_is_declared_no_longer_stays_unless_it_is_pruned() {
    // SPEC: PR-12
    let mut home = Home::new();
    home.start(&[]);
    home.until("drill shop/shop-november: Standing, Passed");
    fs::remove_file(home.path("shop/drill.yaml")).unwrap();
    home.until("RecoveryDrill shop/shop-november: no manifest declares it any more; it stays");
    home.object("recoverydrill", "shop-november");
    home.kill();
    home.start(&["--prune"]);
    home.until("RecoveryDrill shop/shop-november: pruned");
    home.until("drill shop/shop-november: gone");
}

#[test]
fn an_empty_folder_is_no_wish_to_delete_everything() {
    // SPEC: PR-12, SA-4
    let mut home = Home::new();
    home.start(&["--prune"]);
    home.until(READY);
    fs::rename(home.path("shop"), home.path("elsewhere")).unwrap();
    home.until("there is no file or folder shop");
    fs::create_dir(home.path("shop")).unwrap();
    home.until("applied from them stay");
    home.object("rp", "shop");
    home.object("site", "seoul");
}
