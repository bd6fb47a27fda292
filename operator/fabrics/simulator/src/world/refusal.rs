//! Ways to say no.

use drover_world::{EpochEnforcement, ErrorClass, FabricError, Stamp};

use super::{Cut, Reach, World, ordered};

fn error(class: ErrorClass, message: String, hint: &str) -> FabricError {
    FabricError {
        class,
        message,
        hint: Some(hint.to_owned()),
        epoch_seen: None,
    }
}

/// It may work later.
pub(super) fn retryable(message: impl Into<String>, hint: &str) -> FabricError {
    error(ErrorClass::Retryable, message.into(), hint)
}

/// A person must do something first.
pub(super) fn terminal(message: impl Into<String>, hint: &str) -> FabricError {
    error(ErrorClass::Terminal, message.into(), hint)
}

/// The pair cannot do this at all.
pub(super) fn unsupported(message: impl Into<String>, hint: &str) -> FabricError {
    error(ErrorClass::Unsupported, message.into(), hint)
}

/// Whether a call gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It does.
    Open,
    /// It never returns.
    Hangs,
    /// It fails at once.
    Closed(FabricError),
}

impl World {
    /// Whether a call to a site gets through.
    pub fn gate(&self, site: usize) -> Gate {
        let site = &self.sites[site];
        match site.reach {
            Reach::Silent => Gate::Hangs,
            Reach::CutOff | Reach::Dark => Gate::Closed(retryable(
                format!("{} does not answer", site.name),
                "look whether the site has power and a connection",
            )),
            Reach::Up if site.expired => Gate::Closed(terminal(
                format!("{} refuses the credentials", site.name),
                "renew the credentials of the site",
            )),
            Reach::Up => Gate::Open,
        }
    }

    /// Whether a call that needs all of these sites, and the link between them, gets through.
    pub fn gates(&self, sites: &[usize], link: bool) -> Gate {
        for site in sites {
            match self.gate(*site) {
                Gate::Open => {}
                closed => return closed,
            }
        }
        let cut = match sites {
            [one, other] if link => self.cuts.get(&ordered([*one, *other])),
            _ => None,
        };
        match cut {
            None => Gate::Open,
            Some(Cut::Silent) => Gate::Hangs,
            Some(Cut::Loud) => Gate::Closed(retryable(
                "the sites do not reach each other",
                "look at the link between the sites",
            )),
        }
    }

    /// Refuses an older epoch than the one on record (SA-3).
    pub(super) fn check_epoch(&self, recorded: u64, stamp: &Stamp) -> Result<(), FabricError> {
        if stamp.epoch >= recorded || self.epochs == EpochEnforcement::Advisory {
            return Ok(());
        }
        let message = format!(
            "{} asks with epoch {}, and {recorded} is on record",
            stamp.run, stamp.epoch
        );
        Err(FabricError {
            epoch_seen: Some(recorded),
            ..terminal(message, "whoever asks is late; the newer one goes on")
        })
    }

    /// What a real fabric refuses, and an obedient one does.
    pub(super) fn unless_obedient(&self, refusal: FabricError) -> Result<(), FabricError> {
        if self.obedient { Ok(()) } else { Err(refusal) }
    }

    /// Whether the next request for a machine was told to fail.
    pub(super) fn injected_failure(&mut self, machine: usize) -> Result<(), FabricError> {
        let Some((times, class)) = self.machines[machine].effects_to_fail else {
            return Ok(());
        };
        let left = times.saturating_sub(1);
        self.machines[machine].effects_to_fail = (left > 0).then_some((left, class));
        self.changes.machines.insert(machine);
        let message = format!("the request for {} failed", self.machines[machine].name);
        Err(error(class, message, "it was told to fail; ask again"))
    }
}
