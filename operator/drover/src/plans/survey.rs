//! What the engine says about plans: whether a run would start, and what it would do.

use drover_api::common::{Direction, FailoverType, SitePair, SiteRole, SourceStop};
use drover_api::value::SiteName;
use drover_engine::compile::{Compiled, Order, What, compile};
use drover_engine::plan::{
    Authority, Forecast, Intent, Measured, Outlook, PlanError, PlanReport, Planner, Refusal,
    Verdict,
};
use drover_world::PlanId;
use serde::Serialize;

use crate::failure::Failure;

/// What a person wants to know of plans.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question {
    /// A move to this side, whatever is declared.
    pub to: Option<SiteRole>,
    /// A run of this type, whatever is declared.
    pub kind: Option<FailoverType>,
    /// Where the machines are.
    pub actual: Option<SiteRole>,
}

/// What is said of a plan in one line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The plan.
    pub plan: PlanId,
    /// Whether a run would start.
    pub outlook: Outlook,
    /// Whether what follows is another run than the one that would start, if any would.
    pub preview: bool,
    /// Its sites in their fixed roles.
    pub sites: SitePair,
    /// From which side to which.
    pub direction: Direction,
    /// Planned or unplanned.
    pub failover: FailoverType,
    /// Why the pairs refuse such a run; empty where they do not.
    pub refusals: Vec<Refusal>,
    /// Machines that take part, as far as they are known.
    pub machines: usize,
    /// Whether there may be more of them.
    pub open: bool,
    /// Groups.
    pub groups: usize,
    /// Waves of groups.
    pub waves: usize,
    /// What is to be expected.
    pub forecast: Forecast,
}

/// A plan in full.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Laid {
    /// In one line.
    #[serde(flatten)]
    pub row: Row,
    /// Digest of the compiled run, for `guards.planDigest`; nothing where it cannot be compiled yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_digest: Option<String>,
    /// What the run would do.
    pub report: PlanReport,
}

/// How a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A run would start.
    Starts,
    /// Something is to be done and nothing starts.
    Held,
    /// Nothing is to be done.
    Stays,
}

impl Question {
    /// Whether it is about something else than what is declared.
    pub fn is_preview(self) -> bool {
        self.to.is_some() || self.kind.is_some()
    }

    /// The run to show, and whether it is another than the one that would start. By default the
    /// latter; where none would start, a move to the other side.
    fn intent(
        self,
        planner: &Planner<'_>,
        id: &PlanId,
        outlook: &Outlook,
    ) -> Result<(Intent, bool), PlanError> {
        if let (false, Some(intent)) = (self.is_preview(), outlook.intent()) {
            return Ok((*intent, false));
        }
        let to = self.to.unwrap_or(outlook.actual.other());
        let asked = planner.intent(id, to)?;
        let intent = match self.kind {
            Some(kind) if kind != asked.failover.kind() => match kind {
                FailoverType::Planned => Intent::planned(to),
                // As a request without a further word would have it.
                FailoverType::Unplanned => Intent::unplanned(to, SourceStop::Attempt),
            },
            _ => asked,
        };
        Ok((intent, true))
    }
}

/// What is said of a plan in one line.
///
/// # Errors
/// When the plan cannot be laid out.
pub fn row(planner: &Planner<'_>, id: &PlanId, question: Question) -> Result<Row, Failure> {
    laid_out(planner, id, question).map(|(row, ..)| row)
}

/// Everything about a plan.
///
/// # Errors
/// When the plan cannot be laid out.
pub fn laid(planner: &Planner<'_>, id: &PlanId, question: Question) -> Result<Laid, Failure> {
    let (row, report, intent) = laid_out(planner, id, question)?;
    let (digest, no_digest) = match compile_run(planner, &row, intent) {
        Ok(compiled) => (Some(compiled.run.digest), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Laid {
        row,
        digest,
        no_digest,
        report,
    })
}

/// The run as it is compiled, or why it cannot be yet; with the plan in one line.
///
/// # Errors
/// When the plan cannot be laid out.
pub fn compiled(
    planner: &Planner<'_>,
    id: &PlanId,
    question: Question,
) -> Result<(Row, Result<Compiled, String>), Failure> {
    let (row, _, intent) = laid_out(planner, id, question)?;
    let compiled = compile_run(planner, &row, intent);
    Ok((row, compiled))
}

/// A plan in one line, what its run would do, and what that is asked for.
///
/// # Errors
/// When the plan cannot be laid out.
pub fn laid_out(
    planner: &Planner<'_>,
    id: &PlanId,
    question: Question,
) -> Result<(Row, PlanReport, Intent), Failure> {
    let failed = |source| Failure::Plan {
        plan: id.clone(),
        source,
    };
    let outlook = planner.outlook(id, question.actual).map_err(failed)?;
    let (intent, preview) = question.intent(planner, id, &outlook).map_err(failed)?;
    let report = planner.plan(id, intent).map_err(failed)?;
    let row = Row {
        plan: id.clone(),
        outlook,
        preview,
        sites: report.sites.clone(),
        direction: report.direction,
        failover: report.failover,
        refusals: report.refusals.clone(),
        machines: report.machines,
        open: report.groups.iter().any(|group| !group.open.is_empty()),
        groups: report.groups.len(),
        waves: report.waves.len(),
        forecast: report.forecast.clone(),
    };
    Ok((row, report, intent))
}

/// The run, or why it cannot be compiled. Its number and its epoch are not part of its digest, so any will
/// do.
fn compile_run(planner: &Planner<'_>, row: &Row, intent: Intent) -> Result<Compiled, String> {
    let key = (row.plan.namespace.as_str(), row.plan.name.as_str());
    let declared = planner.declared.plans.get(&key);
    let by_request = matches!(
        row.outlook.verdict,
        Verdict::Run {
            by: Authority::Request { .. },
            ..
        }
    );
    let request = declared
        .filter(|_| by_request && !row.preview)
        .and_then(|plan| plan.object.spec.request.as_ref());
    let order = Order {
        plan: &row.plan,
        what: What::Failover { intent, request },
        number: 1,
        highest_epoch: 0,
        forecast: None,
    };
    compile(planner, &order).map_err(|error| error.to_string())
}

impl Row {
    /// How the plan stands.
    pub fn standing(&self) -> Standing {
        match self.outlook.verdict {
            Verdict::Run { .. } => Standing::Starts,
            Verdict::Held { .. } => Standing::Held,
            Verdict::Stays { .. } => Standing::Stays,
        }
    }

    /// Whether an objective would not be met.
    pub fn misses(&self) -> bool {
        let loss = self.forecast.rpo.expected.as_ref();
        self.forecast.rto.expected.misses() || loss.is_some_and(Measured::misses)
    }

    /// The site in this role.
    pub fn site(&self, role: SiteRole) -> &SiteName {
        self.sites.at(role)
    }

    /// The site that machines would leave.
    pub fn source(&self) -> &SiteName {
        self.site(self.direction.source())
    }

    /// The site that they would go to.
    pub fn target(&self) -> &SiteName {
        self.site(self.direction.target())
    }
}

/// Puts first what somebody should look at first: what would start, what is held, what misses an
/// objective; the rest by name.
pub fn sort(rows: &mut [Row]) {
    rows.sort_by(|one, other| {
        let key = |row: &Row| (row.standing(), !row.misses());
        key(one)
            .cmp(&key(other))
            .then_with(|| one.plan.cmp(&other.plan))
    });
}
