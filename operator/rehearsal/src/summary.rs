//! What many lives say together.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::value::StepName;
use serde::Serialize;

use crate::told::{Ended, Kind, Rehearsal, seconds};

/// What many lives say together.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many there were.
    pub runs: usize,
    /// How they ended, the most frequent first.
    pub endings: Vec<Ending>,
    /// How long it took until the machines were up, over the runs in which they came to be.
    pub rto: Option<Spread>,
    /// What was lost by the machine that lost most, over the same runs.
    pub rpo: Option<Spread>,
    /// The steps that decided how long it took, those that did it for the longest time first.
    pub decisive: Vec<Decisive>,
    /// What happened that must never happen, with the seed of the run.
    pub violations: Vec<(u64, String)>,
}

/// How some of the runs ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// How.
    #[serde(flatten)]
    pub ended: Ended,
    /// How many.
    pub runs: usize,
    /// The seed of one of them.
    pub seed: u64,
}

/// How lengths are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// The shortest.
    #[serde(serialize_with = "seconds")]
    pub min: Duration,
    /// Half are not longer.
    #[serde(serialize_with = "seconds")]
    pub p50: Duration,
    /// Nine in ten are not longer.
    #[serde(serialize_with = "seconds")]
    pub p90: Duration,
    /// 99 in a hundred are not longer.
    #[serde(serialize_with = "seconds")]
    pub p99: Duration,
    /// The longest.
    #[serde(serialize_with = "seconds")]
    pub max: Duration,
}

/// A step that decided how long runs took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decisive {
    /// Its group.
    pub group: StepName,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// In how many runs.
    pub runs: usize,
    /// How long it took in those, on average.
    #[serde(serialize_with = "seconds")]
    pub mean: Duration,
}

impl Spread {
    /// Of some lengths; nothing where there are none.
    pub fn of(mut lengths: Vec<Duration>) -> Option<Self> {
        lengths.sort_unstable();
        let last = lengths.len().checked_sub(1)?;
        // The smallest length that so many in a hundred do not exceed.
        let at = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            min: lengths[0],
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: lengths[last],
        })
    }
}

impl Summary {
    /// Of these lives.
    pub fn of(lives: &[Rehearsal]) -> Self {
        Self {
            runs: lives.len(),
            endings: endings(lives),
            rto: Spread::of(lives.iter().filter_map(|life| life.rto).collect()),
            rpo: Spread::of(
                lives
                    .iter()
                    .filter_map(|life| life.rto.and(life.rpo))
                    .collect(),
            ),
            decisive: decisive(lives),
            violations: lives
                .iter()
                .flat_map(|life| {
                    let violations = life.violations.iter();
                    violations.map(|violation| (life.seed, violation.clone()))
                })
                .collect(),
        }
    }

    /// How many runs ended with all machines up.
    pub fn up(&self) -> usize {
        let up = self
            .endings
            .iter()
            .filter(|ending| ending.ended == Ended::Up);
        up.map(|ending| ending.runs).sum()
    }
}

fn endings(lives: &[Rehearsal]) -> Vec<Ending> {
    let mut by: BTreeMap<&Ended, (usize, u64)> = BTreeMap::new();
    for life in lives {
        by.entry(&life.ended).or_insert((0, life.seed)).0 += 1;
    }
    let mut endings: Vec<Ending> = by
        .into_iter()
        .map(|(ended, (runs, seed))| Ending {
            ended: ended.clone(),
            runs,
            seed,
        })
        .collect();
    endings.sort_by_key(|ending| std::cmp::Reverse(ending.runs));
    endings
}

fn decisive(lives: &[Rehearsal]) -> Vec<Decisive> {
    let mut by: BTreeMap<(&StepName, &Kind), (usize, Duration)> = BTreeMap::new();
    for life in lives.iter().filter(|life| life.rto.is_some()) {
        for step in life.decisive.iter().map(|position| &life.steps[*position]) {
            let (runs, total) = by.entry((&step.group, &step.kind)).or_default();
            *runs += 1;
            *total += step.end.saturating_sub(step.begin);
        }
    }
    let mut decisive: Vec<(Duration, Decisive)> = by
        .into_iter()
        .map(|((group, kind), (runs, total))| {
            let mean = total / u32::try_from(runs).unwrap_or(u32::MAX);
            let decisive = Decisive {
                group: group.clone(),
                kind: kind.clone(),
                runs,
                mean,
            };
            (total, decisive)
        })
        .collect();
    decisive.sort_by_key(|(total, _)| std::cmp::Reverse(*total));
    decisive.into_iter().map(|(_, decisive)| decisive).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_lengths_that_were_measured() {
        let seconds = |seconds: u64| Duration::from_secs(seconds);
        let spread = Spread::of((1..=200).rev().map(seconds).collect()).unwrap();
        assert_eq!(
            (spread.min, spread.p50, spread.p90, spread.p99, spread.max),
            (
                seconds(1),
                seconds(100),
                seconds(180),
                seconds(198),
                seconds(200)
            )
        );
        assert_eq!(Spread::of(vec![seconds(7)]).unwrap().p99, seconds(7));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
