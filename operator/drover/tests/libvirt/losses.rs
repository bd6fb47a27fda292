//! Guests, `libvirtd` and whole sites are lost at random instants, and their machines live on at the other site.
//!
//! A life is one loss of all machines: they are failed over unplanned from the newest point, what was lost
//! comes back, and they are protected the other way by comparison. The next life begins there. **Counted** is
//! what died at an instant of its own: each guest that was killed, but a site or a `libvirtd` once, whatever it
//! took with it.

use std::time::{Duration, Instant};

use drover_lab::{Guest, Side};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::manifests::unplanned;
use crate::operator::Operator;
use crate::phases::other;

const MACHINES: [&str; 6] = ["m-1", "m-2", "m-3", "m-4", "m-5", "m-6"];
const DISKS: u8 = 2;
const INTERVAL: Duration = Duration::from_secs(5);
/// A guest counts no faster. On a busy machine it counts slower, as all else that is slower then: so it is a
/// better clock for what may be lost than the clock.
const COUNTS: u64 = 5;
/// What the copy of so small a guest takes at most, by that clock.
const COPY: Duration = Duration::from_secs(10);
/// So much is lost in the suite, and in the long mode.
const LOSSES: usize = 30;
const MANY_LOSSES: usize = 300;

/// A guest says what is durable a moment after it is so, and on a busy machine that is heard later still.
const HEARING: Duration = Duration::from_secs(5);

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// Each guest at an instant of its own; its site answers.
    Guests,
    /// `libvirtd`, and each guest at an instant of its own a moment later.
    Libvirtd,
    /// All that runs there.
    Site,
}

impl Lost {
    /// In this order, so that each is seen in both directions.
    const ALL: [Self; 9] = [
        Self::Guests,
        Self::Site,
        Self::Libvirtd,
        Self::Guests,
        Self::Libvirtd,
        Self::Site,
        Self::Guests,
        Self::Site,
        Self::Libvirtd,
    ];

    fn counts(self) -> usize {
        match self {
            Self::Guests => MACHINES.len(),
            Self::Libvirtd | Self::Site => 1,
        }
    }
}

#[test]
fn whatever_is_lost_machines_live_on_and_never_twice() {
    // SPEC: FB-1, FB-5, FO-3, FO-4, FO-8, PR-3, SA-2
    let mut dice = Dice::new();
    let wanted = match std::env::var_os("DROVER_LONG") {
        Some(_) => MANY_LOSSES,
        None => LOSSES,
    };
    let mut ran = Timestamp::now();
    let policy = json!({"interval": format!("{}s", INTERVAL.as_secs())});
    let mut fleet = Fleet::begin(&MACHINES, policy, |name| Guest::new(name).with_disks(DISKS));
    fleet.until_protected();
    let (mut lost, mut from) = (0, Side::Primary);
    for (life, what) in Lost::ALL.into_iter().cycle().enumerate() {
        let started = Instant::now();
        ran = Life::new(&mut fleet, &mut dice, what, life, from, ran).live();
        lost += what.counts();
        from = other(from);
        println!(
            "life {life}: {what:?}, {lost} lost, {:?}",
            started.elapsed()
        );
        if lost >= wanted {
            break;
        }
    }
    // What was compared over and over is identical, and still misses nothing.
    fleet.move_as_planned(from, other(from), DISKS.into());
}

struct Life<'a> {
    fleet: &'a mut Fleet,
    dice: &'a mut Dice,
    what: Lost,
    number: usize,
    /// What its machines said before this they did not say where they will leave.
    ran: Timestamp,
    from: Side,
    to: Side,
}

/// A machine that died.
struct Death {
    name: &'static str,
    at: Timestamp,
    /// The last count that it had said is durable.
    acknowledged: u64,
    /// The instants of its points at the other site.
    points: Vec<Timestamp>,
    run: String,
    /// How often it had booted at the other site.
    boots: usize,
}

impl<'a> Life<'a> {
    fn new(
        fleet: &'a mut Fleet,
        dice: &'a mut Dice,
        what: Lost,
        number: usize,
        from: Side,
        ran: Timestamp,
    ) -> Self {
        let to = other(from);
        Self {
            fleet,
            dice,
            what,
            number,
            ran,
            from,
            to,
        }
    }

    /// Since when machines count where they went.
    fn live(mut self) -> Timestamp {
        let begun = Instant::now();
        let deaths = match self.what {
            Lost::Guests => self.lose_guests(),
            Lost::Libvirtd => self.lose_libvirtd(),
            Lost::Site => self.lose_site(),
        };
        let runs: Vec<String> = deaths.iter().map(|death| death.run.clone()).collect();
        let told = begun.elapsed();
        self.fleet.operator.until_phase(&runs, "CommitPending");
        for death in &deaths {
            self.lives_on(death);
        }
        let lived = begun.elapsed();
        let since = Timestamp::now();
        self.return_of_what_was_lost();
        self.fleet.commit(&runs, true);
        println!(
            "told after {told:?}, lived on after {lived:?}, protected after {:?}",
            begun.elapsed()
        );
        self.stays_off();
        self.fleet.watcher.is_content();
        since
    }

    // --- what is lost -----------------------------------------------------------------------------

    /// Its guests die one after the other, each when it is its turn, and each is failed over at once.
    fn lose_guests(&mut self) -> Vec<Death> {
        let stop = ["Skip", "Skip", "Attempt"];
        let turns = self.turns(INTERVAL + INTERVAL);
        let begun = Instant::now();
        let mut deaths = Vec::new();
        for (turn, name) in turns {
            std::thread::sleep(turn.saturating_sub(begun.elapsed()));
            self.fleet.site(self.from).kill_guest(name).unwrap();
            let at = Timestamp::now();
            let stop = stop[usize::try_from(self.dice.below(3)).unwrap()];
            let request = unplanned(&format!("life-{}", self.number), stop, "Refuse");
            deaths.push(self.death(name, at, request));
        }
        deaths
    }

    /// Who manages them dies first, so nobody can say any more that the guests are dead.
    fn lose_libvirtd(&mut self) -> Vec<Death> {
        let request = self.accepted();
        std::thread::sleep(self.dice.within(INTERVAL));
        let turns = self.turns(Duration::from_secs(2));
        self.fleet.site(self.from).kill_libvirtd().unwrap();
        let begun = Instant::now();
        let mut died = Vec::new();
        for (turn, name) in turns {
            std::thread::sleep(turn.saturating_sub(begun.elapsed()));
            self.fleet.site(self.from).kill_guest(name).unwrap();
            died.push((name, Timestamp::now()));
        }
        died.into_iter()
            .map(|(name, at)| self.death(name, at, request.clone()))
            .collect()
    }

    fn lose_site(&mut self) -> Vec<Death> {
        let request = self.accepted();
        std::thread::sleep(self.dice.within(INTERVAL));
        self.fleet.site(self.from).kill_everything();
        let at = Timestamp::now();
        MACHINES
            .iter()
            .map(|name| self.death(name, at, request.clone()))
            .collect()
    }

    fn accepted(&self) -> Value {
        unplanned(&format!("life-{}", self.number), "Skip", "AcceptSplitBrain")
    }

    /// Each machine at an instant of its own, the first one first.
    fn turns(&mut self, within: Duration) -> Vec<(Duration, &'static str)> {
        let turn = |name: &&'static str| (self.dice.within(within), *name);
        let mut turns: Vec<_> = MACHINES.iter().map(turn).collect();
        turns.sort();
        turns
    }

    fn death(&mut self, name: &'static str, at: Timestamp, request: Value) -> Death {
        let points = self.fleet.movers().points(self.to, name);
        let said = self.fleet.site(self.from).console(name).unwrap();
        let boots = self.fleet.site(self.to).console(name).unwrap().boots.len();
        Death {
            name,
            at,
            acknowledged: said.heartbeat().unwrap(),
            points,
            run: self.fleet.go(name, self.to, Some(request)),
            boots,
        }
    }

    // --- what became of it ------------------------------------------------------------------------

    /// It booted from whole disks, lost no more than it may, and Drover says the same of it as its counter.
    fn lives_on(&self, death: &Death) {
        let name = death.name;
        let booted = |said: &drover_lab::Console| {
            let boot = said.boot().filter(|_| said.boots.len() > death.boots);
            boot.is_some_and(|boot| boot.heartbeat.is_some())
        };
        let said = self.fleet.site(self.to).wait_for(name, booted);
        let said = said.unwrap_or_else(|error| {
            let boots = self.fleet.site(self.to).console(name).unwrap().boots;
            panic!(
                "{name} had booted {} times: {boots:?}, {}: {error}",
                death.boots,
                self.fleet.journal(&death.run)
            )
        });
        let boot = said.boot().unwrap();
        assert_eq!(boot.gaps, 0, "{name}: {boot:?}");
        let (most, least) = (boot.disks.iter().max(), boot.disks.iter().min());
        assert!(most.unwrap() - least.unwrap() <= 1, "{name}: {boot:?}");
        assert_eq!(boot.disks.len(), usize::from(DISKS), "{name}: {boot:?}");

        let journal = self.fleet.journal(&death.run);
        let context = format!(
            "{name} {boot:?} {journal} {} {}",
            death.acknowledged, death.at
        );
        let loss = loss(&journal);
        println!(
            "{name}: acknowledged {}, found {}; Drover says {loss:?} ({})",
            death.acknowledged, boot.last, journal["left"]
        );
        if journal["left"] == "Synced" {
            assert!(boot.last >= death.acknowledged, "{context}");
            assert_eq!(loss, Duration::ZERO, "{context}");
            return;
        }
        let point: Timestamp = journal["point"]["at"].as_str().unwrap().parse().unwrap();
        // The newest one.
        assert!(Some(&point) >= death.points.last(), "{context}");
        // What was durable when it was taken is there; what is there was written when it was taken.
        let watcher = &self.fleet.watcher;
        let before = watcher.acknowledged((self.from, name), self.ran, point);
        assert!(boot.last >= before, "{before} {context}");
        let by = self.fleet.movers().taken_by(self.to, name, point);
        if let Some(heard) = watcher.when((self.from, name), self.ran, boot.last) {
            assert!(heard <= by + HEARING, "{heard} {by} {context}");
        }
        // Drover says no less than what is really gone, and no more than the time until it was told.
        let age = since(point, death.at);
        assert!(
            loss >= age.saturating_sub(Duration::from_secs(1)),
            "{age:?} {context}"
        );
        let left: Timestamp = journal["leave"]["at"].as_str().unwrap().parse().unwrap();
        let said = since(point, left);
        assert!(
            loss.abs_diff(said) <= Duration::from_secs(1),
            "{said:?} {context}"
        );
        // One interval, and the copy that was in hand.
        let lost = death.acknowledged.saturating_sub(boot.last);
        let allowed = COUNTS * (INTERVAL + COPY).as_secs();
        assert!(lost <= allowed, "{allowed} {context}");
    }

    fn return_of_what_was_lost(&self) {
        let site = self.fleet.site(self.from);
        match self.what {
            Lost::Guests => {}
            Lost::Libvirtd => site.start_libvirtd_again().unwrap(),
            Lost::Site => {
                site.restore().unwrap();
                self.fleet.movers().begin(self.from);
            }
        }
    }

    fn stays_off(&self) {
        Operator::until("what came back is off", || {
            let site = self.fleet.site(self.from);
            let running = site.virsh(&["list", "--name"]).unwrap();
            !running.lines().any(|line| MACHINES.contains(&line.trim()))
        });
    }
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

/// What Drover says that the machine lost.
fn loss(journal: &Value) -> Duration {
    let said = journal["point"]["loss"].as_str().unwrap();
    let said: drover_api::value::Duration = said.parse().unwrap();
    said.as_std()
}
