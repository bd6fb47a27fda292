//! Which pairs of fabrics there are, and what each can do: the table of the specification.
//!
//! A driver answers for itself when it is asked; this table is what is known without asking, so that a
//! review needs no credentials. The simulator's profiles are rows of the same table.

use drover_api::{Fabric, Profile, Replicator, SanMode};

use crate::capability::{CommitRule, DirectionRules, NotReturning, PairRules, WayBack};

const fn direction(
    (test, planned, unplanned): (bool, bool, bool),
    ways_back: &'static [WayBack],
) -> DirectionRules {
    DirectionRules {
        test,
        planned,
        unplanned,
        ways_back,
        commit: CommitRule::AsDeclared,
    }
}

const ALL: (bool, bool, bool) = (true, true, true);
const NO_PLANNED: (bool, bool, bool) = (true, false, true);
const ONLY_PLANNED: (bool, bool, bool) = (false, true, false);
const ONLY_UNPLANNED: (bool, bool, bool) = (false, false, true);
const NO_TEST: (bool, bool, bool) = (false, true, true);

const AFTER_COMMIT: &[WayBack] = &[WayBack::AfterCommit];
const ON_REPROTECT: &[WayBack] = &[WayBack::OnReprotect];
const WITHIN_FAILBACK: &[WayBack] = &[WayBack::WithinFailback];
const ANY: &[WayBack] = &[
    WayBack::AfterCommit,
    WayBack::OnReprotect,
    WayBack::WithinFailback,
];

const fn both_ways(name: &'static str, rules: DirectionRules) -> PairRules {
    PairRules {
        name,
        to_secondary: rules,
        to_primary: Ok(rules),
        into_azure: false,
    }
}

const VMM_TO_VMM: PairRules = both_ways("VMM to VMM", direction(ALL, AFTER_COMMIT));
const LIBVIRT: PairRules = both_ways("libvirt to libvirt", direction(ALL, AFTER_COMMIT));
const SIMULATOR: PairRules = both_ways("simulator", direction(ALL, ANY));
const KUBERNETES: PairRules =
    both_ways("Kubernetes to Kubernetes", direction(NO_TEST, AFTER_COMMIT));
/// What its driver declares is known only at run time, so nothing is refused before.
const PLUGIN: PairRules = both_ways("plugin", direction(ALL, ANY));
/// As Azure Site Recovery has it between two sites of one's own; a driver may declare more.
const VMWARE_TO_SITE: PairRules = both_ways(
    "VMware or physical to a second site",
    direction(NO_PLANNED, ON_REPROTECT),
);
const AZURE_TO_AZURE: PairRules = PairRules {
    into_azure: true,
    ..both_ways(
        "Azure region to Azure region",
        direction(NO_PLANNED, ON_REPROTECT),
    )
};
const HYPERV_SAN: PairRules = both_ways(
    "Hyper-V with SAN replication",
    DirectionRules {
        commit: CommitRule::AtOnce,
        ..direction(ALL, AFTER_COMMIT)
    },
);
/// What was not sent yet can be lost here, so the choice of going back stays open until a commit.
const HYPERV_SAN_ASYNCHRONOUS: PairRules = both_ways(
    "Hyper-V with asynchronous SAN replication",
    direction(ALL, AFTER_COMMIT),
);
const VMM_TO_AZURE: PairRules = PairRules {
    name: "VMM to Azure",
    to_secondary: direction(ALL, WITHIN_FAILBACK),
    to_primary: Ok(direction(ONLY_PLANNED, ON_REPROTECT)),
    into_azure: true,
};
const HYPERV_TO_AZURE: PairRules = PairRules {
    name: "Hyper-V to Azure",
    ..VMM_TO_AZURE
};
const VMWARE_TO_AZURE: PairRules = PairRules {
    name: "VMware to Azure",
    to_secondary: direction(NO_PLANNED, ON_REPROTECT),
    to_primary: Ok(direction(ONLY_UNPLANNED, ON_REPROTECT)),
    into_azure: true,
};
const PHYSICAL_TO_AZURE: PairRules = PairRules {
    name: "physical to Azure",
    to_primary: Err(NotReturning::OnlyAsVirtualMachine),
    ..VMWARE_TO_AZURE
};

/// Why two sites cannot be a pair under a replicator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{replicator} does not replicate from {primary} to {secondary}")]
pub struct NoSuchPair {
    /// Fabric of the primary site.
    pub primary: String,
    /// Fabric of the secondary site.
    pub secondary: String,
    /// The replicator.
    pub replicator: String,
    /// What would do.
    pub hint: &'static str,
}

/// The rules of the profile that a simulated pair follows.
pub fn of_profile(profile: Profile) -> &'static PairRules {
    match profile {
        Profile::VmmToVmm => &VMM_TO_VMM,
        Profile::VmmToAzure => &VMM_TO_AZURE,
        Profile::HyperVToAzure => &HYPERV_TO_AZURE,
        Profile::VMwareToAzure => &VMWARE_TO_AZURE,
        Profile::PhysicalToAzure => &PHYSICAL_TO_AZURE,
        Profile::AzureToAzure => &AZURE_TO_AZURE,
        Profile::HyperVSan => &HYPERV_SAN,
        Profile::VMwareToSite => &VMWARE_TO_SITE,
        Profile::LibvirtToLibvirt => &LIBVIRT,
    }
}

/// The profile whose rules these are: nothing for pairs that no profile stands for.
pub fn profile_of(rules: &PairRules) -> Option<Profile> {
    let all = [
        Profile::VmmToVmm,
        Profile::VmmToAzure,
        Profile::HyperVToAzure,
        Profile::VMwareToAzure,
        Profile::PhysicalToAzure,
        Profile::AzureToAzure,
        Profile::HyperVSan,
        Profile::VMwareToSite,
        Profile::LibvirtToLibvirt,
    ];
    all.into_iter()
        .find(|profile| of_profile(*profile).name == rules.name)
}

/// The rules of a pair of fabrics under a replicator.
///
/// # Errors
/// When the replicator does not work between such fabrics.
pub fn of_fabrics(
    primary: &Fabric,
    secondary: &Fabric,
    replicator: &Replicator,
) -> Result<&'static PairRules, NoSuchPair> {
    use Fabric as F;
    use Replicator as R;
    let rules = match (replicator, primary, secondary) {
        (R::Simulator(own), F::Simulator(_), F::Simulator(_)) => {
            own.profile.map_or(&SIMULATOR, of_profile)
        }
        (R::QemuBitmap(_), F::Libvirt(_), F::Libvirt(_)) => &LIBVIRT,
        (R::CsiAddons(_), F::Kubernetes(_), F::Kubernetes(_)) => &KUBERNETES,
        (R::AzureSiteRecovery(_), F::Hyperv(host), F::Azure(_)) if host.vmm.is_some() => {
            &VMM_TO_AZURE
        }
        (R::AzureSiteRecovery(_), F::Hyperv(_), F::Azure(_)) => &HYPERV_TO_AZURE,
        (R::AzureSiteRecovery(_), F::Vsphere(_), F::Azure(_)) => &VMWARE_TO_AZURE,
        (R::AzureSiteRecovery(_), F::Physical(_), F::Azure(_)) => &PHYSICAL_TO_AZURE,
        (R::AzureSiteRecovery(_), F::Azure(_), F::Azure(_)) => &AZURE_TO_AZURE,
        (R::HypervReplica(_), F::Hyperv(one), F::Hyperv(other))
            if one.vmm.is_some() && other.vmm.is_some() =>
        {
            &VMM_TO_VMM
        }
        (R::SanArray(array), F::Hyperv(_), F::Hyperv(_)) => match array.mode {
            SanMode::Synchronous => &HYPERV_SAN,
            SanMode::Asynchronous => &HYPERV_SAN_ASYNCHRONOUS,
        },
        (R::VsphereReplication(_), F::Vsphere(_) | F::Physical(_), F::Vsphere(_)) => {
            &VMWARE_TO_SITE
        }
        (R::Plugin(_), _, _) => &PLUGIN,
        _ => return Err(no_such_pair(primary, secondary, replicator)),
    };
    Ok(rules)
}

fn no_such_pair(primary: &Fabric, secondary: &Fabric, replicator: &Replicator) -> NoSuchPair {
    let hint = match replicator {
        Replicator::Simulator(_) => "the simulator replicates between two simulator sites",
        Replicator::QemuBitmap(_) => "qemuBitmap replicates between two libvirt sites",
        Replicator::CsiAddons(_) => "csiAddons replicates between two kubernetes sites",
        Replicator::AzureSiteRecovery(_) => {
            "azureSiteRecovery replicates from hyperv, vsphere, physical or azure to azure"
        }
        Replicator::HypervReplica(_) => {
            "hypervReplica replicates between two hyperv sites with VMM; a site without VMM \
             replicates to azure"
        }
        Replicator::VsphereReplication(_) => {
            "vsphereReplication replicates from vsphere or physical to vsphere"
        }
        Replicator::SanArray(_) => "sanArray replicates between two hyperv sites",
        Replicator::Plugin(_) => "ask the driver",
    };
    NoSuchPair {
        primary: primary.driver().to_owned(),
        secondary: secondary.driver().to_owned(),
        replicator: replicator.driver().to_owned(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the specification, row by row: test, planned, unplanned.
    #[test]
    fn the_rules_are_those_of_the_specification() {
        // SPEC: FO (direction table), FB-0
        let rows = [
            (Profile::VmmToVmm, ALL, Some(ALL), WayBack::AfterCommit),
            (
                Profile::VmmToAzure,
                ALL,
                Some(ONLY_PLANNED),
                WayBack::WithinFailback,
            ),
            (
                Profile::HyperVToAzure,
                ALL,
                Some(ONLY_PLANNED),
                WayBack::WithinFailback,
            ),
            (
                Profile::VMwareToAzure,
                NO_PLANNED,
                Some(ONLY_UNPLANNED),
                WayBack::OnReprotect,
            ),
            (
                Profile::PhysicalToAzure,
                NO_PLANNED,
                None,
                WayBack::OnReprotect,
            ),
            (
                Profile::AzureToAzure,
                NO_PLANNED,
                Some(NO_PLANNED),
                WayBack::OnReprotect,
            ),
            (Profile::HyperVSan, ALL, Some(ALL), WayBack::AfterCommit),
            (
                Profile::LibvirtToLibvirt,
                ALL,
                Some(ALL),
                WayBack::AfterCommit,
            ),
        ];
        let triple = |rules: &DirectionRules| (rules.test, rules.planned, rules.unplanned);
        for (profile, out, back, way) in rows {
            let rules = of_profile(profile);
            assert_eq!(triple(&rules.to_secondary), out, "{profile:?}");
            assert_eq!(
                rules.to_primary.as_ref().ok().map(triple),
                back,
                "{profile:?}"
            );
            assert_eq!(rules.to_secondary.ways_back[0], way, "{profile:?}");
        }
        assert_eq!(
            of_profile(Profile::HyperVSan).to_secondary.commit,
            CommitRule::AtOnce
        );
    }
}
