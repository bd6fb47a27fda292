//! The shared vocabulary of reality: what can be seen of sites and machines, what can be asked of a
//! fabric, and what a pair of sites is able to do.
//!
//! The engine reads it, drivers speak it; neither sees the other. There is no behaviour in here beyond
//! what a word means by itself.

pub mod capability;
pub mod effect;
pub mod estimate;
pub mod id;
pub mod inventory;
pub mod observed;
pub mod pairs;
pub mod sight;

pub use capability::{
    CommitRule, DirectionRules, EpochEnforcement, NotReturning, PairRules, WayBack,
};
pub use effect::{Effect, ErrorClass, FabricError, Outcome, Stamp};
pub use estimate::{Estimate, Estimates};
pub use id::{GroupId, MachineId, NativeId, PlanId};
pub use inventory::{HardDisk, Hardware, Inventory, InventoryMachine};
pub use observed::Observed;
pub use sight::{Disk, Instance, Link, LinkState, Point, Power};
