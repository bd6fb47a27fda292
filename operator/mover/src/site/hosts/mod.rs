//! The hosts of a site, and which of them knows a machine.
//!
//! A host that does not answer takes only its own machines with it: those that were seen at another one go on,
//! and of those that may be there nothing is known. It is not asked again by everybody: one loop does that.

mod given;
mod ports;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use drover_world::FabricError;
use futures::future::join_all;

pub use given::{HostAt, NbdAt};
pub(super) use ports::{Port, Ports};

use super::refusal::{retryable, terminal};
use crate::host::{About, DomainSeen, Host, HostError};

/// A host, and what is known of it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) host: Host,
    /// Its ports for disks; none where the mover stands itself.
    pub(super) ports: Option<Ports>,
    /// Why it did not answer last, while it does not.
    silent: Mutex<Option<HostError>>,
}

/// All hosts of a site.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Placed>,
    /// Where machines were last seen, by the hosts' names.
    homes: Mutex<BTreeMap<String, String>>,
}

/// The machines of all hosts that answer.
#[derive(Debug, Default)]
pub(super) struct Listing<'a> {
    /// By their names, those that are on before those that are off.
    pub(super) domains: BTreeMap<String, (&'a Host, DomainSeen)>,
    /// The hosts that do not answer.
    pub(super) silent: Vec<&'a Placed>,
    /// Names that two machines have, with the hosts where those are.
    pub(super) twice: BTreeMap<String, [&'a str; 2]>,
}

/// What is known of one machine.
pub(super) enum Whereabouts<'a> {
    At(&'a Host, DomainSeen),
    Nowhere,
    /// It may be at a host that does not answer.
    Unknown(FabricError),
    /// Two machines have that name, and nobody knows which of them is meant.
    Twice(FabricError),
}

impl Placed {
    fn new(at: HostAt) -> Self {
        Self {
            host: Host::new(at.name, at.uri),
            ports: at.nbd.map(Ports::new),
            silent: Mutex::default(),
        }
    }

    fn name(&self) -> &str {
        self.host.name()
    }

    fn silence(&self) -> std::sync::MutexGuard<'_, Option<HostError>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a host, unless it is known to be silent.
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, HostError>>,
    ) -> Result<T, HostError> {
        if let Some(error) = self.silence().clone() {
            return Err(error);
        }
        let answer = question.await;
        if let Err(error @ HostError::Unreachable { .. }) = &answer {
            tracing::warn!(host = self.name(), %error, "a host does not answer");
            *self.silence() = Some(error.clone());
        }
        answer
    }

    /// Whether the mover stands there, and sees its files.
    pub(super) fn is_here(&self) -> bool {
        self.ports.is_none()
    }

    /// What it is, and the networks that machines can be attached to there.
    pub(super) async fn ask_about(&self) -> Result<(About, Vec<String>), HostError> {
        let about = self.ask(self.host.about()).await?;
        Ok((about, self.ask(self.host.networks()).await?))
    }

    /// Why nothing is known of it now.
    pub(super) fn why(&self) -> String {
        let silence = self.silence();
        let why = silence.as_ref().map(|error| format!(": {error}"));
        format!(
            "host {} does not answer{}",
            self.name(),
            why.unwrap_or_default()
        )
    }
}

impl Hosts {
    pub(super) fn new(hosts: Vec<HostAt>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Placed::new).collect(),
            homes: Mutex::default(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Placed> {
        self.hosts.iter()
    }

    /// The host that is called so.
    pub(super) fn named(&self, name: &str) -> Result<&Placed, FabricError> {
        let found = self.hosts.iter().find(|placed| placed.name() == name);
        found.ok_or_else(|| {
            terminal(
                format!("there is no host {name} here"),
                "name one that the mover was started with",
            )
        })
    }

    /// Where a machine was last seen.
    pub(super) fn home(&self, domain: &str) -> Option<String> {
        self.lock().get(domain).cloned()
    }

    /// Remembers where a machine was seen.
    pub(super) fn remember(&self, domain: &str, host: &str) {
        self.lock().insert(domain.to_owned(), host.to_owned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machines of all hosts, and which hosts do not answer.
    ///
    /// # Errors
    /// When none answers.
    pub(super) async fn list(&self) -> Result<Listing<'_>, FabricError> {
        let asked = self
            .hosts
            .iter()
            .map(|placed| placed.ask(placed.host.domains()));
        let mut listing = Listing::default();
        for (placed, answer) in self.hosts.iter().zip(join_all(asked).await) {
            match answer {
                Err(_) => listing.silent.push(placed),
                Ok(domains) => {
                    for seen in domains {
                        listing.add(&placed.host, seen);
                    }
                }
            }
        }
        match listing.silent.first() {
            Some(first) if listing.silent.len() == self.hosts.len() => Err(silent(&first.why())),
            _ => Ok(listing),
        }
    }

    /// The host that knows a machine, and how it is there. One that is on goes before one that is off: who
    /// moves a machine may leave its definition behind.
    pub(super) async fn find(&self, domain: &str) -> Whereabouts<'_> {
        let asked = self
            .hosts
            .iter()
            .map(|placed| placed.ask(placed.host.domain(domain)));
        let mut listing = Listing::default();
        let mut failed = None;
        for (placed, answer) in self.hosts.iter().zip(join_all(asked).await) {
            match answer {
                Ok(Some(seen)) => listing.add(&placed.host, seen),
                Ok(None) => {}
                Err(error) => {
                    listing.silent.push(placed);
                    failed = failed.or(Some(error));
                }
            }
        }
        match (
            listing.whereabouts(domain, self.home(domain).as_deref()),
            failed,
        ) {
            // Of one host its own words say more.
            (Whereabouts::Unknown(_), Some(error)) if self.hosts.len() == 1 => {
                Whereabouts::Unknown(error.into())
            }
            (known, _) => known,
        }
    }

    /// Has all hosts but the one that keeps it forget a machine that is off. Where one does not answer its
    /// definition is left behind, as somebody leaves it who moves a machine.
    pub(super) async fn forget(
        &self,
        machine: &DomainSeen,
        keeper: Option<&str>,
    ) -> Result<(), FabricError> {
        let (name, others) = (machine.name.as_str(), self.hosts.iter());
        for placed in others.filter(|placed| keeper != Some(placed.name())) {
            let Ok(Some(seen)) = placed.ask(placed.host.domain(name)).await else {
                continue;
            };
            if seen.uuid == machine.uuid && !seen.power.is_active() {
                placed.host.undefine(name).await?;
            }
        }
        Ok(())
    }

    /// Asks hosts that do not answer whether they do again; whether one does. What is said of one that does comes
    /// before anybody asks it anything else.
    pub(super) async fn listen(&self, back: impl Fn(&str)) -> bool {
        let back = &back;
        let silent = self
            .hosts
            .iter()
            .filter(|placed| placed.silence().is_some());
        let asked = silent.map(|placed| async move {
            let answers = !matches!(
                placed.host.domains().await,
                Err(HostError::Unreachable { .. })
            );
            if answers {
                tracing::info!(host = placed.name(), "a host answers again");
                back(placed.name());
                *placed.silence() = None;
            }
            answers
        });
        join_all(asked).await.contains(&true)
    }
}

impl<'a> Listing<'a> {
    fn add(&mut self, host: &'a Host, seen: DomainSeen) {
        // What was moved keeps its number, also where its definition was left behind.
        if let Some((other, known)) = self.domains.get(&seen.name)
            && known.uuid != seen.uuid
        {
            let both = [other.name(), host.name()];
            self.twice.entry(seen.name.clone()).or_insert(both);
        }
        match self.domains.get(&seen.name) {
            Some((_, known)) if known.power.is_active() || !seen.power.is_active() => {}
            _ => drop(self.domains.insert(seen.name.clone(), (host, seen))),
        }
    }

    /// What is known of a machine that was last seen at `home`. Who runs is seen. Who is off, or not there, may
    /// have been moved to a host that does not answer.
    pub(super) fn whereabouts(&mut self, domain: &str, home: Option<&str>) -> Whereabouts<'a> {
        let found = self.domains.remove(domain);
        if let Some([one, other]) = self.twice.get(domain) {
            return Whereabouts::Twice(terminal(
                format!("two machines are called {domain}: at {one} and at {other}"),
                "rename one of them",
            ));
        }
        let Some(first) = self.silent.first() else {
            return found.map_or(Whereabouts::Nowhere, |(host, seen)| {
                Whereabouts::At(host, seen)
            });
        };
        match found {
            Some((host, seen)) if seen.power.is_active() || home == Some(host.name()) => {
                Whereabouts::At(host, seen)
            }
            _ => {
                let why = format!("{}, and {domain} may be there", first.why());
                Whereabouts::Unknown(silent(&why))
            }
        }
    }
}

fn silent(why: &str) -> FabricError {
    retryable(
        why,
        "look at libvirt on that host; what runs there is not known",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::DomainPower;

    fn placed(name: &str) -> Placed {
        Placed::new(format!("{name}=qemu:///system").parse().unwrap())
    }

    fn seen(power: DomainPower) -> DomainSeen {
        DomainSeen {
            name: "db-1".to_owned(),
            uuid: String::new(),
            power,
            autostart: false,
            persistent: true,
        }
    }

    fn numbered(uuid: &str, power: DomainPower) -> DomainSeen {
        DomainSeen {
            uuid: uuid.to_owned(),
            ..seen(power)
        }
    }

    fn told(listing: &mut Listing<'_>, home: Option<&str>) -> String {
        match listing.whereabouts("db-1", home) {
            Whereabouts::At(host, seen) => format!("{} {:?}", host.name(), seen.power),
            Whereabouts::Nowhere => "nowhere".to_owned(),
            Whereabouts::Unknown(error) => error.message,
            Whereabouts::Twice(error) => format!("{:?}: {}", error.class, error.message),
        }
    }

    #[test]
    fn a_machine_may_be_where_nobody_answers() {
        // SPEC: SA-1, FO-8
        let (one, two) = (placed("one"), placed("two"));
        let unknown = "host two does not answer, and db-1 may be there";
        let case = |power: Option<DomainPower>, home: Option<&str>| {
            let mut listing = Listing::default();
            if let Some(power) = power {
                listing.add(&one.host, seen(power));
            }
            listing.silent.push(&two);
            told(&mut listing, home)
        };
        assert_eq!(case(None, None), unknown);
        assert_eq!(case(None, Some("one")), unknown);
        assert_eq!(case(Some(DomainPower::Running), Some("two")), "one Running");
        assert_eq!(case(Some(DomainPower::Off), Some("one")), "one Off");
        // It ran at the other one, and its former definition is still here.
        assert_eq!(case(Some(DomainPower::Off), Some("two")), unknown);
        assert_eq!(case(Some(DomainPower::Off), None), unknown);
    }

    #[test]
    fn while_all_answer_the_one_that_runs_it_is_meant() {
        let (one, two) = (placed("one"), placed("two"));
        let mut listing = Listing::default();
        listing.add(&one.host, seen(DomainPower::Off));
        listing.add(&two.host, seen(DomainPower::Paused));
        listing.add(&one.host, seen(DomainPower::Off));
        assert_eq!(told(&mut listing, None), "two Paused");
        assert_eq!(told(&mut listing, None), "nowhere");
    }

    #[test]
    fn two_machines_of_one_name_are_not_taken_for_one() {
        // SPEC: SA-7, FO-8
        let (one, two, three) = (placed("one"), placed("two"), placed("three"));
        let both = "Terminal: two machines are called db-1: at one and at two";
        for (first, second) in [
            (DomainPower::Off, DomainPower::Running),
            (DomainPower::Running, DomainPower::Off),
            (DomainPower::Off, DomainPower::Off),
        ] {
            let mut listing = Listing::default();
            listing.add(&one.host, numbered("a", first));
            listing.add(&two.host, numbered("b", second));
            // Nor while another host may have a third one.
            listing.silent.push(&three);
            assert_eq!(told(&mut listing, Some("one")), both);
            assert_eq!(told(&mut listing, None), both);
        }

        // One that was moved, and whose definition was left behind, is the same.
        let mut listing = Listing::default();
        listing.add(&one.host, numbered("a", DomainPower::Off));
        listing.add(&two.host, numbered("a", DomainPower::Running));
        assert_eq!(told(&mut listing, None), "two Running");
    }
}
