//! A reconcile function for each kind, in phases: dereference, check, decide, do, record.

pub(crate) mod drill;
pub(crate) mod group;
pub(crate) mod machine;
pub(crate) mod plan;
pub(crate) mod referred;
pub(crate) mod run;
pub(crate) mod site;
pub(crate) mod whereabouts;
