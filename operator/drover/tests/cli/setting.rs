//! `drover set` on files that it may write.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Output;

use drover_tests::manifests;
use tempfile::TempDir;

use crate::history::Repository;
use crate::transcript::drover;

/// A folder with the quickstart, and the text of its plan.
fn quickstart() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let from = manifests::repository().join("examples/quickstart");
    for path in manifests::files(&from).unwrap() {
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let plan = fs::read_to_string(folder.path().join("plan.yaml")).unwrap();
    (folder, plan)
}

fn set(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = drover(folder);
    command.arg("set").args(arguments).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_line_is_changed_and_the_rest_is_as_it_was() {
    // SPEC: FB-9, PL-8
    // given a plan that only its group may write
    let (folder, before) = quickstart();
    let path = folder.path().join("plan.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    // when it is sent to the other site
    let output = set(folder.path(), &["active-site", "shop", "secondary"]);
    // then one line is another, and mode and everything else are not
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    let after = fs::read_to_string(&path).unwrap();
    let lines = before.lines().zip(after.lines());
    let changed: Vec<_> = lines.filter(|(old, new)| old != new).collect();
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(
        changed[0]
            .0
            .replace("activeSite: primary", "activeSite: secondary"),
        changed[0].1
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o664
    );
    let diff = said(&output.stdout);
    assert!(
        diff.starts_with("--- a/plan.yaml\n+++ b/plan.yaml\n"),
        "{diff}"
    );
    let talk = said(&output.stderr);
    assert!(
        talk.contains("a planned failover would start, seoul → busan"),
        "{talk}"
    );
    // and it is read as what it says
    let plan = drover(folder.path()).arg("plan").output().unwrap();
    assert_eq!(plan.status.code(), Some(2));
    // and once more nothing is to be done
    let again = set(folder.path(), &["active-site", "shop", "secondary"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(again.stdout.is_empty());
    assert!(said(&again.stderr).contains("is so already"));
    // and home again it is the file that it was, but for how it is called
    let home = set(folder.path(), &["active-site", "shop", "primary"]);
    assert!(
        said(&home.stderr).contains("failback would start, busan → seoul"),
        "{}",
        said(&home.stderr)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(
        left.len(),
        manifests::files(folder.path()).unwrap().len(),
        "{left:?}"
    );
}

#[test]
fn a_lost_site_is_two_commands() {
    // SPEC: PL-9, FO-3
    let (folder, _) = quickstart();
    set(
        folder.path(),
        &["failover-type", "shop", "Unplanned", "--id", "typhoon-1"],
    );
    set(
        folder.path(),
        &["recovery-point", "shop", "LatestAppConsistent"],
    );
    let last = set(folder.path(), &["active-site", "shop", "secondary"]);
    let talk = said(&last.stderr);
    assert!(talk.contains("an unplanned failover would start"), "{talk}");
    let plan = fs::read_to_string(folder.path().join("plan.yaml")).unwrap();
    assert!(plan.contains("    id: typhoon-1\n"), "{plan}");
    assert!(plan.contains("    type: Unplanned\n"), "{plan}");
    assert!(plan.contains("type: LatestAppConsistent\n"), "{plan}");
    // A planned one has no choice of a point, and the rules of the definition say so.
    let before = plan;
    let wrong = set(folder.path(), &["failover-type", "shop", "Planned"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        said(&wrong.stderr).contains("nothing was changed"),
        "{}",
        said(&wrong.stderr)
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("plan.yaml")).unwrap(),
        before
    );
}

#[test]
fn a_risk_that_was_accepted_once_is_not_accepted_again() {
    // SPEC: SA-2, PL-9
    // given a request of last year that accepted a split brain
    let (folder, plan) = quickstart();
    let path = folder.path().join("plan.yaml");
    let old = "  request: { id: old, expires: 2025-11-20T12:00:00Z, type: Unplanned, \
               unfenced: AcceptSplitBrain }\n  commit:";
    fs::write(&path, plan.replacen("  commit:", old, 1)).unwrap();
    // when a new failover is asked for
    let output = set(folder.path(), &["failover-type", "shop", "Unplanned"]);
    // then nothing is left of it
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    let plan = fs::read_to_string(&path).unwrap();
    assert!(!plan.contains("unfenced: AcceptSplitBrain"), "{plan}");
    assert!(!plan.contains("id: old"), "{plan}");
}

#[test]
fn what_cannot_be_changed_stays() {
    // SPEC: BI-1
    let (folder, plan) = quickstart();
    let path = folder.path().join("plan.yaml");
    let cases = [
        // A plan of the same name in another namespace.
        (
            format!(
                "{plan}---\n{}",
                plan.replace("namespace: shop", "namespace: other")
            ),
            "name one of them",
        ),
        // A template that was not rendered.
        (
            plan.replace("activeSite: primary", "activeSite: {{ .Values.site }}"),
            "template",
        ),
        // A value that others share.
        (
            plan.replace("activeSite: primary", "activeSite: &side primary")
                .replace(
                    "  commit:",
                    "  overrides: [{ machine: db-1, activeSite: *side }]\n  commit:",
                ),
            "anchor",
        ),
    ];
    for (text, says) in cases {
        fs::write(&path, &text).unwrap();
        let output = set(folder.path(), &["active-site", "shop", "secondary"]);
        let talk = said(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(talk.contains(says), "{says}: {talk}");
        assert!(output.stdout.is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_file_that_may_not_be_written_is_not_and_a_link_is_followed() {
    let (folder, plan) = quickstart();
    let path = folder.path().join("plan.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let output = set(folder.path(), &["active-site", "shop", "secondary"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), plan);

    let real = tempfile::tempdir().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(&path, real.path().join("real.yaml")).unwrap();
    symlink(real.path().join("real.yaml"), &path).unwrap();
    let output = set(folder.path(), &["active-site", "shop", "secondary"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    let real = fs::read_to_string(real.path().join("real.yaml")).unwrap();
    assert!(real.contains("activeSite: secondary"));
}

#[test]
fn every_document_of_the_corpus_is_edited_or_refused_and_never_broken() {
    // SPEC: BI-1
    // Whatever stands in the file, it is as it was or says what was asked for.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    let mut changed = 0;
    for name in ["every-field", "only-required", "example"] {
        let from = manifests::repository().join(format!("tests/fixtures/{name}.yaml"));
        let text = fs::read_to_string(from).unwrap();
        for crlf in [false, true] {
            let text = if crlf {
                text.replace('\n', "\r\n")
            } else {
                text.clone()
            };
            fs::write(&path, &text).unwrap();
            let output = set(folder.path(), &["active-site", "shop", "secondary"]);
            let now = fs::read_to_string(&path).unwrap();
            if output.status.success() && now != text {
                changed += 1;
                assert_eq!(now.matches("\r\n").count() > 0, crlf);
                assert!(now.lines().count().abs_diff(text.lines().count()) <= 1);
            } else {
                assert_eq!(now, text);
            }
        }
    }
    assert!(changed >= 2, "{changed}");
}

#[test]
fn what_was_not_committed_did_not_happen() {
    // SPEC: FO-2, PL-8
    // given manifests that are committed, with the machines at the primary site
    let (committed, _) = quickstart();
    let folder = Repository::new();
    for path in manifests::files(committed.path()).unwrap() {
        folder.put(
            path.file_name().unwrap().to_str().unwrap(),
            fs::read(&path).unwrap(),
        );
    }
    folder.commit("main");
    // when a person under stress first asks for a failover and then, as the hint says, for an unplanned one
    let first = set(folder.path(), &["active-site", "shop", "secondary"]);
    assert!(said(&first.stderr).contains("if seoul is lost"));
    let second = set(folder.path(), &["failover-type", "shop", "Unplanned"]);
    // then it is a failover that follows, and not nothing, nor a failback
    let words = said(&second.stderr);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("an unplanned failover"), "{words}");
    assert!(!words.contains("nothing starts by itself"), "{words}");
}
