//! The house rules that a look at the files can check: see CONTRIBUTING.md.
#![cfg(test)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use drover_tests::manifests;

/// What may stand at the top level. A new room of the house is talked about first.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "NOTICE",
    "README.md",
    "SECURITY.md",
    "charts",
    "clippy.toml",
    "crds",
    "deny.toml",
    "docs",
    "examples",
    "operator",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
];

/// A file is one idea; past 500 lines somebody asks which second idea moved in, and here is the end.
const LONGEST: usize = 600;

/// The files of the repository, those that are about to be added included.
fn files() -> Vec<PathBuf> {
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let output = Command::new("git")
        // In a container the checkout often belongs to somebody else.
        .args(["-c", "safe.directory=*"])
        .args(list)
        .current_dir(manifests::repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).unwrap();
    let files = names.split_terminator('\0').map(PathBuf::from);
    // A file that was removed is listed until the removal is committed.
    files
        .filter(|file| manifests::repository().join(file).is_file())
        .collect()
}

/// The lines of a file; none where it is no text.
fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifests::repository().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = files();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    assert!(files.len() > 50);
    files
}

#[test]
fn the_top_level_holds_what_the_house_plan_says() {
    let strange: Vec<_> = files()
        .into_iter()
        .filter_map(|file| Some(file.iter().next()?.to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // In two parts, or this file would be the first to be found.
    let homes = [["/ro", "ot/"], ["/wo", "rk/"], ["/home/", "user/"]].map(|parts| parts.concat());
    let mut found = Vec::new();
    for file in files() {
        for (number, line) in lines(&file).iter().enumerate() {
            let is_path = |home: &String| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    // `frame/work/` is no path of a machine.
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '*')
                    })
                })
            };
            if homes.iter().any(is_path) {
                found.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_holds_two_ideas() {
    let is_test = |file: &Path| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        file.starts_with("tests")
            || name == "tests"
            || name.ends_with("_tests")
            || file.iter().any(|part| part == "tests")
    };
    let mut long = Vec::new();
    for file in rust_files() {
        // The tests at the end of a file belong to its idea.
        let length = lines(&file)
            .iter()
            .take_while(|line| *line != "#[cfg(test)]")
            .count();
        if !is_test(&file) && length > LONGEST {
            long.push(format!("{}: {length} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_test_is_switched_off() {
    let attribute = ["#[ig", "nore"].concat();
    let mut found = rust_files();
    found.retain(|file| {
        lines(file)
            .iter()
            .any(|line| line.trim_start().starts_with(&attribute))
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let mut silent = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.ends_with("Cargo.toml") && file.iter().count() > 1)
    {
        let mut is_dependency = false;
        for line in lines(file) {
            if line.starts_with('[') {
                is_dependency = line.contains("dependencies");
            } else if is_dependency
                && line.contains('=')
                && !line.contains(" # ")
                && !line.starts_with("drover-")
            {
                silent.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    for file in files()
        .iter()
        .filter(|file| file.ends_with("Cargo.toml") && file.iter().count() > 1)
    {
        let text = lines(file).join("\n");
        // A fuzz target needs a nightly toolchain, hence a workspace of its own.
        let is_apart = text.contains("\n[workspace]");
        assert!(
            is_apart || text.contains("[lints]\nworkspace = true"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_is_run_can_be_run() {
    let root = manifests::repository();
    for script in [
        "tests/run",
        "tests/beside",
        "tests/controlplane/build",
        "tests/controlplane/tools/build",
        "operator/lab/first-process",
        "operator/lab/guest/build",
        ".ci/run",
    ] {
        let mode = fs::metadata(root.join(script))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "{script} is not executable");
        assert!(
            lines(Path::new(script))
                .concat()
                .contains("set -euo pipefail")
                || script == ".ci/run",
            "{script}"
        );
    }
}
