//! What is asked of drivers: a machine where it stands, an effect, and to whom it is said.

use drover_api::common::{SitePair, SiteRole};
use drover_api::{Consistency, FailbackLocation, ProtectedMachineSpec, RunNic, TargetSettings};
use drover_fabric::{Answer, InstanceKey, LinkGoal, Materialize, SiteGoal, Subject, within};
use drover_world::{Effect, ErrorClass, Outcome, Stamp};

use super::not_now;
use crate::cache::name_at;
use crate::context::Context;
use crate::index::PairKey;

/// A machine where it stands: its sites, its names there, and what replicates it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) sites: SitePair,
    pub(crate) pair: PairKey,
    pub(crate) subject: Subject,
}

impl Place {
    pub(crate) fn of(
        namespace: &str,
        machine: &ProtectedMachineSpec,
        consistency: Consistency,
    ) -> Self {
        let shared = consistency == Consistency::Group;
        Self {
            sites: machine.sites.clone(),
            pair: PairKey::of(namespace, machine),
            subject: Subject {
                primary: machine.machine.clone(),
                secondary: name_at(machine, SiteRole::Secondary),
                consistency: shared.then(|| format!("{namespace}/{}", machine.group_ref.name)),
                excluded_disks: machine.excluded_disks.clone(),
            },
        }
    }

    /// The machine's instance at the site in this role.
    pub(crate) fn instance(&self, role: SiteRole, drill: bool) -> InstanceKey {
        InstanceKey {
            name: self.subject.at(role).clone(),
            drill,
        }
    }
}

/// What a machine becomes, for requests that make one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shaped {
    pub(crate) point: Option<String>,
    pub(crate) nics: Vec<RunNic>,
    pub(crate) settings: Option<TargetSettings>,
    pub(crate) location: FailbackLocation,
}

impl Shaped {
    pub(crate) fn at(self, site: SiteRole, drill: bool) -> Materialize {
        Materialize {
            site,
            drill,
            point: self.point,
            nics: self.nics,
            settings: self.settings,
            location: self.location,
        }
    }
}

/// What an effect is, to whom it is said.
enum Said {
    Site(SiteRole, SiteGoal),
    Link(LinkGoal),
    Make(SiteRole, bool),
}

fn said(effect: Effect) -> Said {
    match effect {
        Effect::Stopped { site } => Said::Site(site, SiteGoal::Stopped),
        Effect::Fenced { site } => Said::Site(site, SiteGoal::Fenced),
        Effect::Started { site } => Said::Site(site, SiteGoal::Started),
        Effect::DrillStarted { site } => Said::Site(site, SiteGoal::DrillStarted),
        Effect::DrillRemoved { site } => Said::Site(site, SiteGoal::DrillRemoved),
        Effect::Materialized { site } => Said::Make(site, false),
        Effect::DrillMaterialized { site } => Said::Make(site, true),
        Effect::Related { towards } => Said::Link(LinkGoal::Related { towards }),
        Effect::Seeded { towards } => Said::Link(LinkGoal::Seeded { towards }),
        Effect::Finalized { towards } => Said::Link(LinkGoal::Finalized { towards }),
        Effect::Resynchronized { towards } => Said::Link(LinkGoal::Resynchronized { towards }),
        Effect::Unrelated { remove_replica } => Said::Link(LinkGoal::Unrelated { remove_replica }),
        Effect::FinalSync { towards } => Said::Link(LinkGoal::FinalSync { towards }),
        Effect::SyncedBack { towards } => Said::Link(LinkGoal::SyncedBack { towards }),
        Effect::Committed { left } => Said::Link(LinkGoal::Committed { left }),
        Effect::Reversed { towards } => Said::Link(LinkGoal::Reversed { towards }),
    }
}

/// The name of an effect, for the fabric's own log.
pub(crate) fn step_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Related { .. } => "relate",
        Effect::Seeded { .. } => "seed",
        Effect::Finalized { .. } => "finalize",
        Effect::Resynchronized { .. } => "resynchronize",
        Effect::Unrelated { .. } => "unrelate",
        Effect::Stopped { .. } => "stop",
        Effect::Fenced { .. } => "fence",
        Effect::FinalSync { .. } => "final-sync",
        Effect::SyncedBack { .. } => "sync-back",
        Effect::Materialized { .. } => "materialize",
        Effect::Started { .. } => "start",
        Effect::Committed { .. } => "commit",
        Effect::Reversed { .. } => "reverse",
        Effect::DrillMaterialized { .. } => "drill-materialize",
        Effect::DrillStarted { .. } => "drill-start",
        Effect::DrillRemoved { .. } => "drill-remove",
    }
}

impl Context {
    /// Asks for an effect. It is asked only while this process leads, and for so long as a driver may
    /// take to answer.
    pub(crate) async fn ensure(
        &self,
        place: &Place,
        stamp: &Stamp,
        effect: Effect,
        shaped: Shaped,
    ) -> Answer {
        if !self.gate.is_open() {
            return Err(not_now("this process does not lead any more"));
        }
        let _under_way = self.health.enter();
        let begun = tokio::time::Instant::now();
        let answer = self.request(place, stamp, effect, shaped).await;
        let outcome = match &answer {
            Ok(Outcome::Reached) => "reached",
            Ok(_) => "under_way",
            Err(error) => match error.class {
                ErrorClass::Retryable => "retryable",
                ErrorClass::Terminal => "terminal",
                ErrorClass::Unsupported => "unsupported",
            },
        };
        self.metrics
            .driver_answered(step_name(effect), outcome, begun.elapsed());
        answer
    }

    async fn request(
        &self,
        place: &Place,
        stamp: &Stamp,
        effect: Effect,
        shaped: Shaped,
    ) -> Answer {
        let limit = self.settings.driver_limit;
        match said(effect) {
            Said::Site(role, goal) => {
                let Some(fabric) = self.fabric(place.sites.at(role)) else {
                    return Err(not_now("the site's driver is not open yet"));
                };
                let name = place.subject.at(role);
                within(limit, fabric.ensure(stamp, name, goal)).await
            }
            Said::Link(goal) => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                within(limit, replicator.ensure(stamp, &place.subject, goal)).await
            }
            Said::Make(role, drill) => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                let with = shaped.at(role, drill);
                within(limit, replicator.materialize(stamp, &place.subject, &with)).await
            }
        }
    }
}
