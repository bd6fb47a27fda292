//! The demonstration, word for word: sites and time are simulated, so it is the same in every run.
//!
//! `DROVER_UPDATE=1 cargo test -p drover --test demo` writes `tests/golden/demo.txt` anew.
#![cfg(test)]

use std::fs;
use std::process::{Command, Stdio};

use drover_tests::manifests;

struct Played {
    data: String,
    talk: String,
    exit: Option<i32>,
}

fn play() -> Played {
    let output = Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(["demo", "--fast"])
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Played {
        data: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
        exit: output.status.code(),
    }
}

/// The last line says how long it took by the wall clock.
fn without_wall_clock(talk: &str) -> String {
    let mut text = String::new();
    for line in talk.lines() {
        let line = match line.split_once(" of simulated time took ") {
            Some((time, _)) => format!("{time} of simulated time took …"),
            None => line.to_owned(),
        };
        text += &line;
        text += "\n";
    }
    text
}

#[test]
fn a_shop_goes_there_and_back_and_survives_the_loss_of_a_site() {
    // SPEC: PR-1, FO-1, FO-2, FO-3, FO-5, FO-8, FO-9, FB-1, FB-2, SA-1, PL-11
    let played = play();
    assert_eq!(played.exit, Some(0), "{}\n{}", played.talk, played.data);
    for said in [
        "check: all machines are protected: ok",
        "check: the drill passed: ok",
        "check: nothing is left of the drill: ok",
        "check: 12 of 12 machines serve at busan, 0 at seoul: ok",
        "check: nothing is lost: ok",
        "check: 12 of 12 machines serve at seoul, 0 at busan: ok",
        "check: an unknown site starts nothing by itself: ok",
        "check: 12 stale copies at seoul are stopped and held: ok",
        "check: all machines are protected again: ok",
    ] {
        assert!(played.talk.contains(said), "{said}\n{}", played.talk);
    }
    assert!(!played.talk.contains("NOT SO"), "{}", played.talk);
    for kind in [
        "drill",
        "planned failover",
        "planned failback",
        "unplanned failover",
        "reprotect",
    ] {
        assert!(played.data.contains(kind), "{kind}\n{}", played.data);
    }
    assert!(
        played.data.contains("No invariant broke"),
        "{}",
        played.data
    );

    let text = format!("{}---\n{}", without_wall_clock(&played.talk), played.data);
    let path = manifests::repository().join("tests/golden/demo.txt");
    if std::env::var_os("DROVER_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(
        kept == text,
        "it is another than {}; if that is meant: DROVER_UPDATE=1\n{text}",
        path.display()
    );
}
