#![cfg(test)]

use drover_api::{DriftKind as K, DriftSeverity as S, TargetSettings};
use drover_world::{Disk, HardDisk, Hardware, Point};
use serde_json::json;

use super::*;

/// One minute after another; the world begins at 0.
fn minute(number: i64) -> Timestamp {
    Timestamp::from_second(number * 60).unwrap()
}

fn instance(power: Power) -> Observed<Instance> {
    Observed::Seen {
        value: Instance {
            power,
            disk: Disk::Whole,
            ..Instance::ABSENT
        },
        at: minute(0),
    }
}

fn unknown<T>() -> Observed<T> {
    Observed::Unknown {
        since: minute(0),
        last: None,
    }
}

fn link(state: LinkState, towards: SiteRole, newest: Timestamp) -> Observed<Link> {
    Observed::Seen {
        value: Link {
            towards,
            state,
            finalized: true,
            pending_bytes: 0,
            final_sync: None,
            committed: None,
            epoch: 1,
            trouble: None,
            points: vec![Point {
                at: newest,
                name: "newest".into(),
                app_consistent: false,
                processed: true,
            }],
        },
        at: newest,
    }
}

fn hardware(cpus: u32, disks: &[&str]) -> Hardware {
    Hardware {
        cpus: Some(cpus),
        memory: Some(4 << 30),
        host: None,
        disks: disks
            .iter()
            .map(|name| HardDisk {
                name: (*name).to_owned(),
                size: Some(20 << 30),
            })
            .collect(),
    }
}

/// A machine that is protected at the primary site, and all about it is as declared. A test changes what it is
/// about, and looks again.
struct Bench {
    spec: ProtectedMachineSpec,
    status: ProtectedMachineStatus,
    at: [Observed<Instance>; 2],
    link: Observed<Link>,
    threshold: Duration,
    run: Option<RunInHand>,
    run_ended: Option<Timestamp>,
    arrived: Option<Timestamp>,
    made: Hardware,
    made_on: Vec<NetworkName>,
    made_at: Option<Timestamp>,
    networks: Option<Vec<NetworkName>>,
    provisions: bool,
    no_longer_selected: bool,
    accepted: bool,
    now: Timestamp,
}

fn bench() -> Bench {
    let spec = json!({
        "groupRef": { "name": "data" },
        "machine": "db-1",
        "sites": { "primary": "seoul", "secondary": "busan" },
        "policyRef": { "name": "gold" },
    });
    let mut bench = Bench {
        spec: serde_json::from_value(spec).unwrap(),
        status: ProtectedMachineStatus {
            phase: MachinePhase::Protected,
            active_site: Some(SiteRole::Primary),
            ..ProtectedMachineStatus::default()
        },
        at: [instance(Power::Healthy), instance(Power::Absent)],
        link: link(LinkState::Replicating, SiteRole::Secondary, minute(10)),
        threshold: Duration::from_mins(15),
        run: None,
        run_ended: None,
        arrived: None,
        made: hardware(2, &["vda", "vdb"]),
        made_on: networks(&["app"]),
        made_at: Some(minute(1)),
        networks: None,
        provisions: true,
        no_longer_selected: false,
        accepted: false,
        now: minute(10),
    };
    // Its first look is what it is compared with.
    assert_eq!(bench.look(), []);
    assert_eq!(bench.status.hardware.len(), 1);
    bench
}

fn running(rests: bool, since: Option<i64>) -> RunInHand {
    RunInHand {
        rests,
        since: since.map(minute),
    }
}

fn networks(names: &[&str]) -> Vec<NetworkName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

impl Bench {
    fn judge(&self) -> Judged {
        let made = Made {
            hardware: &self.made,
            networks: &self.made_on,
        };
        machine(&MachineFacts {
            spec: &self.spec,
            status: &self.status,
            at: [&self.at[0], &self.at[1]],
            link: &self.link,
            rpo_threshold: &self.threshold,
            run: self.run,
            run_ended: self.run_ended,
            arrived: self.arrived,
            made: self.made_at.map(|at| (made, at)),
            networks: self.networks.clone(),
            provisions: self.provisions,
            no_longer_selected: self.no_longer_selected,
            accepted: self.accepted,
            now: self.now,
        })
    }

    /// Judges and records, and says what differs since which minute.
    fn look(&mut self) -> Vec<(K, S, i64, String)> {
        let judged = self.judge();
        self.status.drift = judged.drift;
        self.status.hardware = judged.hardware;
        let minutes = |at: Timestamp| at.as_second() / 60;
        let drift = self.status.drift.iter();
        drift
            .map(|each| {
                (
                    each.kind,
                    each.severity,
                    minutes(each.since),
                    each.message.clone(),
                )
            })
            .collect()
    }

    fn later(&mut self, now: i64) -> Vec<(K, S, i64, String)> {
        self.now = minute(now);
        // Points come all the time, but where a test is about them.
        self.link = link(
            LinkState::Replicating,
            self.status.active_site.unwrap().other(),
            self.now,
        );
        self.look()
    }
}

fn found(kind: K, severity: S, since: i64, words: &str) -> Vec<(K, S, i64, String)> {
    vec![(kind, severity, since, words.to_owned())]
}

#[test]
fn a_change_of_the_machine_is_seen_and_keeps_its_since() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.made = hardware(4, &["vda", "vdb"]);
    let words = "it has 4 processors and had 2";
    assert_eq!(
        bench.later(11),
        found(K::HardwareChanged, S::Warning, 11, words)
    );
    assert_eq!(
        bench.later(50),
        found(K::HardwareChanged, S::Warning, 11, words)
    );
    bench.made = hardware(2, &["vdb", "VDA"]);
    assert_eq!(bench.later(51), []);

    bench.made = hardware(2, &["vda", "vdb", "vdc"]);
    let words = "disk vdc of 20Gi was added";
    assert_eq!(
        bench.later(52),
        found(K::DisksChanged, S::Warning, 52, words)
    );
    bench.made = hardware(2, &["vda", "vdb"]);
    bench.made_on = networks(&["dmz"]);
    let words = "it is not on network app; it is on network dmz";
    assert_eq!(
        bench.later(53),
        found(K::NetworksChanged, S::Warning, 53, words)
    );
}

#[test]
fn a_person_accepts_what_it_is_now() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.made = hardware(4, &["vda"]);
    assert_eq!(bench.later(11).len(), 2);
    // What cannot be seen cannot be accepted; the word waits.
    bench.accepted = true;
    let seen = bench.made_at.take();
    assert!(!bench.judge().accepted);
    bench.made_at = seen;
    assert!(bench.judge().accepted);
    assert_eq!(bench.later(12), []);
    bench.accepted = false;
    assert_eq!(bench.later(13), []);
}

#[test]
fn what_is_declared_for_a_site_counts_and_not_what_was() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.spec.target_settings = Some(drover_api::SiteTargetSettings {
        primary: Some(TargetSettings {
            cpus: Some(4),
            ..TargetSettings::default()
        }),
        secondary: None,
    });
    let words = "it has 2 processors, and 4 are declared";
    assert_eq!(
        bench.later(11),
        found(K::SettingsChanged, S::Warning, 11, words)
    );
    bench.made = hardware(4, &["vda", "vdb"]);
    assert_eq!(bench.later(12), []);

    bench.networks = Some(networks(&["backup", "app"]));
    let words = "it is not on network backup";
    assert_eq!(
        bench.later(13),
        found(K::NetworksChanged, S::Warning, 13, words)
    );
    bench.made_on = networks(&["APP", "backup"]);
    assert_eq!(bench.later(14), []);
    bench.spec.excluded_disks = vec!["tmp".into()];
    let words = "disk tmp is excluded and not there";
    assert_eq!(
        bench.later(15),
        found(K::SettingsChanged, S::Warning, 15, words)
    );
}

#[test]
fn data_that_flows_the_wrong_way_was_not_drovers_doing() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.link = link(LinkState::Replicating, SiteRole::Primary, minute(10));
    let words = "its data flows towards seoul, where it runs";
    assert_eq!(
        bench.look(),
        found(K::SettingsChanged, S::Warning, 10, words)
    );
}

#[test]
fn a_recovery_point_that_is_too_old_is_late_since_it_became_so() {
    // SPEC: RD-2, PR-6
    let mut bench = bench();
    bench.now = minute(25);
    assert_eq!(bench.look(), [], "just in time");
    bench.now = minute(40);
    let words = "its newest recovery point is older than 15m";
    assert_eq!(bench.look(), found(K::RpoExceeded, S::Warning, 25, words));
    // Nobody who would know answers: what was seen last stands (SA-1).
    bench.link = unknown();
    bench.now = minute(60);
    assert_eq!(bench.look(), found(K::RpoExceeded, S::Warning, 25, words));
    assert_eq!(bench.later(61), []);
}

#[test]
fn a_machine_that_runs_twice_or_nowhere_is_said() {
    // SPEC: RD-2, FO-8
    let mut bench = bench();
    bench.at[1] = instance(Power::Healthy);
    let words = "it runs at seoul and at busan";
    assert_eq!(
        bench.later(11),
        found(K::SplitBrain, S::Critical, 11, words)
    );
    bench.at[1] = unknown();
    assert_eq!(
        bench.later(12),
        found(K::SplitBrain, S::Critical, 11, words)
    );
    bench.at = [instance(Power::Absent), instance(Power::Absent)];
    let words = "there is no such machine at seoul";
    assert_eq!(bench.later(13), found(K::Missing, S::Critical, 13, words));
    bench.at[0] = unknown();
    assert_eq!(bench.later(14), found(K::Missing, S::Critical, 13, words));
    // At the other site alone: that is for the plan to say.
    bench.at = [instance(Power::Absent), instance(Power::Healthy)];
    assert_eq!(bench.later(15), []);
}

#[test]
fn a_guest_that_only_starts_again_is_no_drift() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.at[0] = instance(Power::Off);
    bench.status.instances = vec![drover_api::InstanceSeen {
        site: SiteRole::Primary,
        state: "Off".into(),
        drill: false,
        at: minute(20),
    }];
    assert_eq!(bench.later(21), []);
    assert_eq!(bench.judge().again, Some(minute(22)));
    let words = "it is switched off at seoul";
    assert_eq!(bench.later(22), found(K::NotRunning, S::Warning, 20, words));
}

#[test]
fn a_member_that_does_not_exist_is_missing_where_nobody_makes_it() {
    // SPEC: RD-2, PR-1
    let mut bench = bench();
    bench.status = ProtectedMachineStatus::default();
    bench.at = [instance(Power::Absent), instance(Power::Absent)];
    bench.made_at = None;
    assert_eq!(bench.look(), []);
    bench.provisions = false;
    let words = "there is no such machine at seoul";
    assert_eq!(bench.look(), found(K::Missing, S::Critical, 10, words));
}

#[test]
fn a_machine_that_nothing_replicates_is_said_once_drover_had_its_time() {
    // SPEC: RD-2, FO-9
    let mut bench = bench();
    bench.status.phase = MachinePhase::NotProtected;
    bench.status.active_site = Some(SiteRole::Secondary);
    bench.at = [instance(Power::Off), instance(Power::Healthy)];
    bench.run_ended = Some(minute(20));
    bench.arrived = Some(minute(15));
    assert_eq!(bench.later(21), []);
    assert_eq!(bench.judge().again, Some(minute(22)));
    let words = "it runs at busan after a failover, and nothing replicates it";
    assert_eq!(
        bench.later(30),
        found(K::NotProtected, S::Critical, 20, words)
    );
    bench.status.phase = MachinePhase::Failed;
    let words = "its replication failed, and trying again does not mend it";
    assert_eq!(
        bench.later(31),
        found(K::ReplicationStopped, S::Critical, 31, words)
    );
    bench.status.phase = MachinePhase::Inconsistent;
    let words = "its disk at the other site is half-written";
    assert_eq!(
        bench.later(32),
        found(K::ReplicationStopped, S::Critical, 31, words)
    );
}

#[test]
fn one_that_its_group_would_not_take_up_again_is_told() {
    // SPEC: RD-2, PR-10
    let mut bench = bench();
    bench.no_longer_selected = true;
    let words = "group data would not take it up any more";
    assert_eq!(
        bench.later(11),
        found(K::NoLongerSelected, S::Info, 11, words)
    );
}

#[test]
fn what_a_run_does_is_no_drift() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.made = hardware(4, &["vda", "vdb"]);
    let before = bench.later(11);
    assert_eq!(before.len(), 1);
    // In the run it goes off here and on there, on another network and smaller.
    bench.run = Some(running(false, None));
    bench.at = [instance(Power::Off), instance(Power::Absent)];
    assert_eq!(bench.later(12), before);
    bench.at = [instance(Power::Off), instance(Power::Healthy)];
    bench.status.active_site = Some(SiteRole::Secondary);
    bench.status.phase = MachinePhase::CommitPending;
    bench.arrived = Some(minute(14));
    bench.made = hardware(1, &["vda", "vdb"]);
    bench.made_on = networks(&["busan-app"]);
    assert_eq!(bench.later(14), before);

    // Afterwards it is compared with what the run made, once that was looked at.
    bench.run = None;
    bench.run_ended = Some(minute(15));
    bench.status.phase = MachinePhase::Protected;
    bench.made_at = Some(minute(13));
    let stale = bench.later(16);
    assert_eq!(stale, before, "an older look says nothing");
    assert_eq!(bench.judge().again, Some(minute(17)));
    bench.made_at = Some(minute(17));
    assert_eq!(bench.later(17), []);
    bench.made = hardware(2, &["vda", "vdb"]);
    let words = "it has 2 processors and had 1";
    assert_eq!(
        bench.later(18),
        found(K::HardwareChanged, S::Warning, 18, words)
    );
}

#[test]
fn back_at_a_site_it_is_compared_with_what_the_way_back_made() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.arrived = Some(minute(30));
    bench.made = hardware(8, &["vda"]);
    bench.made_at = Some(minute(31));
    assert_eq!(bench.later(31), []);
    assert_eq!(bench.status.hardware[0].cpus, Some(8));
}

#[test]
fn both_copies_running_in_a_run_is_said_once_it_rests() {
    // SPEC: RD-2, FO-8
    let mut bench = bench();
    bench.at = [instance(Power::Healthy), instance(Power::Healthy)];
    bench.run = Some(running(false, None));
    bench.arrived = Some(minute(11));
    assert_eq!(bench.later(11), [], "one may only be seen late");
    bench.run = Some(running(true, None));
    assert_eq!(bench.later(12), []);
    let words = "it runs at seoul and at busan";
    assert_eq!(
        bench.later(20),
        found(K::SplitBrain, S::Critical, 20, words)
    );
}

#[test]
fn judging_again_changes_nothing() {
    // SPEC: RD-2
    let mut bench = bench();
    bench.made = hardware(4, &["vda"]);
    bench.at[1] = instance(Power::Healthy);
    bench.no_longer_selected = true;
    bench.later(30);
    let first = (bench.status.drift.clone(), bench.status.hardware.clone());
    bench.look();
    assert_eq!((bench.status.drift, bench.status.hardware), first);
}

#[test]
fn a_run_that_waits_to_protect_it_does_not_make_it_protected() {
    // SPEC: RD-2, FO-9
    let mut bench = bench();
    bench.status.phase = MachinePhase::NotProtected;
    bench.status.active_site = Some(SiteRole::Secondary);
    bench.at = [instance(Power::Off), instance(Power::Healthy)];
    bench.arrived = Some(minute(10));
    bench.run = Some(running(false, Some(20)));
    assert_eq!(bench.later(21), []);
    assert_eq!(bench.judge().again, Some(minute(22)));
    let words = "it runs at busan after a failover, and nothing replicates it";
    assert_eq!(
        bench.later(30),
        found(K::NotProtected, S::Critical, 20, words)
    );
    bench.status.phase = MachinePhase::Reprotecting;
    assert_eq!(bench.later(31).len(), 1, "it is not protected yet");
    bench.status.phase = MachinePhase::Protected;
    bench.run = None;
    bench.run_ended = Some(minute(32));
    assert_eq!(bench.later(32), []);
}
