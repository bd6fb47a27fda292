//! The program under the name by which `kubectl` finds it.

use std::os::unix::fs::symlink;
use std::process::Command;

use drover_tests::controlplane::kubectl_path;

use crate::world::Said;

/// Runs `kubectl`, which finds its plugins on the search path.
fn kubectl(arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    for name in ["kubectl-drover", "kubectl_complete-drover"] {
        symlink(env!("CARGO_BIN_EXE_drover"), folder.path().join(name)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    Command::new(kubectl_path().unwrap())
        .args(arguments)
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("HOME", folder.path())
        .env_remove("KUBECONFIG")
        .current_dir(folder.path())
        .output()
        .unwrap()
        .into()
}

#[test]
fn kubectl_has_a_command_of_that_name() {
    // SPEC: KU-2
    let help = kubectl(&["drover", "--help"]).fine();
    assert!(help.data.contains("Usage: kubectl drover"), "{}", help.data);
    let help = kubectl(&["drover", "commit", "--help"]).fine();
    let usage = "Usage: kubectl drover commit";
    assert!(help.data.contains(usage), "{}", help.data);
    let version = kubectl(&["drover", "version"]).fine();
    assert!(version.data.contains(env!("CARGO_PKG_VERSION")));
    let wrong = kubectl(&["drover", "failover"]).wrong();
    assert!(
        wrong.talk.contains("unrecognized subcommand"),
        "{}",
        wrong.talk
    );
}

#[test]
fn kubectl_completes_it() {
    // SPEC: KU-2
    let complete = |words: &[&str]| {
        let all: Vec<&str> = ["__complete", "drover"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        kubectl(&all).fine().data
    };
    let commands = complete(&["re"]);
    for (name, about) in [
        ("report", "Print the evidence of a run"),
        ("resume", "Let a halted run go on from where it stopped"),
        ("reprotect", "Protect the machines"),
    ] {
        let line = commands.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name}: {commands}"));
        assert!(line.contains(about), "{line}");
    }
    let commit = commands.lines().find(|line| line.starts_with("commit"));
    assert_eq!(commit, None);
    assert_eq!(commands.lines().last(), Some(":4"), "{commands}");
    let options = complete(&["report", "--fo"]);
    assert!(options.starts_with("--format"), "{options}");
    let values = complete(&["report", "--format", ""]);
    let values: Vec<&str> = values
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(values, ["text", "json", "markdown", "html", ":4"]);
}
