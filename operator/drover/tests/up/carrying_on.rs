//! A failover that lives through two power cuts, and is decided on with nothing but `kubectl`.

use std::os::unix::fs::PermissionsExt as _;

use crate::process::Home;

#[test]
fn a_failover_is_carried_on_after_each_kill() {
    // SPEC: FO-7, KU-2, KU-4, BI-2, PL-10, FO-1
    let mut home = Home::new();
    home.start(&[]);
    home.until("namespace shop: created");
    home.until("drill shop/shop-november: Standing, Passed");
    let drill = home.object("recoverydrill", "shop-november");
    assert_eq!(drill["status"]["result"], "Passed");
    home.kubectl(&["delete", "recoverydrill", "shop-november"]);
    home.until("drill shop/shop-november: gone");
    home.kubectl(&["wait", "rp/shop", "--for=condition=FailoverReady"]);

    let patch = r#"{"spec":{"activeSite":"secondary"}}"#;
    home.kubectl(&["patch", "rp", "shop", "--type=merge", "--patch", patch]);
    home.until("run shop/shop-2: planned failover seoul → busan");
    home.kill();

    home.start(&[]);
    home.until("the step web/business-says-go needs 1 approval");
    home.kill();

    home.start(&[]);
    home.until("the step web/business-says-go needs 1 approval");
    let plan = home.object("rp", "shop");
    // The folder says primary: nothing was changed there, so nobody fights the patch.
    assert_eq!(plan["spec"]["activeSite"], "secondary");
    home.decide("shop-2", "Approve", Some(("web", "business-says-go")));
    home.until("run shop/shop-2: CommitPending: 12 of 12 machines healthy");
    home.decide("shop-2", "Commit", None);
    // The quickstart synchronises inside the failback, so nothing is reprotected by itself (FB-0).
    home.until("run shop/shop-2: Committed");

    let plan = home.object("rp", "shop");
    assert_eq!(plan["status"]["activeSite"], "secondary");
    let run = home.object("recoveryrun", "shop-2");
    assert_eq!(run["status"]["phase"], "Committed");
    assert_eq!(run["status"]["machines"]["healthy"], 12);
    assert_eq!(run["status"]["rpo"], "0s");
    assert_eq!(
        home.terminate().code(),
        Some(0),
        "it ends well when it is asked to"
    );
}

#[test]
fn what_opens_everything_is_for_its_owner_alone() {
    // SPEC: BI-3
    let mut home = Home::new();
    home.start(&[]);
    for (name, mode) in [
        ("data", 0o700),
        ("data/kubeconfig", 0o600),
        ("data/identity.json", 0o600),
    ] {
        let found = std::fs::metadata(home.path(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    // SPEC: SA-3
    let mut home = Home::new();
    home.start(&[]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(["up", "--data"])
        .arg(home.path("data"))
        .args(["--listen", "0"])
        .output()
        .unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("in use by another process"), "{talk}");
    assert_eq!(output.status.code(), Some(1));
}
