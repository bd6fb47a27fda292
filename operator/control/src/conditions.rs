//! Conditions, as kstatus reads them (KU-1).

use drover_api::conditions::{READY, RECONCILING, STALLED, SUSPENDED};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Conditions of one object, to be changed. A condition keeps the time of its last change.
pub(crate) struct Conditions<'a> {
    list: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    pub(crate) fn of(
        list: &'a mut Vec<Condition>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Self {
        Self {
            list,
            generation,
            now,
        }
    }

    /// Sets a condition.
    pub(crate) fn set(&mut self, kind: &str, status: Status, reason: &str, message: &str) {
        let message = shortened(message);
        let found = self
            .list
            .iter_mut()
            .find(|condition| condition.type_ == kind);
        let Some(condition) = found else {
            self.list.push(Condition {
                type_: kind.to_owned(),
                status: status.as_str().to_owned(),
                reason: reason.to_owned(),
                message,
                observed_generation: self.generation,
                last_transition_time: Time(self.now),
            });
            return;
        };
        if condition.status != status.as_str() {
            status.as_str().clone_into(&mut condition.status);
            condition.last_transition_time = Time(self.now);
        }
        reason.clone_into(&mut condition.reason);
        condition.message = message;
        condition.observed_generation = self.generation;
    }

    /// Says that nothing begins because a person said so, and what that means for this kind.
    pub(crate) fn set_suspended(&mut self, suspended: bool, meaning: &str) {
        if suspended {
            self.set(SUSPENDED, Status::True, "Annotation", meaning);
        } else {
            self.clear(SUSPENDED);
        }
    }

    /// Takes a condition away: those that are abnormal-true are absent when all is well.
    pub(crate) fn clear(&mut self, kind: &str) {
        self.list.retain(|condition| condition.type_ != kind);
    }

    /// All is as declared, or only a person's word is awaited.
    pub(crate) fn ready(&mut self, reason: &str, message: &str) {
        self.set(READY, Status::True, reason, message);
        self.clear(RECONCILING);
        self.clear(STALLED);
    }

    /// Work goes on.
    pub(crate) fn reconciling(&mut self, reason: &str, message: &str) {
        self.set(READY, Status::False, reason, message);
        self.set(RECONCILING, Status::True, reason, message);
        self.clear(STALLED);
    }

    /// Nothing more will happen without a person.
    pub(crate) fn stalled(&mut self, reason: &str, message: &str) {
        self.set(READY, Status::False, reason, message);
        self.set(STALLED, Status::True, reason, message);
        self.clear(RECONCILING);
    }
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    True,
    False,
    Unknown,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Messages are for people; the API takes no more than this.
const LONGEST: usize = 4096;

fn shortened(message: &str) -> String {
    if message.len() <= LONGEST {
        return message.to_owned();
    }
    let end = (0..=LONGEST - 3)
        .rev()
        .find(|at| message.is_char_boundary(*at));
    format!("{}...", &message[..end.unwrap_or(0)])
}
