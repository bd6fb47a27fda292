//! A fault at every point: a whole life of three machines in two groups, once for every call of the API and
//! of a driver in it, and for everything that can go wrong with that call.

#![cfg(test)]

mod lab;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use drover_api::{ActualSite, MachinePhase, RunPhase};
use drover_simulator::Latency;
use lab::faults::{EVERY_FAULT, Fault, Faults};
use lab::{Lab, shop};
use serde_json::json;

async fn drill(lab: &mut Lab) {
    lab.rehearse(json!({"planRef": {"name": "shop"}})).await;
    lab.end_rehearsal().await;
    lab.until("the drill is gone", async |lab| {
        lab.practice().await.is_none()
    })
    .await;
}

/// Protect, drill, planned failover, commit, reprotect, failback, commit, reprotect.
async fn whole_life(lab: &mut Lab) {
    lab.protect(&shop()).await;
    drill(lab).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    lab.sound();
    lab.decide("shop-2", "Commit").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Secondary).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-4", RunPhase::CommitPending).await;
    lab.decide("shop-4", "Commit").await;
    lab.until_phase("shop-5", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
}

/// Protect, then an unplanned failover, and whatever becomes of the site that was lost.
async fn emergency(lab: &mut Lab) {
    lab.protect(&shop()).await;
    lab.faults.record(true);
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    lab.until_all(MachinePhase::NotProtected).await;
    lab.until_rests_at(ActualSite::Secondary).await;
    // The lost site is back by then, and its copies are held.
    tokio::time::sleep(lab::faults::AWAY * 2).await;
    lab.decide("shop-1", "Reprotect").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
}

/// What there is at the end, without what differs from one time to the other.
async fn end_state(lab: &Lab) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for machine in lab.machines().await {
        let status = machine.status.unwrap();
        state.insert(
            machine.metadata.name.unwrap(),
            format!(
                "{:?} {:?} {:?}",
                status.phase, status.active_site, status.run
            ),
        );
        for site in ["seoul", "busan"] {
            let (at, name) = (site.parse().unwrap(), machine.spec.machine.clone());
            let seen = lab.world.machine(&at, &name);
            let seen = seen.map(|seen| (seen.instance.power, seen.instance.disk));
            state.insert(format!("{name} at {site}"), format!("{seen:?}"));
            let drill = lab.world.drill(&at, &name).is_some();
            state.insert(format!("drill of {name} at {site}"), format!("{drill}"));
        }
        let link = lab
            .world
            .link(&"seoul".parse().unwrap(), &machine.spec.machine);
        let link = link.map(|link| (link.towards, link.state));
        state.insert(
            format!("link of {}", machine.spec.machine),
            format!("{link:?}"),
        );
    }
    let plan = lab.plan().await.status.unwrap();
    state.insert(
        "plan".into(),
        format!(
            "{:?} {:?} {:?} {:?}",
            plan.active_site, plan.current_run, plan.last_runs, plan.drift
        ),
    );
    state
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Story {
    WholeLife,
    Emergency,
    /// A whole life with a second operator that stands by.
    Takeover,
}

/// What one life came to.
struct Life {
    points: Vec<String>,
    fired: Vec<(String, Fault)>,
    end: BTreeMap<String, String>,
}

/// Lives one life with faults, on virtual time of its own.
fn live(story: Story, planned: Vec<(String, Fault)>) -> Life {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async move {
        let faults = Faults::planned(planned);
        faults.record(story != Story::Emergency);
        let mut lab = Lab::with(Latency::Zero, faults).await;
        match story {
            Story::WholeLife => whole_life(&mut lab).await,
            Story::Emergency => emergency(&mut lab).await,
            Story::Takeover => {
                lab.start_second();
                whole_life(&mut lab).await;
            }
        }
        // Whatever comes late has come by now.
        lab.pass(std::time::Duration::from_mins(1)).await;
        lab.sound();
        Life {
            points: lab.faults.points(),
            fired: lab.faults.fired(),
            end: end_state(&lab).await,
        }
    })
}

/// Lives a life for each of these, on all cores, and says which did not end as they should.
fn campaign(
    story: Story,
    planned: Vec<Vec<(String, Fault)>>,
    end: &BTreeMap<String, String>,
) -> usize {
    let next = AtomicUsize::new(0);
    let fired = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let planned = Arc::new(planned);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(faults) = planned.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let life = catch_unwind(AssertUnwindSafe(|| live(story, faults.clone())));
                    match life {
                        Ok(life) => {
                            fired.fetch_add(usize::from(!life.fired.is_empty()), Ordering::Relaxed);
                            let different: Vec<_> = life
                                .end
                                .iter()
                                .filter(|(key, value)| end.get(*key) != Some(value))
                                .collect();
                            if life.end.len() != end.len() || !different.is_empty() {
                                failures
                                    .lock()
                                    .unwrap()
                                    .push(format!("{}: {different:?}", again(faults)));
                            }
                        }
                        Err(panic) => {
                            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                            let first = words.lines().next().unwrap_or_default().to_owned();
                            let words = format!("{}: {first}", again(faults));
                            eprintln!("{words}");
                            failures.lock().unwrap().push(words);
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    for failure in failures.iter().take(40) {
        eprintln!("{failure}");
    }
    assert_eq!(failures.len(), 0, "of {} lives", planned.len());
    fired.into_inner()
}

/// How this life is lived again.
fn again(faults: &[(String, Fault)]) -> String {
    let faults = faults
        .iter()
        .map(|(point, fault)| format!("{point}={fault:?}"));
    let faults = faults.collect::<Vec<_>>().join("; ");
    format!("DROVER_FAULT='{faults}' cargo test -p drover-control --test campaign one_life")
}

/// Lives one life again, with the faults that an environment variable names:
/// `DROVER_FAULT='POINT=Fault; POINT=Fault'`.
#[test]
fn one_life_again() {
    let Ok(text) = std::env::var("DROVER_FAULT") else {
        return;
    };
    let planned: Vec<(String, Fault)> = text
        .split("; ")
        .map(|text| {
            let (point, fault) = text.rsplit_once('=').expect("POINT=Fault");
            let mut faults = EVERY_FAULT.into_iter().chain([Fault::LoseSite]);
            let fault = faults.find(|known| format!("{known:?}") == fault);
            (point.to_owned(), fault.expect("a fault"))
        })
        .collect();
    let lost = planned.iter().any(|(_, fault)| *fault == Fault::LoseSite);
    let story = if lost {
        Story::Emergency
    } else {
        Story::WholeLife
    };
    let life = live(story, planned);
    println!("{:?}\n{:#?}", life.fired, life.end);
}

#[test]
fn no_fault_at_any_point_breaks_an_invariant() {
    // SPEC: FO-7, SA-4, BI-2
    let calm = live(Story::WholeLife, vec![]);
    let planned: Vec<_> = calm
        .points
        .iter()
        .flat_map(|point| EVERY_FAULT.map(|fault| vec![(point.clone(), fault)]))
        .collect();
    let lives = planned.len();
    eprintln!("{} points", calm.points.len());
    let fired = campaign(Story::WholeLife, planned, &calm.end);
    println!(
        "{} points x {} faults: {lives} lives, {fired} met theirs",
        calm.points.len(),
        EVERY_FAULT.len()
    );
}

#[test]
fn a_paused_operator_that_resumes_after_another_took_over_does_no_harm() {
    // SPEC: SA-3, SA-4, FO-7
    let calm = live(Story::Takeover, vec![]);
    // Every call of a driver, and every seventh of the others; all of them in the long mode.
    let long = std::env::var_os("DROVER_LONG").is_some();
    let driver = |point: &str| {
        !["GET", "PUT", "POST", "WATCH", "PATCH", "DELETE"]
            .contains(&point.split(' ').next().unwrap())
    };
    let planned: Vec<_> = calm
        .points
        .iter()
        .enumerate()
        .filter(|(nth, point)| {
            long || nth % 7 == 0 || (driver(point) && !point.starts_with("observe"))
        })
        .map(|(_, point)| vec![(point.clone(), Fault::Pause)])
        .collect();
    let lives = planned.len();
    let fired = campaign(Story::Takeover, planned, &calm.end);
    println!("paused at {lives} points, {fired} of them met");
}

/// Numbers that follow from a seed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// Several faults in one life, by a seed: `DROVER_SEED=N` lives one of them again.
#[test]
fn several_faults_in_one_life_break_nothing() {
    // SPEC: BI-2, FO-7
    let calm = live(Story::WholeLife, vec![]);
    let faults_of = |seed: u64| {
        let mut dice = Dice(seed);
        let count = 2 + dice.below(4);
        let mut faults = BTreeMap::new();
        for _ in 0..count {
            let point = calm.points[dice.below(calm.points.len())].clone();
            faults.insert(point, EVERY_FAULT[dice.below(EVERY_FAULT.len())]);
        }
        faults.into_iter().collect::<Vec<_>>()
    };
    let one = std::env::var("DROVER_SEED")
        .ok()
        .map(|text| text.parse::<u64>().expect("a number"));
    let long = std::env::var_os("DROVER_LONG").is_some();
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => (0..if long { 10_000 } else { 200 }).collect(),
    };
    let planned: Vec<_> = seeds.iter().map(|seed| faults_of(*seed)).collect();
    let fired = campaign(Story::WholeLife, planned, &calm.end);
    println!("{} schedules, {fired} of them met a fault", seeds.len());
}

/// Schedules that broke something once, and what that was.
#[test]
fn what_broke_once_breaks_no_more() {
    // SPEC: BI-2, FO-1, SA-3
    let calm = live(Story::WholeLife, vec![]);
    let faults = |faults: &[(&str, Fault)]| {
        let all = faults.iter();
        all.map(|(point, fault)| ((*point).to_owned(), *fault))
            .collect::<Vec<_>>()
    };
    let planned = vec![
        // A key that was refused between two terms of one and the same leader was forgotten.
        faults(&[
            ("PUT leases/drover #5", Fault::Timeout),
            (
                "PUT machineruns/shop-4.00002.web-1/status #2",
                Fault::Timeout,
            ),
            ("Started web-1 at busan #1", Fault::Stale),
        ]),
        // A request to make a machine for a drill arrived after the drill was cleaned up.
        faults(&[
            (
                "PUT machineruns/shop-2.00001.db-2/status #1",
                Fault::Timeout,
            ),
            ("PUT protectiongroups/data #1", Fault::CrashBefore),
            ("Started web-1 at seoul #1", Fault::Conflict),
            ("materialize drill web-1 at secondary #1", Fault::Stale),
        ]),
    ];
    campaign(Story::WholeLife, planned, &calm.end);
}

#[test]
fn a_site_may_be_lost_at_any_point_of_an_unplanned_failover() {
    // SPEC: FO-3, FO-8, SA-2, BI-2
    let calm = live(Story::Emergency, vec![]);
    let planned: Vec<_> = calm
        .points
        .iter()
        .map(|point| vec![(point.clone(), Fault::LoseSite)])
        .collect();
    let lives = planned.len();
    let fired = campaign(Story::Emergency, planned, &calm.end);
    println!("the site lost at {lives} points, {fired} of them met");
}

#[test]
fn the_same_life_is_lived_twice() {
    let (one, other) = (
        live(Story::WholeLife, vec![]),
        live(Story::WholeLife, vec![]),
    );
    assert_eq!(one.points, other.points);
}
