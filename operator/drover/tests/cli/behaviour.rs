//! What is too long or too odd for a transcript.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Output, Stdio};

use drover_tests::{large, manifests};
use serde_json::Value;
use tempfile::TempDir;

use crate::transcript::drover;

const SITE: &str = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: NAME }\n\
                    spec:\n  fabric: { simulator: {} }\n  tenants: [{ namespaceSelector: {}, \
                    inventorySelector: {} }]\n";

/// The most that a person is shown without having asked for more.
const MOST_TEXT: usize = 64 * 1024;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn put(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn site(name: &str) -> String {
    SITE.replace("NAME", name)
}

/// Runs it in that folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    drover(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn estate(plans: usize, groups: usize, machines: usize) -> TempDir {
    let folder = folder();
    for (name, text) in large::manifests(plans, groups, machines).unwrap() {
        put(&folder, &name, &text);
    }
    folder
}

#[test]
fn folders_are_searched_in_order_and_links_lead_nowhere() {
    // SPEC: BI-1
    let folder = folder();
    for name in ["b.yml", "a/z.json", "a/y.yaml", "c.YAML"] {
        let site = site(&name.to_lowercase().replace(['/', '.'], "-"));
        put(&folder, name, &site.replace("{}", "[]"));
    }
    put(&folder, ".git/hidden.yaml", "kind: [");
    put(&folder, "README.md", "kind: [");
    symlink(folder.path(), folder.path().join("a/again")).unwrap();
    symlink("b.yml", folder.path().join("d.yaml")).unwrap();

    let output = run(folder.path(), &["validate", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut files: Vec<&str> = Vec::new();
    for problem in report["problems"].as_array().unwrap() {
        files.push(problem["place"]["file"].as_str().unwrap());
    }
    files.dedup();
    assert_eq!(files, ["a/y.yaml", "a/z.json", "b.yml", "c.YAML", "d.yaml"]);
    assert!(text(&output.stderr).contains("a/again is a link to a folder"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let folder = folder();
    put(&folder, "sites/seoul.yaml", &site("seoul"));
    let paths = ["validate", "sites", "./sites/seoul.yaml", "."];
    let output = run(folder.path(), &paths);
    assert_eq!(
        text(&output.stderr),
        "1 object read from 1 file: no problems\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_called() {
    let folder = folder();
    put(&folder, "seoul.txt", &site("seoul"));
    assert_eq!(
        run(folder.path(), &["validate", "."]).status.code(),
        Some(1)
    );
    assert_eq!(
        run(folder.path(), &["validate", "seoul.txt"]).status.code(),
        Some(0)
    );
}

#[test]
fn a_huge_file_is_refused_by_name() {
    // SPEC: BI-1
    let folder = folder();
    let huge = fs::File::create(folder.path().join("huge.yaml")).unwrap();
    huge.set_len(1 << 30).unwrap();
    let output = run(folder.path(), &["validate", "huge.yaml"]);
    let said = text(&output.stdout);
    assert!(said.contains("the file is longer than 64 MiB"), "{said}");
    assert!(said.contains("huge.yaml"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn folders_without_end_have_one() {
    // SPEC: BI-1
    let folder = folder();
    let deep = "d/".repeat(80) + "site.yaml";
    put(&folder, &deep, &site("seoul"));
    let output = run(folder.path(), &["validate"]);
    assert!(text(&output.stderr).contains("more than 64 folders deep"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = estate(60, 5, 10);
    let mut child = drover(folder.path())
        .args(["plan", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "60 plans: no run would start\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_does_not_make_wrong_right() {
    let folder = folder();
    for number in 0..2_000 {
        put(&folder, &format!("{number}.yaml"), &site("seoul"));
    }
    let mut child = drover(folder.path())
        .arg("validate")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn many_plans_are_a_table_and_a_few_details() {
    // SPEC: PL-5
    let folder = estate(300, 5, 10);
    let output = run(folder.path(), &["plan"]);
    let said = text(&output.stdout);
    assert!(said.len() < MOST_TEXT, "{} bytes", said.len());
    assert!(said.contains("… and 260 more plans; --summary lists all"));
    assert!(said.contains("295 more plans without details here"));
    let summary = text(&run(folder.path(), &["plan", "--summary"]).stdout);
    assert_eq!(summary.lines().count(), 301);
}

#[test]
fn a_plan_of_ten_thousand_groups_fits_on_some_screens() {
    // SPEC: PL-5
    let folder = estate(1, 10_000, 1);
    for format in ["text", "markdown"] {
        let output = run(folder.path(), &["plan", "--format", format]);
        let said = text(&output.stdout);
        assert!(said.len() < MOST_TEXT, "{format}: {} bytes", said.len());
        assert!(said.contains("more"), "{said}");
        assert_eq!(output.status.code(), Some(0));
    }
    let full = run(folder.path(), &["plan", "--full"]);
    assert!(text(&full.stdout).contains("tier-5000"));
}

#[test]
fn a_comment_is_never_longer_than_a_forge_takes() {
    let folder = estate(300, 40, 1);
    let said = text(&run(folder.path(), &["plan", "--format", "markdown"]).stdout);
    assert!(said.len() < 65_535, "{} bytes", said.len());
    assert!(said.contains("plans without details"));
    let opened = said.matches("<details>").count();
    assert_eq!(opened, said.matches("</details>").count());
    assert!(opened > 5, "{opened}");

    for (name, text) in large::manifests(300, 1, 1).unwrap() {
        let broken = text.replace("primary: north", "primary: nowhere");
        put(&folder, &name, &broken);
    }
    let output = run(folder.path(), &["plan", "--format", "markdown"]);
    let said = text(&output.stdout);
    assert!(said.len() < 65_535, "{} bytes", said.len());
    assert!(said.contains("more: `drover validate` shows all."));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn reports_for_programs_say_what_they_are() {
    let root = manifests::repository();
    for (command, kind) in [
        ("validate", "ValidateReport"),
        ("plan", "PlanReport"),
        ("graph", "GraphReport"),
    ] {
        let output = run(root, &[command, "examples/quickstart", "-o", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["apiVersion"], "drover.dev/v1alpha1");
        assert_eq!(report["kind"], kind);
    }
    let wrong = "tests/corpus/broken/engine-self-dependence.yaml";
    let output = run(root, &["plan", wrong, "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["problems"][0]["code"], "self-dependence");
    assert_eq!(report["plans"], serde_json::json!([]));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn definitions_are_those_that_are_checked_in() {
    // SPEC: KU-1
    let root = manifests::repository();
    let folder = folder();
    let output = run(folder.path(), &["crd", "--out", "made/crds"]);
    assert_eq!(output.status.code(), Some(0));
    let mut printed = Vec::new();
    for path in manifests::files(&root.join("crds")).unwrap() {
        let made = folder
            .path()
            .join("made/crds")
            .join(path.file_name().unwrap());
        let kept = fs::read_to_string(&path).unwrap();
        assert!(
            fs::read_to_string(made).unwrap() == kept,
            "{}",
            path.display()
        );
        printed.push(kept);
    }
    let stream = text(&run(folder.path(), &["crd"]).stdout);
    for definition in &printed {
        assert!(stream.contains(definition.as_str()));
    }
    assert_eq!(stream.matches("\n---\n").count() + 1, printed.len());
    let list: Value =
        serde_json::from_slice(&run(folder.path(), &["crd", "-o", "json"]).stdout).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), printed.len());
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(Path::new("."), &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("validate"), "{shell}");
    }
}
