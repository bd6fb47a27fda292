//! Which host a machine is made at. Whether one would do is asked before anything is stopped, and again when it is
//! made: what is accepted can be made.

use drover_api::LocationType;
use drover_api::value::HostName;
use drover_fabric::Materialize;
use drover_libvirt::protocol::Accepts;
use drover_world::FabricError;

use super::Site;
use super::fit::{self, missing_here};
use super::hosts::Placed;
use super::make::{description, drill_of, stranger};
use super::refusal::{retryable, terminal};
use crate::domain::Domain;
use crate::host::{About, DomainSeen, Host, Which};
use crate::record::Half;

/// A machine that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// How it is called.
    pub(super) machine: &'a str,
    /// What it is, as far as anybody knows that yet.
    pub(super) domain: Option<&'a Domain>,
    /// What it becomes.
    pub(super) with: &'a Materialize,
}

/// A host that it may be made at.
struct Candidate<'a> {
    name: &'a str,
    /// What it is and its networks; or why it does not say.
    answer: Result<(About, Vec<String>), String>,
    /// What the machine needs and is not there, as far as the mover sees that.
    missing: Option<String>,
}

/// Why a machine cannot be made at a host.
enum Unfit {
    /// It does not answer, and may be the one.
    Silent(String),
    /// It lacks networks, and nothing else.
    Networks(String),
    /// It does not know what the machine is made of, or does not have it.
    Parts(String),
}

impl Site {
    /// Whether a machine could be made with these settings.
    pub(super) async fn accepts(&self, ask: Accepts) -> Result<(), FabricError> {
        let record = self.store.get(&ask.machine);
        let half = record.half.as_ref();
        let found = self.find(ask.machine.as_str()).await?;
        let original = half.is_some_and(|half| half.origin == half.role || half.adopted);
        if found.is_some() && record.made.is_none() && !original && !ask.with.drill {
            return Err(stranger(&ask.machine));
        }
        may_be_made(found.is_some(), &ask.with)?;
        let (name, found) = if ask.with.drill {
            let drill = drill_of(&ask.machine);
            let found = self.find(&drill).await?;
            (drill, found)
        } else {
            (ask.machine.to_string(), found)
        };
        self.acceptable(&name, half, found.as_ref(), &ask.with)
            .await
    }

    /// Whether it could run at the host that it would be made at, if it stands at `found` or nowhere.
    pub(super) async fn acceptable(
        &self,
        machine: &str,
        half: Option<&Half>,
        found: Option<&(&Host, DomainSeen)>,
        with: &Materialize,
    ) -> Result<(), FabricError> {
        let domain = match half {
            Some(half)
                if half.described.is_some() || found.is_some() && is_own(half, with.drill) =>
            {
                Some(self.base_of(half, found, with.drill).await?)
            }
            _ => None,
        };
        let wanted = Wanted {
            machine,
            domain: domain.as_ref(),
            with,
        };
        self.place(&wanted, found.map(|(host, _)| *host)).await?;
        Ok(())
    }

    /// What a machine is before it is given its disks and networks: at home what it was there, wherever it comes
    /// from, and elsewhere what it was when its data was taken.
    pub(super) async fn base_of(
        &self,
        half: &Half,
        found: Option<&(&Host, DomainSeen)>,
        drill: bool,
    ) -> Result<Domain, FabricError> {
        match found.filter(|_| is_own(half, drill)) {
            Some((host, seen)) => {
                let xml = host.xml(&seen.name, Which::Persistent).await?;
                Ok(Domain::parse(&xml)?)
            }
            None => description(half),
        }
    }

    /// The host that a machine is made at, and what that is: the one that is named, or else the one where it
    /// `stands`, or else of those where it could run the one with the most memory free.
    pub(super) async fn place(
        &self,
        wanted: &Wanted<'_>,
        stands: Option<&Host>,
    ) -> Result<(&Placed, About), FabricError> {
        let named = named(wanted.with).map(HostName::as_str);
        if let Some(name) = named {
            self.hosts.named(name)?;
        }
        let only = named.or(stands.map(Host::name));
        let mut candidates = Vec::new();
        for placed in self.hosts.iter() {
            let name = placed.host.name();
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let answer = placed.ask_about().await;
            let seen_from_here = wanted.domain.filter(|_| placed.is_here());
            candidates.push(Candidate {
                name,
                answer: answer.map_err(|error| error.to_string()),
                missing: seen_from_here.and_then(missing_here),
            });
        }
        let (name, about) = choose(wanted, only, &candidates)?;
        Ok((self.hosts.named(name)?, about.clone()))
    }
}

/// At another location a machine is made only where that is declared.
pub(super) fn may_be_made(there: bool, with: &Materialize) -> Result<(), FabricError> {
    let elsewhere = with.location.kind == LocationType::Alternate;
    if elsewhere && !there && !with.location.create_if_missing {
        return Err(terminal(
            "there is no such machine at the other location",
            "declare createIfMissing",
        ));
    }
    Ok(())
}

/// Whether a machine that is at home keeps its own definition there.
pub(super) fn is_own(half: &Half, drill: bool) -> bool {
    !drill && half.origin == half.role
}

/// The host that somebody named.
pub(super) fn named(with: &Materialize) -> Option<&HostName> {
    let settings = with.settings.as_ref().and_then(|to| to.host.as_ref());
    settings.or(with.location.host.as_ref())
}

/// Of hosts where a machine could run the one with the most memory free, the first of equals.
fn choose<'a>(
    wanted: &Wanted<'_>,
    only: Option<&str>,
    candidates: &'a [Candidate<'_>],
) -> Result<(&'a str, &'a About), FabricError> {
    let mut best: Option<(&str, &About)> = None;
    let mut unfit = Vec::new();
    for candidate in candidates {
        match candidate.fits(wanted) {
            Ok(about) => {
                if best.is_none_or(|(_, other)| about.free_memory > other.free_memory) {
                    best = Some((candidate.name, about));
                }
            }
            Err(why) => unfit.push(why),
        }
    }
    best.ok_or_else(|| nowhere(wanted.machine, only, &unfit))
}

impl Candidate<'_> {
    fn fits(&self, wanted: &Wanted<'_>) -> Result<&About, Unfit> {
        let name = self.name;
        let (about, networks) = match &self.answer {
            Ok((about, networks)) => (about, networks),
            Err(why) => return Err(Unfit::Silent(why.clone())),
        };
        let mut lacking: Vec<&str> = Vec::new();
        for nic in &wanted.with.nics {
            let network = nic.network.as_str();
            if !networks.iter().any(|known| known == network) && !lacking.contains(&network) {
                lacking.push(network);
            }
        }
        let unknown = wanted.domain.and_then(|domain| fit::unknown(domain, about));
        let networks = format!("{name} has no network {}", lacking.join(" or "));
        match unknown.or(self.missing.clone()) {
            None if lacking.is_empty() => Ok(about),
            None => Err(Unfit::Networks(networks)),
            Some(what) if lacking.is_empty() => Err(Unfit::Parts(format!("{name}: {what}"))),
            Some(what) => Err(Unfit::Parts(format!("{networks}, and {what}"))),
        }
    }
}

/// Why a machine cannot be made, host by host.
fn nowhere(machine: &str, only: Option<&str>, unfit: &[Unfit]) -> FabricError {
    let words = unfit.iter().map(|unfit| match unfit {
        Unfit::Silent(why) | Unfit::Networks(why) | Unfit::Parts(why) => why.as_str(),
    });
    let words = words.collect::<Vec<_>>().join("; ");
    if unfit.iter().any(|unfit| matches!(unfit, Unfit::Silent(_))) {
        let what = only.map_or_else(
            || format!("no host that answers could run {machine}"),
            |only| format!("whether {machine} could run at {only} is not known"),
        );
        return retryable(format!("{what}: {words}"), "look at libvirt on the hosts");
    }
    let what = only.map_or_else(
        || format!("no host here could run {machine}"),
        |only| format!("{machine} could not run at {only}"),
    );
    // A network is made sooner than QEMU is made newer.
    let lacks_networks = |unfit: &Unfit| matches!(unfit, Unfit::Networks(_));
    let hint = if unfit.iter().any(lacks_networks) {
        "make the network there, or map another one"
    } else {
        fit::HINT
    };
    terminal(format!("{what}: {words}"), hint)
}

#[cfg(test)]
mod tests {
    use drover_api::FailbackLocation;
    use drover_api::common::SiteRole;
    use drover_world::ErrorClass;
    use serde_json::json;

    use super::*;

    fn about(free_memory: u64, types: &[&str]) -> About {
        About {
            libvirt: "9.0.0".into(),
            qemu: "7.2.22".into(),
            machine_types: types.iter().map(ToString::to_string).collect(),
            cpu_models: Vec::new(),
            emulators: Vec::new(),
            free_memory,
            memory: 0,
            cpus: 1,
        }
    }

    fn host<'a>(name: &'a str, about: About, networks: &[&str]) -> Candidate<'a> {
        let networks = networks.iter().map(ToString::to_string).collect();
        Candidate {
            name,
            answer: Ok((about, networks)),
            missing: None,
        }
    }

    fn silent(name: &str) -> Candidate<'_> {
        Candidate {
            name,
            answer: Err(format!("cannot ask what it is at {name}")),
            missing: None,
        }
    }

    fn with(networks: &[&str]) -> Materialize {
        let nics = networks.iter().map(|network| {
            serde_json::from_value(json!({ "network": network, "addresses": "Dynamic" })).unwrap()
        });
        Materialize {
            site: SiteRole::Secondary,
            drill: false,
            point: None,
            nics: nics.collect(),
            settings: None,
            location: FailbackLocation::default(),
        }
    }

    const NEW: &[&str] = &["pc-q35-9.2"];

    /// What is chosen for a machine with the networks `lan` and `dmz`; with `!` where it is no use to ask again.
    fn chosen(only: Option<&str>, candidates: &[Candidate<'_>]) -> String {
        let xml = "<domain type='kvm'><name>db-1</name><os><type machine='pc-q35-9.2'>hvm</type></os></domain>";
        let domain = Domain::parse(xml).unwrap();
        let wanted = Wanted {
            machine: "db-1",
            domain: Some(&domain),
            with: &with(&["lan", "dmz", "lan"]),
        };
        match choose(&wanted, only, candidates) {
            Ok((name, _)) => name.to_owned(),
            Err(error) if error.class == ErrorClass::Terminal => format!("! {}", error.message),
            Err(error) => error.message,
        }
    }

    #[test]
    fn a_machine_is_made_where_it_could_run_and_most_memory_is_free() {
        // SPEC: FB-4, SA-9
        let both = &["dmz", "lan"];
        let old = || host("old", about(9, &["pc-q35-7.2"]), both);
        let bare = || host("bare", about(8, NEW), &["lan"]);
        let small = || host("small", about(1, NEW), both);
        let large = || host("large", about(2, NEW), both);
        let twin = || host("twin", about(2, NEW), both);
        let all = [old(), bare(), small(), large(), twin(), silent("mute")];
        assert_eq!(chosen(None, &all), "large");
        let unseen = Candidate {
            missing: Some("kernel /boot/k is not here".into()),
            ..large()
        };
        assert_eq!(chosen(None, &[unseen, small()]), "small");
    }

    #[test]
    fn networks_of_several_hosts_do_not_make_one() {
        // SPEC: FB-4, SA-9
        let apart = [
            host("host-1", about(1, NEW), &["dmz"]),
            host("host-2", about(1, NEW), &["lan"]),
        ];
        assert_eq!(
            chosen(None, &apart),
            "! no host here could run db-1: host-1 has no network lan; host-2 has no network dmz"
        );
    }

    #[test]
    fn who_is_refused_hears_why_of_each_host() {
        // SPEC: SA-9
        let both = &["dmz", "lan"];
        let old = || host("host-2", about(1, &["pc-q35-7.2"]), both);
        let reasons = "host-1 has no network lan or dmz, and QEMU 7.2.22 does not know the machine type \
            pc-q35-9.2; host-2: QEMU 7.2.22 does not know the machine type pc-q35-9.2";
        let neither = || host("host-1", about(1, &[]), &[]);
        assert_eq!(
            chosen(None, &[neither(), old()]),
            format!("! no host here could run db-1: {reasons}")
        );
        // The one that does not answer may be the one.
        assert_eq!(
            chosen(None, &[neither(), old(), silent("host-3")]),
            format!(
                "no host that answers could run db-1: {reasons}; cannot ask what it is at host-3"
            )
        );
    }

    #[test]
    fn the_host_that_is_named_is_looked_at_as_others_are() {
        // SPEC: FB-4, SA-9
        let bare = [host("host-1", about(1, NEW), &["dmz"])];
        assert_eq!(
            chosen(Some("host-1"), &bare),
            "! db-1 could not run at host-1: host-1 has no network lan"
        );
        assert_eq!(
            chosen(Some("host-1"), &[silent("host-1")]),
            "whether db-1 could run at host-1 is not known: cannot ask what it is at host-1"
        );
    }

    #[test]
    fn what_is_not_known_of_a_machine_is_not_asked_of_a_host() {
        let wanted = Wanted {
            machine: "db-1",
            domain: None,
            with: &with(&[]),
        };
        let hosts = [host("old", about(1, &[]), &[])];
        assert!(choose(&wanted, None, &hosts).is_ok());
    }
}
