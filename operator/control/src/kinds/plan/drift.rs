//! Where a plan and its machines differ from what is declared: what the engine is told, and what is told of its
//! answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use drover_api::common::SiteRole;
use drover_api::conditions::DRIFTED;
use drover_api::value::SiteName;
use drover_api::{
    DriftKind, DriftSeverity, PlanDrift, ProtectedMachine, RecoveryDrill, RecoveryPlan, RecoveryRun,
};
use drover_engine::drift::{self, Intent, PlanFacts};
use jiff::Timestamp;

use super::{Case, Next};
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::events::Tone;
use crate::queue::Key;

impl Case<'_> {
    /// How the plan and its machines differ; it is looked at again when time alone changes that.
    pub(super) fn differences(
        &self,
        context: &Context,
        next: &Next,
        current: Option<&Arc<RecoveryRun>>,
    ) -> Vec<PlanDrift> {
        let machines: Vec<&ProtectedMachine> = self.where_.members().collect();
        let drills = self.drills(context);
        let drills: Vec<&RecoveryDrill> = drills.iter().map(|drill| &**drill).collect();
        let unseen = self.unseen(context);
        let facts = PlanFacts {
            plan: self.plan,
            machines: &machines,
            drills: &drills,
            unseen: &unseen,
            intent: Intent {
                in_run: current.is_some(),
                misplaced: self.where_.balance.misplaced(),
                held: &next.held,
                awaits: &next.awaits,
            },
            now: self.now,
        };
        if let Some(at) = drift::again(&facts) {
            let key = Key::Plan(self.key.clone());
            context.queue.add_at(key, context.clock.instant_of(at));
        }
        drift::plan(&facts)
    }

    fn unseen(&self, context: &Context) -> Vec<(SiteName, Timestamp)> {
        let index = context.index();
        let sites =
            [SiteRole::Primary, SiteRole::Secondary].map(|role| self.plan.spec.sites.at(role));
        let silent = sites
            .into_iter()
            .filter_map(|site| Some((site.clone(), index.silent_since(site)?)));
        silent.collect()
    }
}

/// The condition `Drifted`: why nothing begins although machines are elsewhere, and whatever else somebody should
/// look at.
pub(super) fn say_drifted(
    conditions: &mut Conditions<'_>,
    reasons: &str,
    differences: &[PlanDrift],
) {
    let worth = differences.iter().filter(|each| {
        let told = each.kind == DriftKind::ActiveSite && !reasons.is_empty();
        each.severity >= DriftSeverity::Warning && !told
    });
    let held = (!reasons.is_empty()).then(|| reasons.to_owned());
    let reason = match (&held, differences.first()) {
        (None, Some(worst)) => format!("{:?}", worst.kind),
        _ => "Held".to_owned(),
    };
    let words: Vec<String> = held.into_iter().chain(worth.map(sentence)).collect();
    if words.is_empty() {
        conditions.clear(DRIFTED);
    } else {
        conditions.set(DRIFTED, Status::True, &reason, &words.join("; "));
    }
}

fn sentence(drift: &PlanDrift) -> String {
    format!("{:?}: {}", drift.kind, drift.message)
}

/// Tells what differs that did not, and what does no longer: of a plan, and not of its thousand machines.
pub(super) fn tell(context: &Arc<Context>, plan: &RecoveryPlan, before: &[PlanDrift]) {
    let now = plan
        .status
        .as_ref()
        .map(|status| status.differences.as_slice());
    let now = now.unwrap_or_default();
    let kinds =
        |of: &[PlanDrift]| -> BTreeSet<DriftKind> { of.iter().map(|each| each.kind).collect() };
    let (was, is) = (kinds(before), kinds(now));
    for drift in now.iter().filter(|each| !was.contains(&each.kind)) {
        let tone = match drift.severity {
            DriftSeverity::Info => Tone::Normal,
            DriftSeverity::Warning | DriftSeverity::Critical => Tone::Warning,
        };
        context.tell(plan, tone, "Drifted", &sentence(drift));
    }
    for drift in before.iter().filter(|each| !is.contains(&each.kind)) {
        let over = format!("no longer {}", sentence(drift));
        context.tell(plan, Tone::Normal, "DriftEnded", &over);
    }
}
