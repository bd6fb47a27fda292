//! An estate of any size, as the manifests that people would write for it.
//!
//! Nothing is random: the same sizes give the same files, so that a benchmark measures the same thing
//! on every machine and a sample can be checked in.

use std::fmt::Write as _;

use thiserror::Error;

/// Names of the first groups of a plan; later ones are numbered.
const TIERS: [&str; 5] = ["data", "cache", "service", "web", "edge"];
/// The most machines that a protection group may list.
const MEMBERS: usize = 5_000;
/// The most groups that a plan may have.
const GROUPS: usize = 10_000;
/// Machines that are put on one pair of /16 networks; the rest of the addresses is room for gateways.
const ON_ONE_PAIR: usize = 60_000;
/// Pairs of /16 networks that fit into 10.0.0.0/8.
const PAIRS: usize = 128;
/// The first host number that a machine gets.
const FIRST_HOST: usize = 10;

/// An estate that the kinds have no room for.
#[derive(Debug, Error)]
pub enum TooLarge {
    /// Too many machines in a group.
    #[error("a protection group lists at most {MEMBERS} machines")]
    Members,
    /// Too many groups in a plan.
    #[error("a plan has at most {GROUPS} groups")]
    Groups,
    /// Too many machines for one private network.
    #[error("10.0.0.0/8 has addresses for at most {} machines at two sites", PAIRS * ON_ONE_PAIR)]
    Addresses,
}

/// The manifests of an estate: file name and text of each, in the order in which they are read. Two
/// sites, one policy, one mapping, and one application for each plan with its protection groups.
///
/// # Errors
/// When a kind has no room for so many.
pub fn manifests(
    plans: usize,
    groups_per_plan: usize,
    machines_per_group: usize,
) -> Result<Vec<(String, String)>, TooLarge> {
    if machines_per_group > MEMBERS {
        return Err(TooLarge::Members);
    }
    if groups_per_plan > GROUPS {
        return Err(TooLarge::Groups);
    }
    let machines = plans
        .saturating_mul(groups_per_plan)
        .saturating_mul(machines_per_group);
    let pairs = machines.div_ceil(ON_ONE_PAIR).max(1);
    if pairs > PAIRS {
        return Err(TooLarge::Addresses);
    }
    let mut files = vec![("common.yaml".to_owned(), common(pairs))];
    for plan in 0..plans {
        let application = Application {
            number: plan,
            groups: groups_per_plan,
            machines: machines_per_group,
        };
        let name = format!("{}.yaml", application.name());
        // Writing to a String cannot fail.
        files.push((name, application.manifest().unwrap_or_default()));
    }
    Ok(files)
}

const COMMON: &str = "\
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: north }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
---
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: south }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
---
apiVersion: drover.dev/v1alpha1
kind: ReplicationPolicy
metadata: { name: standard, namespace: large }
spec:
  replicator: { simulator: {} }
  rpoThreshold: 15m
  interval: 30s
---
apiVersion: drover.dev/v1alpha1
kind: NetworkMapping
metadata: { name: north-south, namespace: large }
spec:
  sites: { primary: north, secondary: south }
  networks:
";

fn common(pairs: usize) -> String {
    let mut text = COMMON.to_owned();
    for pair in 0..pairs {
        let (north, south) = (2 * pair, 2 * pair + 1);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "    - name: net-{number}
      primary: {{ network: vlan-{north}, subnet: 10.{north}.0.0/16 }}
      secondary: {{ network: vlan-{south}, subnet: 10.{south}.0.0/16 }}
      test: {{ primary: isolated-{north}, secondary: isolated-{south} }}
      addresses: Assign
",
            number = pair + 1,
        );
    }
    text
}

/// One application: a plan and the protection groups of its tiers.
struct Application {
    number: usize,
    groups: usize,
    machines: usize,
}

impl Application {
    fn name(&self) -> String {
        format!("app-{:04}", self.number + 1)
    }

    fn tier(group: usize) -> String {
        TIERS
            .get(group)
            .map_or_else(|| format!("tier-{}", group + 1), ToString::to_string)
    }

    fn manifest(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for group in 0..self.groups {
            self.protection_group(&mut text, group)?;
        }
        self.plan(&mut text)?;
        Ok(text)
    }

    fn protection_group(&self, text: &mut String, group: usize) -> std::fmt::Result {
        let name = format!("{}-{}", self.name(), Self::tier(group));
        write!(
            text,
            "apiVersion: drover.dev/v1alpha1
kind: ProtectionGroup
metadata: {{ name: {name}, namespace: large }}
spec:
  sites: {{ primary: north, secondary: south }}
  policyRef: {{ name: standard }}
  networkMappingRef: {{ name: north-south }}
  machines:
"
        )?;
        for machine in 0..self.machines {
            let number = (self.number * self.groups + group) * self.machines + machine;
            let (pair, host) = (number / ON_ONE_PAIR, number % ON_ONE_PAIR + FIRST_HOST);
            let (high, low) = (host / 256, host % 256);
            let (north, south) = (2 * pair, 2 * pair + 1);
            write!(
                text,
                "    - name: {name}-{count:02}
      nics:
        - network: net-{network}
          addresses: {{ primary: [10.{north}.{high}.{low}], secondary: [10.{south}.{high}.{low}] }}
",
                count = machine + 1,
                network = pair + 1,
            )?;
        }
        text.push_str("---\n");
        Ok(())
    }

    fn plan(&self, text: &mut String) -> std::fmt::Result {
        let name = self.name();
        write!(
            text,
            "apiVersion: drover.dev/v1alpha1
kind: RecoveryPlan
metadata: {{ name: {name}, namespace: large }}
spec:
  sites: {{ primary: north, secondary: south }}
  activeSite: primary
  objectives: {{ rto: 30m, rpo: 5m }}
  failover:
    toSecondary: {{ type: Planned, maxDataLoss: 5m }}
    toPrimary: {{ type: Planned }}
  commit: {{ policy: Manual }}
  groups:
"
        )?;
        for group in 0..self.groups {
            self.group(text, group)?;
        }
        Ok(())
    }

    /// The service stands beside the cache on the data, the web tier on both; the rest is a chain.
    fn group(&self, text: &mut String, group: usize) -> std::fmt::Result {
        let (name, tier) = (self.name(), Self::tier(group));
        writeln!(text, "    - name: {tier}")?;
        match group {
            2 => writeln!(text, "      dependsOn: [data]")?,
            3 => writeln!(text, "      dependsOn: [cache, service]")?,
            _ => {}
        }
        writeln!(text, "      protectionGroups: [{name}-{tier}]")?;
        let (first, last) = (group == 0, group + 1 == self.groups);
        if first || last {
            writeln!(text, "      after:")?;
        }
        if first && self.machines > 0 {
            write!(
                text,
                "        - name: database-answers
          http: {{ machine: {name}-{tier}-01, port: 8008, path: /health }}
          timeout: 2m
          retries: 5
"
            )?;
        }
        if last {
            self.move_traffic(text)?;
        }
        Ok(())
    }

    fn move_traffic(&self, text: &mut String) -> std::fmt::Result {
        let (name, host) = (self.name(), self.number % 250 + 1);
        write!(
            text,
            "        - name: move-traffic
          dns:
            record: {name}.example.com
            primary: [203.0.113.{host}]
            secondary: [198.51.100.{host}]
            rfc2136: {{ server: \"192.0.2.53:53\", zone: example.com }}
"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_sample_is_what_the_generator_makes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/large");
        let files = manifests(2, 4, 5).unwrap();
        for (name, text) in &files {
            let kept = std::fs::read_to_string(folder.join(name)).unwrap();
            assert_eq!(
                &kept, text,
                "{name} differs: cargo run -p drover-tests --bin generate-large -- \
                 examples/large 2 4 5"
            );
        }
        let entries = std::fs::read_dir(folder).unwrap();
        let yaml = entries.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        });
        assert_eq!(yaml.count(), files.len(), "no file more than those");
    }

    #[test]
    fn addresses_are_unique_however_many_there_are() {
        let files = manifests(20, 5, 1_000).unwrap();
        let mut seen = BTreeSet::new();
        let lines = files.iter().flat_map(|(_, text)| text.lines());
        for line in lines.filter(|line| line.contains("addresses: { primary:")) {
            assert!(seen.insert(line), "{line}");
        }
        assert_eq!(seen.len(), 100_000);
        assert!(
            files[0].1.contains("subnet: 10.3.0.0/16"),
            "a second pair of networks"
        );
    }

    #[test]
    fn what_the_kinds_have_no_room_for_is_refused() {
        assert!(manifests(1, 1, 5_001).is_err());
        assert!(manifests(1, 10_001, 1).is_err());
        assert!(manifests(2_000, 1_000, 5_000).is_err());
    }
}
