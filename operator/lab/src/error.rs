//! What can go wrong in the lab, and what to do about it.

use std::{collections::BTreeSet, error::Error as _, fmt, io, process::ExitStatus, time::Duration};

/// What installs packages, without what they merely recommend.
const INSTALL: &str = "apt-get install --no-install-recommends";

/// Why the lab could not do what it was asked.
///
/// A test shows it through `unwrap`, hence by `Debug`: that prints the message, its causes and the
/// hint, readable, instead of the fields.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Programs are not there.
    #[error("not installed: {}", names(programs))]
    Missing {
        /// Which ones, and the Debian package that brings each.
        programs: Vec<(&'static str, &'static str)>,
    },
    /// It wants root, and this is somebody else.
    #[error("two libvirt sites on this machine want root")]
    NotRoot,
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The script that builds the guest gave none.
    #[error("the guest could not be built ({status})")]
    Build {
        /// How the script ended; what it said is on stderr.
        status: ExitStatus,
    },
    /// A file or a process could not be had.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, as in "start libvirtd".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel gives no namespaces, or not all of what is in them.
    #[error("cannot make the namespaces of {what}:\n{log}")]
    Namespace {
        /// Whose.
        what: String,
        /// What `unshare` and the first process said.
        log: String,
    },
    /// A command failed.
    #[error("`{command}` failed ({status}): {message}")]
    Command {
        /// Which one.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr.
        message: String,
    },
    /// The site was lost and is not restored.
    #[error("the {site} site is switched off")]
    Off {
        /// Which one.
        site: &'static str,
    },
    /// What a site needs ended by itself.
    #[error("{what} ended; its last lines:\n{log}")]
    Ended {
        /// What, as in "libvirtd of the primary site".
        what: String,
        /// The end of its log.
        log: String,
    },
    /// What was waited for did not come.
    #[error("{what} after {} s; the last lines:\n{log}", after.as_secs())]
    TooLate {
        /// What is not so, as in "libvirtd of the primary site does not answer".
        what: String,
        /// For how long it was waited for.
        after: Duration,
        /// The end of the log that would show it.
        log: String,
    },
}

impl Error {
    /// What the reader can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { programs } => {
                let packages: BTreeSet<_> = programs.iter().map(|(_, package)| *package).collect();
                let packages: Vec<_> = packages.into_iter().collect();
                return Some(format!("as root: {INSTALL} {}", packages.join(" ")));
            }
            Self::NotRoot => "run it as root, as with sudo",
            Self::Build { .. } => {
                "it says why above; the guest is made of Debian packages, which apt-get downloads"
            }
            Self::Namespace { .. } => "as root; in a container it needs CAP_SYS_ADMIN",
            Self::Off { .. } => "restore() switches it on",
            Self::TooLate { .. } => "is this machine short of processors or memory?",
            Self::Certificate(_) | Self::Io { .. } | Self::Command { .. } | Self::Ended { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\ncaused by: {error}")?;
            cause = error.source();
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

fn names(programs: &[(&str, &str)]) -> String {
    let names: Vec<_> = programs.iter().map(|(program, _)| *program).collect();
    names.join(", ")
}

/// Says what was being done when the system refused.
pub(super) trait Doing<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            doing: doing.into(),
            source,
        })
    }
}
