//! The machines of a site that no protection group has.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::value::MachineName;
use drover_api::{SiteSpec, UnprotectedMachine, UnprotectedMachines};
use drover_world::Inventory;
use jiff::Timestamp;

/// As many machines as a status takes.
const LISTED: usize = 256;

/// Everything that is known of the machines of a site.
#[derive(Clone, Debug)]
pub struct SiteFacts<'a> {
    /// What is declared of the site.
    pub spec: &'a SiteSpec,
    /// The machines that stand there.
    pub inventory: &'a Inventory,
    /// The names there of those that protection groups have, as they are written or in lower case.
    pub claimed: &'a BTreeSet<String>,
    /// What was recorded before.
    pub before: Option<&'a UnprotectedMachines>,
    /// The time.
    pub now: Timestamp,
}

/// The machines that nobody protects. Those that were recorded stay recorded, with their *since*, for as long
/// as there is room: a machine that may be protected goes before one that nobody may.
pub fn unprotected(facts: &SiteFacts<'_>) -> UnprotectedMachines {
    let former: BTreeMap<&MachineName, Timestamp> = facts
        .before
        .into_iter()
        .flat_map(|before| &before.machines)
        .map(|machine| (&machine.name, machine.since))
        .collect();
    let machines = facts.inventory.machines().iter();
    let mut open: Vec<UnprotectedMachine> = machines
        .filter(|(name, _)| !facts.claimed.contains(&name.as_str().to_lowercase()))
        .map(|(name, machine)| {
            let mut tenants = facts.spec.tenants.iter();
            UnprotectedMachine {
                name: name.clone(),
                since: former.get(name).copied().unwrap_or(facts.now),
                offered: tenants.any(|tenant| tenant.inventory_selector.matches(&machine.labels)),
            }
        })
        .collect();
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    let offered = open.iter().filter(|machine| machine.offered).count();
    let all = open.len();
    open.sort_by_key(|machine| (!machine.offered, machine.since));
    open.truncate(LISTED);
    UnprotectedMachines {
        count: count(all),
        offered: count(offered),
        machines: open,
    }
}

#[cfg(test)]
mod tests {
    use drover_api::Fabric;
    use drover_world::InventoryMachine;

    use super::*;

    fn site(tenants: &str) -> SiteSpec {
        let spec = serde_json::json!({
            "fabric": { "simulator": {} },
            "tenants": serde_json::from_str::<serde_json::Value>(tenants).unwrap(),
        });
        let spec: SiteSpec = serde_json::from_value(spec).unwrap();
        assert!(matches!(spec.fabric, Fabric::Simulator(_)));
        spec
    }

    fn inventory(names: impl IntoIterator<Item = String>) -> Inventory {
        let machines = names.into_iter().map(|name| {
            let tier = if name.starts_with("lab") {
                "lab"
            } else {
                "gold"
            };
            let labels = [("tier".to_owned(), tier.to_owned())];
            let machine = InventoryMachine {
                labels: labels.into_iter().collect(),
                ..InventoryMachine::default()
            };
            (name.parse().unwrap(), machine)
        });
        machines.collect()
    }

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn machines_that_nobody_has_are_listed_and_remembered() {
        // SPEC: RD-2
        let spec = site(
            r#"[{"namespaceSelector": {}, "inventorySelector": {"matchLabels": {"tier": "gold"}}}]"#,
        );
        let claimed = BTreeSet::from(["db-1".to_owned()]);
        let first = inventory(names(&["DB-1", "web-1", "lab-1"]));
        let seen = |inventory: &Inventory, before: Option<&UnprotectedMachines>, now| {
            unprotected(&SiteFacts {
                spec: &spec,
                inventory,
                claimed: &claimed,
                before,
                now,
            })
        };
        // A name that differs only in case is that name.
        let found = seen(&first, None, at(10));
        let shown = |found: &UnprotectedMachines| -> Vec<(String, i64, bool)> {
            let machines = found.machines.iter();
            machines
                .map(|each| (each.name.to_string(), each.since.as_second(), each.offered))
                .collect()
        };
        assert_eq!((found.count, found.offered), (2, 1));
        assert_eq!(
            shown(&found),
            [("web-1".into(), 10, true), ("lab-1".into(), 10, false)]
        );

        // One more comes, and one is gone; who was there before keeps the time.
        let later = seen(&inventory(names(&["web-1", "web-2"])), Some(&found), at(99));
        assert_eq!(
            shown(&later),
            [("web-1".into(), 10, true), ("web-2".into(), 99, true)]
        );
        assert_eq!(
            seen(&inventory(names(&["DB-1"])), Some(&later), at(100)),
            UnprotectedMachines::default()
        );
    }

    #[test]
    fn thousands_are_counted_and_not_listed() {
        // SPEC: RD-2
        let spec = site("[]");
        let inventory = inventory((0..10_000).map(|number| format!("vm-{number:05}")));
        let facts = SiteFacts {
            spec: &spec,
            inventory: &inventory,
            claimed: &BTreeSet::new(),
            before: None,
            now: at(1),
        };
        let found = unprotected(&facts);
        assert_eq!(
            (found.count, found.offered, found.machines.len()),
            (10_000, 0, 256)
        );
        let again = unprotected(&SiteFacts {
            before: Some(&found),
            now: at(2),
            ..facts
        });
        assert_eq!(again, found, "nothing is written where nothing changed");
    }
}
