//! What goes wrong in a rehearsal, as people write it: `site-loss=seoul@2m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use drover_api::value::{Duration as Length, MachineName, SiteName, StepName};
use drover_simulator::Fault as Harm;

use crate::prepared::{Actor, Prepared};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: What,
    /// So long after the run began.
    pub after: Duration,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The power of a site goes.
    SiteLoss(SiteName),
    /// It is back.
    SiteReturn(SiteName),
    /// A site is cut off from everybody, and runs on.
    Partition(SiteName),
    /// It is reached again.
    Heal(SiteName),
    /// Copies into a site and machines that are made there take so many times as long.
    SlowDisks(SiteName, u32),
    /// The next so many boots fail.
    FailedBoot(Who, u32),
    /// A guest does not shut down.
    HungShutdown(Who),
    /// So many attempts of an action fail.
    FailedAction {
        /// The group.
        group: StepName,
        /// The action.
        action: StepName,
        /// How many.
        times: u32,
    },
}

/// Which machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This one.
    Machine(MachineName),
    /// Each with this chance, in percent.
    Share(u8),
}

/// A fault that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fault {text}: {why}")]
pub struct FaultError {
    /// As it was written.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// Where it names what is not there: that name, and those that could be meant.
    pub unknown: Option<Box<Unknown>>,
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As it was written.
    pub name: String,
    /// The names that there are, in the order of the run.
    pub known: Vec<String>,
}

/// What can be written, for whoever wrote something else.
pub(crate) const FORMS: &str = "write site-loss=SITE, site-return=SITE, partition=SITE, heal=SITE, \
    slow-disks=SITE*TIMES, failed-boot=MACHINE*TIMES or failed-boot=5%, hung-shutdown=MACHINE, \
    failed-action=GROUP/ACTION*TIMES; @AFTER says when, as @2m";

/// What stands after the star. Nothing that goes wrong no times goes wrong.
const TIMES: &str = "after * stands how many times: a whole number, 1 or more";

impl Fault {
    /// Whose misfortune it is, where it is that of machines.
    pub(crate) fn who(&self) -> Option<&Who> {
        match &self.what {
            What::FailedBoot(who, _) | What::HungShutdown(who) => Some(who),
            _ => None,
        }
    }

    /// What it does to a simulated world: to a site, or to the machines that it hits.
    pub(crate) fn harms<'a>(
        &self,
        prepared: &Prepared,
        hit: impl Iterator<Item = &'a Actor>,
    ) -> Vec<Harm> {
        let of_site = match &self.what {
            What::SiteLoss(site) => Harm::LoseSite { site: site.clone() },
            What::SiteReturn(site) => Harm::ReturnSite { site: site.clone() },
            What::Partition(site) => Harm::Partition { site: site.clone() },
            What::Heal(site) => Harm::Heal { site: site.clone() },
            What::SlowDisks(site, factor) => Harm::SlowCopies {
                site: site.clone(),
                factor: *factor,
            },
            What::FailedBoot(_, times) => {
                let target = prepared.shape.target();
                let harm = |actor: &Actor| Harm::FailBoots {
                    site: prepared.sites.at(target).clone(),
                    machine: actor.subject.at(target).clone(),
                    times: *times,
                };
                return hit.map(harm).collect();
            }
            What::HungShutdown(_) => {
                let source = prepared.shape.source();
                let harm = |actor: &Actor| Harm::HangShutdown {
                    site: prepared.sites.at(source).clone(),
                    machine: actor.subject.at(source).clone(),
                };
                return hit.map(harm).collect();
            }
            // That is not the sites'.
            What::FailedAction { .. } => return Vec::new(),
        };
        vec![of_site]
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| FaultError {
            text: text.to_owned(),
            why: why.to_owned(),
            unknown: None,
        };
        let (rest, after) = match text.rsplit_once('@') {
            Some((rest, after)) => (rest, after.parse::<Length>()),
            None => (text, Ok(Length::ZERO)),
        };
        let after = after.map_err(|error| wrong(&error.to_string()))?;
        let (kind, rest) = rest.split_once('=').ok_or_else(|| wrong(FORMS))?;
        let (target, times) = match rest.rsplit_once('*') {
            Some((target, times)) => (target, Some(times.parse::<u32>())),
            None => (rest, None),
        };
        let times = times.transpose();
        let times = times.map_err(|_| wrong(TIMES))?;
        if times == Some(0) {
            return Err(wrong(TIMES));
        }
        let what = what(kind, target, times).map_err(|why| wrong(&why))?;
        Ok(Self {
            what,
            after: after.as_std(),
        })
    }
}

fn what(kind: &str, target: &str, times: Option<u32>) -> Result<What, String> {
    let site = || {
        target
            .parse::<SiteName>()
            .map_err(|error| error.to_string())
    };
    let counted = matches!(kind, "slow-disks" | "failed-boot" | "failed-action");
    if times.is_some() && !counted {
        return Err(format!("{kind} happens once, without *"));
    }
    Ok(match kind {
        "site-loss" => What::SiteLoss(site()?),
        "site-return" => What::SiteReturn(site()?),
        "partition" => What::Partition(site()?),
        "heal" => What::Heal(site()?),
        "slow-disks" => What::SlowDisks(site()?, times.unwrap_or(4)),
        "failed-boot" => What::FailedBoot(target.parse()?, times.unwrap_or(1)),
        "hung-shutdown" => What::HungShutdown(target.parse()?),
        "failed-action" => {
            let (group, action) = target
                .split_once('/')
                .ok_or_else(|| "an action is named GROUP/ACTION".to_owned())?;
            let name = |text: &str| text.parse::<StepName>().map_err(|error| error.to_string());
            What::FailedAction {
                group: name(group)?,
                action: name(action)?,
                // More than it has attempts.
                times: times.unwrap_or(u32::MAX),
            }
        }
        _ => return Err(FORMS.to_owned()),
    })
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(share) = text.strip_suffix('%') else {
            let name = text.parse::<MachineName>();
            return name.map(Self::Machine).map_err(|error| error.to_string());
        };
        match share.parse::<u8>() {
            Ok(share) if share <= 100 => Ok(Self::Share(share)),
            _ => Err("a share is a whole number from 0% to 100%".to_owned()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(name) => name.fmt(f),
            Self::Share(percent) => write!(f, "{percent} % of all machines"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::SiteLoss(site) => write!(f, "{site} loses its power")?,
            What::SiteReturn(site) => write!(f, "the power of {site} is back")?,
            What::Partition(site) => write!(f, "{site} is cut off")?,
            What::Heal(site) => write!(f, "{site} is reached again")?,
            What::SlowDisks(site, times) => write!(f, "disks of {site} are {times} times as slow")?,
            What::FailedBoot(who, 1) => write!(f, "the next boot of {who} fails")?,
            What::FailedBoot(who, times) => write!(f, "{times} boots of {who} fail")?,
            What::HungShutdown(who) => write!(f, "{who} does not shut down")?,
            What::FailedAction {
                group,
                action,
                times,
            } => match times {
                &u32::MAX => write!(f, "action {action} of {group} fails")?,
                times => write!(f, "action {action} of {group} fails {times} times")?,
            },
        }
        if self.after.is_zero() {
            return Ok(());
        }
        write!(f, ", {} into the run", Length::from_std(self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<Fault>().map(|fault| fault.to_string());
        let said = |text: &str, words: &str| assert_eq!(read(text).as_deref(), Ok(words));
        said("site-loss=seoul", "seoul loses its power");
        said(
            "site-loss=seoul@2m",
            "seoul loses its power, 2m into the run",
        );
        said("failed-boot=web-1*3", "3 boots of web-1 fail");
        said(
            "failed-boot=5%",
            "the next boot of 5 % of all machines fails",
        );
        said("failed-action=data/check", "action check of data fails");
        said("slow-disks=busan*8", "disks of busan are 8 times as slow");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            "fire=seoul",
            "site-loss",
            "site-loss=seoul*2",
            "site-loss=seoul@soon",
            "failed-boot=101%",
            "failed-boot=web-1*some",
            "failed-boot=web-1*0",
            "failed-action=data/check*0",
            "slow-disks=busan*0",
            "slow-disks=busan*-1",
            "failed-action=check",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
