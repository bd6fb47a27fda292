//! The demonstration on real guests: what it says of them, and that nothing of it is left.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drover_tests::manifests;

use crate::lab::{PATIENCE, alone};

fn demo(folder: &Path) -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_drover"));
    demo.args(["demo", "--fabric", "libvirt"])
        .env("TMPDIR", folder)
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    demo
}

/// Processes that know the folder of a lab.
fn processes(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let name = folder.to_str().unwrap();
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(name))
        .collect()
}

/// What is left of a lab: its files, mounts of them, its processes.
fn left(folder: &Path) -> Vec<String> {
    let mut left = processes(folder);
    let files = fs::read_dir(folder).unwrap().flatten();
    left.extend(files.map(|entry| entry.path().display().to_string()));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let name = folder.to_str().unwrap();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(name))
            .map(str::to_owned),
    );
    left
}

/// The namespace of a lab goes a moment after the process that began it.
fn until_nothing_is_left(folder: &Path) {
    let since = Instant::now();
    while !left(folder).is_empty() {
        assert!(since.elapsed() < PATIENCE, "{:#?}", left(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The number after a word.
fn after(line: &str, word: &str) -> u64 {
    let (_, rest) = line.split_once(word).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn real_guests_go_there_and_back_and_count_what_a_lost_site_costs() {
    // SPEC: PR-1, PR-7, FO-1, FO-2, FO-3, FO-5, FO-8, FO-9, FB-1, FB-2, SA-1, PL-11
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let played = demo(folder.path()).output().unwrap();
    let talk = String::from_utf8(played.stderr).unwrap();
    let data = String::from_utf8(played.stdout).unwrap();
    assert_eq!(played.status.code(), Some(0), "{talk}\n{data}");

    // All acts are played, and all that had to be so was.
    for said in [
        "check: all machines are protected: ok",
        "check: the drill passed: ok",
        "check: 2 copies stand on the test networks of busan: ok",
        "check: 2 of 2 machines serve at seoul, 0 at busan: ok",
        "check: nothing is left of the drill: ok",
        "check: 2 of 2 machines serve at busan, 0 at seoul: ok",
        "check: nothing is lost: ok",
        "check: an unknown site starts nothing by itself: ok",
        "check: 2 stale copies at seoul are stopped and held: ok",
        "check: all machines are protected again: ok",
    ] {
        assert!(talk.contains(said), "{said}\n{talk}");
    }
    assert!(!talk.contains("NOT SO"), "{talk}");
    assert!(data.contains("No invariant broke"), "{data}");
    for kind in [
        "drill",
        "planned failover",
        "planned failback",
        "unplanned failover",
    ] {
        assert!(data.contains(kind), "{kind}\n{data}");
    }

    // Each guest says three times how far it counted: there, back, and when the site was lost.
    let crossings: Vec<&str> = talk
        .lines()
        .filter(|line| line.contains("counted to"))
        .collect();
    assert_eq!(crossings.len(), 3 * 2, "{talk}");
    for (at, line) in crossings.iter().enumerate() {
        let counted = after(line, "counted to ");
        let went_on = after(line, "went on from ");
        if at < 4 {
            assert!(line.ends_with("nothing missing: ok"), "{line}");
            assert_eq!(counted, went_on, "{line}");
        } else {
            assert!(went_on > 0 && went_on <= counted, "{line}");
            let lost = counted - went_on;
            let said = line.ends_with("nothing missing: ok") && lost == 0;
            assert!(said || line.contains(&format!("{lost} count")), "{line}");
        }
    }
    assert!(data.contains("SILENT"), "{data}");
    until_nothing_is_left(folder.path());
}

#[test]
fn a_demonstration_that_is_killed_leaves_nothing() {
    // Given one whose guests count
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut played = demo(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(played.stderr.take().unwrap()).lines();
    let begun = lines.any(|line| line.unwrap().contains("=== 1."));
    assert!(begun, "it ended by itself");
    assert!(!left(folder.path()).is_empty());

    // When it is killed without a chance to run anything
    played.kill().unwrap();
    played.wait().unwrap();

    // Then its sites go too.
    until_nothing_is_left(folder.path());
}

#[test]
fn what_is_missing_is_said_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = demo(folder.path());
    let told = asked.env("PATH", folder.path()).output().unwrap();
    let talk = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{talk}");
    assert!(talk.contains("cause: not installed: "), "{talk}");
    let hint = "hint: as root: apt-get install --no-install-recommends ";
    assert!(talk.contains(hint), "{talk}");
    assert_eq!(left(folder.path()), Vec::<String>::new());
}

#[test]
fn time_cannot_be_hurried_where_it_is_real() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path()).arg("--fast").output().unwrap();
    let talk = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{talk}");
    assert!(talk.contains("time is real"), "{talk}");
}

#[test]
fn the_install_line_names_what_a_lab_needs() {
    let packages: Vec<&str> = drover_lab::packages().into_iter().collect();
    for page in ["README.md", "docs/fabrics/libvirt.md"] {
        let mut text = String::new();
        let file = fs::File::open(manifests::repository().join(page));
        file.unwrap().read_to_string(&mut text).unwrap();
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| *word != "\\")
            .collect();
        let line = ["apt-get", "install", "--no-install-recommends"];
        let line: Vec<&str> = line.into_iter().chain(packages.iter().copied()).collect();
        assert!(
            words.windows(line.len()).any(|part| part == line),
            "{page} has no line {line:?}"
        );
    }
}
