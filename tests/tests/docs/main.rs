//! The pages in `docs/` that are made from the code: they say what the code says.
//!
//! `DROVER_UPDATE=1 cargo test -p drover-tests --test docs` writes them anew.
#![cfg(test)]

mod checks;
mod kinds;
mod lifecycle;
mod meanings;
mod metrics;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use drover_engine::drift;
use drover_engine::invariant::Invariant;
use drover_tests::manifests;

/// The first line of each page that is made.
const MADE: &str = "<!-- Made by `DROVER_UPDATE=1 cargo test -p drover-tests --test docs`. -->";

#[test]
fn what_is_checked_in_is_what_the_code_says() {
    // SPEC: KU-1
    let docs = manifests::repository().join("docs");
    let mut made: BTreeMap<String, String> = kinds::pages();
    made.insert("checks.md".to_owned(), checks::page());
    made.insert("lifecycle.md".to_owned(), lifecycle::page());
    made.insert("meanings.md".to_owned(), meanings::page());
    made.insert("metrics.md".to_owned(), metrics::page());
    if env::var_os("DROVER_UPDATE").is_some() {
        fs::create_dir_all(docs.join("kinds")).unwrap();
        for (name, text) in &made {
            fs::write(docs.join(name), text).unwrap();
        }
    }
    for (name, text) in &made {
        let found = fs::read_to_string(docs.join(name)).unwrap_or_default();
        // Not `assert_eq`: it would print both, hundreds of lines.
        assert!(
            found == *text,
            "docs/{name} is not what the code says: run \
             `DROVER_UPDATE=1 cargo test -p drover-tests --test docs` and review the difference"
        );
    }
    let kinds: BTreeSet<String> = fs::read_dir(docs.join("kinds"))
        .unwrap()
        .map(|entry| format!("kinds/{}", entry.unwrap().file_name().display()))
        .collect();
    let pages = made.into_keys().filter(|name| name.starts_with("kinds/"));
    assert_eq!(
        kinds,
        pages.collect(),
        "a page without a kind, or a kind without a page"
    );
}

#[test]
fn the_page_about_drift_has_each_kind_with_its_severity() {
    // SPEC: RD-2
    let page = manifests::read(&manifests::repository().join("docs/drift.md")).unwrap();
    let rows = drift::KINDS.map(|kind| format!("| `{kind:?}` | {:?} |", drift::severity(kind)));
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let listed = page.lines().filter(|line| {
        ["Critical", "Warning", "Info"]
            .iter()
            .any(|word| line.contains(&format!("` | {word} |")))
    });
    assert_eq!(listed.count(), rows.len());
}

#[test]
fn what_pages_link_to_is_there() {
    let root = manifests::repository();
    let mut pages = vec![
        root.join("README.md"),
        root.join("CONTRIBUTING.md"),
        root.join("CHANGELOG.md"),
    ];
    for folder in [
        "charts/drover",
        "docs",
        "docs/kinds",
        "examples",
        "examples/ci",
        "examples/pairs",
        "examples/quickstart",
        "examples/large",
    ] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        pages.extend(
            files.filter(|path| path.extension().is_some_and(|extension| extension == "md")),
        );
    }
    let mut broken = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for part in text.split("](").skip(1) {
            let Some((target, _)) = part.split_once(')') else {
                continue;
            };
            let file = target.split('#').next().unwrap_or_default();
            let is_ours = !target.contains("://") && !file.is_empty();
            if is_ours && !page.parent().unwrap().join(file).exists() {
                broken.push(format!(
                    "{}: {target}",
                    page.strip_prefix(root).unwrap().display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_shows_what_a_review_really_says() {
    // SPEC: RD-3: `expected.*` is what the command line prints, which a test of it keeps so.
    let root = manifests::repository();
    let readme = manifests::read(&root.join("README.md")).unwrap();
    let history = root.join("tests/history");
    let comment = manifests::read(&history.join("01-failover/expected.md")).unwrap();
    // The marker is seen by nobody, and the foot names the commits of a test.
    let (_, comment) = comment.split_once('\n').unwrap();
    let (comment, _) = comment.split_once("\n<sub>").unwrap();
    let quoted = behind(&readme, ">");
    assert_eq!(quoted, comment, "the comment in README.md");

    let said = manifests::read(&history.join("46-group-waits/expected.txt")).unwrap();
    let said = behind(&said, "1 |");
    let block = format!("```\n{said}```\n");
    assert!(readme.contains(&block), "README.md has not\n{block}");
}

/// The lines behind a mark, without it.
fn behind(text: &str, mark: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let lines: Vec<&str> = lines.flat_map(|line| [line, "\n"]).collect();
    lines.concat()
}

#[test]
fn the_invariants_are_checked_where_the_architecture_says() {
    // SPEC: FO-2, FO-7, FO-8, FB-5
    let root = manifests::repository();
    let [page, verify, model] = [
        "docs/architecture.md",
        "operator/engine/src/verify.rs",
        "operator/engine/tests/model/explore.rs",
    ]
    .map(|path| manifests::read(&root.join(path)).unwrap());
    let guards = lifecycle::guards();
    for invariant in Invariant::ALL {
        let places = [
            guards.contains(&invariant),
            verify.contains(&format!("Invariant::{invariant:?}")),
            model.contains(&format!("\"{}\"", invariant.name())),
        ];
        let [transitions, compiled, explored] =
            places.map(|there| if there { "yes" } else { "no" });
        let start = format!("| `{}` |", invariant.name());
        let end = format!("| {transitions} | {compiled} | {explored} |");
        let row = page.lines().find(|line| line.starts_with(&start)).unwrap();
        assert!(row.ends_with(&end), "{start} should end with {end}");
    }
}
