//! A write that was answered is on disk, whenever the process ends.
//!
//! The test starts itself as a child that writes and reports each answer, kills it with `SIGKILL` in
//! the middle of that, opens the store again and looks for everything that was reported. It does so
//! several times over the same store.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test, with a main of its own

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use drover_embedded::{Api, Options};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, ObjectMeta, PostParams};

const CHILD: &str = "DROVER_TEST_STORE";
const WRITERS: usize = 8;
const ROUNDS: usize = 4;
/// Answers before the child is killed.
const REPORTS: usize = 150;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let Some(folder) = env::var_os(CHILD) {
        runtime.block_on(write_for_ever(Path::new(&folder)));
    } else {
        // SPEC: BI-2, KU-4
        runtime.block_on(what_was_answered_survives());
        println!("what_was_answered_survives ... ok");
    }
}

fn options(folder: &Path) -> Options {
    Options {
        data: Some(folder.to_owned()),
        ..Options::default()
    }
}

/// Each writer counts up in an object of its own.
async fn write_for_ever(folder: &Path) {
    let api = Api::open(options(folder)).await.unwrap();
    let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(api.client("default"));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let maps = maps.clone();
        writers.spawn(async move {
            let name = format!("writer-{writer}");
            let mut current = if let Some(current) = maps.get_opt(&name).await.unwrap() {
                current
            } else {
                let metadata = ObjectMeta {
                    name: Some(name.clone()),
                    ..ObjectMeta::default()
                };
                let first = ConfigMap {
                    metadata,
                    ..ConfigMap::default()
                };
                maps.create(&PostParams::default(), &first).await.unwrap()
            };
            loop {
                let count = count(&current) + 1;
                current.data = Some(BTreeMap::from([("count".to_owned(), count.to_string())]));
                current = maps
                    .replace(&name, &PostParams::default(), &current)
                    .await
                    .unwrap();
                let version = current.metadata.resource_version.clone().unwrap();
                // In one piece, so that lines of two writers do not mix.
                io::stdout()
                    .lock()
                    .write_all(format!("{name} {count} {version}\n").as_bytes())
                    .unwrap();
            }
        });
    }
    writers.join_next().await;
}

fn count(map: &ConfigMap) -> u64 {
    map.data
        .as_ref()
        .and_then(|data| data["count"].parse().ok())
        .unwrap_or_default()
}

async fn what_was_answered_survives() {
    let folder = tempfile::tempdir().unwrap();
    let mut highest = 0;
    for _ in 0..ROUNDS {
        let reported = run_and_kill(folder.path());
        let api = Api::open(options(folder.path())).await.unwrap();
        let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(api.client("default"));
        for (name, (told, version)) in &reported {
            let kept = maps.get(name).await.unwrap();
            assert!(
                count(&kept) >= *told,
                "{name}: {told} was answered, {} is there",
                count(&kept)
            );
            highest = highest.max(*version);
        }
        let now: u64 = maps
            .list(&ListParams::default())
            .await
            .unwrap()
            .metadata
            .resource_version
            .unwrap()
            .parse()
            .unwrap();
        assert!(now >= highest, "versions go on: {now} after {highest}");
        drop(maps);
        api.close().await;
    }
    assert!(highest > u64::try_from(ROUNDS * REPORTS / 2).unwrap());
}

/// The highest count and version that each writer was answered.
fn run_and_kill(folder: &Path) -> BTreeMap<String, (u64, u64)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reported = BTreeMap::new();
    let mut lines = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split(' ').collect();
        // The last line may be cut off by the kill.
        let [name, count, version] = words.as_slice() else {
            break;
        };
        let (Ok(count), Ok(version)) = (count.parse(), version.parse()) else {
            break;
        };
        reported.insert((*name).to_owned(), (count, version));
        lines += 1;
        if lines == REPORTS {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        lines >= REPORTS,
        "the child ended by itself after {lines} answers"
    );
    reported
}
