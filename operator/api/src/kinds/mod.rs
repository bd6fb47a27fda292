//! The eleven kinds, one file each, and the table of them.

mod action;
mod drift;
mod failback_policy;
mod machine_run;
mod network_mapping;
mod object;
mod protected_machine;
mod protection_group;
mod recovery_drill;
mod recovery_plan;
mod recovery_run;
mod replication_policy;
mod run_decision;
mod site;

pub use action::*;
pub use drift::*;
pub use failback_policy::*;
pub use machine_run::*;
pub use network_mapping::*;
pub use object::*;
pub use protected_machine::*;
pub use protection_group::*;
pub use recovery_drill::*;
pub use recovery_plan::*;
pub use recovery_run::*;
pub use replication_policy::*;
pub use run_decision::*;
pub use site::*;
