//! A plan is reviewed, kept, and refused when it is another by the time it would run.

use std::fs;
use std::path::Path;
use std::process::Output;

use drover_tests::manifests;
use serde_json::Value;
use tempfile::TempDir;

use crate::transcript::drover;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    drover(folder).args(arguments).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The quickstart with a failover declared.
fn failover() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = manifests::repository().join("examples/quickstart");
    for path in manifests::files(&from).unwrap() {
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    change(&folder, "activeSite: primary", "activeSite: secondary");
    folder
}

fn change(folder: &TempDir, from: &str, to: &str) {
    let path = folder.path().join("plan.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn what_was_reviewed_is_kept_and_a_stale_plan_is_refused_with_words() {
    // SPEC: RD-3, SA-4
    // given a failover that was reviewed
    let folder = failover();
    let kept = run(folder.path(), &["plan", "--out", "reviewed.json"]);
    assert_eq!(kept.status.code(), Some(2), "{}", said(&kept.stderr));
    let text = fs::read_to_string(folder.path().join("reviewed.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let digest = file["plans"][0]["digest"].as_str().unwrap();
    assert_eq!(file["kind"], "SavedPlan");
    assert_eq!(file["plans"][0]["machines"].as_array().unwrap().len(), 12);

    // when nothing is another than its comments and its order of fields
    change(
        &folder,
        "# What comes back",
        "# In which order what comes back",
    );
    change(
        &folder,
        "{ primary: seoul, secondary: busan }",
        "{ secondary: busan, primary: seoul }",
    );
    // then it is what was reviewed, and its digest may be a guard
    let same = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
    assert_eq!(
        same.status.code(),
        Some(0),
        "{}{}",
        said(&same.stdout),
        said(&same.stderr)
    );
    let guard = ["set", "plan-digest", "shop", "--reviewed", "reviewed.json"];
    let set = run(folder.path(), &guard);
    assert_eq!(set.status.code(), Some(0), "{}", said(&set.stderr));
    let plan = fs::read_to_string(folder.path().join("plan.yaml")).unwrap();
    assert!(
        plan.contains(&format!("    planDigest: {digest}\n")),
        "{plan}"
    );
    // and the guard itself makes no other run of it
    let same = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same.stdout));

    // when the order is changed after the review
    change(&folder, "dependsOn: [data]", "dependsOn: []");
    // then it says what is another, and the digest is not taken as a guard any more
    let stale = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
    let words = said(&stale.stdout);
    assert_eq!(stale.status.code(), Some(1), "{words}");
    assert!(words.contains("shop/shop: not as reviewed"), "{words}");
    assert!(
        words.contains("run.groups[web].dependsOn: was [\"data\"]"),
        "{words}"
    );
    // whether the guard is missing or written already
    for written in [true, false] {
        if !written {
            change(&folder, &format!("    planDigest: {digest}\n"), "");
        }
        let refused = run(folder.path(), &guard);
        assert_eq!(refused.status.code(), Some(1));
        let words = said(&refused.stderr);
        assert!(words.contains("not the one that was reviewed"), "{words}");
    }

    // nor when it cannot be told because something else is wrong
    let wrong = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: z }\nspec: {}\n";
    fs::write(folder.path().join("z.yaml"), wrong).unwrap();
    let refused = run(folder.path(), &guard);
    assert_eq!(refused.status.code(), Some(1));
    let words = said(&refused.stderr);
    assert!(words.contains("cannot be told"), "{words}");
}

#[test]
fn a_file_that_somebody_changed_is_no_review() {
    // SPEC: RD-3
    let folder = failover();
    run(folder.path(), &["plan", "--out", "reviewed.json"]);
    let path = folder.path().join("reviewed.json");
    let text = fs::read_to_string(&path).unwrap();
    for (changed, says) in [
        (
            text.replacen("\"seoul\"", "\"elsewhere\"", 1),
            "the file was changed",
        ),
        (text.replacen("SavedPlan", "Plan", 1), "no saved plan"),
        ("nothing".to_owned(), "cannot be read"),
    ] {
        fs::write(&path, changed).unwrap();
        let output = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output.stderr).contains(says),
            "{}",
            said(&output.stderr)
        );
    }
}

#[test]
fn a_preview_is_kept_as_one() {
    // SPEC: PL-5
    let folder = failover();
    change(&folder, "activeSite: secondary", "activeSite: primary");
    let kept = run(
        folder.path(),
        &["plan", "--to", "secondary", "--out", "reviewed.json"],
    );
    assert_eq!(kept.status.code(), Some(0));
    assert!(
        said(&kept.stderr).contains("would not start"),
        "{}",
        said(&kept.stderr)
    );
    let same = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same.stdout));
    // The run that starts when the change is declared is another: it carries what was declared.
    change(&folder, "activeSite: primary", "activeSite: secondary");
    let other = run(folder.path(), &["plan", "--reviewed", "reviewed.json"]);
    assert_eq!(other.status.code(), Some(1), "{}", said(&other.stdout));
}
