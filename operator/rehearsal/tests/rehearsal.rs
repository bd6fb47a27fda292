//! Rehearsals of declared plans: the right order, the waits that a fault causes, the same again from the same
//! seed, and no broken invariant whatever goes wrong.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use drover_api::common::{FailoverType, SiteRole, SourceStop, Unfenced};
use drover_api::{FencingMethod, Object, Request};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Intent, Places, Planner, Records};
use drover_manifest::{Options, Source, drover_kinds, load};
use drover_rehearsal::{
    Assumed, Ended, Error, Kind, Prepared, Rehearsal, Scenario, Step, Summary, live, live_all,
};
use drover_world::PlanId;
use jiff::Timestamp;

/// The manifests of a folder of the examples.
fn objects(example: &str) -> Vec<Object> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(example);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    let loaded = load(&sources, &drover_kinds(), &Options::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded
        .objects
        .into_iter()
        .map(|declared| declared.object)
        .collect()
}

/// Prepares a run of the only plan of an example.
fn prepare(
    example: &str,
    intent: Intent,
    faults: &[&str],
    assumed: Assumed,
) -> Result<Prepared, Error> {
    prepare_of(&objects(example), intent, faults, assumed)
}

fn prepare_of(
    objects: &[Object],
    intent: Intent,
    faults: &[&str],
    assumed: Assumed,
) -> Result<Prepared, Error> {
    prepare_asked(objects, intent, None, faults, assumed)
}

fn prepare_asked(
    objects: &[Object],
    intent: Intent,
    request: Option<&Request>,
    faults: &[&str],
    assumed: Assumed,
) -> Result<Prepared, Error> {
    let declared = Declared::new(objects);
    let inventories = declared_inventories(&declared);
    let (namespace, name) = declared.plans.keys().next().copied().unwrap();
    let plan = PlanId {
        namespace: namespace.parse().unwrap(),
        name: name.parse().unwrap(),
    };
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: None,
    };
    Prepared::of(&Scenario {
        planner: &planner,
        plan: &plan,
        intent,
        request,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        assumed,
    })
}

fn quickstart(intent: Intent, faults: &[&str]) -> Prepared {
    prepare("quickstart", intent, faults, Assumed::default()).unwrap()
}

fn over() -> Intent {
    Intent::planned(SiteRole::Secondary)
}

fn lost() -> Intent {
    Intent::unplanned(SiteRole::Secondary, SourceStop::Attempt)
}

fn one(prepared: &Prepared) -> Rehearsal {
    let life = live(prepared, 1).unwrap();
    assert_eq!(life.violations, Vec::<String>::new());
    life
}

fn of<'a>(life: &'a Rehearsal, group: &str) -> Vec<&'a Step> {
    let steps = life.steps.iter();
    steps.filter(|step| step.group.as_str() == group).collect()
}

#[test]
fn a_planned_failover_loses_nothing_and_keeps_the_order() {
    // SPEC: RD-4, PL-1, PL-3, FO-2
    let life = one(&quickstart(over(), &[]));
    assert_eq!(life.ended, Ended::Up);
    assert_eq!(life.rpo, Some(Duration::ZERO));
    let starts = |group: &str| {
        let all = of(&life, group).into_iter();
        all.filter(|step| matches!(step.kind, Kind::Enter { .. }))
            .collect::<Vec<_>>()
    };
    let (data, web) = (starts("data"), starts("web"));
    assert_eq!((data.len(), web.len()), (2, 10));
    let healthy = data.iter().map(|step| step.end).max().unwrap();
    assert!(web.iter().all(|step| step.begin >= healthy));
}

#[test]
fn machines_that_begin_together_are_told_as_people_count() {
    // SPEC: RD-4
    let life = one(&quickstart(over(), &[]));
    let leaves = of(&life, "web").into_iter().filter_map(|step| {
        let Kind::Leave { machine } = &step.kind else {
            return None;
        };
        Some((step.begin, machine.to_string()))
    });
    let leaves: Vec<_> = leaves.collect();
    assert!(leaves.iter().all(|(begin, _)| *begin == leaves[0].0));
    let names: Vec<_> = leaves.into_iter().map(|(_, name)| name).collect();
    let counted: Vec<_> = (1..=10).map(|number| format!("web-{number}")).collect();
    assert_eq!(names, counted);
}

#[test]
fn without_chance_it_takes_what_is_forecast() {
    // SPEC: PL-5, RD-4
    let calm = Assumed {
        spread: 0.0,
        ..Assumed::default()
    };
    let prepared = prepare("quickstart", over(), &[], calm).unwrap();
    let rto = one(&prepared).rto.unwrap();
    // The forecast of the quickstart, as the README shows it, and what looking takes.
    let forecast = Duration::from_secs(220);
    let over = rto.abs_diff(forecast);
    assert!(over <= Duration::from_secs(2), "{rto:?}");
}

#[test]
fn the_same_seed_is_the_same_life_and_another_is_another() {
    // SPEC: RD-4
    let prepared = quickstart(over(), &["slow-disks=busan*2", "failed-boot=5%"]);
    let lives = live_all(&prepared, 7, 8).unwrap();
    assert_eq!(lives, live_all(&prepared, 7, 8).unwrap());
    assert_ne!(lives[0].rto, lives[1].rto);
    assert_eq!(lives[3], live(&prepared, 10).unwrap());
}

#[test]
fn a_planned_failover_without_its_source_waits_and_says_for_what() {
    // SPEC: RD-4, FO-2, SA-1
    let life = one(&quickstart(over(), &["site-loss=seoul"]));
    let Ended::Waits { why } = &life.ended else {
        panic!("{:?}", life.ended);
    };
    assert!(why.contains("primary site does not answer"), "{why}");
    assert_eq!((life.rto, life.machines.healthy), (None, 0));
}

#[test]
fn an_unplanned_failover_goes_on_without_its_source_once_that_is_fenced() {
    // SPEC: RD-4, FO-3, SA-2
    let faults = ["site-loss=seoul"];
    let life = one(&quickstart(lost(), &faults));
    let Ended::Waits { why } = &life.ended else {
        panic!("{:?}", life.ended);
    };
    assert!(why.contains("no fence of the source is confirmed"), "{why}");
    assert!(life.lacks_a_fence);

    let mut objects = objects("quickstart");
    for object in &mut objects {
        if let Object::Site(site) = object {
            site.spec.fencing.method = FencingMethod::Power;
        }
    }
    let life = one(&prepare_of(&objects, lost(), &faults, Assumed::default()).unwrap());
    assert_eq!(life.ended, Ended::Up, "{:?}", life.steps);
    assert!(!life.lacks_a_fence);
    let loss = life.rpo.unwrap();
    assert!(
        loss > Duration::ZERO && loss < Duration::from_mins(5),
        "{loss:?}"
    );
}

#[test]
fn an_unplanned_failover_goes_on_unfenced_where_somebody_accepts_the_risk() {
    // SPEC: RD-4, SA-2, PL-9
    let request = Request {
        id: "typhoon-1".to_owned(),
        expires: Timestamp::MAX,
        kind: FailoverType::Unplanned,
        recovery_point: None,
        source_stop: None,
        unfenced: Unfenced::AcceptSplitBrain,
        max_data_loss: None,
    };
    let objects = objects("quickstart");
    // Cut off, the source runs on: that both sides serve is what was accepted.
    for fault in ["site-loss=seoul", "partition=seoul"] {
        let assumed = Assumed::default();
        let prepared = prepare_asked(&objects, lost(), Some(&request), &[fault], assumed);
        let life = one(&prepared.unwrap());
        assert_eq!(life.ended, Ended::Up, "{fault}: {:?}", life.steps);
        assert!(life.rto.is_some() && !life.lacks_a_fence);
    }
}

#[test]
fn a_boot_that_fails_halts_a_planned_run_and_not_an_unplanned_one() {
    // SPEC: RD-4, FO-2, FO-3
    let life = one(&quickstart(over(), &["failed-boot=web-3*9"]));
    assert!(
        matches!(life.ended, Ended::Halted { .. }),
        "{:?}",
        life.ended
    );
    let life = one(&quickstart(lost(), &["failed-boot=web-3*9"]));
    assert_eq!(life.ended, Ended::Partly);
    assert_eq!((life.machines.healthy, life.machines.failed), (11, 1));
}

#[test]
fn an_action_that_fails_is_tried_again_and_then_halts() {
    // SPEC: RD-4, PL-4
    let life = one(&quickstart(
        over(),
        &["failed-action=data/database-answers*2"],
    ));
    assert_eq!(life.ended, Ended::Up, "it has five retries");
    let life = one(&quickstart(
        over(),
        &["failed-action=data/database-answers"],
    ));
    assert!(
        matches!(life.ended, Ended::Halted { .. }),
        "{:?}",
        life.ended
    );
}

#[test]
fn people_take_their_time() {
    // SPEC: RD-4, PL-4
    let slow = Assumed {
        answer: Duration::from_mins(10),
        ..Assumed::default()
    };
    let quick = one(&quickstart(over(), &[])).rto.unwrap();
    let prepared = prepare("quickstart", over(), &[], slow).unwrap();
    let life = one(&prepared);
    let longer = life.rto.unwrap().saturating_sub(quick);
    assert!(longer >= Duration::from_mins(9), "{longer:?}");
    let last = &life.steps[*life.decisive.last().unwrap()];
    assert!(
        matches!(last.kind, Kind::Action { person: true, .. }),
        "{last:?}"
    );
}

#[test]
fn slow_disks_take_longer() {
    // SPEC: RD-4
    let quick = one(&quickstart(over(), &[])).rto.unwrap();
    let slow = one(&quickstart(over(), &["slow-disks=busan*8"]))
        .rto
        .unwrap();
    assert!(slow > quick + Duration::from_secs(10), "{quick:?} {slow:?}");
}

#[test]
fn a_failback_is_rehearsed_from_where_the_failover_ended() {
    // SPEC: RD-4, FB-2
    let life = one(&quickstart(Intent::planned(SiteRole::Primary), &[]));
    assert_eq!(life.ended, Ended::Up, "{:?}", life.steps);
    assert_eq!(life.machines.healthy, 12);
}

#[test]
fn a_fault_that_cannot_be_is_refused() {
    // SPEC: BI-1
    for (fault, told) in [
        ("site-loss=paris", "no site paris"),
        ("failed-boot=db-9", "no machine db-9"),
        ("failed-action=data/nothing", "no action data/nothing"),
    ] {
        let refused = prepare("quickstart", over(), &[fault], Assumed::default());
        let error = refused.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        let Error::Fault(fault) = error else {
            panic!("{error}");
        };
        // Whoever slipped is told what there is.
        let unknown = fault.unknown.unwrap();
        assert!(told.ends_with(&unknown.name), "{unknown:?}");
        assert!(!unknown.known.is_empty(), "{unknown:?}");
    }
}

#[test]
fn many_lives_say_how_likely_what_is() {
    // SPEC: RD-4
    let prepared = quickstart(over(), &["failed-boot=2%*9"]);
    let summary = Summary::of(&live_all(&prepared, 1, 100).unwrap());
    assert_eq!(summary.runs, 100);
    // Of twelve machines none fails in 0.98^12 = 78 of a hundred runs.
    assert!((60..95).contains(&summary.up()), "{:?}", summary.endings);
    let rto = summary.rto.unwrap();
    assert!(rto.min < rto.p50 && rto.p50 < rto.p99);
    assert!(summary.decisive.len() > 3);
    assert!(summary.violations.is_empty());
}

#[test]
fn real_fabrics_are_rehearsed_by_the_rules_of_their_pair() {
    // SPEC: RD-4, FO-2, FO-3
    let prepared = prepare("libvirt", over(), &[], Assumed::default()).unwrap();
    let life = one(&prepared);
    assert_eq!(life.ended, Ended::Up, "{:?}", life.steps);
}
