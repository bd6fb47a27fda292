//! Names of things across namespaces.

use std::fmt;

use drover_api::value::{GroupName, MachineName, NamespaceName, PlanName, SiteName};
use serde::Serialize;

/// A protection group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GroupId {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: GroupName,
}

/// A recovery plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PlanId {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: PlanName,
}

/// A machine as a member of a protection group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MachineId {
    /// The namespace of its group.
    pub namespace: NamespaceName,
    /// Its group.
    pub group: GroupName,
    /// Its name in the group, which is its own name at the primary site.
    pub name: MachineName,
}

/// A machine as its site knows it. In the whole cluster it belongs to one protection group (PR-11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NativeId {
    /// The site.
    pub site: SiteName,
    /// Its name there.
    pub name: MachineName,
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.group, self.name)
    }
}

impl fmt::Display for NativeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.site)
    }
}
