//! Objects whose status does not speak of what they declare now.

use drover_api::ProtectedMachine;
use drover_api::value::SiteName;
use drover_world::PlanId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::finding::Subject;
use super::report::{Objects, id_of};

/// An object that the operator has not judged as it is declared now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// The object.
    #[serde(flatten)]
    pub subject: Subject,
    /// The plan that it is, or that answers for it; a site has none.
    #[serde(skip)]
    pub plan: Option<PlanId>,
}

impl NotJudged {
    /// Whether it is this site.
    pub(super) fn is_site(&self, site: &SiteName) -> bool {
        self.subject.kind == "Site" && self.subject.name == site.as_str()
    }
}

/// All of them: plans, sites, machines.
pub(super) fn not_judged(
    objects: &Objects<'_>,
    owner: impl Fn(&ProtectedMachine) -> Option<PlanId>,
) -> Vec<NotJudged> {
    let plans = objects.plans.iter().filter_map(|plan| {
        let status = plan.status.as_ref();
        is_old(
            &plan.metadata,
            status.and_then(|status| status.observed_generation),
        )
        .then(|| NotJudged {
            subject: Subject::of("RecoveryPlan", &plan.metadata),
            plan: id_of(plan),
        })
    });
    let sites = objects.sites.iter().filter_map(|site| {
        let status = site.status.as_ref();
        is_old(
            &site.metadata,
            status.and_then(|status| status.observed_generation),
        )
        .then(|| NotJudged {
            subject: Subject::of("Site", &site.metadata),
            plan: None,
        })
    });
    let machines = objects.machines.iter().filter_map(|machine| {
        let status = machine.status.as_ref();
        is_old(
            &machine.metadata,
            status.and_then(|status| status.observed_generation),
        )
        .then(|| NotJudged {
            subject: Subject::of_machine(machine),
            plan: owner(machine),
        })
    });
    plans.chain(sites).chain(machines).collect()
}

fn is_old(meta: &ObjectMeta, observed: Option<i64>) -> bool {
    observed.is_none() || observed != meta.generation
}
