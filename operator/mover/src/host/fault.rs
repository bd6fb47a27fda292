//! What can go wrong between a host and who asks it.

use std::ffi::NulError;
use std::fmt;

use thiserror::Error;
use virt::error::Error as VirtError;
use virt_sys as c;

/// What was being done, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The host, as it was named.
    pub host: String,
    /// Such as `start db-1`.
    pub doing: String,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.doing, self.host)
    }
}

/// Why a host did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostError {
    /// There is no connection, or no answer. Whether the host did it is not known.
    #[error("cannot {task}: the host does not answer ({why})")]
    Unreachable {
        /// What was being done.
        task: Task,
        /// What is known about it.
        why: String,
    },
    /// The host has no such machine.
    #[error("cannot {task}: the host has no such machine")]
    NoSuchDomain {
        /// What was being done.
        task: Task,
    },
    /// The machine is off, and this needs one that is not.
    #[error("cannot {task}: the machine does not run")]
    NotRunning {
        /// What was being done.
        task: Task,
    },
    /// A checkpoint or its bitmap is missing or broken: only a comparison tells what changed.
    #[error("cannot {task}: a checkpoint or its bitmap is missing or broken ({why})")]
    NoBitmap {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
    /// Another job has the machine, it is in the middle of a shutdown, or its QEMU does not answer.
    #[error("cannot {task}: the machine is busy ({why})")]
    Busy {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
    /// Somebody listens already where disks were to be offered.
    #[error("cannot {task}: the port is taken ({why})")]
    PortTaken {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
    /// The agent in the guest is not there or does not answer.
    #[error("cannot {task}: the guest's agent does not answer ({why})")]
    NoAgent {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
    /// The host does not accept our credentials, or they do not suffice.
    #[error("cannot {task}: the host refuses ({why})")]
    Refused {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
    /// Anything else.
    #[error("cannot {task}: {why}")]
    Failed {
        /// What was being done.
        task: Task,
        /// What libvirt says about it.
        why: String,
    },
}

impl HostError {
    /// What was being done.
    pub fn task(&self) -> &Task {
        match self {
            Self::Unreachable { task, .. }
            | Self::NoSuchDomain { task }
            | Self::NotRunning { task }
            | Self::NoBitmap { task, .. }
            | Self::Busy { task, .. }
            | Self::PortTaken { task, .. }
            | Self::NoAgent { task, .. }
            | Self::Refused { task, .. }
            | Self::Failed { task, .. } => task,
        }
    }
}

/// A [`HostError`] that does not know yet what was being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unreachable(String),
    NoSuchDomain,
    NotRunning,
    NoBitmap(String),
    Busy(String),
    PortTaken(String),
    NoAgent(String),
    Refused(String),
    Failed(String),
}

impl Fault {
    pub(super) fn of(self, task: Task) -> HostError {
        match self {
            Self::Unreachable(why) => HostError::Unreachable { task, why },
            Self::NoSuchDomain => HostError::NoSuchDomain { task },
            Self::NotRunning => HostError::NotRunning { task },
            Self::NoBitmap(why) => HostError::NoBitmap { task, why },
            Self::Busy(why) => HostError::Busy { task, why },
            Self::PortTaken(why) => HostError::PortTaken { task, why },
            Self::NoAgent(why) => HostError::NoAgent { task, why },
            Self::Refused(why) => HostError::Refused { task, why },
            Self::Failed(why) => HostError::Failed { task, why },
        }
    }

    /// Of a connection that ended, whatever the error is: that it ended is why.
    pub(super) fn lost(self) -> Self {
        match self {
            Self::Failed(why) | Self::Busy(why) => Self::Unreachable(why),
            other => other,
        }
    }
}

impl From<VirtError> for Fault {
    fn from(error: VirtError) -> Self {
        let why = error.message().to_owned();
        match error.code().to_raw() {
            c::VIR_ERR_NO_DOMAIN => Self::NoSuchDomain,
            c::VIR_ERR_NO_DOMAIN_CHECKPOINT
            | c::VIR_ERR_INVALID_DOMAIN_CHECKPOINT
            | c::VIR_ERR_CHECKPOINT_INCONSISTENT => Self::NoBitmap(why),
            c::VIR_ERR_OPERATION_TIMEOUT
            | c::VIR_ERR_RESOURCE_BUSY
            | c::VIR_ERR_BLOCK_COPY_ACTIVE => Self::Busy(why),
            c::VIR_ERR_AGENT_UNRESPONSIVE
            | c::VIR_ERR_AGENT_UNSYNCED
            | c::VIR_ERR_AGENT_COMMAND_TIMEOUT => Self::NoAgent(why),
            c::VIR_ERR_AUTH_FAILED
            | c::VIR_ERR_AUTH_CANCELLED
            | c::VIR_ERR_AUTH_UNAVAILABLE
            | c::VIR_ERR_ACCESS_DENIED
            | c::VIR_ERR_OPERATION_DENIED => Self::Refused(why),
            c::VIR_ERR_RPC
            | c::VIR_ERR_NO_CONNECT
            | c::VIR_ERR_INVALID_CONN
            | c::VIR_ERR_UNKNOWN_HOST
            | c::VIR_ERR_GNUTLS_ERROR
            | c::VIR_ERR_SSH
            | c::VIR_ERR_LIBSSH => Self::Unreachable(why),
            _ => Self::worded(why),
        }
    }
}

impl Fault {
    /// libvirt has general codes for much of what matters here; only its words tell.
    fn worded(why: String) -> Self {
        let says = |words: &[&str]| words.iter().any(|words| why.contains(words));
        if says(&["domain is not running"]) {
            Self::NotRunning
        } else if says(&["bitmap"]) && says(&["missing", "broken", "inconsistent", "not found"]) {
            Self::NoBitmap(why)
        } else if says(&["Address already in use"]) {
            Self::PortTaken(why)
        } else if says(&[
            "being shut down",
            "another job",
            "already active",
            "active block job",
        ]) {
            Self::Busy(why)
        } else {
            Self::Failed(why)
        }
    }
}

impl From<NulError> for Fault {
    fn from(_error: NulError) -> Self {
        Self::Failed("a name or a description contains a zero byte".to_owned())
    }
}

impl From<quick_xml::Error> for Fault {
    fn from(error: quick_xml::Error) -> Self {
        Self::Failed(format!("a description of libvirt cannot be read: {error}"))
    }
}
