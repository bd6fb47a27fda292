//! Two libvirt sites, as their movers tell of them together.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use drover_api::common::{SitePair, SiteRole};
use drover_api::value::MachineName;
use drover_fabric::{
    Answer, Cursor, Extent, LinkGoal, Materialize, PairCapabilities, PairConfig, Replicator,
    Sightings, Subject,
};
use drover_world::{
    EpochEnforcement, ErrorClass, FabricError, Link, LinkState, Outcome, PairRules, Stamp,
};

use crate::call::Caller;
use crate::driver::{declared, refused};
use crate::protocol::{EnsureLink, Half, Make, Seen, Terms, path};
use crate::site::{asker, newer, seen};

/// How often changes are sent where a policy does not say, in milliseconds.
const INTERVAL: u64 = 30_000;
/// Both sides are looked at again after so long, whatever they say.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct LibvirtPair {
    sites: SitePair,
    movers: [Caller; 2],
    terms: Terms,
    rules: &'static PairRules,
}

const fn side(role: SiteRole) -> usize {
    match role {
        SiteRole::Primary => 0,
        SiteRole::Secondary => 1,
    }
}

impl LibvirtPair {
    pub fn new(
        pair: PairConfig<'_>,
        movers: [Caller; 2],
        rules: &'static PairRules,
    ) -> Result<Self, FabricError> {
        let sites = SitePair {
            primary: pair.primary.name.clone(),
            secondary: pair.secondary.name.clone(),
        };
        let mut addresses = [String::new(), String::new()];
        for (address, site) in addresses.iter_mut().zip([pair.primary, pair.secondary]) {
            let mover = declared(site)?.mover.as_ref();
            let declared = mover.map(|mover| {
                let own = mover.replication_address.as_ref();
                own.unwrap_or(&mover.address).clone()
            });
            *address = declared.unwrap_or_default();
        }
        let policy = pair.policy;
        let interval = policy.interval.as_ref();
        let terms = Terms {
            sites: sites.clone(),
            addresses,
            interval: interval.map_or(INTERVAL, drover_api::value::Duration::as_millis),
            retention: policy.recovery_points.retention.as_millis(),
            app_every: policy.recovery_points.app_consistent_every.as_millis(),
            bandwidth: policy
                .bandwidth
                .as_ref()
                .map(drover_api::value::Bandwidth::bytes_per_second),
            compression: policy.compression,
            initial: policy.initial_replication,
            pool: declared(pair.secondary)?.pool.clone(),
        };
        Ok(Self {
            sites,
            movers,
            terms,
            rules,
        })
    }

    async fn ask_side(
        &self,
        role: SiteRole,
        stamp: &Stamp,
        machine: &Subject,
        goal: LinkGoal,
    ) -> Answer {
        let ask = EnsureLink {
            asker: asker(stamp),
            subject: machine.clone(),
            terms: self.terms.clone(),
            role,
            goal,
        };
        Ok(self.movers[side(role)].call(path::LINK, &ask).await?)
    }

    /// Both sides let go. The one that holds the copy says how the link is, so it does last: whoever was cut off
    /// before it did asks again. A copy in hand may meanwhile have left something at the other one.
    async fn let_go(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer {
        let towards = self.observe(None).await?.seen;
        let link = towards.iter().find(|(name, _)| *name == machine.primary);
        let towards = link.map_or(SiteRole::Secondary, |(_, link)| link.towards);
        let source = towards.other();
        for role in [source, towards, source] {
            match self.ask_side(role, stamp, machine, goal).await? {
                Outcome::Reached => {}
                going => return Ok(going),
            }
        }
        Ok(Outcome::Reached)
    }
}

#[async_trait]
impl Replicator for LibvirtPair {
    fn capabilities(&self) -> PairCapabilities {
        PairCapabilities {
            rules: *self.rules,
            epochs: EpochEnforcement::Enforced,
        }
    }

    async fn observe(
        &self,
        _: Option<Cursor>,
    ) -> Result<Sightings<MachineName, Link>, FabricError> {
        let [primary, secondary] = &self.movers;
        let (primary, secondary) = tokio::join!(seen(primary), seen(secondary));
        together(&self.sites, primary, secondary)
    }

    async fn changed(&self, since: Cursor) {
        // The cursor is the sum of both versions, so what each side saw is asked for anew.
        let [primary, secondary] = &self.movers;
        let looked = tokio::join!(seen(primary), seen(secondary));
        let versions = [
            looked.0.map_or(0, |seen| seen.version),
            looked.1.map_or(0, |seen| seen.version),
        ];
        if versions[0].wrapping_add(versions[1]) != since.0 {
            return;
        }
        tokio::select! {
            () = newer(primary, versions[0]) => {}
            () = newer(secondary, versions[1]) => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }

    async fn ensure(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer {
        let role = match goal {
            LinkGoal::Related { towards }
            | LinkGoal::Seeded { towards }
            | LinkGoal::Finalized { towards }
            | LinkGoal::Resynchronized { towards }
            | LinkGoal::FinalSync { towards }
            | LinkGoal::Reversed { towards } => towards,
            LinkGoal::Committed { left } => left.other(),
            LinkGoal::Unrelated { .. } => return self.let_go(stamp, machine, goal).await,
            LinkGoal::SyncedBack { .. } => {
                return Err(FabricError {
                    class: ErrorClass::Unsupported,
                    ..refused(
                        format!("{} does not begin its way back so", self.rules.name),
                        "ask for the way back that the pair declares",
                    )
                });
            }
        };
        self.ask_side(role, stamp, machine, goal).await
    }

    async fn materialize(&self, stamp: &Stamp, machine: &Subject, with: &Materialize) -> Answer {
        let make = Make {
            asker: asker(stamp),
            subject: machine.clone(),
            terms: self.terms.clone(),
            with: with.clone(),
        };
        Ok(self.movers[side(with.site)]
            .call(path::MATERIALIZE, &make)
            .await?)
    }
}

/// What both sides know of the links between them. A side that does not answer leaves unknown what only it
/// knows: the links whose copy it holds.
fn together(
    sites: &SitePair,
    primary: Result<Seen, FabricError>,
    secondary: Result<Seen, FabricError>,
) -> Result<Sightings<MachineName, Link>, FabricError> {
    let mut version = 0_u64;
    let mut silent = None;
    let mut halves: BTreeMap<MachineName, Vec<Half>> = BTreeMap::new();
    for seen in [primary, secondary] {
        match seen {
            Ok(seen) => {
                version = version.wrapping_add(seen.version);
                let ours = seen.halves.into_iter().filter(|half| half.sites == *sites);
                for half in ours {
                    let of_machine = halves.entry(half.subject.primary.clone());
                    of_machine.or_default().push(half);
                }
            }
            Err(error) if silent.is_some() => return Err(error),
            Err(error) => silent = Some(error),
        }
    }
    let whole = |(name, halves)| Some((name, whole(halves, silent.is_some())?));
    Ok(Sightings {
        cursor: Cursor(version),
        extent: if silent.is_some() {
            Extent::Part
        } else {
            Extent::All
        },
        seen: halves.into_iter().filter_map(whole).collect(),
        gone: Vec::new(),
    })
}

/// One link of its halves; nothing where the side that holds the copy does not answer.
fn whole(halves: Vec<Half>, one_is_silent: bool) -> Option<Link> {
    let newest = halves.iter().max_by_key(|half| half.turn)?;
    let (towards, turn) = (newest.link.towards, newest.turn);
    let epoch = halves.iter().map(|half| half.link.epoch).max();
    let committed = halves.iter().filter_map(|half| half.link.committed).max();
    let source = halves.iter().find(|half| half.role != towards).cloned();
    let holder = halves.into_iter().find(|half| half.role == towards);
    let (mut link, seal) = match (holder, &source) {
        // It did not hear of the turn yet, and will when the turn is asked for again.
        (Some(holder), _) if holder.turn == turn || !one_is_silent => (holder.link, holder.seal),
        // There is no copy: it was never begun, or the storage that held it was lost.
        (None, Some(source)) if !one_is_silent => {
            let mut link = source.link.clone();
            link.state = LinkState::None;
            (link, None)
        }
        _ => return None,
    };
    link.towards = towards;
    link.epoch = epoch.unwrap_or(link.epoch);
    link.committed = committed;
    // What the last changes were taken from may have been written to since.
    if link.final_sync.is_some() && source.is_some_and(|source| source.seal != seal) {
        link.final_sync = None;
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn half(machine: &str, role: &str, towards: &str, more: &Value) -> Value {
        let mut half = json!({
            "sites": {"primary": "seoul", "secondary": "busan"},
            "subject": {"primary": machine, "secondary": machine, "consistency": null, "excludedDisks": []},
            "role": role,
            "turn": 1,
            "seal": null,
            "link": {
                "towards": towards, "state": "Replicating", "finalized": true, "pendingBytes": 0,
                "finalSync": null, "committed": null, "epoch": 4, "points": [], "trouble": null,
            },
        });
        for (key, value) in more.as_object().unwrap() {
            let of_link = half["link"].get(key).is_some();
            let place = if of_link {
                &mut half["link"]
            } else {
                &mut half
            };
            place[key] = value.clone();
        }
        half
    }

    fn site(halves: &[Value]) -> Seen {
        let seen = json!({
            "version": 3, "silent": [], "instances": [], "fences": [], "halves": halves,
        });
        serde_json::from_value(seen).unwrap()
    }

    fn silent() -> Result<Seen, FabricError> {
        Err(FabricError {
            class: ErrorClass::Retryable,
            ..refused("no answer".into(), "")
        })
    }

    fn told(
        primary: Result<Seen, FabricError>,
        secondary: Result<Seen, FabricError>,
    ) -> (Extent, Vec<(String, Link)>) {
        let sites = SitePair {
            primary: "seoul".parse().unwrap(),
            secondary: "busan".parse().unwrap(),
        };
        let told = together(&sites, primary, secondary).unwrap();
        let named = told.seen.into_iter();
        let named = named.map(|(name, link)| (name.to_string(), link));
        (told.extent, named.collect())
    }

    #[test]
    fn a_silent_site_hides_only_the_copies_that_it_holds() {
        // SPEC: SA-1, FO-3
        let busan = || {
            site(&[
                half("erp", "secondary", "secondary", &json!({})),
                half("shop", "secondary", "primary", &json!({})),
                half("old", "secondary", "primary", &json!({"state": "None"})),
            ])
        };
        let (extent, seen) = told(silent(), Ok(busan()));
        assert_eq!(extent, Extent::Part);
        let [(name, link)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!((name.as_str(), link.state), ("erp", LinkState::Replicating));
        let seoul = site(&[
            half("erp", "primary", "secondary", &json!({"state": "Paused"})),
            half(
                "shop",
                "primary",
                "primary",
                &json!({"state": "Resynchronizing"}),
            ),
        ]);
        let (extent, seen) = told(Ok(seoul), Ok(busan()));
        assert_eq!((extent, seen.len()), (Extent::All, 3));
        assert_eq!(seen[2].1.state, LinkState::Resynchronizing);
        let sites = SitePair {
            primary: "seoul".parse().unwrap(),
            secondary: "busan".parse().unwrap(),
        };
        assert!(together(&sites, silent(), silent()).is_err());
    }

    #[test]
    fn a_link_without_a_copy_is_none_and_a_commit_outlives_a_turn() {
        // SPEC: FO-5, FO-7, PR-4
        let source = half("db", "primary", "secondary", &json!({"state": "Paused"}));
        let (_, seen) = told(Ok(site(&[source])), Ok(site(&[])));
        assert_eq!(seen[0].1.state, LinkState::None);

        let turned = json!({"turn": 2, "state": "Seeding"});
        let holder = half("db", "primary", "primary", &turned);
        let left = half(
            "db",
            "secondary",
            "primary",
            &json!({"turn": 2, "committed": 4}),
        );
        let (_, seen) = told(Ok(site(&[holder])), Ok(site(&[left])));
        assert_eq!(seen[0].1.committed, Some(4));
        assert_eq!(seen[0].1.state, LinkState::Seeding);
    }
}
