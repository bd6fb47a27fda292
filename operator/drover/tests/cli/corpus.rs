//! Every broken manifest of `tests/corpus/broken` is refused, and what is said of it stays as it is.
//!
//! Beside each file lies the transcript of `drover validate` on it; `DROVER_UPDATE=1` writes them.

use std::fs;

use drover_tests::corpus::{self, Expect};
use drover_tests::manifests;
use serde_json::Value;

use crate::transcript;

/// The dates in the corpus are later.
const AS_OF: &str = "2026-01-01T00:00:00Z";

#[test]
fn every_broken_manifest_is_refused_as_it_was_before() {
    // SPEC: BI-1
    let folder = manifests::repository().join("tests/corpus/broken");
    let mut kept = Vec::new();
    for broken in corpus::broken().unwrap() {
        let name = broken.name();
        let typed = format!("drover validate --as-of {AS_OF} {name}.yaml");
        let new = transcript::record(&typed, &folder);
        assert!(new.ends_with("\nexit 1\n"), "{name} is not refused:\n{new}");
        let path = folder.join(format!("{name}.txt"));
        let old = fs::read_to_string(&path).unwrap_or_default();
        transcript::compare(&path, &old, &new);
        kept.push(path);
    }
    assert!(kept.len() > 200, "{}", kept.len());
    let entries = fs::read_dir(&folder).unwrap();
    let texts = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let stale: Vec<_> = texts.filter(|path| !kept.contains(path)).collect();
    assert!(stale.is_empty(), "of no manifest: {stale:?}");
}

#[test]
fn every_problem_points_and_speaks() {
    // SPEC: BI-1
    let folder = manifests::repository().join("tests/corpus/broken");
    let mut wrong = Vec::new();
    for broken in corpus::broken().unwrap() {
        let name = broken.name();
        let output = transcript::drover(&folder)
            .args(["validate", "--format", "json", "--as-of", AS_OF])
            .arg(format!("{name}.yaml"))
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = report["problems"].as_array().unwrap();
        let mut errors = problems.iter().filter(|each| each["severity"] == "error");
        let first = errors.next().unwrap();
        let start = &first["place"]["start"];
        if start["line"] == 1 && start["column"] == 1 {
            wrong.push(format!("{name} points at 1:1"));
        }
        // The words of schemas and rules are an API server's; Drover has its own for the same.
        let own = matches!(broken.expect, Expect::Syntax | Expect::Engine);
        let says = |each: &Value| each["message"].as_str().unwrap().contains(&broken.says);
        if own && !problems.iter().any(says) {
            wrong.push(format!("{name} does not say {:?}: {first}", broken.says));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
