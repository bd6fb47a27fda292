//! What can go wrong in the lab, and what to do about it.

use std::{error::Error as _, fmt, io, process::ExitStatus, time::Duration};

/// Why the lab could not do what it was asked.
///
/// A test shows it through `unwrap`, hence by `Debug`: that prints the message, its causes and the
/// hint, readable, instead of the fields.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// `libvirtd` ended by itself.
    #[error("libvirtd of the {site} site ended; its last lines:\n{log}")]
    Ended {
        /// Whose.
        site: &'static str,
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
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Build { .. } => Some("it says why on stderr; tests/run installs what it needs"),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("tests/run installs what the lab needs")
            }
            Self::Namespace { .. } => Some("run as root, in a container with CAP_SYS_ADMIN"),
            Self::Off { .. } => Some("restore() switches it on"),
            Self::TooLate { .. } => Some("is this machine short of processors or memory?"),
            Self::Io { .. } | Self::Command { .. } | Self::Ended { .. } => None,
        }
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
