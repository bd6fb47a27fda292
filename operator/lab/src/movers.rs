//! A mover at each site.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{
    Error, Lab, Service, Side, Site,
    certificates::Authority,
    site::{ensure_runs, wait_until},
};

/// Where movers listen for each other.
const PORT: u16 = 7443;

/// Both sites of a lab, and a mover at each: this process reaches it by a unix socket, the other mover over
/// the WAN, with certificates of an authority that lives as long as the lab.
#[derive(Debug)]
pub struct Movers {
    lab: Lab,
    drover: PathBuf,
    /// Other hosts of the primary site, as its mover is told of them.
    more_hosts: Vec<String>,
    services: Mutex<[Option<Service>; 2]>,
}

impl Movers {
    /// Starts both, and returns when they answer. `drover` is the program whose `mover` they run.
    ///
    /// # Errors
    ///
    /// If one of them does not begin.
    pub fn start(lab: Lab, drover: &Path) -> Result<Self, Error> {
        Self::with_hosts(lab, drover, Vec::new())
    }

    /// The same, with these other hosts at the primary site, as the option `--host` takes them.
    ///
    /// # Errors
    ///
    /// If one of them does not begin.
    pub fn with_hosts(lab: Lab, drover: &Path, more_hosts: Vec<String>) -> Result<Self, Error> {
        let this = Self {
            lab,
            drover: drover.to_owned(),
            more_hosts,
            services: Mutex::default(),
        };
        let authority = Authority::new()?;
        for side in Side::ALL {
            authority.issue([side.address(), side.name()], &this.folder(side))?;
            this.begin(side)?;
        }
        Ok(this)
    }

    /// The sites, and what is between them.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// One of the sites.
    pub fn site(&self, side: Side) -> &Site {
        self.lab.site(side)
    }

    /// Where this process reaches the mover of a site.
    pub fn socket(&self, side: Side) -> PathBuf {
        self.folder(side).join("sock")
    }

    /// The same, as a `Site` declares it.
    pub fn address(&self, side: Side) -> String {
        format!("unix://{}", self.socket(side).display())
    }

    /// Where the other mover reaches it, as a `Site` declares it.
    pub fn replication_address(side: Side) -> String {
        format!("{}:{PORT}", side.address())
    }

    /// What the mover of a site said.
    pub fn log(&self, side: Side) -> String {
        fs::read_to_string(self.log_file(side)).unwrap_or_default()
    }

    /// Starts the mover of a site, as after the site was lost, and returns when it answers.
    ///
    /// # Errors
    ///
    /// If the site is switched off, or the mover does not begin.
    pub fn begin(&self, side: Side) -> Result<(), Error> {
        let (site, log) = (self.site(side), self.log_file(side));
        let (pool, socket, tls) = (site.pool_folder(), self.socket(side), self.folder(side));
        let listen = OsString::from(Self::replication_address(side));
        let mut arguments: Vec<&OsStr> = vec![
            "mover".as_ref(),
            "--log-level".as_ref(),
            "drover_mover=debug,info".as_ref(),
            "--pool".as_ref(),
            pool.as_ref(),
            "--socket".as_ref(),
            socket.as_ref(),
            "--listen".as_ref(),
            &listen,
            "--tls".as_ref(),
            tls.as_ref(),
            "--peer".as_ref(),
            side.other().name().as_ref(),
            "--host".as_ref(),
            "local=qemu:///system".as_ref(),
        ];
        let more = self.more_hosts.iter().filter(|_| side == Side::Primary);
        for host in more {
            arguments.extend::<[&OsStr; 2]>(["--host".as_ref(), host.as_ref()]);
        }
        let service = site.begin(&log, self.drover.as_ref(), &arguments)?;
        let what = format!("the mover of the {} site", side.name());
        wait_until(&format!("{what} does not answer"), &log, || {
            ensure_runs(site, &service, &what, &log)?;
            Ok(UnixStream::connect(&socket).is_ok())
        })?;
        self.services()[side as usize] = Some(service);
        Ok(())
    }

    /// Sends the mover of a site a signal.
    ///
    /// # Errors
    ///
    /// If the site is switched off, or its mover does not run.
    pub fn signal(&self, side: Side, signal: &str) -> Result<(), Error> {
        let service = self.services()[side as usize].clone();
        let site = self.site(side);
        service.map_or(Err(Error::Off { site: side.name() }), |service| {
            site.signal(&service, signal)
        })
    }

    fn services(&self) -> std::sync::MutexGuard<'_, [Option<Service>; 2]> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, side: Side) -> PathBuf {
        self.site(side).pool_folder().join("mover")
    }

    fn log_file(&self, side: Side) -> PathBuf {
        self.folder(side).join("log")
    }
}
