//! What guests say of having gone from one site to another.

use std::time::{Duration, Instant};

use drover_lab::Heard;

use crate::demo::scenery::Crossing;

/// What a machine says of having gone over. `left` is how often it had booted where it was when it was time
/// to go, `entered` which of its boots where it went is the one that went on.
pub fn of(
    machine: &str,
    there: &Heard,
    left: usize,
    here: &Heard,
    entered: usize,
) -> Option<Crossing> {
    let before = there.counts.get(left.checked_sub(1)?)?;
    let boot = here.console.boots.get(entered)?;
    let (first, _) = here.counts.get(entered)?.first()?;
    let (last, count) = before.last()?;
    // From when the first count that is lost was durable.
    let lost = before.iter().find(|(_, count)| *count > boot.last);
    Some(Crossing {
        machine: machine.to_owned(),
        left: *count,
        entered: boot.last,
        gaps: boot.gaps,
        lost: lost.map_or(Duration::ZERO, |(at, _)| last.duration_since(*at)),
        silent: first.saturating_duration_since(*last),
    })
}

/// Whether a machine counted at both sites at once, but for boots of the second one that were rehearsals.
pub fn overlap(one: &Heard, other: &Heard, rehearsed: impl Fn(usize) -> bool) -> bool {
    let others = spans(other).enumerate();
    let real: Vec<_> = others
        .filter(|(boot, _)| !rehearsed(*boot))
        .filter_map(|(_, span)| span)
        .collect();
    let mut ones = spans(one).flatten();
    ones.any(|(begin, end)| {
        let at_once = |(from, to): &(Instant, Instant)| begin <= *to && *from <= end;
        real.iter().any(at_once)
    })
}

/// From the first to the last count of each boot.
fn spans(heard: &Heard) -> impl Iterator<Item = Option<(Instant, Instant)>> {
    let span = |counts: &Vec<(Instant, u64)>| Some((counts.first()?.0, counts.last()?.0));
    heard.counts.iter().map(span)
}

#[cfg(test)]
mod tests {
    use drover_lab::{Boot, Console};

    use super::*;

    /// A guest that counts ten times a second: boots, each with what it found, and when it said which count.
    fn heard(begin: Instant, boots: &[(u64, &[(u64, u64)])]) -> Heard {
        let at = |tenth: u64| begin + Duration::from_millis(100 * tenth);
        let boot = |(last, _): &(u64, &[(u64, u64)])| Boot {
            last: *last,
            ..Boot::default()
        };
        let counts = |(_, counts): &(u64, &[(u64, u64)])| {
            counts
                .iter()
                .map(|(tenth, count)| (at(*tenth), *count))
                .collect()
        };
        Heard {
            console: Console {
                boots: boots.iter().map(boot).collect(),
            },
            counts: boots.iter().map(counts).collect(),
        }
    }

    #[test]
    fn a_machine_that_goes_on_where_it_was_has_lost_nothing() {
        let begin = Instant::now();
        let there = heard(begin, &[(0, &[(1, 1), (2, 2), (3, 3)])]);
        let here = heard(begin, &[(2, &[(2, 3)]), (3, &[(53, 4)])]);
        let crossing = of("db-1", &there, 1, &here, 1).unwrap();
        assert!(crossing.is_whole());
        assert_eq!(crossing.lost, Duration::ZERO);
        assert_eq!(crossing.silent, Duration::from_secs(5));
    }

    #[test]
    fn what_is_lost_is_counted_from_the_first_count_that_is_not_there() {
        let begin = Instant::now();
        let there = heard(begin, &[(0, &[(1, 1), (2, 2), (3, 3), (5, 4)])]);
        let here = heard(begin, &[(1, &[(53, 2)])]);
        let crossing = of("db-1", &there, 1, &here, 0).unwrap();
        assert!(!crossing.is_whole());
        assert_eq!(crossing.lost_counts(), 3);
        assert_eq!(crossing.lost, Duration::from_millis(300));
    }

    #[test]
    fn a_machine_beside_its_rehearsal_is_no_split_brain() {
        let begin = Instant::now();
        let one = heard(begin, &[(0, &[(1, 1), (9, 9)])]);
        let other = heard(begin, &[(1, &[(5, 2), (6, 3)]), (9, &[(12, 10)])]);
        assert!(overlap(&one, &other, |_| false));
        assert!(!overlap(&one, &other, |boot| boot == 0));
    }
}
