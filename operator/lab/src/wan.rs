//! What is between the sites, and how it fails.

use std::{
    process::Command,
    sync::{Mutex, PoisonError},
};

use super::{
    Side,
    error::Error,
    namespace::{Namespace, run},
};

/// The network between the sites: a router with a cable to each.
#[derive(Debug)]
pub struct Wan {
    namespace: Namespace,
    condition: Mutex<Condition>,
}

/// A cable from the router to a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cable {
    /// How it is called, and the folder of the host.
    pub(super) name: &'static str,
    /// The host's address on it.
    pub(super) address: &'static str,
    /// The router's own address on it.
    router: &'static str,
}

impl Cable {
    /// To the first host of a site.
    pub(super) fn of(side: Side) -> Self {
        let router = match side {
            Side::Primary => "10.77.1.254",
            Side::Secondary => "10.77.2.254",
        };
        Self {
            name: side.name(),
            address: side.address(),
            router,
        }
    }

    /// To another host of a site. What is wrong between the sites does not concern it.
    pub(super) fn of_second(side: Side) -> Self {
        let (name, address, router) = match side {
            Side::Primary => ("primary-2", "10.77.3.1", "10.77.3.254"),
            Side::Secondary => ("secondary-2", "10.77.4.1", "10.77.4.254"),
        };
        Self {
            name,
            address,
            router,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Healthy,
    Slow { kbit_per_second: u32 },
    Cut,
    BlackHole,
}

impl Wan {
    pub(super) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            condition: Mutex::new(Condition::Healthy),
        }
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// From now on it carries no more than this, in each direction; what is more waits in a queue, for at
    /// most a second, and is lost.
    ///
    /// There is no latency besides that of the queue: the kernels of many machines cannot make one (`netem`).
    ///
    /// # Errors
    ///
    /// If the kernel cannot shape traffic (`tbf`).
    pub fn slow(&self, kbit_per_second: u32) -> Result<(), Error> {
        self.become_(Condition::Slow { kbit_per_second })
    }

    /// From now on who wants to connect over it is told at once that there is no way. What is connected
    /// already waits, as it does anywhere.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn cut(&self) -> Result<(), Error> {
        self.become_(Condition::Cut)
    }

    /// From now on whatever is sent over it is lost, and nobody is told.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn black_hole(&self) -> Result<(), Error> {
        self.become_(Condition::BlackHole)
    }

    /// From now on it carries all, as fast as the machine can.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn heal(&self) -> Result<(), Error> {
        self.become_(Condition::Healthy)
    }

    /// A command on the router, which reaches both sites by their [addresses](Side::address) whatever is
    /// wrong between them.
    pub fn command(&self, program: &str) -> Command {
        self.namespace.enter(&["--net", "--pid"], program)
    }

    /// Connects a site that was just switched on.
    pub(super) fn attach(&self, cable: Cable, site: &Namespace) -> Result<(), Error> {
        let Cable {
            name,
            address,
            router,
        } = cable;
        let pid = site.pid();
        self.namespace.ip(&format!(
            "link add {name} type veth peer name wan netns {pid}\n\
             address add {router}/24 dev {name}\n\
             link set {name} up\n"
        ))?;
        site.ip(&format!(
            "address add {address}/24 dev wan\n\
             link set wan up\n\
             route add default via {router}\n"
        ))?;
        let condition = self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if Side::ALL.iter().any(|side| side.name() == name) {
            self.shape(name, *condition)?;
        }
        Ok(())
    }

    /// Takes the cable of a site that is switched off away, where the kernel has not done so yet.
    pub(super) fn detach(&self, cable: Cable) {
        let _ = self.namespace.ip(&format!("link delete {}\n", cable.name));
    }

    fn become_(&self, wanted: Condition) -> Result<(), Error> {
        let mut condition = self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Rules for what comes in by a cable: the router's own packets are none of them.
        let rules = |action: &str, kind: &str| -> String {
            let line = |side: Side| format!("rule {action} pref 100 iif {} {kind}\n", side.name());
            Side::ALL.map(line).concat()
        };
        match *condition {
            Condition::Cut => self.namespace.ip(&rules("delete", "unreachable"))?,
            Condition::BlackHole => self.namespace.ip(&rules("delete", "blackhole"))?,
            Condition::Healthy | Condition::Slow { .. } => {}
        }
        *condition = Condition::Healthy;
        match wanted {
            Condition::Cut => self.namespace.ip(&rules("add", "unreachable"))?,
            Condition::BlackHole => self.namespace.ip(&rules("add", "blackhole"))?,
            Condition::Healthy | Condition::Slow { .. } => {}
        }
        *condition = wanted;
        for side in Side::ALL {
            self.shape(side.name(), wanted)?;
        }
        Ok(())
    }

    /// Makes the cable to a site as fast as it should be.
    fn shape(&self, cable: &str, condition: Condition) -> Result<(), Error> {
        let mut tc = self.namespace.enter(&["--net"], "tc");
        tc.args(["qdisc", "replace", "dev", cable, "root"]);
        match condition {
            Condition::Slow { kbit_per_second } => {
                tc.args(["tbf", "rate", &format!("{kbit_per_second}kbit")])
                    // The packets that a machine makes for itself have up to 64 KiB.
                    .args(["burst", "64kb", "latency", "1s"]);
            }
            _ => {
                tc.arg("pfifo");
            }
        }
        match run(&mut tc) {
            // A site that is switched off has no cable.
            Err(Error::Command { message, .. }) if message.contains("Cannot find device") => Ok(()),
            result => result.map(drop),
        }
    }
}
