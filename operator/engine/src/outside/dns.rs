//! What is to be done about a DNS record (NM-6), given what stands at its name.
//!
//! Drover moves a record between the two sets of addresses that the plan declares, and touches nothing
//! else (SA-7): what is neither of them was written by somebody for a reason. A change names what was seen,
//! so that the server refuses it when something else stands there by then (SA-4).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use drover_api::DnsAction;
use drover_api::common::SiteRole;

/// A family of addresses; each has record sets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `A`
    V4,
    /// `AAAA`
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The type of its records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "A",
            Self::V6 => "AAAA",
        }
    }

    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// What stands at a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Addresses of both families.
    pub addresses: BTreeSet<IpAddr>,
    /// The times to live of these records.
    pub ttls: BTreeSet<u32>,
    /// The name that this one is an alias of (`CNAME`).
    pub alias: Option<String>,
}

impl Standing {
    fn family(&self, family: Family) -> BTreeSet<IpAddr> {
        of_family(self.addresses.iter().copied(), family)
    }

    fn words(&self) -> String {
        match &self.alias {
            Some(alias) => format!("an alias of {alias}"),
            None => list(&self.addresses),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It stands as wanted.
    Nothing,
    /// All of this in one update.
    Write(Vec<Change>),
    /// What stands there is another's, in words.
    Refuse(String),
}

/// A change of one family's record set. It holds for both families, also where one does not change: then
/// it says only what must stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The family.
    pub family: Family,
    /// What must stand there, or the change is refused; nothing where it is empty.
    pub was: BTreeSet<IpAddr>,
    /// What stands there afterwards; nothing where it is empty.
    pub becomes: BTreeSet<IpAddr>,
    /// Whether anything is written.
    pub write: bool,
}

/// Seconds that resolvers may keep the record. More than 31 bits means none at all (RFC 2181).
pub fn ttl(dns: &DnsAction) -> u32 {
    const MOST: u32 = i32::MAX.unsigned_abs();
    u32::try_from(dns.ttl.as_std().as_secs()).map_or(MOST, |ttl| ttl.min(MOST))
}

/// What is to be done so that the record points at the site in this role.
pub fn step(dns: &DnsAction, role: SiteRole, standing: &Standing) -> Step {
    let known = standing.alias.is_none()
        && Family::ALL.into_iter().all(|family| {
            let stands = standing.family(family);
            let declared = [SiteRole::Primary, SiteRole::Secondary];
            stands.is_empty()
                || declared
                    .iter()
                    .any(|role| stands == set(dns, *role, family))
        });
    if !known {
        return Step::Refuse(foreign(dns, standing));
    }
    let old = standing.ttls.iter().any(|seen| *seen != ttl(dns));
    let changes: Vec<Change> = Family::ALL
        .into_iter()
        .map(|family| {
            let (was, becomes) = (standing.family(family), set(dns, role, family));
            Change {
                write: was != becomes || (old && !becomes.is_empty()),
                family,
                was,
                becomes,
            }
        })
        .collect();
    if changes.iter().any(|change| change.write) {
        Step::Write(changes)
    } else {
        Step::Nothing
    }
}

/// Whether the addresses are those that were wanted; a server may keep them for another time.
///
/// # Errors
/// When others stand there, in words.
pub fn stands(dns: &DnsAction, role: SiteRole, standing: &Standing) -> Result<(), String> {
    let wanted: BTreeSet<IpAddr> = dns.at(role).iter().map(|each| each.ip()).collect();
    if standing.alias.is_none() && standing.addresses == wanted {
        return Ok(());
    }
    Err(format!(
        "the server took the change, but answers {} for {} and not {}: somebody else changes this record \
         too, or another server answers for the zone",
        standing.words(),
        dns.record,
        list(&wanted),
    ))
}

fn set(dns: &DnsAction, role: SiteRole, family: Family) -> BTreeSet<IpAddr> {
    of_family(dns.at(role).iter().map(|each| each.ip()), family)
}

fn of_family(addresses: impl Iterator<Item = IpAddr>, family: Family) -> BTreeSet<IpAddr> {
    addresses
        .filter(|address| Family::of(*address) == family)
        .collect()
}

fn foreign(dns: &DnsAction, standing: &Standing) -> String {
    let declared = |role| list(&dns.at(role).iter().map(|each| each.ip()).collect());
    format!(
        "{} is {}, which is neither what the action declares for the primary site ({}) nor for the secondary \
         ({}); nothing was changed: declare what stands there as one of them, or remove that record",
        dns.record,
        standing.words(),
        declared(SiteRole::Primary),
        declared(SiteRole::Secondary),
    )
}

/// As many as a message needs.
const SHOWN: usize = 8;

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    if addresses.is_empty() {
        return "nothing".into();
    }
    let shown: Vec<String> = addresses
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let mut words = shown.join(", ");
    if addresses.len() > SHOWN {
        // Writing to text cannot fail.
        let _ = write!(words, " and {} more", addresses.len() - SHOWN);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shop(primary: &[&str], secondary: &[&str]) -> DnsAction {
        serde_json::from_value(json!({
            "record": "shop.example.com",
            "ttl": "30s",
            "primary": primary,
            "secondary": secondary,
            "rfc2136": {"server": "192.0.2.53:53", "zone": "example.com"},
        }))
        .unwrap()
    }

    fn standing(addresses: &[&str]) -> Standing {
        let addresses: BTreeSet<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let ttls = if addresses.is_empty() {
            BTreeSet::new()
        } else {
            [30].into()
        };
        Standing {
            addresses,
            ttls,
            alias: None,
        }
    }

    fn written(step: Step) -> Vec<(String, String, String)> {
        let Step::Write(changes) = step else {
            panic!("{step:?}");
        };
        let words = |change: Change| {
            let family = change.family.as_str().to_owned();
            (family, list(&change.was), list(&change.becomes))
        };
        let written = changes.into_iter().filter(|change| change.write);
        written.map(words).collect()
    }

    #[test]
    fn a_fresh_record_is_written_only_if_still_nothing_stands_there() {
        // SPEC: NM-6, SA-4
        let dns = shop(&["203.0.113.10"], &["198.51.100.10"]);
        let Step::Write(changes) = step(&dns, SiteRole::Secondary, &standing(&[])) else {
            panic!("it is not there");
        };
        assert!(changes.iter().all(|change| change.was.is_empty()));
        assert!(changes[0].write && !changes[1].write);
    }

    #[test]
    fn a_record_moves_between_the_two_sets_and_then_rests() {
        // SPEC: NM-6
        let dns = shop(&["203.0.113.10", "203.0.113.11"], &["198.51.100.10"]);
        let there = step(
            &dns,
            SiteRole::Secondary,
            &standing(&["203.0.113.11", "203.0.113.10"]),
        );
        let row = |one: &str, two: &str, three: &str| (one.into(), two.into(), three.into());
        assert_eq!(
            written(there),
            [row("A", "203.0.113.10, 203.0.113.11", "198.51.100.10")]
        );
        let again = step(&dns, SiteRole::Secondary, &standing(&["198.51.100.10"]));
        assert_eq!(again, Step::Nothing);
    }

    #[test]
    fn a_set_of_the_other_family_goes_with_its_site() {
        // SPEC: NM-6
        let dns = shop(&["203.0.113.10", "2001:db8::10"], &["198.51.100.10"]);
        let there = step(
            &dns,
            SiteRole::Secondary,
            &standing(&["203.0.113.10", "2001:db8::10"]),
        );
        let row = |one: &str, two: &str, three: &str| (one.into(), two.into(), three.into());
        assert_eq!(
            written(there),
            [
                row("A", "203.0.113.10", "198.51.100.10"),
                row("AAAA", "2001:db8::10", "nothing"),
            ]
        );
    }

    #[test]
    fn another_time_to_live_is_written() {
        let dns = shop(&["203.0.113.10"], &["198.51.100.10"]);
        let mut old = standing(&["198.51.100.10"]);
        old.ttls = [3600].into();
        assert_eq!(written(step(&dns, SiteRole::Secondary, &old)).len(), 1);
    }

    #[test]
    fn what_nobody_declared_is_left_alone() {
        // SPEC: SA-7
        let dns = shop(&["203.0.113.10", "203.0.113.11"], &["198.51.100.10"]);
        let mut alias = standing(&[]);
        alias.alias = Some("shop.example.net".into());
        let others = [
            standing(&["192.0.2.99"]),
            // Part of a set is not the set.
            standing(&["203.0.113.10"]),
            standing(&["198.51.100.10", "192.0.2.99"]),
            // Nobody declares the other family, so its record is somebody's.
            standing(&["198.51.100.10", "2001:db8::99"]),
            alias,
        ];
        for other in others {
            let Step::Refuse(why) = step(&dns, SiteRole::Secondary, &other) else {
                panic!("{other:?} was not refused");
            };
            assert!(why.contains(&other.words()), "{why}");
            assert!(why.contains("remove that record"), "{why}");
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        // SPEC: SA-4
        let dns = shop(&["203.0.113.10"], &["198.51.100.10"]);
        let read = |addresses: &[&str]| stands(&dns, SiteRole::Secondary, &standing(addresses));
        assert_eq!(read(&["198.51.100.10"]), Ok(()));
        let why = read(&["203.0.113.10"]).unwrap_err();
        assert!(why.contains("answers 203.0.113.10"), "{why}");
    }
}
