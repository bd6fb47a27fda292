//! Who the members of a protection group are: those listed, and those that its selector finds in the
//! inventory of its primary site (PR-10).

use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::{MachineName, SiteName};
use drover_api::{Nic, ProtectedMachineSpec, ProtectionGroupSpec, SiteTargetSettings};
use drover_world::{Inventory, InventoryMachine};

use crate::declared::Declared;

/// The inventories that are known, by site. A site that is missing was not asked.
pub type Inventories = BTreeMap<SiteName, Inventory>;

/// The inventories that sites declare of themselves, without asking a fabric.
pub fn declared_inventories(declared: &Declared<'_>) -> Inventories {
    declared
        .sites
        .iter()
        .filter_map(|(name, site)| {
            Some((name.parse().ok()?, Inventory::declared(&site.object.spec)?))
        })
        .collect()
}

/// One member of a group.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a MachineName,
    /// Its interfaces.
    pub nics: &'a [Nic],
    /// What it becomes at each site; what the group says of all its members is not in here.
    pub target_settings: Option<&'a SiteTargetSettings>,
    /// What the inventory of the primary site says of it, where that is known.
    pub found: Option<&'a InventoryMachine>,
    /// Where it is written in the group.
    pub origin: Origin,
}

/// Where a member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Listed at this position of `spec.machines`.
    Listed(usize),
    /// Found by the selector; settings are those of this position of `spec.memberSettings`.
    Selected(Option<usize>),
}

/// The members of a group.
#[derive(Clone, Debug, Default)]
pub struct Members<'a> {
    /// Those that are known: listed ones in their order, then selected ones by name.
    pub known: Vec<Member<'a>>,
    /// Whether there may be more: the group has a selector and the primary site's inventory is not
    /// known.
    pub open: bool,
}

/// The members of a group.
pub fn of<'a>(group: &'a ProtectionGroupSpec, inventories: &'a Inventories) -> Members<'a> {
    let inventory = inventories.get(&group.sites.primary);
    let mut known: Vec<Member<'a>> = group
        .machines
        .iter()
        .enumerate()
        .map(|(position, member)| Member {
            name: &member.name,
            nics: &member.nics,
            target_settings: member.target_settings.as_deref(),
            found: inventory.and_then(|inventory| inventory.get(&member.name)),
            origin: Origin::Listed(position),
        })
        .collect();
    let Some(selector) = &group.selector else {
        return Members { known, open: false };
    };
    let Some(inventory) = inventory else {
        return Members { known, open: true };
    };
    let listed: BTreeSet<&MachineName> = group.machines.iter().map(|member| &member.name).collect();
    let selected = inventory
        .select(selector)
        .into_iter()
        .filter(|(name, _)| !listed.contains(name))
        .map(|(name, found)| selected(group, name, found));
    known.extend(selected);
    Members { known, open: false }
}

/// A group with its selector replaced by who is protected because of it. What a selector found once
/// stays a member until somebody lets go of it, whether the inventory can be asked or not (PR-10).
///
/// The order is that of [`of`]: listed members first, then found ones by name.
#[must_use]
pub fn remembered(
    group: &ProtectionGroupSpec,
    protected: &BTreeMap<MachineName, &ProtectedMachineSpec>,
) -> ProtectionGroupSpec {
    let listed: BTreeSet<&MachineName> = group.machines.iter().map(|member| &member.name).collect();
    let found = protected
        .iter()
        .filter(|(name, _)| !listed.contains(name))
        .map(|(name, spec)| drover_api::Member {
            name: name.clone(),
            nics: spec.nics.clone(),
            excluded_disks: spec.excluded_disks.clone(),
            target_settings: spec.target_settings.clone().map(Box::new),
        });
    ProtectionGroupSpec {
        machines: group.machines.iter().cloned().chain(found).collect(),
        selector: None,
        member_settings: Vec::new(),
        ..group.clone()
    }
}

fn selected<'a>(
    group: &'a ProtectionGroupSpec,
    name: &'a MachineName,
    found: &'a InventoryMachine,
) -> Member<'a> {
    let settings = group
        .member_settings
        .iter()
        .enumerate()
        .find(|(_, settings)| settings.selector.matches(&found.labels));
    Member {
        name,
        nics: settings.map_or(&[], |(_, settings)| settings.nics.as_slice()),
        target_settings: settings.and_then(|(_, settings)| settings.target_settings.as_deref()),
        found: Some(found),
        origin: Origin::Selected(settings.map(|(position, _)| position)),
    }
}
