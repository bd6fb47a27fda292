//! Two libvirt sites on this machine, with real guests that count what they write.
//!
//! Nothing is simulated: the sites have a libvirt and a mover each, time is that of the wall clock, and what
//! guests say of themselves on their consoles is held against what Drover reports. Everything ends with this
//! process, however it ends.

mod crossing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use drover_api::value::SiteName;
use drover_fabric::Clock;
use drover_lab::{Guest, Heard, Lab, Listener, Movers, Side, Site};
use drover_simulator::Latency;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::scenery::{Crossing, Props, Scenery, Seen};
use crate::exit::Exit;
use crate::failure::{Failure, Why};
use crate::output::Output;
use crate::signals::Signals;
use crate::up::home::{Home, Plan, cannot};
use crate::up::screen::Screen;

/// The machines, in the order in which they are numbered.
const MACHINES: [&str; 2] = ["db-1", "web-1"];
const DISKS: u8 = 2;
/// The last part of the first machine's address.
const FIRST_ADDRESS: u8 = 11;
/// A guest that has counted so far is up.
const UP: u64 = 2;

/// Where drills are, as `libvirt.yaml` maps it.
const TEST_NETWORK: &str = "isolated";
/// The listener reads what was written within this.
const HEARING: Duration = Duration::from_millis(10);

/// Operator and API have a thread each, beside the one that looks on.
const THREADS: usize = 2;

const SITES: [(Side, &str); 2] = [(Side::Primary, "seoul"), (Side::Secondary, "busan")];

/// Plays the demonstration here.
///
/// # Errors
/// When the sites cannot be had, something does not come to be so, or cannot be written.
pub fn run(output: &mut Output) -> Result<Exit, Failure> {
    let screen = Screen::new(output);
    let failed = |error: drover_lab::Error| lab_failed("start two libvirt sites", &error);
    Lab::check().map_err(failed)?;
    screen.talk(output, INTRODUCTION);
    let lab = Lab::start().map_err(failed)?;
    let emulated = if lab.has_kvm() {
        ""
    } else {
        "\nKVM does not work here: they are emulated, and slower."
    };
    screen.talk(
        output,
        &format!("Both sites are up; two guests boot.{emulated}"),
    );
    let guests = Guests::open(lab)?;
    screen.talk(
        output,
        "Both count, several times a second. Time is real; all times below are mm:ss.",
    );
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| cannot("begin", &error))?;
    let result = runtime.block_on(play(guests, screen, output));
    // A call of a mover that still waits is nothing that an end may wait for.
    runtime.shutdown_background();
    result
}

const INTRODUCTION: &str = "\
Two machines of a shop at two libvirt sites, seoul and busan, on this machine.
Sites, guests and the network between them are in namespaces of their own, and
end with this process. Nothing of this machine's own libvirt is touched.";

async fn play(guests: Guests, screen: Screen, output: &mut Output) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let home = Home::open(Plan {
        data: None,
        latency: Latency::Zero,
        clock: Clock::system(),
        seed: None,
    })
    .await?;
    tokio::select! {
        played = super::play(home, Box::new(guests), screen, output) => played,
        () = signals.any() => Err(Failure::Refused {
            what: "interrupted; the sites have ended, and nothing of them is left".to_owned(),
            hint: "the next one begins anew".to_owned(),
        }),
    }
}

/// The scenery: both sites, their movers, and who listens to the guests.
struct Guests {
    // Declared first, because it reads what the sites write.
    listener: Listener,
    movers: Movers,
    props: Props,
    /// How often each guest had booted at each site when the last failover or drill began.
    marks: BTreeMap<(&'static str, &'static str), usize>,
    /// Boots in a drill: a machine may run beside its own rehearsal.
    rehearsals: BTreeSet<(&'static str, &'static str, usize)>,
}

impl Guests {
    fn open(lab: Lab) -> Result<Self, Failure> {
        let failed = |error| lab_failed("start guests and movers", &error);
        let home = lab.site(Side::Primary);
        let sites = Side::ALL.map(|side| lab.site(side));
        let listener = Listener::new(&sites, &MACHINES);
        for (address, name) in (FIRST_ADDRESS..).zip(MACHINES) {
            let guest = Guest::new(name).with_disks(DISKS).with_address(address);
            home.define(&guest).map_err(failed)?;
            home.virsh(&["start", name]).map_err(failed)?;
        }
        for name in MACHINES {
            let counts = home.wait_for(name, |console| console.heartbeat() > Some(UP));
            counts.map_err(failed)?;
        }
        let drover = std::env::current_exe()
            .map_err(|error| cannot("find the program that is a mover too", &error))?;
        let movers = Movers::start(lab, &drover).map_err(failed)?;
        let props = props(&movers);
        Ok(Self {
            listener,
            movers,
            props,
            marks: BTreeMap::new(),
            rehearsals: BTreeSet::new(),
        })
    }

    fn site(&self, name: &SiteName) -> &Site {
        self.movers.site(side(name))
    }

    /// What a guest says of a boot, once it counts: it is healthy when its agent answers, a moment before.
    fn counting(&self, site: &Site, name: &str, boot: usize) -> Result<Heard, Failure> {
        let since = Instant::now();
        loop {
            let heard = self.listener.heard(site, name);
            if heard
                .counts
                .get(boot)
                .is_some_and(|counts| !counts.is_empty())
            {
                return Ok(heard);
            }
            let said = heard.console.boots.get(boot);
            let failure = said.and_then(|boot| boot.failure.clone());
            if failure.is_some() || since.elapsed() > self.props.patience {
                return Err(unheard(
                    name,
                    failure.as_deref().unwrap_or("it says nothing"),
                ));
            }
            std::thread::sleep(HEARING);
        }
    }

    /// How often a guest had booted at a site at the last mark.
    fn marked(&self, site: &Site, name: &'static str) -> usize {
        let mark = self.marks.get(&(site.side().name(), name));
        mark.copied().unwrap_or(0)
    }

    fn boots(&self, site: &Site, name: &str) -> usize {
        self.listener.heard(site, name).counts.len()
    }
}

impl Scenery for Guests {
    fn props(&self) -> &Props {
        &self.props
    }

    fn seen(&mut self, name: &SiteName) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        let site = self.movers.site(side(name));
        let all = match listed(site, &["--all"]) {
            Ok(all) => all,
            // A site without power has nothing that serves.
            Err(_) if site.command("true").is_err() => return Ok(seen),
            Err(failure) => return Err(failure),
        };
        // A guest that is held still for the moment in which a copy begins runs, too.
        let running = listed(site, &[])?;
        let mut rehearsals = Vec::new();
        for name in MACHINES {
            let runs = running.iter().any(|one| one == name);
            seen.serving += usize::from(runs);
            seen.held += usize::from(!runs && all.iter().any(|one| one == name));
            let drill = format!("{name}-drill");
            if running.contains(&drill) && is_apart(site, &drill)? {
                seen.drilling += 1;
                let boot = self.marked(site, name);
                self.counting(site, name, boot)?;
                rehearsals.push((site.side().name(), name, boot));
            }
        }
        self.rehearsals.extend(rehearsals);
        Ok(seen)
    }

    fn lose(&mut self, name: &SiteName) -> Result<(), Failure> {
        self.site(name).kill_everything();
        Ok(())
    }

    fn restore(&mut self, name: &SiteName) -> Result<(), Failure> {
        let failed = |error| lab_failed("switch a site on again", &error);
        self.site(name).restore().map_err(failed)?;
        self.movers.begin(side(name)).map_err(failed)
    }

    fn has_common_point(&self, copies: &SiteName, since: Timestamp) -> Result<bool, Failure> {
        let pool = self.site(copies).pool_folder();
        let mut common: Option<BTreeSet<Timestamp>> = None;
        for name in MACHINES {
            let points = points(&pool.join("drover").join(name).join("machine.json"));
            common = Some(match common {
                Some(common) => common.intersection(&points).copied().collect(),
                None => points,
            });
        }
        Ok(common.unwrap_or_default().last() > Some(&since))
    }

    fn mark(&mut self) {
        for (side, _) in SITES {
            let site = self.movers.site(side);
            for name in MACHINES {
                self.marks
                    .insert((side.name(), name), self.boots(site, name));
            }
        }
    }

    fn crossings(&mut self, from: &SiteName, to: &SiteName) -> Result<Vec<Crossing>, Failure> {
        let (from, to) = (self.site(from), self.site(to));
        let mut crossings = Vec::new();
        for name in MACHINES {
            let (left, entered) = (self.marked(from, name), self.marked(to, name));
            let here = self.counting(to, name, entered)?;
            let there = self.listener.heard(from, name);
            let crossing = crossing::of(name, &there, left, &here, entered);
            crossings.push(crossing.ok_or_else(|| unheard(name, "it said nothing where it was"))?);
        }
        Ok(crossings)
    }

    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for name in MACHINES {
            let heard = SITES.map(|(side, _)| self.listener.heard(self.movers.site(side), name));
            let [seoul, busan] = &heard;
            let rehearsed = |boot| {
                let (side, _) = SITES[1];
                self.rehearsals.contains(&(side.name(), name, boot))
            };
            if crossing::overlap(seoul, busan, rehearsed) {
                broken.push(format!("single_active broke: {name} counted at both sites"));
            }
        }
        broken
    }

    fn farewell(&self, elapsed: Duration) -> String {
        format!(
            "It took {} s. The sites end with this process, and leave nothing.\n\
             docs/fabrics/libvirt.md has how to set up sites that stay.",
            elapsed.as_secs()
        )
    }
}

fn side(name: &SiteName) -> Side {
    let mut sites = SITES.iter();
    let found = sites.find(|(_, site)| *site == name.as_str());
    found.map_or(Side::Secondary, |(side, _)| *side)
}

fn props(movers: &Movers) -> Props {
    let mut manifests = include_str!("../libvirt.yaml").to_owned();
    for (side, name) in SITES {
        for (field, value) in [
            ("address", movers.address(side)),
            ("replicationAddress", Movers::replication_address(side)),
        ] {
            manifests = manifests.replace(&format!("${{{name}.{field}}}"), &value);
        }
    }
    Props {
        machines: MACHINES.map(str::to_owned).into(),
        manifests,
        // Nobody can make sure that machines of a site without power are off; here everybody knows.
        request: json!({ "sourceStop": "Attempt", "unfenced": "AcceptSplitBrain" }),
        look: Duration::from_millis(300),
        patience: Duration::from_mins(10),
        business: Duration::from_secs(5),
        time: "",
    }
}

/// Names of machines that libvirt lists.
fn listed(site: &Site, which: &[&str]) -> Result<Vec<String>, Failure> {
    let told = site
        .virsh(&[&["list", "--name"], which].concat())
        .map_err(|error| lab_failed("list machines", &error))?;
    Ok(told.lines().map(|line| line.trim().to_owned()).collect())
}

/// Whether a machine has test networks and no other.
fn is_apart(site: &Site, machine: &str) -> Result<bool, Failure> {
    let told = site
        .virsh(&["domiflist", machine])
        .map_err(|error| lab_failed("look at networks", &error))?;
    let of = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
    let networks: Vec<String> = told.lines().filter_map(of).collect();
    Ok(!networks.is_empty() && networks.iter().all(|network| network == TEST_NETWORK))
}

/// The instants of the recovery points of a machine's copy, by the record that its mover keeps beside it.
fn points(record: &Path) -> BTreeSet<Timestamp> {
    let text = std::fs::read(record).unwrap_or_default();
    let record: Value = serde_json::from_slice(&text).unwrap_or_default();
    let points = record["half"]["points"].as_array();
    let at = |point: &Value| point["at"].as_str().and_then(|at| at.parse().ok());
    points.into_iter().flatten().filter_map(at).collect()
}

fn unheard(machine: &str, why: &str) -> Failure {
    Failure::Cluster {
        doing: format!("hear {machine} count"),
        why: Why(why.to_owned()),
        hint: None,
    }
}

fn lab_failed(doing: &str, error: &drover_lab::Error) -> Failure {
    let Failure::Cluster { doing, why, .. } = cannot(doing, error) else {
        return cannot(doing, error);
    };
    Failure::Cluster {
        doing,
        why: Why(why.0),
        hint: error.hint(),
    }
}
