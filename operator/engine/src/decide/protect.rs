//! What is done about the protection of one machine, outside of runs (PR-1 to PR-4, PR-12).

use drover_api::common::{SiteRole, Window};
use drover_api::value::TimeOfDay;
use drover_api::{DeletionPolicy, MachinePhase};
use drover_world::{Effect, ErrorClass, FabricError, Instance, Link, LinkState, Observed, Power};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};

use super::companions::{Companion, recoverable_with};
use super::view::Failure;
use super::wait::WaitReason;
use crate::lifecycle::MachineEvent;

/// What a decision about a protection is made from.
#[derive(Clone, Copy, Debug)]
pub struct ProtectView<'a> {
    /// Where the machine stands, as last recorded. What is seen goes before it.
    pub phase: MachinePhase,
    /// Whether a group claims the machine.
    pub claimed: bool,
    /// What letting go does to the copy.
    pub deletion_policy: DeletionPolicy,
    /// The side that data should flow to.
    pub towards: SiteRole,
    /// How its data moves.
    pub link: &'a Observed<Link>,
    /// The other members of its consistency group, where it is of one.
    pub companions: &'a [Companion],
    /// What must hold before anything is made (PR-1).
    pub prerequisites: &'a [Prerequisite],
    /// The last failure, where the last request failed.
    pub failure: Option<&'a Failure>,
    /// When resynchronisations may run.
    pub resync_window: &'a Window,
    /// Whether a person asked for a resynchronisation at once.
    pub resync_asked: bool,
    /// When the first copy begins, where it is not at once.
    pub first_copy: Option<FirstCopy>,
    /// Now, in the time zone of the site that the machine is active at.
    pub now: &'a Zoned,
}

/// A first copy that begins at a time of day (PR-2).
#[derive(Clone, Copy, Debug)]
pub struct FirstCopy {
    /// The time of day, in the time zone of the site that the machine is active at.
    pub at: TimeOfDay,
    /// Since when the machine is to be protected: it begins at the first such time after that.
    pub since: Timestamp,
}

impl FirstCopy {
    /// When it begins; nothing where that has come.
    fn begins(self, now: &Zoned) -> Option<Timestamp> {
        let since = self.since.to_zoned(now.time_zone().clone());
        let on = |date: Date| {
            let begins = date.to_datetime(self.at.to_jiff());
            let begins = begins.to_zoned(now.time_zone().clone());
            begins.map(|begins| begins.timestamp()).ok()
        };
        let today = on(since.date()).filter(|begins| *begins >= self.since);
        let begins = today.or_else(|| on(since.date().saturating_add(1.day())))?;
        (now.timestamp() < begins).then_some(begins)
    }
}

/// Something that must hold before a machine is protected (PR-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prerequisite {
    /// What, in words.
    pub name: String,
    /// Whether it holds; nothing while that is not known.
    pub holds: Option<bool>,
}

/// What must hold before a machine is protected (PR-1).
///
/// `made_there` says that the primary site makes a machine that nobody listed when it is protected;
/// `unusable` is why the replicator cannot be used.
pub fn prerequisites(
    at: [&Observed<Instance>; 2],
    made_there: bool,
    unusable: Option<&FabricError>,
) -> Vec<Prerequisite> {
    let of = |name: &str, holds| Prerequisite {
        name: name.to_owned(),
        holds,
    };
    let answers = |at: &Observed<Instance>| Some(at.seen().is_some());
    let there = at[0]
        .seen()
        .map(|seen| made_there || seen.power != Power::Absent);
    let mut list = vec![
        of("the primary site answers", answers(at[0])),
        of("the secondary site answers", answers(at[1])),
        of("the machine exists at the primary site", there),
    ];
    if let Some(error) = unusable {
        let name = format!("the replicator can be used ({error})");
        list.push(of(&name, Some(false)));
    }
    list
}

/// What is done about a protection now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectStep {
    /// This should be so.
    Ensure(Effect),
    /// This happened: the phase changes as the table says.
    Happened(MachineEvent),
    /// It does not go on now.
    Wait(WaitReason),
    /// All is as it should be.
    Rest,
}

use ProtectStep::{Ensure, Happened, Rest, Wait};

/// What is done about the protection of a machine now.
pub fn protect(view: &ProtectView<'_>) -> ProtectStep {
    let step = next(view);
    let (Ensure(effect), Some(failure)) = (&step, view.failure) else {
        return step;
    };
    if failure.effect != *effect {
        return step;
    }
    match failure.error.class {
        ErrorClass::Retryable if view.now.timestamp() < failure.retry_at => Wait(failure.retry()),
        ErrorClass::Retryable => step,
        ErrorClass::Terminal | ErrorClass::Unsupported => Happened(MachineEvent::Failed),
    }
}

fn next(view: &ProtectView<'_>) -> ProtectStep {
    if !view.claimed {
        return let_go(view);
    }
    match view.phase {
        MachinePhase::Unprotected => Happened(MachineEvent::Claimed),
        MachinePhase::Enabling => enable(view),
        MachinePhase::InitialReplication
        | MachinePhase::Finalizing
        | MachinePhase::Protected
        | MachinePhase::ResyncRequired
        | MachinePhase::Resynchronizing => keep(view),
        MachinePhase::Failed => mend(view),
        // A group that claims again what it lets go of waits until that has ended.
        MachinePhase::Disabling => let_go(view),
        MachinePhase::NotProtected | MachinePhase::Inconsistent | MachinePhase::Migrated => Rest,
        MachinePhase::SynchronizingBack
        | MachinePhase::AwaitingCompleteSync
        | MachinePhase::Leaving
        | MachinePhase::Left
        | MachinePhase::Entering
        | MachinePhase::CommitPending
        | MachinePhase::Returning
        | MachinePhase::Committing
        | MachinePhase::Reprotecting => Wait(WaitReason::Run),
    }
}

/// Prerequisites first, then the relationship.
fn enable(view: &ProtectView<'_>) -> ProtectStep {
    let missing: Vec<String> = view
        .prerequisites
        .iter()
        .filter(|prerequisite| prerequisite.holds != Some(true))
        .map(|prerequisite| prerequisite.name.clone())
        .collect();
    if !missing.is_empty() {
        return Wait(WaitReason::Prerequisites { missing });
    }
    match view.link.seen() {
        None => Wait(WaitReason::Replicator),
        Some(link) if link.state == LinkState::None => Ensure(Effect::Related {
            towards: view.towards,
        }),
        Some(_) => Happened(MachineEvent::Related),
    }
}

/// Follows what the replicator reports, whatever was recorded.
fn keep(view: &ProtectView<'_>) -> ProtectStep {
    let Some(link) = view.link.seen() else {
        return Wait(WaitReason::Replicator);
    };
    let towards = view.towards;
    let tracked = matches!(
        view.phase,
        MachinePhase::ResyncRequired | MachinePhase::Resynchronizing
    );
    match link.state {
        LinkState::None => Ensure(Effect::Related { towards }),
        LinkState::Paused => seed(view, link),
        LinkState::Failed => Happened(MachineEvent::Failed),
        LinkState::ResyncRequired if !tracked => Happened(MachineEvent::TrackingLost),
        LinkState::ResyncRequired => resynchronize(view),
        LinkState::Resynchronizing if view.phase == MachinePhase::ResyncRequired => {
            Happened(MachineEvent::ResyncBegun)
        }
        LinkState::Resynchronizing if !tracked => Happened(MachineEvent::TrackingLost),
        LinkState::Seeding | LinkState::Resynchronizing => Wait(WaitReason::Data {
            pending_bytes: link.pending_bytes,
        }),
        LinkState::Replicating => replicating(view, link),
    }
}

/// At once, or at its time of day where nothing was ever copied (PR-2).
fn seed(view: &ProtectView<'_>, link: &Link) -> ProtectStep {
    let first = view.phase == MachinePhase::InitialReplication && link.points.is_empty();
    let waits = view.first_copy.filter(|_| first);
    match waits.and_then(|first| first.begins(view.now)) {
        Some(begins) => Wait(WaitReason::FirstCopy { begins }),
        None => Ensure(Effect::Seeded {
            towards: view.towards,
        }),
    }
}

fn replicating(view: &ProtectView<'_>, link: &Link) -> ProtectStep {
    match view.phase {
        MachinePhase::InitialReplication => Happened(MachineEvent::Seeded),
        MachinePhase::ResyncRequired => Happened(MachineEvent::ResyncBegun),
        MachinePhase::Resynchronizing => Happened(MachineEvent::ResyncDone),
        _ if !link.finalized => Ensure(Effect::Finalized {
            towards: view.towards,
        }),
        MachinePhase::Finalizing if !recoverable_with(view.companions, link) => {
            Wait(WaitReason::CommonPoint)
        }
        MachinePhase::Finalizing => Happened(MachineEvent::Finalized),
        _ => Rest,
    }
}

/// In its window, or at once where a person asked (PR-4).
fn resynchronize(view: &ProtectView<'_>) -> ProtectStep {
    if view.phase == MachinePhase::ResyncRequired {
        if !view.resync_asked
            && let Some(opens) = opens(view.resync_window, view.now)
        {
            return Wait(WaitReason::ResyncWindow { opens });
        }
        return Happened(MachineEvent::ResyncBegun);
    }
    Ensure(Effect::Resynchronized {
        towards: view.towards,
    })
}

/// When a daily window opens next; nothing while it is open.
pub(super) fn opens(window: &Window, now: &Zoned) -> Option<Timestamp> {
    let (start, end) = (window.start.to_jiff(), window.end.to_jiff());
    let time = now.time();
    let open = if start < end {
        start <= time && time < end
    } else {
        start <= time || time < end
    };
    if open {
        return None;
    }
    // Outside of it, the next start is today's or tomorrow's.
    let day = if time < start {
        now.date()
    } else {
        now.date().saturating_add(1.day())
    };
    let opens = day.to_datetime(start).to_zoned(now.time_zone().clone());
    Some(opens.map_or(now.timestamp(), |opens| opens.timestamp()))
}

/// What failed for good is looked at anew when the replicator says that it works.
fn mend(view: &ProtectView<'_>) -> ProtectStep {
    let broken = view
        .link
        .seen()
        .is_none_or(|link| link.state == LinkState::Failed);
    match view.failure {
        Some(failure) if failure.error.class != ErrorClass::Retryable => {
            Wait(WaitReason::Mending {
                error: failure.error.message.clone(),
            })
        }
        _ if broken => Wait(WaitReason::Mending {
            error: "replication failed".into(),
        }),
        _ => Happened(MachineEvent::Mended),
    }
}

/// The group does not claim the machine any more (PR-12).
fn let_go(view: &ProtectView<'_>) -> ProtectStep {
    match view.phase {
        MachinePhase::Unprotected => Rest,
        MachinePhase::Disabling => match view.link.seen() {
            None => Wait(WaitReason::Replicator),
            Some(link) if link.state == LinkState::None => Happened(MachineEvent::Unrelated),
            Some(_) => Ensure(Effect::Unrelated {
                remove_replica: view.deletion_policy == DeletionPolicy::RemoveReplica,
            }),
        },
        _ => Happened(MachineEvent::Released),
    }
}

#[cfg(test)]
mod tests {
    use drover_world::Point;

    use super::*;
    use crate::lifecycle::MACHINE;

    fn link(state: LinkState) -> Observed<Link> {
        Observed::Seen {
            value: Link::new(SiteRole::Secondary, state),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    fn night() -> Window {
        Window {
            start: "22:00".parse().unwrap(),
            end: "06:00".parse().unwrap(),
        }
    }

    struct Case {
        phase: MachinePhase,
        link: Observed<Link>,
        companions: Vec<Companion>,
        claimed: bool,
        first_copy: Option<FirstCopy>,
        now: Zoned,
    }

    impl Case {
        fn new(phase: MachinePhase, state: LinkState) -> Self {
            let now = at("2026-03-02T12:00:00+09:00[Asia/Seoul]");
            Self {
                phase,
                link: link(state),
                companions: Vec::new(),
                claimed: true,
                first_copy: None,
                now,
            }
        }

        fn step(&self) -> ProtectStep {
            let window = night();
            protect(&ProtectView {
                phase: self.phase,
                claimed: self.claimed,
                deletion_policy: DeletionPolicy::Retain,
                towards: SiteRole::Secondary,
                link: &self.link,
                companions: &self.companions,
                prerequisites: &[],
                failure: None,
                resync_window: &window,
                resync_asked: false,
                first_copy: self.first_copy,
                now: &self.now,
            })
        }
    }

    #[test]
    fn a_machine_is_enabled_step_by_step() {
        // SPEC: PR-1, PR-2, PR-3
        let mut case = Case::new(MachinePhase::Unprotected, LinkState::None);
        let mut steps = Vec::new();
        for _ in 0..32 {
            let step = case.step();
            match &step {
                Happened(event) => {
                    case.phase = MACHINE.next(case.phase, *event).expect("in the table");
                }
                Ensure(effect) => {
                    let Observed::Seen { value, .. } = &mut case.link else {
                        unreachable!()
                    };
                    match effect {
                        Effect::Related { .. } => value.state = LinkState::Paused,
                        Effect::Seeded { .. } => value.state = LinkState::Replicating,
                        Effect::Finalized { .. } => value.finalized = true,
                        other => panic!("{other:?}"),
                    }
                }
                Wait(reason) => panic!("{reason}"),
                Rest => break,
            }
            steps.push(case.phase);
        }
        assert_eq!(case.phase, MachinePhase::Protected);
        let order = [
            MachinePhase::Enabling,
            MachinePhase::InitialReplication,
            MachinePhase::Finalizing,
            MachinePhase::Protected,
        ];
        steps.dedup();
        assert_eq!(steps, order);
    }

    fn with_points(instants: &[i64]) -> Observed<Link> {
        let Observed::Seen { mut value, at } = link(LinkState::Replicating) else {
            unreachable!()
        };
        value.finalized = true;
        let point = |second: &i64| Point {
            at: Timestamp::from_second(*second).unwrap(),
            name: second.to_string(),
            app_consistent: false,
            processed: true,
        };
        value.points = instants.iter().map(point).collect();
        Observed::Seen { value, at }
    }

    #[test]
    fn a_consistency_group_is_protected_when_it_can_be_recovered_together() {
        // SPEC: PR-7
        let other = |phase, instants: &[i64]| Companion {
            phase,
            link: with_points(instants),
        };
        let mut case = Case::new(MachinePhase::Finalizing, LinkState::Replicating);
        case.link = with_points(&[10, 30]);

        case.companions = vec![other(MachinePhase::Finalizing, &[20])];
        assert_eq!(case.step(), Wait(WaitReason::CommonPoint));
        case.companions = vec![
            other(MachinePhase::Finalizing, &[20, 30]),
            other(MachinePhase::InitialReplication, &[]),
        ];
        assert_eq!(case.step(), Wait(WaitReason::CommonPoint));
        case.companions[1].link = Observed::Unknown {
            since: Timestamp::UNIX_EPOCH,
            last: None,
        };
        assert_eq!(case.step(), Wait(WaitReason::CommonPoint));

        case.companions[1] = other(MachinePhase::Finalizing, &[5, 30]);
        assert_eq!(case.step(), Happened(MachineEvent::Finalized));
        // Whoever nothing replicates any more is not recovered with the others.
        case.companions[1] = other(MachinePhase::NotProtected, &[]);
        assert_eq!(case.step(), Happened(MachineEvent::Finalized));
    }

    #[test]
    fn prerequisites_come_before_anything_is_made() {
        // SPEC: PR-1
        let mut view_case = Case::new(MachinePhase::Enabling, LinkState::None);
        view_case.now = at("2026-03-02T12:00:00+09:00[Asia/Seoul]");
        let window = night();
        let unknown = [Prerequisite {
            name: "networks are mapped".into(),
            holds: None,
        }];
        let step = protect(&ProtectView {
            phase: view_case.phase,
            claimed: true,
            deletion_policy: DeletionPolicy::Retain,
            towards: SiteRole::Secondary,
            link: &view_case.link,
            companions: &[],
            prerequisites: &unknown,
            failure: None,
            resync_window: &window,
            resync_asked: false,
            first_copy: None,
            now: &view_case.now,
        });
        let missing = vec!["networks are mapped".to_owned()];
        assert_eq!(step, Wait(WaitReason::Prerequisites { missing }));
    }

    #[test]
    fn a_first_copy_begins_at_its_time_of_day() {
        // SPEC: PR-2
        let since = "2026-03-02T12:00:00+09:00[Asia/Seoul]";
        let first_copy = |time: &str| {
            Some(FirstCopy {
                at: time.parse().unwrap(),
                since: at(since).timestamp(),
            })
        };
        let begin = Ensure(Effect::Seeded {
            towards: SiteRole::Secondary,
        });
        let mut case = Case::new(MachinePhase::InitialReplication, LinkState::Paused);
        case.now = at(since);
        assert_eq!(case.step(), begin);
        for (time, begins) in [
            ("22:00", "2026-03-02T22:00:00+09:00[Asia/Seoul]"),
            ("12:00", since),
            ("03:00", "2026-03-03T03:00:00+09:00[Asia/Seoul]"),
        ] {
            case.first_copy = first_copy(time);
            case.now = at(begins);
            assert_eq!(case.step(), begin, "{time}");
            case.now = at("2026-03-09T11:00:00+09:00[Asia/Seoul]");
            assert_eq!(case.step(), begin, "{time}");
            let begins = at(begins).timestamp();
            case.now = (begins - 1.second()).to_zoned(case.now.time_zone().clone());
            let waits = Wait(WaitReason::FirstCopy { begins });
            assert_eq!(case.step(), waits, "{time}");
        }
        // What was copied once, and what travels later, does not wait.
        case.phase = MachinePhase::Protected;
        assert_eq!(case.step(), begin);
    }

    #[test]
    fn a_resynchronisation_waits_for_its_window() {
        // SPEC: PR-4
        let mut case = Case::new(MachinePhase::Protected, LinkState::ResyncRequired);
        assert_eq!(case.step(), Happened(MachineEvent::TrackingLost));
        case.phase = MachinePhase::ResyncRequired;
        let opens = at("2026-03-02T22:00:00+09:00[Asia/Seoul]").timestamp();
        assert_eq!(case.step(), Wait(WaitReason::ResyncWindow { opens }));
        for inside in [
            "2026-03-02T23:00:00+09:00[Asia/Seoul]",
            "2026-03-03T05:59:00+09:00[Asia/Seoul]",
        ] {
            case.now = at(inside);
            assert_eq!(case.step(), Happened(MachineEvent::ResyncBegun));
        }
        case.phase = MachinePhase::Resynchronizing;
        assert_eq!(
            case.step(),
            Ensure(Effect::Resynchronized {
                towards: SiteRole::Secondary
            })
        );
    }

    #[test]
    fn letting_go_keeps_the_copy_unless_told_otherwise() {
        // SPEC: PR-12
        let mut case = Case::new(MachinePhase::Protected, LinkState::Replicating);
        case.claimed = false;
        assert_eq!(case.step(), Happened(MachineEvent::Released));
        case.phase = MachinePhase::Disabling;
        assert_eq!(
            case.step(),
            Ensure(Effect::Unrelated {
                remove_replica: false
            })
        );
    }
}
