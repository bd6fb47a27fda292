//! From a plan and an intent to a report.

use drover_api::common::SiteRole;
use drover_api::value::PolicyName;
use drover_api::{RecoveryPlanSpec, ReplicationPolicySpec};
use drover_world::PlanId;
use jiff::Timestamp;

use super::{Intent, Outlook, Places, PlanError, PlanReport, Records, outlook, report, resolve};
use crate::declared::Declared;
use crate::members::Inventories;

/// Everything that planning looks at.
#[derive(Clone, Copy, Debug)]
pub struct Planner<'a> {
    /// What is declared.
    pub declared: &'a Declared<'a>,
    /// The inventories that are known.
    pub inventories: &'a Inventories,
    /// What runs took so far.
    pub records: &'a Records,
    /// Where machines are seen to be: one that is at the target already takes no part in a run there.
    pub places: &'a Places,
    /// The instant by which expiries are judged. Unset: nothing has expired.
    pub now: Option<Timestamp>,
}

impl<'a> Planner<'a> {
    /// What a run of this plan would do.
    ///
    /// # Errors
    /// When something that the plan refers to is not declared, and when its groups have no order. That
    /// the pair does not support such a run is no error: the report says it in
    /// [`refusals`](PlanReport::refusals).
    pub fn plan(&self, id: &PlanId, intent: Intent) -> Result<PlanReport, PlanError> {
        let resolved = resolve(self, id, intent)?;
        report::of(self, id, intent, &resolved)
    }

    /// Whether a run of this plan would start, given where its machines are. Unset: where they belong,
    /// at the primary site.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub fn outlook(&self, id: &PlanId, actual: Option<SiteRole>) -> Result<Outlook, PlanError> {
        outlook::of(self, id, actual)
    }

    /// What a run of this plan to that side would be asked for: by its request, else by the standing
    /// rule, else planned. For a preview: whether anything starts is [`Planner::outlook`]'s to say.
    ///
    /// # Errors
    /// When the plan is not declared.
    pub fn intent(&self, id: &PlanId, to: SiteRole) -> Result<Intent, PlanError> {
        Ok(outlook::intent(self.spec(id)?, to))
    }

    /// What a run of this plan to that side is like when no request says otherwise: by the standing rule,
    /// else planned. For comparing two declarations.
    ///
    /// # Errors
    /// When the plan is not declared.
    pub fn standing(&self, id: &PlanId, to: SiteRole) -> Result<Intent, PlanError> {
        Ok(outlook::standing(self.spec(id)?, to))
    }

    /// The declared plan.
    pub(super) fn spec(&self, id: &PlanId) -> Result<&'a RecoveryPlanSpec, PlanError> {
        let key = (id.namespace.as_str(), id.name.as_str());
        match self.declared.plans.get(&key) {
            Some(entry) => Ok(&entry.object.spec),
            None => Err(PlanError::NoSuchPlan(id.clone())),
        }
    }

    /// A declared replication policy of the plan's namespace.
    pub(super) fn policy(
        &self,
        id: &PlanId,
        name: &PolicyName,
    ) -> Result<&'a ReplicationPolicySpec, PlanError> {
        let key = (id.namespace.as_str(), name.as_str());
        match self.declared.policies.get(&key) {
            Some(entry) => Ok(&entry.object.spec),
            None => Err(PlanError::NoSuchPolicy(name.clone())),
        }
    }
}
