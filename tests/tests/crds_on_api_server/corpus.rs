//! The corpus of broken manifests: each is refused by who should, with the words it should.

use std::{collections::BTreeSet, thread};

use drover_api::Object;
use drover_tests::{
    corpus::{self, Broken, Expect},
    manifests, rules,
};

use crate::cluster::{cluster, undisturbed};

/// Calls of `kubectl` at a time: most of each is the start of a process.
const AT_ONCE: usize = 4;

/// Runs a check on each file and collects what it says.
fn problems_of(
    files: &[Broken],
    check: impl Fn(&Broken) -> Result<(), String> + Sync,
) -> Vec<String> {
    let chunks = files.chunks(files.len().div_ceil(AT_ONCE).max(1));
    thread::scope(|scope| {
        let workers: Vec<_> = chunks
            .map(|chunk| {
                let check = &check;
                scope.spawn(move || {
                    let problem = |file: &Broken| {
                        check(file)
                            .err()
                            .map(|what| format!("{}: {what}", file.name()))
                    };
                    chunk.iter().filter_map(problem).collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    })
}

fn expecting(expected: &[Expect]) -> Vec<Broken> {
    let mut files = corpus::broken().unwrap();
    files.retain(|file| expected.contains(&file.expect));
    files
}

/// Whether the server takes the file; if not, what it says.
fn offer(file: &Broken) -> Result<(), String> {
    let apply = [
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "--filename=-",
    ];
    let _undisturbed = undisturbed();
    let output = cluster().try_kubectl_with_input(&apply, &file.text);
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn make_namespaces(files: &[Broken]) {
    for file in files {
        cluster().ensure_namespaces(&manifests::documents(&file.text).unwrap());
    }
}

#[test]
fn what_a_definition_can_check_is_refused_without_drover() {
    // SPEC: BI-1
    let files = expecting(&[Expect::Schema, Expect::Cel]);
    make_namespaces(&files);
    let problems = problems_of(&files, |file| {
        let Err(refusal) = offer(file) else {
            return Err("the server takes it".to_owned());
        };
        if !refusal.contains(&file.says) {
            return Err(format!("the server says something else: {refusal}"));
        }
        match fields_of(&refusal).len() {
            0 | 1 => Ok(()),
            _ => Err(format!("more than one mistake: {refusal}")),
        }
    });
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The fields that a list of causes names. One field may be wrong in two ways (a subnet has a pattern
/// and a format), and then the server adds that it did not look at the rules, about no field.
fn fields_of(refusal: &str) -> BTreeSet<&str> {
    let causes = refusal.lines().filter_map(|line| line.strip_prefix("* "));
    let fields = causes
        .filter_map(|cause| cause.split_once(": "))
        .map(|(field, _)| field);
    fields.filter(|field| *field != "<nil>").collect()
}

#[test]
fn what_only_drover_can_know_is_taken_by_the_server() {
    // SPEC: BI-1
    let files = expecting(&[Expect::Engine]);
    make_namespaces(&files);
    let problems = problems_of(&files, |file| {
        offer(file).map_err(|refusal| format!("refused: {refusal}"))
    });
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_rule_is_broken_by_a_file_of_its_own() {
    // SPEC: KU-1
    let broken = expecting(&[Expect::Cel]);
    let rules = rules::all().unwrap();
    let messages: BTreeSet<&str> = rules
        .iter()
        .filter(|rule| !rule.is_about_a_change())
        .map(|rule| &*rule.message)
        .collect();
    let is_said = |message: &&&str| broken.iter().any(|file| message.contains(&*file.says));
    let silent: Vec<_> = messages
        .iter()
        .filter(|message| !is_said(message))
        .collect();
    assert!(silent.is_empty(), "no file expects to be told: {silent:#?}");
    let is_a_rule = |file: &&Broken| messages.iter().any(|message| message.contains(&*file.says));
    let strange: Vec<_> = broken
        .iter()
        .filter(|file| !is_a_rule(file))
        .map(Broken::name)
        .collect();
    assert!(
        strange.is_empty(),
        "these say what no rule says: {strange:#?}"
    );
}

#[test]
fn a_text_that_only_its_type_refuses_is_refused_by_it() {
    // SPEC: BI-1
    let files: Vec<Broken> = expecting(&[Expect::Engine])
        .into_iter()
        .filter(Broken::is_native)
        .collect();
    assert!(!files.is_empty());
    let problems = problems_of(&files, |file| {
        let mut said = Vec::new();
        for document in manifests::documents(&file.text).unwrap() {
            let kind = document.kind().to_owned();
            if let Some(Err(error)) = Object::deserialize_kind(&kind, document.value) {
                said.push(error.to_string());
            }
        }
        match said.as_slice() {
            [] => Err("Rust reads it".to_owned()),
            [one] if one.contains(&file.says) => Ok(()),
            other => Err(format!("Rust says {other:?}")),
        }
    });
    assert!(problems.is_empty(), "{problems:#?}");
}
