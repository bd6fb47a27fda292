//! What can go wrong before a control plane serves, and what to do about it.

use std::{error::Error as _, fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why there is no control plane.
///
/// A test shows it through `unwrap`, hence by `Debug`: that prints the message, its causes and the
/// hint, readable, instead of the fields.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The build script found no binaries and could not make them.
    #[error("tests/controlplane/build gave no folder of binaries ({status})")]
    Build {
        /// How the script ended; what it said is on stderr.
        status: ExitStatus,
    },
    /// A file, a port or a process could not be had.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, as in "start etcd".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program is not in the folder of binaries.
    #[error("{} is not there", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A process ended before it was ready.
    #[error("{program} ended before it was ready ({status}); its last lines:\n{log}")]
    Ended {
        /// Which one.
        program: &'static str,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A process runs but is not ready.
    #[error("{program} is not ready after {} s; its last lines:\n{log}", after.as_secs())]
    NotReady {
        /// Which one.
        program: &'static str,
        /// For how long it was waited for.
        after: Duration,
        /// The end of its log.
        log: String,
    },
}

impl Error {
    /// What the reader can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Build { .. } => Some(
                "it says why on stderr; with KUBEBUILDER_ASSETS set to a folder with etcd, kube-apiserver and kubectl nothing is built",
            ),
            Self::Missing { .. } => Some(
                "unset DROVER_CONTROLPLANE and KUBEBUILDER_ASSETS to use the binaries that tests/controlplane/build makes",
            ),
            Self::NotReady { .. } => Some("is this machine short of processors or memory?"),
            Self::Io { .. } | Self::Ended { .. } => None,
        }
    }

    /// Somebody else took the port between its choice and its use.
    pub(super) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { log, .. } if log.contains("address already in use"))
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
