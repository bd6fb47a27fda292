//! The kinds of difference: how much each matters, what it means, and what a person does about it.

use drover_api::{DriftKind as K, DriftSeverity as S};

/// The severities, the worst first.
pub const LEVELS: [S; 3] = [S::Critical, S::Warning, S::Info];

/// The kinds, in the order in which they are told.
pub const KINDS: [K; 16] = [
    K::SplitBrain,
    K::ActiveSite,
    K::Missing,
    K::NotProtected,
    K::ReplicationStopped,
    K::NotRunning,
    K::RpoExceeded,
    K::DisksChanged,
    K::HardwareChanged,
    K::NetworksChanged,
    K::SettingsChanged,
    K::DrillExpired,
    K::DrillOverdue,
    K::Unprotected,
    K::NoLongerSelected,
    K::Unseen,
];

/// How much a kind matters, where nothing makes it matter less.
pub fn severity(kind: K) -> S {
    match kind {
        K::SplitBrain | K::ActiveSite | K::Missing | K::NotProtected | K::ReplicationStopped => {
            S::Critical
        }
        K::NotRunning
        | K::RpoExceeded
        | K::DisksChanged
        | K::HardwareChanged
        | K::NetworksChanged
        | K::SettingsChanged
        | K::DrillExpired
        | K::DrillOverdue
        | K::Unprotected
        | K::Unseen => S::Warning,
        K::NoLongerSelected => S::Info,
    }
}

/// What it means for the people who rely on the plan.
pub fn meaning(kind: K) -> &'static str {
    match kind {
        K::SplitBrain => {
            "both copies may serve and be written; what only one of them holds is lost when it is stopped"
        }
        K::ActiveSite => "the machines stay where they are until somebody decides",
        K::Missing => {
            "there is nothing to protect there, and its copies are all that is left of it"
        }
        K::NotProtected => "what it writes now is at one site only, and it cannot be failed over",
        K::ReplicationStopped => "its newest recovery point grows older until a person mends it",
        K::NotRunning => "it serves nobody, and a failover would start it at the other site",
        K::RpoExceeded => "a failover now would lose more than the policy allows",
        K::DisksChanged => {
            "after a failover it may lack a disk, or come up with one of another size"
        }
        K::HardwareChanged => "after a failover it may be smaller or larger than people expect",
        K::NetworksChanged => "after a failover it may be on the wrong network, or on none",
        K::SettingsChanged => {
            "it is not what its group declares; the next failover makes it so again, or fails on it"
        }
        K::DrillExpired => "its machines take room at the target that a failover may need",
        K::DrillOverdue => {
            "nobody knows whether the plan still works, and its guard holds a failover"
        }
        K::Unprotected => "it is lost with its site",
        K::NoLongerSelected => "it stays protected, though its group would not take it up today",
        K::Unseen => "what is there is not known; nothing about it counts as right or wrong",
    }
}

/// What a person does about it. `machine` is the protected machine by namespace and name, where it is about one.
pub fn remedy(kind: K, machine: Option<(&str, &str)>) -> String {
    let of = |before: &str, after: &str| match machine {
        Some((namespace, name)) => format!("{before} -n {namespace} {name}{after}"),
        None => format!("{before} -n NAMESPACE NAME{after}"),
    };
    let accept = of(
        "; if it is meant: kubectl annotate --overwrite protectedmachine",
        " drover.dev/accept-drift=\"$(date -u +%FT%TZ)\"",
    );
    match kind {
        K::SplitBrain => of(
            "find out which copy is right, and stop the other one at its site; drover describe machine",
            " shows both",
        ),
        K::ActiveSite => {
            "do what the reason says, or declare the site where the machines are".to_owned()
        }
        K::Missing => {
            "bring it back at its site, fail it over, or take it out of its group".to_owned()
        }
        K::NotProtected => {
            "protect it in the other direction: drover reprotect with the run that moved it".to_owned()
        }
        K::ReplicationStopped => of("do what drover describe machine", " says"),
        K::NotRunning => "start it at its site, or take it out of its group".to_owned(),
        K::RpoExceeded => {
            "look at the line between the sites and at the bandwidth of the policy, or declare another \
             rpoThreshold"
                .to_owned()
        }
        K::DisksChanged => format!(
            "make sure that the disks are replicated, or excluded on purpose; put back what went{accept}"
        ),
        K::HardwareChanged => format!("set it back, or declare targetSettings{accept}"),
        K::NetworksChanged => {
            format!("put it back on its networks, or declare nics and a network mapping{accept}")
        }
        K::SettingsChanged => "set it back at its site, or declare what it should be".to_owned(),
        K::DrillExpired => "drover delete drill NAME cleans up after it".to_owned(),
        K::DrillOverdue => "create a RecoveryDrill, or give the plan a schedule of drills".to_owned(),
        K::Unprotected => {
            "add it to a protection group; a machine that nobody is to protect stays out of the \
             inventorySelectors of the site's tenants"
                .to_owned()
        }
        K::NoLongerSelected => {
            "label it as the selector of its group has it, or list it by name".to_owned()
        }
        K::Unseen => "reach the site again; drover describe site says why it does not answer".to_owned(),
    }
}
