//! A failover goes on, whatever happens to the API server, to etcd and to the way there.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use drover_control::Stopped;
use drover_tests::controlplane::Part;
use serde_json::{Value, json};

use crate::world::World;

/// Longer than the rest between the groups of the plan: what is due becomes due during the fault.
const FAULT: Duration = Duration::from_secs(5);
/// Longer than a lease lives (15 s).
fn long_fault() -> Duration {
    let long = env::var_os("DROVER_LONG").is_some();
    Duration::from_secs(if long { 40 } else { 20 })
}

/// What is done to a world, and how it is called.
type Fault = (&'static str, fn(&mut World));

/// Fails over and back, with a fault in each run.
fn with_each(world: &mut World, faults: &[Fault]) {
    for (index, (name, fault)) in faults.iter().enumerate() {
        let site = if index % 2 == 0 {
            "secondary"
        } else {
            "primary"
        };
        let started = Instant::now();
        let run = world.fail_over(site);
        fault(world);
        world.completes(&run);
        println!("{name}: {run} was done after {:.1?}", started.elapsed());
    }
}

#[test]
fn a_failover_goes_on_when_the_api_server_and_its_store_are_killed() {
    // SPEC: BI-2, FO-2, FO-7
    let mut world = World::new();
    with_each(
        &mut world,
        &[
            ("the API server is killed", |world| {
                world.control_plane.kill(Part::ApiServer);
                world.control_plane.start_again(Part::ApiServer).unwrap();
            }),
            ("etcd is killed", |world| {
                world.control_plane.kill(Part::Etcd);
                thread::sleep(FAULT);
                world.control_plane.start_again(Part::Etcd).unwrap();
            }),
            ("history is forgotten", forget),
        ],
    );
}

#[test]
fn a_failover_goes_on_when_the_api_server_cannot_be_reached() {
    // SPEC: BI-2, FO-2, FO-7
    let mut world = World::new();
    with_each(
        &mut world,
        &[
            ("connections are refused", |world| {
                world.proxy.refuse();
                thread::sleep(FAULT);
                world.proxy.pass();
            }),
            ("nothing is passed on", |world| {
                world.proxy.hang();
                thread::sleep(FAULT);
                world.proxy.pass();
            }),
            ("connections are cut again and again", |world| {
                for _ in 0..20 {
                    world.proxy.cut();
                    thread::sleep(FAULT / 20);
                }
            }),
            ("too many requests", throttle),
        ],
    );
}

#[test]
fn a_failover_goes_on_after_the_lease_is_lost_for_want_of_an_api_server() {
    // SPEC: BI-2, SA-3
    let mut world = World::new();
    with_each(
        &mut world,
        &[("connections are refused for long", |world| {
            world.proxy.refuse();
            thread::sleep(long_fault());
            world.proxy.pass();
        })],
    );
    let ended = world.ended.lock().unwrap();
    assert!(!ended.is_empty(), "who cannot renew its lease ends");
    assert!(ended.iter().all(|why| *why == Stopped::LostLease));
}

/// Everything that the operator saw is too old to go on from: other things were written since, etcd
/// forgot what came before, and a new API server remembers nothing.
fn forget(world: &mut World) {
    world.proxy.refuse();
    let seen = world.get(&["recoveryplan", "shop"]).unwrap();
    let seen = seen["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    world.kubectl(&["create", "configmap", "between", "-n", "life"]);
    world.kubectl(&["delete", "configmap", "between", "-n", "life"]);
    world.control_plane.compact_etcd().unwrap();
    world.control_plane.kill(Part::ApiServer);
    world.control_plane.start_again(Part::ApiServer).unwrap();
    let path = format!(
        "/apis/drover.dev/v1alpha1/recoveryplans?watch=1&timeoutSeconds=5&resourceVersion={seen}"
    );
    let event: Value = serde_json::from_str(&world.kubectl(&["get", "--raw", &path])).unwrap();
    assert_eq!(event["object"]["code"], 410, "{event:#}");
    world.proxy.pass();
}

/// The API server has no room for the operator: it answers 429, and when to come again.
fn throttle(world: &mut World) {
    let level = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": { "name": "no-room" },
        "spec": { "type": "Limited", "limited": {
            "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": { "type": "Reject" },
        } },
    });
    let schema = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": { "name": "no-room" },
        "spec": {
            "priorityLevelConfiguration": { "name": "no-room" },
            "matchingPrecedence": 2,
            "rules": [{
                "subjects": [{ "kind": "ServiceAccount", "serviceAccount": { "name": "drover", "namespace": "drover-system" } }],
                "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true }],
            }],
        },
    });
    world.apply(&level.to_string());
    world.apply(&schema.to_string());
    // Streams that are open are cut, so that they are asked for anew.
    world.proxy.cut();
    world.until("a refusal", |world| {
        let metrics = world.kubectl(&["get", "--raw", "/metrics"]);
        let mut lines = metrics.lines();
        let refused = "apiserver_flowcontrol_rejected_requests_total{flow_schema=\"no-room\"";
        lines.any(|line| line.starts_with(refused)).then_some(())
    });
    thread::sleep(FAULT);
    world.kubectl(&["delete", "flowschema", "no-room"]);
}
