//! The limits of a site hold over all that share it, whichever plan they belong to.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, shop};
use drover_api::RunPhase;
use drover_simulator::Latency;
use drover_world::Power;
use serde_json::json;

/// A second plan, for the machine that the first leaves out.
const FRONT: &str = "front";

async fn two_plans(limits: serde_json::Value) -> Lab {
    let sites = json!({"primary": "seoul", "secondary": "busan"});
    let shop = shop()
        .sites(&json!({ "limits": limits }))
        .plan(&json!({"groups": [{"name": "data", "protectionGroups": ["data"]}]}))
        .with(
            "RecoveryPlan",
            FRONT,
            json!({
                "sites": sites,
                "activeSite": "primary",
                "groups": [{"name": "web", "protectionGroups": ["web"]}],
            }),
        );
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop).await;
    lab
}

fn at_once(lab: &Lab, site: &str, power: Power) -> usize {
    let are = MACHINES.iter();
    are.filter(|machine| lab.power(site, machine) == power)
        .count()
}

/// Looks on until both plans' runs came to a phase, and returns how many machines stopped and started at once
/// at the sites that they left and went to.
async fn watch(
    lab: &Lab,
    runs: [&str; 2],
    phase: RunPhase,
    from: &str,
    to: &str,
) -> (usize, usize) {
    let mut most = (0, 0);
    for _ in 0..10_000 {
        most.0 = most.0.max(at_once(lab, from, Power::Stopping));
        most.1 = most.1.max(at_once(lab, to, Power::Starting));
        let phases = [lab.phase(runs[0]).await, lab.phase(runs[1]).await];
        if phases == [Some(phase); 2] {
            return most;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("not {phase:?}: {}", lab.picture().await);
}

#[tokio::test(start_paused = true)]
async fn two_plans_together_keep_within_the_limits_of_a_site() {
    // SPEC: PL-2
    let lab = two_plans(json!({"concurrentStops": 1, "concurrentStarts": 1})).await;
    lab.set_active("secondary").await;
    lab.change(FRONT, json!({"activeSite": "secondary"})).await;
    let runs = ["shop-1", "front-1"];
    let most = watch(&lab, runs, RunPhase::CommitPending, "seoul", "busan").await;
    assert_eq!(most, (1, 1));
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_keeps_within_the_limits_of_where_it_stops_and_starts() {
    // SPEC: PL-2, FO-6
    let lab = two_plans(json!({})).await;
    lab.set_active("secondary").await;
    lab.change(FRONT, json!({"activeSite": "secondary"})).await;
    let runs = ["shop-1", "front-1"];
    let most = watch(&lab, runs, RunPhase::CommitPending, "seoul", "busan").await;
    // All that stand in one group go together where nothing limits them.
    assert!(most.0 > 1 && most.1 > 1, "{most:?}");
    lab.limit("seoul", json!({"concurrentStarts": 1})).await;
    lab.limit("busan", json!({"concurrentStops": 1})).await;
    for run in runs {
        lab.decide(run, "AcceptDiscard").await;
        lab.decide(run, "Cancel").await;
    }
    let most = watch(&lab, runs, RunPhase::Cancelled, "busan", "seoul").await;
    assert_eq!(most, (1, 1));
    lab.sound();
}
