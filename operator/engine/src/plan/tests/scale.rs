//! Ten thousand groups, on the small stack of a test: nothing recurses, nothing is quadratic.

use drover_api::RunLimits;
use drover_api::common::SiteRole;
use serde_json::{Value, json};

use super::fixture::{World, group, plan, policy, site};
use crate::plan::{GroupWork, Intent, Leave, MachineWork, PlanGraph, Work, schedule};

const GROUPS: usize = 10_000;
/// The most that one protection group may list.
const MEMBERS: usize = 5_000;

fn world(depends_on: Option<&Value>) -> World {
    let names: Vec<String> = (0..GROUPS).map(|at| format!("m-{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let half = |at: usize| group(&format!("half-{at}"), &names[at * MEMBERS..][..MEMBERS]);
    let groups = (0..GROUPS).map(|at| {
        let machine = json!({
            "protectionGroup": format!("half-{}", at / MEMBERS),
            "name": names[at],
        });
        let mut group = json!({ "name": format!("g-{at}"), "machines": [machine] });
        if let Some(list) = depends_on {
            group["dependsOn"] = list.clone();
        }
        group
    });
    let groups = groups.collect();
    World::new([
        site("seoul", json!([])),
        site("busan", json!([])),
        policy(None),
        half(0),
        half(1),
        plan(groups, json!({})),
    ])
}

#[test]
fn a_chain_of_ten_thousand_groups_is_planned() {
    let report = world(None).plan(Intent::planned(SiteRole::Secondary));
    assert_eq!(report.waves.len(), GROUPS);
    // Every stop, the last sync of the machine that stops last, every start.
    let seconds = GROUPS as u64 * 10 + 5 + GROUPS as u64 * 35;
    assert_eq!(report.makespan.as_secs(), seconds);
    assert_eq!(report.critical_path.len(), 2 * GROUPS + 2);
}

#[test]
fn ten_thousand_independent_groups_are_planned() {
    let report = world(Some(&json!([]))).plan(Intent::planned(SiteRole::Secondary));
    assert_eq!(report.waves.len(), 1);
    // Twenty at a time.
    let seconds = GROUPS as u64 / 20 * 10 + 5 + GROUPS as u64 / 20 * 35;
    assert_eq!(report.makespan.as_secs(), seconds);
}

#[test]
fn a_chain_of_half_a_million_groups_does_not_recurse() {
    let names: Vec<String> = (0..500_000).map(|at| at.to_string()).collect();
    let chain = names.iter().map(|name| (name.as_str(), None::<&[&str]>));
    let graph = PlanGraph::new(chain).unwrap();
    let machine = MachineWork {
        stop: 1,
        final_sync: 0,
        start: 1,
    };
    let group = GroupWork {
        machines: vec![machine],
        ..GroupWork::default()
    };
    let work = Work {
        groups: vec![group; graph.len()],
        limits: RunLimits {
            stops: 1,
            starts: 1,
        },
        leave: Leave::Stop,
    };
    assert_eq!(schedule(&graph, &work).makespan, 1_000_000);
    // The same closed to a circle.
    let first = [names[names.len() - 1].as_str()];
    let circle = names.iter().enumerate().map(|(at, name)| {
        let depends_on = (at == 0).then_some(&first[..]);
        (name.as_str(), depends_on)
    });
    assert!(PlanGraph::new(circle).is_err());
}
