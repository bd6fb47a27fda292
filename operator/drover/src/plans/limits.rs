//! How much is shown. A plan may have ten thousand groups and a repository a thousand plans: nobody
//! asked for megabytes, and whoever wants them says `--full` or `--format json`.

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of the table of plans.
    pub plans: usize,
    /// Plans in detail.
    pub details: usize,
    /// Rows of a plan's table of groups.
    pub groups: usize,
    /// Steps of a critical path.
    pub steps: usize,
    /// Names in one line.
    pub names: usize,
    /// Notes under a plan.
    pub notes: usize,
}

impl Limits {
    /// What a person reads: some screens, and all of a plan of usual size.
    pub const USUAL: Self = Self {
        plans: 40,
        details: 5,
        groups: 30,
        steps: 16,
        names: 12,
        notes: 20,
    };

    /// One line for each plan.
    pub const SUMMARY: Self = Self {
        plans: usize::MAX,
        details: 0,
        ..Self::USUAL
    };

    /// Everything.
    pub const NONE: Self = Self {
        plans: usize::MAX,
        details: usize::MAX,
        groups: usize::MAX,
        steps: usize::MAX,
        names: usize::MAX,
        notes: usize::MAX,
    };
}

/// The positions that are shown of so many, and how many are left out between them. What is last is
/// shown, because it says where it all ends.
pub fn shown(
    number: usize,
    most: usize,
) -> (std::ops::Range<usize>, usize, std::ops::Range<usize>) {
    if number <= most {
        return (0..number, 0, number..number);
    }
    let last = (most / 4).max(1);
    let first = most.saturating_sub(last);
    (0..first, number - first - last, number - last..number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_shown_and_the_rest_is_counted() {
        assert_eq!(shown(3, 8), (0..3, 0, 3..3));
        assert_eq!(shown(8, 8), (0..8, 0, 8..8));
        assert_eq!(shown(100, 8), (0..6, 92, 98..100));
        assert_eq!(shown(2, 1), (0..0, 1, 1..2));
        assert_eq!(shown(usize::MAX, usize::MAX).1, 0);
    }
}
