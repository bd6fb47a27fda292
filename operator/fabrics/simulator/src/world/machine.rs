//! One machine at one site: what it is made of, whether it runs, what its disks hold.

use std::time::Duration;

use drover_api::SimulatedMachine;
use drover_api::selector::Labels;
use drover_api::value::{Address, MachineName, NetworkName};
use drover_world::{Disk, HardDisk, Hardware, Instance, Power};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::{Position, Slot};

/// Blocks of one disk that are told apart.
const BLOCKS: u64 = 16;
/// What one write carries.
pub(crate) const WRITE_BYTES: u64 = 64 << 10;
/// A disk of a machine that declares none.
const DEFAULT_DISK: u64 = 20 << 30;
/// The part of a disk that is in use: one in so many.
const USED: u64 = 10;

/// What a machine is, wherever it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traits {
    pub labels: Labels,
    pub networks: Vec<NetworkName>,
    /// Sizes of its disks in bytes.
    pub disks: Vec<u64>,
    /// Sizes of disks that somebody added; nothing copies them.
    #[serde(default)]
    pub uncopied: Vec<u64>,
    pub boot: Option<Duration>,
    pub shutdown: Option<Duration>,
    /// Being made of a copy.
    #[serde(default)]
    pub making: Option<Duration>,
    /// The least that its last changes take.
    #[serde(default)]
    pub last_changes: Option<Duration>,
    /// Milliseconds between two writes of its guest.
    pub period: u64,
    pub cpus: u32,
    pub memory: u64,
}

impl Traits {
    /// As it is declared; `chance` says how busy its guest is.
    pub fn of(declared: Option<&SimulatedMachine>, chance: u64) -> Self {
        let mut disks: Vec<u64> = declared
            .into_iter()
            .flat_map(|machine| &machine.disks)
            .map(drover_api::value::Quantity::bytes)
            .collect();
        if disks.is_empty() {
            disks.push(DEFAULT_DISK);
        }
        Self {
            labels: declared
                .map(|machine| machine.labels.clone())
                .unwrap_or_default(),
            networks: declared
                .map(|machine| machine.networks.clone())
                .unwrap_or_default(),
            disks,
            uncopied: Vec::new(),
            boot: declared.and_then(|machine| Some(machine.boot_time.as_ref()?.as_std())),
            shutdown: declared.and_then(|machine| Some(machine.shutdown_time.as_ref()?.as_std())),
            making: None,
            last_changes: None,
            period: 500 + chance % 4_500,
            cpus: 2,
            memory: 4 << 30,
        }
    }

    /// Blocks of all disks that are told apart. A write goes to one of them, so all disks of a machine
    /// are of one instant or they are a mixture.
    pub fn slots(&self) -> u64 {
        BLOCKS * u64::try_from(self.disks.len()).unwrap_or(1)
    }

    /// What a fabric tells of it.
    pub fn hardware(&self) -> Hardware {
        let sizes = self.disks.iter().chain(&self.uncopied);
        let disks = sizes.enumerate().map(|(number, size)| HardDisk {
            name: format!("disk-{}", number + 1),
            size: Some(*size),
        });
        Hardware {
            cpus: Some(self.cpus),
            memory: Some(self.memory),
            host: None,
            disks: disks.collect(),
        }
    }

    /// Bytes that a full copy carries.
    pub fn used(&self) -> u64 {
        self.disks.iter().sum::<u64>() / USED
    }
}

/// What disks hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Image {
    /// There are none.
    None,
    /// One instant, completely.
    At(Position),
    /// Blocks of several.
    Mixed(Vec<Slot>),
}

/// What a machine was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MadeFrom {
    /// The final synchronisation: nothing may be missing.
    FinalSync,
    /// A recovery point.
    Point,
}

/// A machine that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Making {
    pub began: Timestamp,
    pub until: Timestamp,
    pub epoch: u64,
    pub from: MadeFrom,
    pub content: Position,
    pub addresses: Vec<Address>,
    pub networks: Vec<NetworkName>,
}

/// One machine at one site.
#[allow(clippy::struct_excessive_bools)] // Facts of a fabric, each independent of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub site: usize,
    pub name: MachineName,
    pub drill: bool,
    pub traits: Traits,
    pub power: Power,
    /// When it will have started or stopped; nothing while its shutdown hangs.
    pub due: Option<Timestamp>,
    /// It does not start by itself.
    pub held: bool,
    /// The epoch of the confirmed fence.
    pub fence: Option<u64>,
    pub epoch: u64,
    pub made_at: Option<u64>,
    pub made_from: Option<MadeFrom>,
    pub making: Option<Making>,
    pub image: Image,
    /// Whether the branch that its image is on is its guest's own.
    pub own_branch: bool,
    /// Since when its guest writes.
    pub writing: Option<Timestamp>,
    pub addresses: Vec<Address>,
    /// The epoch of the request that last switched it on.
    pub started_at: Option<u64>,
    pub start_when_off: bool,
    /// It ran when its site lost power.
    pub ran: bool,
    pub boots_to_fail: u32,
    /// When the agent in its guest said nothing: from when, and until when.
    pub silences: Vec<(Timestamp, Option<Timestamp>)>,
    pub hangs: bool,
    pub effects_to_fail: Option<(u32, drover_world::ErrorClass)>,
    /// The link that it is a side of.
    pub link: Option<usize>,
    /// Its place in the index of changes.
    #[serde(skip)]
    pub version: u64,
    /// What is counted of it in the use of its site.
    #[serde(skip)]
    pub counted: Use,
}

/// What machines take of their site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    pub memory: u64,
    pub cpus: u32,
    pub storage: u64,
}

impl Machine {
    /// A name that a site has only heard of.
    pub fn absent(site: usize, name: MachineName, drill: bool, traits: Traits) -> Self {
        Self {
            site,
            name,
            drill,
            traits,
            power: Power::Absent,
            due: None,
            held: false,
            fence: None,
            epoch: 0,
            made_at: None,
            made_from: None,
            making: None,
            image: Image::None,
            own_branch: false,
            writing: None,
            addresses: Vec::new(),
            started_at: None,
            start_when_off: false,
            ran: false,
            boots_to_fail: 0,
            silences: Vec::new(),
            hangs: false,
            effects_to_fail: None,
            link: None,
            version: 0,
            counted: Use::default(),
        }
    }

    /// What its disks hold at an instant since the last change of what its guest does.
    pub fn position_at(&self, at: Timestamp) -> Option<Position> {
        let Image::At(place) = self.image else {
            return None;
        };
        let since = self.writing.map_or(0, |since| millis_between(since, at));
        Some(Position {
            number: place.number + since / self.traits.period,
            ..place
        })
    }

    /// Writes down what its guest wrote until now. The guest goes on in the middle of its pause.
    pub fn collapse(&mut self, now: Timestamp) {
        let Some(since) = self.writing else { return };
        let (Some(place), Image::At(before)) = (self.position_at(now), &self.image) else {
            return;
        };
        let spent = (place.number - before.number).saturating_mul(self.traits.period);
        self.writing = Some(later(since, Duration::from_millis(spent)));
        self.image = Image::At(place);
    }

    /// Whether it may be serving for anybody.
    pub fn may_serve(&self) -> bool {
        self.instance(Disk::None).may_serve()
    }

    /// Whether it has power.
    pub fn may_run(&self) -> bool {
        !matches!(self.power, Power::Absent | Power::Off | Power::StartFailed)
    }

    /// What a fabric reports of it, its disks being as they are said to be.
    pub fn instance(&self, disk: Disk) -> Instance {
        Instance {
            power: self.power,
            disk,
            fenced: self.fence.is_some(),
            epoch: self.epoch,
            made_at: self.made_at,
        }
    }

    /// What it takes of its site now.
    pub fn takes(&self) -> Use {
        let runs = self.may_run();
        Use {
            memory: if runs { self.traits.memory } else { 0 },
            cpus: if runs { self.traits.cpus } else { 0 },
            storage: if self.image == Image::None {
                0
            } else {
                self.traits.disks.iter().sum()
            },
        }
    }
}

/// Whole milliseconds from one instant to another; none where the second is earlier.
pub(crate) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
}

/// An instant so much later.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}
