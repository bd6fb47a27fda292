//! At which of its two sites a machine is.

use drover_api::common::SiteRole;
use drover_world::{Instance, Link, LinkState, Observed};

/// At which of its sites a machine is seen to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// At this one, and not at the other.
    Alone(SiteRole),
    /// At this one; the other does not answer.
    At(SiteRole),
    /// At both: one of them must stop.
    Both,
    /// At none, or the site that would tell does not answer.
    Open,
    /// Neither site answers.
    Blind,
}

impl Serving {
    /// What is seen at the primary and at the secondary site.
    pub fn of([primary, secondary]: [&Observed<Instance>; 2]) -> Self {
        let serves = |at: &Observed<Instance>| at.seen().map(Instance::may_serve);
        match (serves(primary), serves(secondary)) {
            (Some(true), Some(true)) => Self::Both,
            (Some(true), Some(false)) => Self::Alone(SiteRole::Primary),
            (Some(false), Some(true)) => Self::Alone(SiteRole::Secondary),
            (Some(true), None) => Self::At(SiteRole::Primary),
            (None, Some(true)) => Self::At(SiteRole::Secondary),
            (None, None) => Self::Blind,
            (Some(false), _) | (None, Some(false)) => Self::Open,
        }
    }

    /// Where the machine is, for what its plan should do. A lost site must not keep a person from
    /// leaving it: while one site answers, what was known last stands. While none does, nothing is known.
    pub fn located(self, recorded: Option<SiteRole>) -> Option<SiteRole> {
        match self {
            Self::Alone(role) | Self::At(role) => Some(role),
            Self::Both | Self::Open => recorded,
            Self::Blind => None,
        }
    }

    /// Where the machine counts as active: where it alone runs, else what was recorded last, else where
    /// its data comes from.
    pub fn active(self, recorded: Option<SiteRole>, link: &Observed<Link>) -> Option<SiteRole> {
        if let Self::Alone(role) = self {
            return Some(role);
        }
        recorded.or_else(|| {
            let link = link.seen()?;
            (link.state != LinkState::None).then(|| link.towards.other())
        })
    }
}

#[cfg(test)]
mod tests {
    use drover_world::Power;

    use super::*;

    const HERE: SiteRole = SiteRole::Primary;
    const THERE: SiteRole = SiteRole::Secondary;
    const BLIND: Observed<Instance> = Observed::Unknown {
        since: jiff::Timestamp::UNIX_EPOCH,
        last: None,
    };

    fn seen(power: Power) -> Observed<Instance> {
        Observed::Seen {
            value: Instance {
                power,
                ..Instance::ABSENT
            },
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_lost_site_does_not_keep_a_person_from_leaving_it() {
        // SPEC: SA-1, FO-4
        let off = seen(Power::Off);
        let serving = Serving::of([&BLIND, &off]);
        assert_eq!(serving, Serving::Open);
        assert_eq!(serving.located(Some(HERE)), Some(HERE));
        let blind = Serving::of([&BLIND, &BLIND]);
        assert_eq!(blind.located(Some(HERE)), None);
    }

    #[test]
    fn a_machine_that_runs_twice_is_where_it_was() {
        // SPEC: SA-1
        let runs = seen(Power::Healthy);
        let serving = Serving::of([&runs, &runs]);
        assert_eq!(serving, Serving::Both);
        let link = Observed::Unknown {
            since: jiff::Timestamp::UNIX_EPOCH,
            last: None,
        };
        assert_eq!(serving.active(Some(THERE), &link), Some(THERE));
        assert_eq!(serving.located(Some(THERE)), Some(THERE));
    }

    #[test]
    fn what_nobody_recorded_is_where_its_data_comes_from() {
        // SPEC: SA-11
        let off = seen(Power::Off);
        let serving = Serving::of([&off, &off]);
        let link = |state| Observed::Seen {
            value: Link::new(HERE, state),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        assert_eq!(serving.active(None, &link(LinkState::Paused)), Some(THERE));
        assert_eq!(serving.active(None, &link(LinkState::None)), None);
    }

    #[test]
    fn a_machine_seen_at_one_site_is_there_whatever_was_recorded() {
        // SPEC: SA-6
        let (runs, off) = (seen(Power::Healthy), seen(Power::Off));
        let link = Observed::Unknown {
            since: jiff::Timestamp::UNIX_EPOCH,
            last: None,
        };
        let alone = Serving::of([&off, &runs]);
        assert_eq!(alone.active(Some(HERE), &link), Some(THERE));
        // The other site may run it too: the record stands until it answers.
        let at = Serving::of([&BLIND, &runs]);
        assert_eq!(at.active(Some(HERE), &link), Some(HERE));
        assert_eq!(at.located(Some(HERE)), Some(THERE));
    }
}
