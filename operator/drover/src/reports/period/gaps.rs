//! What an auditor would ask about a period: plans first, then machines, then what single runs lack.

use jiff::Timestamp;

use super::{Gap, PlanRow};
use crate::reports::evidence::{GapCode, Report};
use crate::reports::moments::ago;

/// The gaps of a period.
pub fn of(plans: &[PlanRow], runs: &[Report], until: Timestamp) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = plans.iter().flat_map(|plan| drills(plan, until)).collect();
    gaps.extend(plans.iter().flat_map(machines));
    for run in runs {
        let about = format!("run {}", run.name());
        gaps.extend(run.gaps.iter().map(|gap| Gap {
            code: gap.code,
            about: about.clone(),
            says: gap.says.clone(),
        }));
    }
    gaps
}

fn drills(plan: &PlanRow, until: Timestamp) -> Vec<Gap> {
    let about = || format!("plan {}/{}", plan.namespace, plan.name);
    let mut gaps = Vec::new();
    if !plan.declared {
        return gaps;
    }
    if plan.drills.passed == 0 {
        let says = match plan.drills.all {
            0 => "no drill in the period".to_owned(),
            _ => "no drill passed in the period".to_owned(),
        };
        gaps.push(Gap {
            code: GapCode::NoDrill,
            about: about(),
            says,
        });
    }
    if let Some(guard) = plan.guard.as_ref().filter(|guard| !guard.holds) {
        let last = match &plan.last_green_drill {
            Some(last) => format!("the last green drill was {} old", ago(last.at, until)),
            None => "there was no green drill".to_owned(),
        };
        let limit = &guard.drill_not_older_than;
        gaps.push(Gap {
            code: GapCode::OldDrill,
            about: about(),
            says: format!("{last} at the end of the period, {limit} are allowed: no run starts"),
        });
    }
    gaps
}

fn machines(plan: &PlanRow) -> Vec<Gap> {
    let others = plan.machines.others.iter();
    others
        .map(|(machine, phase)| Gap {
            code: GapCode::Unprotected,
            about: format!("machine {}/{machine}", plan.namespace),
            says: format!("not protected: {phase:?}"),
        })
        .collect()
}
