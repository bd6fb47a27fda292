//! What is asked of drivers: a machine where it stands, an effect, and to whom it is said.

use drover_api::common::{SitePair, SiteRole};
use drover_api::{Consistency, FailbackLocation, ProtectedMachineSpec, RunNic, TargetSettings};
use drover_fabric::{Answer, InstanceKey, Materialize, Request, Subject, step_name, within};
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
        match Request::of(effect) {
            Request::Site(role, goal) => {
                let Some(fabric) = self.fabric(place.sites.at(role)) else {
                    return Err(not_now("the site's driver is not open yet"));
                };
                let name = place.subject.at(role);
                within(limit, fabric.ensure(stamp, name, goal)).await
            }
            Request::Link(goal) => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                within(limit, replicator.ensure(stamp, &place.subject, goal)).await
            }
            Request::Make { site, drill } => {
                let Some(replicator) = self.replicator(&place.pair) else {
                    return Err(not_now("the replicator's driver is not open yet"));
                };
                let with = shaped.at(site, drill);
                within(limit, replicator.materialize(stamp, &place.subject, &with)).await
            }
        }
    }
}
