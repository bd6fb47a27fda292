//! The command line as people and pipelines meet it.
//!
//! What is said word for word stands in `tests/golden/cli/*.txt`, a [`transcript`] for each subject;
//! what is too long or too odd for one is in [`behaviour`], [`reviewing`] and [`setting`], and [`corpus`] has a transcript for each
//! broken manifest, [`history`] what is said of a hundred changes, [`revisions`] of what cannot be compared, [`pipelines`] runs the jobs of the examples, [`rehearsing`] lives runs through. `DROVER_UPDATE=1 cargo test -p drover` writes all of them anew.
#![cfg(test)]

mod behaviour;
mod corpus;
mod history;
mod pipelines;
mod rehearsing;
mod reviewing;
mod revisions;
mod setting;
mod transcript;

use drover_tests::manifests;

#[test]
fn what_is_said_word_for_word() {
    let root = manifests::repository();
    let entries = std::fs::read_dir(root.join("tests/golden/cli")).unwrap();
    let mut transcripts: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    transcripts.sort();
    assert!(!transcripts.is_empty());
    for path in transcripts {
        transcript::check(&path, root);
    }
}
