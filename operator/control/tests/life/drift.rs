//! What is changed behind Drover's back is told, and what Drover changes itself is not.

use std::time::Duration;

use drover_api::{
    ActualSite, DriftKind as K, DriftSeverity, MachinePhase, PlanDrift, ProtectedMachine, RunPhase,
    Site,
};
use drover_simulator::{Fault, Latency};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::lab::{Lab, shop};

async fn differences(lab: &Lab) -> Vec<PlanDrift> {
    let status = lab.plan().await.status;
    status.map(|status| status.differences).unwrap_or_default()
}

async fn differs(lab: &Lab, kind: K) -> Option<PlanDrift> {
    let all = differences(lab).await;
    all.into_iter().find(|each| each.kind == kind)
}

async fn machine(lab: &Lab, name: &str) -> ProtectedMachine {
    let all = lab.machines().await.into_iter();
    let mut named = all.filter(|machine| machine.spec.machine.as_str() == name);
    named.next().unwrap()
}

async fn site(lab: &Lab, name: &str) -> Site {
    let api: Api<Site> = Api::all(lab.client.clone());
    api.get(name).await.unwrap()
}

/// The events of a reason, as they were told.
async fn told(lab: &Lab, reason: &str) -> Vec<String> {
    let api: Api<Event> = Api::all(lab.client.clone());
    let all = api.list(&ListParams::default()).await.unwrap();
    let of_reason = all
        .into_iter()
        .filter(|event| event.reason.as_deref() == Some(reason));
    of_reason.filter_map(|event| event.note).collect()
}

/// Protects the shop, and waits until it is known what its machines are made of.
async fn protected(lab: &mut Lab, shop: &crate::lab::Shop) {
    lab.protect(shop).await;
    until_recorded(lab, ActualSite::Primary).await;
}

/// Waits until it is known what the machines are made of where they are.
async fn until_recorded(lab: &mut Lab, at: ActualSite) {
    lab.until("what machines are made of is known", async |lab| {
        let machines = lab.machines().await;
        machines.iter().all(|machine| {
            let status = machine.status.as_ref().unwrap();
            let here = status.active_site;
            let known = status.hardware.iter().any(|seen| Some(seen.site) == here);
            known && lab_side(at) == here
        })
    })
    .await;
}

fn lab_side(at: ActualSite) -> Option<drover_api::common::SiteRole> {
    match at {
        ActualSite::Primary => Some(drover_api::common::SiteRole::Primary),
        ActualSite::Secondary => Some(drover_api::common::SiteRole::Secondary),
        ActualSite::Mixed | ActualSite::Unknown => None,
    }
}

fn changed(machine: &str) -> Fault {
    Fault::Reconfigure {
        site: "seoul".parse().unwrap(),
        machine: machine.parse().unwrap(),
        cpus: Some(8),
        memory: None,
        disk: Some(10 << 30),
        networks: Some(vec!["dmz".parse().unwrap()]),
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_somebody_changed_is_in_status_events_and_metrics() {
    // SPEC: RD-2
    let mut lab = Lab::new(Latency::Realistic).await;
    protected(&mut lab, &shop()).await;
    assert_eq!(differences(&lab).await, []);

    lab.world.inject(&changed("web-1"));
    lab.until("the change is seen", async |lab| {
        differs(lab, K::DisksChanged).await.is_some()
    })
    .await;
    let found = differences(&lab).await;
    let kinds: Vec<_> = found
        .iter()
        .map(|each| (each.kind, each.severity, each.count))
        .collect();
    let warning = DriftSeverity::Warning;
    assert_eq!(
        kinds,
        [
            (K::DisksChanged, warning, 1),
            (K::HardwareChanged, warning, 1),
            (K::NetworksChanged, warning, 1),
        ]
    );
    assert!(
        found.iter().all(|each| each.message == "web-1"),
        "{found:?}"
    );
    let status = machine(&lab, "web-1").await.status.unwrap();
    let words: Vec<&str> = status
        .drift
        .iter()
        .map(|each| each.message.as_str())
        .collect();
    assert_eq!(
        words,
        [
            "disk disk-2 of 10Gi was added",
            "it has 8 processors and had 2",
            "it is on network dmz",
        ]
    );
    let conditions = lab.plan().await.status.unwrap().conditions;
    let drifted = conditions
        .iter()
        .find(|each| each.type_ == "Drifted")
        .unwrap();
    assert_eq!(drifted.reason, "DisksChanged");
    let events = told(&lab, "Drifted").await;
    assert!(
        events.contains(&"DisksChanged: web-1".to_owned()),
        "{events:?}"
    );
    let metrics = lab.metrics();
    for line in [
        "drover_plan_drift{namespace=\"default\",plan=\"shop\",kind=\"DisksChanged\",severity=\"Warning\"} 1.0",
        "drover_plan_drifted{namespace=\"default\",plan=\"shop\"} 1.0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }

    // Since when is known to whoever comes next, too.
    lab.crash();
    lab.start();
    lab.pass(Duration::from_mins(30)).await;
    assert_eq!(differences(&lab).await, found);

    // It is meant, and that is said.
    let accept = json!({"drover.dev/accept-drift": "change 4711"});
    lab.annotate("ProtectedMachine", "web.web-1", accept).await;
    lab.until("nothing differs", async |lab| {
        differences(lab).await.is_empty()
    })
    .await;
    let status = machine(&lab, "web-1").await.status.unwrap();
    assert_eq!(status.last_accepted_drift.as_deref(), Some("change 4711"));
    let events = told(&lab, "DriftEnded").await;
    assert!(
        events.contains(&"no longer DisksChanged: web-1".to_owned()),
        "{events:?}"
    );
    assert!(!lab.metrics().contains("drover_plan_drift{"));
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_nobody_protects_is_told_until_somebody_does() {
    // SPEC: RD-2
    let mut lab = Lab::new(Latency::Realistic).await;
    protected(&mut lab, &shop()).await;
    let open = async |lab: &Lab| site(lab, "seoul").await.status.unwrap().unprotected;
    lab.until("all are protected", async |lab| {
        open(lab).await.is_some_and(|open| open.count == 0)
    })
    .await;
    lab.world
        .ensure_machine(&"seoul".parse().unwrap(), &"crm-1".parse().unwrap(), None);
    lab.until("it is seen", async |lab| {
        open(lab).await.is_some_and(|open| open.count == 1)
    })
    .await;
    let seen = open(&lab).await.unwrap();
    assert_eq!((seen.offered, seen.machines[0].name.as_str()), (1, "crm-1"));
    assert_eq!(
        told(&lab, "UnprotectedMachines").await,
        ["1 more that no protection group has: crm-1; 1 altogether"]
    );
    let line = "drover_site_unprotected_machines{site=\"seoul\",offered=\"true\"} 1.0";
    assert!(lab.metrics().contains(line), "{}", lab.metrics());

    let group = json!({
        "sites": {"primary": "seoul", "secondary": "busan"},
        "policyRef": {"name": "gold"},
        "machines": [{"name": "crm-1"}],
    });
    lab.create(&crate::lab::Shop::default().with("ProtectionGroup", "crm", group))
        .await;
    lab.until("it is protected", async |lab| {
        open(lab).await.is_some_and(|open| open.count == 0)
    })
    .await;
    let other = site(&lab, "busan").await.status.unwrap().unprotected;
    assert_eq!(other.unwrap().count, 0, "copies are nobody's open machines");
}

#[tokio::test(start_paused = true)]
async fn what_drover_does_itself_is_no_drift() {
    // SPEC: RD-2
    let mut lab = Lab::new(Latency::Realistic).await;
    let settings = json!({"secondary": {"cpus": 4, "memory": "8Gi"}});
    let shop = shop()
        .but(
            "ProtectionGroup",
            "web",
            &json!({"targetSettings": settings}),
        )
        .but(
            "ProtectionGroup",
            "data",
            &json!({"targetSettings": settings}),
        );
    protected(&mut lab, &shop).await;

    // A drill makes copies and takes them away.
    lab.rehearse(json!({"planRef": {"name": "shop"}})).await;
    assert_eq!(differences(&lab).await, []);
    lab.end_rehearsal().await;
    lab.until("the drill is gone", async |lab| {
        lab.practice().await.is_none()
    })
    .await;

    for (site, run, after) in [("secondary", 1, 2), ("primary", 3, 4)] {
        let (run, after) = (format!("shop-{}", run + 1), format!("shop-{}", after + 1));
        lab.set_active(site).await;
        undrifted_until(&mut lab, &run, RunPhase::CommitPending).await;
        lab.pass(Duration::from_hours(1)).await;
        assert_eq!(differences(&lab).await, [], "commit pending at {site}");
        lab.decide(&run, "Commit").await;
        undrifted_until(&mut lab, &after, RunPhase::Protected).await;
        lab.until_all(MachinePhase::Protected).await;
        let at = if site == "primary" {
            ActualSite::Primary
        } else {
            ActualSite::Secondary
        };
        until_recorded(&mut lab, at).await;
        lab.pass(Duration::from_mins(10)).await;
        assert_eq!(differences(&lab).await, [], "protected at {site}");
    }
    let hardware = machine(&lab, "web-1").await.status.unwrap().hardware;
    let cpus: Vec<_> = hardware
        .iter()
        .map(|seen| (seen.site.as_str(), seen.cpus))
        .collect();
    assert_eq!(cpus, [("primary", Some(2)), ("secondary", Some(4))]);
    assert_eq!(told(&lab, "Drifted").await, Vec::<String>::new());
    lab.sound();
}

/// Waits for a phase of a run, and looks at every moment until then.
async fn undrifted_until(lab: &mut Lab, run: &str, phase: RunPhase) {
    lab.until(&format!("{run} {phase:?}"), async |lab| {
        assert_eq!(differences(lab).await, [], "on the way to {run} {phase:?}");
        for machine in lab.machines().await {
            let drift = machine.status.unwrap_or_default().drift;
            assert_eq!(drift, [], "{} on the way to {run}", machine.spec.machine);
        }
        lab.phase(run).await == Some(phase)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_off_gone_or_late_is_told() {
    // SPEC: RD-2, PR-6
    let mut lab = Lab::new(Latency::Realistic).await;
    protected(&mut lab, &shop()).await;
    let (seoul, busan) = ("seoul".parse().unwrap(), "busan".parse().unwrap());
    lab.world.inject(&Fault::PowerOff {
        site: "seoul".parse().unwrap(),
        machine: "db-1".parse().unwrap(),
    });
    lab.until("it is off", async |lab| {
        differs(lab, K::NotRunning).await.is_some()
    })
    .await;
    lab.world.inject(&Fault::PowerOn {
        site: "seoul".parse().unwrap(),
        machine: "db-1".parse().unwrap(),
    });
    lab.until("it runs", async |lab| {
        differs(lab, K::NotRunning).await.is_none()
    })
    .await;

    lab.world.inject(&Fault::CutLink {
        one: seoul,
        other: busan,
        silent: false,
    });
    lab.until("copies are late", async |lab| {
        differs(lab, K::RpoExceeded).await.is_some()
    })
    .await;
    let late = differs(&lab, K::RpoExceeded).await.unwrap();
    assert_eq!(late.severity, DriftSeverity::Warning);
    lab.world.inject(&Fault::HealLink {
        one: "seoul".parse().unwrap(),
        other: "busan".parse().unwrap(),
    });
    lab.until("copies are young", async |lab| {
        differs(lab, K::RpoExceeded).await.is_none()
    })
    .await;

    lab.world.inject(&Fault::Delete {
        site: "seoul".parse().unwrap(),
        machine: "web-1".parse().unwrap(),
    });
    lab.until("it is gone", async |lab| {
        differs(lab, K::Missing).await.is_some()
    })
    .await;
    assert_eq!(differs(&lab, K::Missing).await.unwrap().message, "web-1");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_does_not_answer_is_not_compared() {
    // SPEC: RD-2, SA-1
    let mut lab = Lab::new(Latency::Realistic).await;
    protected(&mut lab, &shop()).await;
    lab.world.inject(&changed("db-2"));
    lab.until("the change is seen", async |lab| {
        differs(lab, K::DisksChanged).await.is_some()
    })
    .await;
    let before = differs(&lab, K::DisksChanged).await;
    lab.world.partition(&"seoul".parse().unwrap());
    lab.until("it is silent", async |lab| {
        differs(lab, K::Unseen).await.is_some()
    })
    .await;
    lab.pass(Duration::from_mins(5)).await;
    let kinds: Vec<K> = differences(&lab)
        .await
        .iter()
        .map(|each| each.kind)
        .collect();
    assert!(
        !kinds.contains(&K::Missing) && !kinds.contains(&K::NotRunning),
        "{kinds:?}"
    );
    assert_eq!(
        differs(&lab, K::DisksChanged).await,
        before,
        "what was seen last stands"
    );
    lab.world.heal(&"seoul".parse().unwrap());
    lab.until("it answers", async |lab| {
        differs(lab, K::Unseen).await.is_none()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_site_leaves_machines_that_nothing_replicates() {
    // SPEC: RD-2, FO-9
    let mut lab = Lab::new(Latency::Realistic).await;
    protected(&mut lab, &shop()).await;
    lab.world.lose_site(&"seoul".parse().unwrap());
    lab.pass(Duration::from_mins(1)).await;
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert!(
        differs(&lab, K::NotProtected).await.is_none(),
        "the run tells, and waits"
    );
    lab.decide("shop-1", "Commit").await;
    lab.until("it is loud", async |lab| {
        differs(lab, K::NotProtected).await.is_some()
    })
    .await;
    let open = differs(&lab, K::NotProtected).await.unwrap();
    assert_eq!((open.severity, open.count), (DriftSeverity::Critical, 3));
}
