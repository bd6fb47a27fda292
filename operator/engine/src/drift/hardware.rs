//! What a machine is made of, then and now.

use std::collections::BTreeMap;

use drover_api::common::SiteRole;
use drover_api::value::{NetworkName, Quantity};
use drover_api::{DiskSeen, HardwareSeen, TargetSettings};
use drover_world::{HardDisk, Hardware};
use jiff::Timestamp;

/// As many disks as a status takes.
const MOST_DISKS: usize = 64;
/// As many interfaces as a status takes.
const MOST_NETWORKS: usize = 16;

/// What is seen of a machine at the site where it is active.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Its processors, memory and disks.
    pub hardware: &'a Hardware,
    /// The networks of its interfaces.
    pub networks: &'a [NetworkName],
}

impl Made<'_> {
    /// As it is recorded. Lists without an order are kept in one.
    pub(super) fn recorded(&self, site: SiteRole, at: Timestamp) -> HardwareSeen {
        let mut disks: Vec<DiskSeen> = self.hardware.disks.iter().map(disk).collect();
        disks.sort_by_cached_key(|disk| folded(&disk.name));
        disks.truncate(MOST_DISKS);
        let mut networks = self.networks.to_vec();
        networks.sort_by_cached_key(|network| folded(network.as_str()));
        networks.truncate(MOST_NETWORKS);
        HardwareSeen {
            site,
            at,
            cpus: self.hardware.cpus,
            memory: self.hardware.memory.map(Quantity::from_bytes),
            disks,
            networks,
        }
    }
}

fn disk(disk: &HardDisk) -> DiskSeen {
    DiskSeen {
        name: disk.name.chars().take(253).collect(),
        size: disk.size.map(Quantity::from_bytes),
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Processors and memory. Those that are declared for the site are compared with the declaration, elsewhere.
pub(super) fn sizes(
    before: &HardwareSeen,
    now: &HardwareSeen,
    declared: Option<&TargetSettings>,
) -> Vec<String> {
    let mut differences = Vec::new();
    let is_declared = |set: fn(&TargetSettings) -> bool| declared.is_some_and(set);
    if !is_declared(|settings| settings.cpus.is_some())
        && let (Some(was), Some(is)) = (before.cpus, now.cpus)
        && was != is
    {
        differences.push(format!("it has {is} processors and had {was}"));
    }
    if !is_declared(|settings| settings.memory.is_some())
        && let (Some(was), Some(is)) = (&before.memory, &now.memory)
        && was != is
    {
        differences.push(format!("it has {is} of memory and had {was}"));
    }
    differences
}

/// Disks that came, went, or have another size.
pub(super) fn disks(before: &HardwareSeen, now: &HardwareSeen) -> Vec<String> {
    let by_name = |seen: &'_ HardwareSeen| -> BTreeMap<String, DiskSeen> {
        let disks = seen.disks.iter();
        disks
            .map(|disk| (folded(&disk.name), disk.clone()))
            .collect()
    };
    let (was, is) = (by_name(before), by_name(now));
    let mut differences = Vec::new();
    for (name, disk) in &is {
        let shown = sized(disk);
        match was.get(name) {
            None => differences.push(format!("disk {shown} was added")),
            Some(former) => {
                if let (Some(before), Some(after)) = (&former.size, &disk.size)
                    && before != after
                {
                    let name = &disk.name;
                    differences.push(format!("disk {name} has {after} and had {before}"));
                }
            }
        }
    }
    let gone = was.iter().filter(|(name, _)| !is.contains_key(*name));
    differences.extend(gone.map(|(_, disk)| format!("disk {} is gone", sized(disk))));
    differences
}

fn sized(disk: &DiskSeen) -> String {
    match &disk.size {
        Some(size) => format!("{} of {size}", disk.name),
        None => disk.name.clone(),
    }
}

/// Networks that it is on and should not be, or the other way round, whatever the order of its interfaces; it
/// may be on one more than once.
pub(super) fn networks<'a>(
    should: impl Iterator<Item = &'a NetworkName>,
    is: impl Iterator<Item = &'a NetworkName>,
) -> Vec<String> {
    let mut counts: BTreeMap<String, (&NetworkName, [usize; 2])> = BTreeMap::new();
    let all = should
        .map(|network| (network, 0))
        .chain(is.map(|network| (network, 1)));
    for (network, side) in all {
        let entry = counts.entry(folded(network.as_str()));
        entry.or_insert((network, [0, 0])).1[side] += 1;
    }
    let differences = counts.values().filter(|(_, [should, is])| should != is);
    differences
        .map(|(network, counts)| match counts {
            [_, 0] => format!("it is not on network {network}"),
            [0, _] => format!("it is on network {network}"),
            [should, is] => {
                format!("it has {is} interfaces on network {network} and should have {should}")
            }
        })
        .collect()
}

/// What is declared of the machine for its site and is otherwise there.
pub(super) fn settings(
    declared: &TargetSettings,
    now: &HardwareSeen,
    host: Option<&str>,
) -> Vec<String> {
    let mut differences = Vec::new();
    if let (Some(declared), Some(is)) = (declared.cpus, now.cpus)
        && declared != is
    {
        differences.push(format!(
            "it has {is} processors, and {declared} are declared"
        ));
    }
    if let (Some(declared), Some(is)) = (&declared.memory, &now.memory)
        && declared != is
    {
        differences.push(format!("it has {is} of memory, and {declared} is declared"));
    }
    if let (Some(declared), Some(is)) = (&declared.host, host)
        && folded(declared.as_str()) != folded(is)
    {
        differences.push(format!("it is at host {is}, and {declared} is declared"));
    }
    differences
}

/// Disks that are excluded from replication and are not there: what was meant may be replicated, or lost.
pub(super) fn excluded(declared: &[String], now: &HardwareSeen) -> Vec<String> {
    let there = |name: &String| {
        now.disks
            .iter()
            .any(|disk| folded(&disk.name) == folded(name))
    };
    let gone = declared.iter().filter(|name| !there(name));
    gone.map(|name| format!("disk {name} is excluded and not there"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cpus: u32, disks: &[(&str, u64)], networks: &[&str]) -> HardwareSeen {
        let hardware = Hardware {
            cpus: Some(cpus),
            memory: Some(4 << 30),
            host: None,
            disks: disks
                .iter()
                .map(|(name, size)| HardDisk {
                    name: (*name).to_owned(),
                    size: Some(size << 30),
                })
                .collect(),
        };
        let networks: Vec<NetworkName> =
            networks.iter().map(|name| name.parse().unwrap()).collect();
        let made = Made {
            hardware: &hardware,
            networks: &networks,
        };
        made.recorded(SiteRole::Primary, Timestamp::UNIX_EPOCH)
    }

    fn between(was: &HardwareSeen, is: &HardwareSeen) -> Vec<String> {
        let mut all = sizes(was, is, None);
        all.extend(disks(was, is));
        all.extend(networks(was.networks.iter(), is.networks.iter()));
        all
    }

    #[test]
    fn order_and_case_are_no_difference() {
        // SPEC: RD-2
        let was = seen(2, &[("vda", 20), ("vdb", 40)], &["app", "backup", "app"]);
        let is = seen(2, &[("VDB", 40), ("vda", 20)], &["Backup", "app", "APP"]);
        assert_eq!(between(&was, &is), Vec::<String>::new());
    }

    #[test]
    fn each_change_is_said() {
        // SPEC: RD-2
        let was = seen(2, &[("vda", 20), ("vdb", 40)], &["app"]);
        let is = seen(4, &[("vda", 30), ("vdc", 10)], &["dmz", "dmz"]);
        assert_eq!(
            between(&was, &is),
            [
                "it has 4 processors and had 2",
                "disk vda has 30Gi and had 20Gi",
                "disk vdc of 10Gi was added",
                "disk vdb of 40Gi is gone",
                "it is not on network app",
                "it is on network dmz",
            ]
        );
    }

    #[test]
    fn what_a_fabric_does_not_tell_is_not_compared() {
        // SPEC: RD-2, SA-1
        let was = seen(2, &[("vda", 20)], &[]);
        let mut is = was.clone();
        (is.cpus, is.memory, is.disks[0].size) = (None, None, None);
        assert_eq!(between(&was, &is), Vec::<String>::new());
        assert_eq!(between(&is, &was), Vec::<String>::new());
    }

    #[test]
    fn what_is_declared_is_what_counts() {
        // SPEC: RD-2
        let (was, is) = (seen(2, &[], &[]), seen(4, &[], &[]));
        let declared = TargetSettings {
            cpus: Some(4),
            host: Some("KVM-1".parse().unwrap()),
            ..TargetSettings::default()
        };
        assert_eq!(sizes(&was, &is, Some(&declared)), Vec::<String>::new());
        assert_eq!(
            settings(&declared, &is, Some("kvm-1")),
            Vec::<String>::new()
        );
        assert_eq!(
            settings(&declared, &was, Some("kvm-2")),
            [
                "it has 2 processors, and 4 are declared",
                "it is at host kvm-2, and KVM-1 is declared",
            ]
        );
        let is = seen(2, &[("swap", 8)], &[]);
        assert_eq!(excluded(&["SWAP".into()], &is), Vec::<String>::new());
        assert_eq!(
            excluded(&["tmp".into()], &is),
            ["disk tmp is excluded and not there"]
        );
    }
}
