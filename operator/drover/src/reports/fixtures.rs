//! Runs as they are found in a cluster, and what was kept of what they look like.
#![cfg(test)]

use std::path::PathBuf;

use drover_api::{MachineRun, Object, ProtectedMachine, RecoveryPlan, RecoveryRun, RunDecision};
use drover_manifest::{Options, Source, drover_kinds, load};

/// A run and what there is around it.
pub struct Found {
    pub plan: RecoveryPlan,
    pub run: RecoveryRun,
    pub machines: Vec<MachineRun>,
    pub decisions: Vec<RunDecision>,
}

/// A planned failover that went as it should.
pub fn planned() -> Found {
    found(include_str!("fixtures/planned.yaml"))
}

/// A planned failover that halted.
pub fn halted() -> Found {
    found(include_str!("fixtures/halted.yaml"))
}

/// A drill that passed and was cleaned up.
pub fn drill() -> Found {
    found(include_str!("fixtures/drill.yaml"))
}

/// An unplanned failover that lost data.
pub fn unplanned() -> Found {
    found(include_str!("fixtures/unplanned.yaml"))
}

/// Machines whose copies are of different age.
pub fn machines() -> Vec<ProtectedMachine> {
    let objects = objects(include_str!("fixtures/machines.yaml"));
    let machines = objects.into_iter().map(|object| match object {
        Object::ProtectedMachine(machine) => *machine,
        other => panic!("{}", other.kind()),
    });
    machines.collect()
}

fn found(text: &str) -> Found {
    let (mut plan, mut run, mut machines, mut decisions) = (None, None, Vec::new(), Vec::new());
    for object in objects(text) {
        match object {
            Object::RecoveryPlan(object) => plan = Some(*object),
            Object::RecoveryRun(object) => run = Some(*object),
            Object::MachineRun(object) => machines.push(*object),
            Object::RunDecision(object) => decisions.push(*object),
            other => panic!("{}", other.kind()),
        }
    }
    Found {
        plan: plan.unwrap(),
        run: run.unwrap(),
        machines,
        decisions,
    }
}

fn objects(text: &str) -> Vec<Object> {
    let source = Source {
        name: "fixture.yaml",
        text: text.as_bytes(),
    };
    let loaded = load(&[source], &drover_kinds(), &Options::default());
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    loaded
        .objects
        .into_iter()
        .map(|declared| declared.object)
        .collect()
}

/// Compares with what is kept in `tests/golden/reports`, or keeps it when `DROVER_UPDATE` is set.
pub fn golden(name: &str, now: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/reports");
    let path = folder.join(name);
    // A new version is no change.
    let now = &now.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("DROVER_UPDATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, now).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == *now,
        "{} differs.\n--- kept\n{kept}\n--- now\n{now}\n---\n\
         if that is meant: DROVER_UPDATE=1 cargo test -p drover",
        path.display()
    );
}
