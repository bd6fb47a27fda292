//! Words that cases are written in.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use drover_api::FailbackLocation;
use drover_api::common::SiteRole;
use drover_world::{ErrorClass, FabricError, Instance, Link, LinkState, Outcome, Point, Stamp};
use tokio::time::timeout;

use super::{Drivers, Failure, Lab, Verdict};
use crate::{Answer, InstanceKey, LinkGoal, Materialize, SiteGoal, Subject};

pub(super) const HOME: SiteRole = SiteRole::Primary;
pub(super) const OUT: SiteRole = SiteRole::Secondary;

/// Looks are so far apart.
const PAUSE: Duration = Duration::from_secs(1);
/// So many looks, then it counts as never.
const LOOKS: usize = 1_800;

/// A request that is dropped goes on for so long at most.
const AT_MOST: Duration = Duration::from_secs(2);

/// One thing that is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Site(SiteRole, SiteGoal),
    Link(LinkGoal),
    Make(Box<Materialize>),
}

/// The steps of a planned failover out, in their order.
pub(super) fn planned(from: SiteRole) -> Vec<Ask> {
    let towards = from.other();
    vec![
        Ask::Site(from, SiteGoal::Stopped),
        Ask::Link(LinkGoal::FinalSync { towards }),
        Ask::Make(made(towards, None, false)),
        Ask::Site(towards, SiteGoal::Started),
    ]
}

pub(super) fn made(site: SiteRole, point: Option<&str>, drill: bool) -> Box<Materialize> {
    Box::new(Materialize {
        site,
        drill,
        point: point.map(str::to_owned),
        nics: Vec::new(),
        settings: None,
        location: FailbackLocation::default(),
    })
}

/// A lab, its drivers as they are now, and one machine.
pub(super) struct Bench<'a> {
    pub lab: &'a dyn Lab,
    pub drivers: Drivers,
    pub machine: Subject,
}

impl<'a> Bench<'a> {
    pub async fn new(lab: &'a dyn Lab, name: &str) -> Self {
        Self {
            lab,
            drivers: lab.drivers().await,
            machine: lab.machine(name).await,
        }
    }

    /// A machine that is protected.
    pub async fn protected(lab: &'a dyn Lab, name: &str) -> Result<Self, Failure> {
        let bench = Self::new(lab, name).await;
        bench.protect().await?;
        Ok(bench)
    }

    pub async fn protect(&self) -> Verdict {
        self.protect_at(0).await
    }

    /// After it was let go of at epoch 1.
    pub async fn protect_again(&self) -> Verdict {
        self.protect_at(1).await
    }

    async fn protect_at(&self, epoch: u64) -> Verdict {
        let towards = OUT;
        for goal in [
            LinkGoal::Related { towards },
            LinkGoal::Seeded { towards },
            LinkGoal::Finalized { towards },
        ] {
            self.reach(epoch, &Ask::Link(goal)).await?;
        }
        let link = self.link().await?;
        broken_unless(
            link.state == LinkState::Replicating && link.finalized,
            || format!("protected, and its link is {link:?}"),
        )
    }

    /// A restart.
    pub async fn restart(&mut self) {
        self.drivers = self.lab.drivers().await;
    }

    pub async fn ask(&self, epoch: u64, what: &Ask) -> Answer {
        let stamp = Stamp {
            run: format!("conformance-{epoch}"),
            step: "conformance",
            epoch,
        };
        match what {
            Ask::Site(role, goal) => {
                let site = self.drivers.at(*role);
                site.ensure(&stamp, self.machine.at(*role), *goal).await
            }
            Ask::Link(goal) => self.drivers.pair.ensure(&stamp, &self.machine, *goal).await,
            Ask::Make(with) => {
                self.drivers
                    .pair
                    .materialize(&stamp, &self.machine, with)
                    .await
            }
        }
    }

    /// Asks until it is so.
    pub async fn reach(&self, epoch: u64, what: &Ask) -> Verdict {
        let mut last = None;
        for _ in 0..LOOKS {
            match self.ask(epoch, what).await {
                Ok(Outcome::Reached) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.class == ErrorClass::Retryable => last = Some(error),
                Err(error) => return Err(Failure::Broken(format!("{what:?}: {error}"))),
            }
            self.lab.pass(PAUSE).await;
        }
        Err(Failure::Broken(format!(
            "{what:?} never came about; last: {last:?}"
        )))
    }

    pub async fn reach_all(&self, epoch: u64, steps: &[Ask]) -> Verdict {
        for step in steps {
            self.reach(epoch, step).await?;
        }
        Ok(())
    }

    /// Asks, and drops the request when it has waited so often: before it goes out, before it is answered, and
    /// in between. Whether it had ended.
    pub async fn ask_and_drop(&self, epoch: u64, what: &Ask, waits: usize) -> bool {
        let mut asking = pin!(self.ask(epoch, what));
        let mut left = waits;
        let until_then = poll_fn(|context| {
            let ended = asking.as_mut().poll(context).is_ready();
            if ended || left == 0 {
                return Poll::Ready(ended);
            }
            left -= 1;
            Poll::Pending
        });
        // What waits for nothing is dropped, too.
        timeout(AT_MOST, until_then).await.unwrap_or(false)
    }

    pub async fn instance(&self, role: SiteRole) -> Result<Instance, Failure> {
        self.seen(role, false).await
    }

    pub async fn seen(&self, role: SiteRole, drill: bool) -> Result<Instance, Failure> {
        let all = self
            .drivers
            .at(role)
            .observe(None)
            .await
            .map_err(|e| unexpected(&e))?;
        let key = InstanceKey {
            name: self.machine.at(role).clone(),
            drill,
        };
        let found = all.seen.into_iter().find(|(found, _)| *found == key);
        Ok(found.map_or(Instance::ABSENT, |(_, seen)| seen.instance))
    }

    pub async fn link(&self) -> Result<Link, Failure> {
        let all = self
            .drivers
            .pair
            .observe(None)
            .await
            .map_err(|e| unexpected(&e))?;
        let found = all
            .seen
            .into_iter()
            .find(|(name, _)| *name == self.machine.primary);
        match found {
            Some((_, link)) => Ok(link),
            None => Err(Failure::Broken("the pair does not report its link".into())),
        }
    }

    /// The newest recovery point; waits for one.
    pub async fn newest_point(&self) -> Result<Point, Failure> {
        for _ in 0..LOOKS {
            let points = self.link().await?.points;
            if let Some(point) = points.into_iter().max_by_key(|point| point.at) {
                return Ok(point);
            }
            self.lab.pass(PAUSE).await;
        }
        Err(Failure::Broken(
            "a protected machine never got a recovery point".into(),
        ))
    }

    /// The request must fail.
    pub async fn refused(&self, epoch: u64, what: &Ask) -> Result<FabricError, Failure> {
        match self.ask(epoch, what).await {
            Err(error) => Ok(error),
            Ok(answer) => Err(Failure::Broken(format!("{what:?} was answered {answer:?}"))),
        }
    }
}

pub(super) fn unexpected(error: &FabricError) -> Failure {
    Failure::Broken(format!("it does not answer: {error}"))
}

pub(super) fn broken_unless(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Failure::Broken(otherwise()))
    }
}

/// What a lab cannot do makes a case not applicable.
pub(super) fn needs(ability: Result<(), &'static str>) -> Verdict {
    ability.map_err(|reason| Failure::NotApplicable(reason.to_owned()))
}
