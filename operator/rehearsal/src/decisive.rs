//! Which steps decided how long a run took.

use std::time::Duration;

use crate::told::Step;

/// The steps that decided how long it took, in order: from the last one back, each time the step that
/// ended when the one after it began. A step that was over sooner kept nobody waiting.
pub(crate) fn path(steps: &[Step]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut until = Duration::MAX;
    while let Some(next) = last_before(steps, until) {
        path.push(next);
        until = steps[next].begin;
        if until.is_zero() {
            break;
        }
    }
    path.reverse();
    path
}

/// Of those that ended at the same time the longest: it was on its way for the longest time.
fn last_before(steps: &[Step], until: Duration) -> Option<usize> {
    let ended = steps.iter().enumerate();
    let ended = ended.filter(|(_, step)| step.end <= until && step.begin < step.end);
    let ended = ended.filter(|(_, step)| step.begin < until);
    ended
        .max_by_key(|(_, step)| (step.end, std::cmp::Reverse(step.begin)))
        .map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::Kind;

    fn step(name: &str, begin: u64, end: u64) -> Step {
        Step {
            group: "g".parse().unwrap(),
            kind: Kind::Enter {
                machine: name.parse().unwrap(),
            },
            begin: Duration::from_secs(begin),
            end: Duration::from_secs(end),
            error: None,
        }
    }

    #[test]
    fn the_path_goes_from_each_step_to_what_it_waited_for() {
        let steps = [
            step("stops-long", 0, 30),
            step("stops-soon", 0, 10),
            step("starts-first", 30, 60),
            step("starts-late", 31, 90),
            step("last", 90, 95),
            step("no-time", 95, 95),
        ];
        assert_eq!(path(&steps), [0, 3, 4]);
    }

    #[test]
    fn nothing_done_decides_nothing() {
        assert!(path(&[]).is_empty());
    }
}
