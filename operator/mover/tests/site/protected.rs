//! One machine between two sites, as the operator moves it step by step.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use drover_api::FailbackLocation;
use drover_api::common::SiteRole;
use drover_fabric::{Answer, Fabric, LinkGoal, Materialize, SiteGoal, Subject};
use drover_lab::{Console, Guest, Side, Site};
use drover_world::{ErrorClass, Link, Outcome, Stamp};
use serde_json::Value;

use crate::movers::{Drivers, Movers, PATIENCE, output};

/// A machine that is about to be protected.
pub struct Protected {
    movers: &'static Movers,
    drivers: Drivers,
    subject: Subject,
    epoch: u64,
}

fn side(role: SiteRole) -> Side {
    match role {
        SiteRole::Primary => Side::Primary,
        SiteRole::Secondary => Side::Secondary,
    }
}

impl Protected {
    /// A guest that counts at the primary site, under a policy that says so.
    pub async fn new(guest: &Guest, policy: &Value) -> Self {
        let movers = Movers::get();
        let home = movers.site(Side::Primary);
        home.define(guest).unwrap();
        home.virsh(&["start", guest.name()]).unwrap();
        let name = guest.name().parse().unwrap();
        let this = Self {
            movers,
            drivers: movers.drivers(policy).await,
            subject: Subject {
                primary: name,
                secondary: format!("{}-there", guest.name()).parse().unwrap(),
                consistency: None,
                excluded_disks: Vec::new(),
            },
            epoch: 1,
        };
        this.counts_on(SiteRole::Primary);
        this
    }

    /// How it is called at a site.
    pub fn name(&self, role: SiteRole) -> &str {
        self.subject.at(role).as_str()
    }

    /// What its guest said at a site.
    pub fn console(&self, role: SiteRole) -> Console {
        self.site(role)
            .console(self.subject.primary.as_str())
            .unwrap()
    }

    pub fn site(&self, role: SiteRole) -> &Site {
        self.movers.site(side(role))
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            run: "the-test".into(),
            step: "a step",
            epoch: self.epoch,
        }
    }

    fn fabric(&self, role: SiteRole) -> &dyn Fabric {
        match role {
            SiteRole::Primary => &*self.drivers.primary,
            SiteRole::Secondary => &*self.drivers.secondary,
        }
    }

    /// Asks once.
    pub async fn ask(&self, goal: LinkGoal) -> Answer {
        let (stamp, pair) = (self.stamp(), &self.drivers.pair);
        pair.ensure(&stamp, &self.subject, goal).await
    }

    /// Asks until it is so.
    pub async fn link(&self, goal: LinkGoal) {
        self.until(&format!("{goal:?}"), async || self.ask(goal).await)
            .await;
    }

    /// Asks until it is so.
    pub async fn power(&self, role: SiteRole, goal: SiteGoal) {
        let (stamp, name) = (self.stamp(), self.subject.at(role));
        let fabric = self.fabric(role);
        self.until(&format!("{goal:?}"), async || {
            fabric.ensure(&stamp, name, goal).await
        })
        .await;
    }

    /// It is protected, with its first copy complete.
    pub async fn protect(&self) {
        let towards = SiteRole::Secondary;
        self.link(LinkGoal::Related { towards }).await;
        self.link(LinkGoal::Seeded { towards }).await;
        self.link(LinkGoal::Finalized { towards }).await;
    }

    /// It runs at a site, made of a point or of its last changes.
    pub async fn enter(&mut self, role: SiteRole, point: Option<String>) {
        let with = Materialize {
            site: role,
            drill: false,
            point,
            nics: Vec::new(),
            settings: None,
            location: FailbackLocation::default(),
        };
        let stamp = self.stamp();
        self.until("it is made", async || {
            let pair = &self.drivers.pair;
            pair.materialize(&stamp, &self.subject, &with).await
        })
        .await;
        self.power(role, SiteGoal::Started).await;
    }

    /// What is asked from now on belongs to another run.
    pub fn next_run(&mut self) {
        self.epoch += 1;
    }

    /// Its link, as it is now.
    pub async fn seen(&self) -> Link {
        let links = self.drivers.pair.observe(None).await.unwrap().seen;
        let mut of_name = links
            .into_iter()
            .filter(|(name, _)| *name == self.subject.primary);
        of_name.next().unwrap().1
    }

    /// The newest point's name.
    pub async fn newest(&self) -> Option<String> {
        let points = self.seen().await.points;
        points.last().map(|point| point.name.clone())
    }

    async fn until(&self, what: &str, ask: impl AsyncFn() -> Answer) {
        let begun = Instant::now();
        loop {
            let answer = ask().await;
            match &answer {
                Ok(Outcome::Reached) => return,
                Err(error) if error.class != ErrorClass::Retryable => {
                    panic!("{what}: {error:?}\n{}", Movers::last_words())
                }
                _ => {}
            }
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "{what}: {answer:?}\n{}", Movers::last_words());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Its guest counts on at a site; the count that it said last.
    #[track_caller]
    pub fn counts_on(&self, role: SiteRole) -> u64 {
        let before = self.console(role).heartbeat().unwrap_or(0);
        let counts = |said: &Console| said.heartbeat() > Some(before + 2);
        let guest = self.subject.primary.as_str();
        let console = self.site(role).wait_for(guest, counts).unwrap();
        console.heartbeat().unwrap()
    }

    /// Its power is cut: it is not needed any more, and takes the processors from others.
    pub fn put_away(&self, role: SiteRole) {
        self.site(role)
            .virsh(&["destroy", self.name(role)])
            .unwrap();
    }

    /// What the mover of a site said of its disks: the way that each was brought, in order.
    pub fn rungs(&self, role: SiteRole) -> Vec<String> {
        let ours = format!("machine={} ", self.name(role));
        let said = Movers::said().into_iter();
        let lines = said.filter(|line| line.contains("it is here") && line.contains(&ours));
        let rung = |line: String| {
            let (_, rest) = line.split_once("rung=").unwrap();
            let (rung, _) = rest.split_once(" travelled=").unwrap();
            rung.to_owned()
        };
        lines.map(rung).collect()
    }

    /// The files of its disks at a site, as libvirt has them.
    pub fn disks(&self, role: SiteRole) -> Vec<PathBuf> {
        let listed = self
            .site(role)
            .virsh(&["domblklist", self.name(role)])
            .unwrap();
        let paths = listed
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        paths
            .filter(|path| path.starts_with('/'))
            .map(PathBuf::from)
            .collect()
    }

    /// The folder of its copy.
    pub fn copies(&self, role: SiteRole) -> PathBuf {
        let folder = self.site(role).pool_folder().join("drover");
        folder.join(self.name(role))
    }
}

/// The images in a folder, the oldest first.
pub fn images(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut images: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "qcow2"))
        .collect();
    images.sort();
    images
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        let late = begun.elapsed() > PATIENCE;
        assert!(!late, "not so: {what}\n{}", Movers::last_words());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What `qemu-img info` says of an image.
pub fn info(image: &Path) -> Value {
    let mut info = Command::new("qemu-img");
    let told = output(info.args(["info", "-U", "--output", "json"]).arg(image));
    serde_json::from_slice(&told).unwrap()
}

/// Both images read the same.
#[track_caller]
pub fn identical(one: &Path, other: &Path) {
    let mut compare = Command::new("qemu-img");
    output(compare.args(["compare", "-U"]).arg(one).arg(other));
}

/// What an image is based on.
pub fn backing(image: &Path) -> PathBuf {
    PathBuf::from(info(image)["full-backing-filename"].as_str().unwrap())
}
