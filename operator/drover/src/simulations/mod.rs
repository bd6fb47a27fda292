//! What a simulation says, as data and for people.

mod rows;
mod sheet;

use std::time::Duration;

use drover_api::EstimateSource;
use drover_api::common::{Direction, FailoverType, SitePair, Unfenced};
use drover_api::value::Duration as Length;
use drover_engine::plan::PlanReport;
use drover_rehearsal::{Ended, Rehearsal, Scenario, Step, Summary};
use drover_world::PlanId;
use serde::Serialize;
pub use sheet::sheet;

use crate::plans::survey::Row;
use crate::plans::words::estimates;
use crate::text::count;

/// What a simulation says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// The plan.
    pub plan: PlanId,
    /// Its sites in their fixed roles.
    pub sites: SitePair,
    /// From which side to which.
    pub direction: Direction,
    /// Planned or unplanned.
    pub failover: FailoverType,
    /// Machines that took part.
    pub machines: usize,
    /// What went wrong, in words.
    pub faults: Vec<String>,
    /// What was assumed.
    pub assumed: Assumptions,
    /// What is forecast without any chance, and what is aimed at.
    pub forecast: Aims,
    /// What all runs say together.
    pub summary: Summary,
    /// Runs in which all machines were up within the objective, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_rto: Option<usize>,
    /// The same for what was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_rpo: Option<usize>,
    /// Runs that ended waiting for a fence of the source.
    pub lacking_a_fence: usize,
    /// The run that is shown: the one in the middle.
    pub shown: Shown,
}

/// What was assumed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assumptions {
    /// The standard deviation of the logarithm of each length.
    pub spread: f64,
    /// How long people take to answer.
    pub answer_after: Length,
    /// The seed of the first run.
    pub seed: u64,
    /// Whether somebody accepted that the source is not fenced.
    pub unfenced: bool,
}

/// What is forecast, and what is aimed at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aims {
    /// How long it takes by the forecast.
    pub rto: Length,
    /// What the forecast, and with it the lengths that are drawn, are made of; nothing where no machine is
    /// known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<EstimateSource>,
    /// The same in words.
    #[serde(skip)]
    pub estimates: String,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_objective: Option<Length>,
    /// How much may be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo_objective: Option<Length>,
}

/// One run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its seed: it is lived again with --seed and --runs 1.
    pub seed: u64,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// What was done.
    pub timeline: Vec<Step>,
    /// Positions of the steps that decided how long it took.
    pub decisive: Vec<usize>,
}

impl Simulation {
    /// What these runs say.
    pub fn of(
        row: Row,
        report: &PlanReport,
        scenario: &Scenario<'_>,
        summary: Summary,
        mut lives: Vec<Rehearsal>,
    ) -> Self {
        let seed = lives.first().map_or(0, |life| life.seed);
        let rto_objective = row.forecast.rto.objective.clone();
        let rpo_objective = row.forecast.rpo.limit.clone();
        let within = |objective: &Option<Length>, of: fn(&Rehearsal) -> Option<Duration>| {
            let objective = objective.as_ref()?.as_std();
            // That some machines were up in time is not what is aimed at.
            let up = lives.iter().filter(|life| life.ended == Ended::Up);
            let met = up.filter(|life| of(life).is_some_and(|took| took <= objective));
            Some(met.count())
        };
        let within_rto = within(&rto_objective, |life| life.rto);
        let within_rpo = within(&rpo_objective, |life| life.rto.and(life.rpo));
        Self {
            plan: row.plan,
            sites: row.sites,
            direction: row.direction,
            failover: row.failover,
            machines: row.machines,
            faults: scenario.faults.iter().map(ToString::to_string).collect(),
            assumed: Assumptions {
                spread: scenario.assumed.spread,
                answer_after: Length::from_std(scenario.assumed.answer),
                seed,
                unfenced: scenario
                    .request
                    .is_some_and(|request| request.unfenced == Unfenced::AcceptSplitBrain),
            },
            lacking_a_fence: lives.iter().filter(|life| life.lacks_a_fence).count(),
            forecast: Aims {
                rto: report.makespan.clone(),
                source: row.forecast.rto.source,
                estimates: estimates(&row.forecast.rto),
                rto_objective,
                rpo_objective,
            },
            summary,
            within_rto,
            within_rpo,
            shown: shown(&mut lives),
        }
    }

    /// Whether all went as it should.
    pub fn is_fine(&self) -> bool {
        let runs = self.summary.runs;
        let met = |within: Option<usize>| within.is_none_or(|within| within == runs);
        self.summary.up() == runs
            && met(self.within_rto)
            && met(self.within_rpo)
            && self.summary.violations.is_empty()
    }

    /// What shows more than this did, where it ended early.
    pub fn hint(&self) -> Option<String> {
        let source = self.sites.at(self.direction.source());
        (self.lacking_a_fence > 0).then(|| {
            format!(
                "nothing fences {source}: declare `fencing` in its Site, or see with --unfenced what follows \
                 where somebody accepts the risk of a split brain"
            )
        })
    }

    /// In one line.
    pub fn verdict(&self) -> String {
        let runs = self.summary.runs;
        let up = self.summary.up();
        let of = if up == runs {
            "all machines came up".to_owned()
        } else {
            format!("all machines came up in {up}")
        };
        format!("{} simulated: {of}", count(runs, "run"))
    }
}

/// Of the runs that ended as most did the one that took a middling time.
fn shown(lives: &mut [Rehearsal]) -> Shown {
    lives.sort_by_key(|life| (life.ended != Ended::Up, life.rto, life.seed));
    let up = lives.iter().filter(|life| life.ended == Ended::Up).count();
    let middle = if up > 0 { (up - 1) / 2 } else { 0 };
    match lives.get(middle) {
        Some(life) => Shown {
            seed: life.seed,
            ended: life.ended.clone(),
            timeline: life.steps.clone(),
            decisive: life.decisive.clone(),
        },
        None => Shown {
            seed: 0,
            ended: Ended::Up,
            timeline: Vec::new(),
            decisive: Vec::new(),
        },
    }
}
