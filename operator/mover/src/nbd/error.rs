//! What can go wrong between a client and a server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

/// Why a connection or a request failed.
#[derive(Debug, Error)]
pub enum NbdError {
    /// The connection cannot be made, or broke.
    #[error("the connection to the NBD server failed while {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The server sent what the protocol does not allow: nothing that it says is believed any more.
    #[error("the NBD server broke the protocol: {0}")]
    Violation(&'static str),
    /// The server does not agree to an option.
    #[error("the NBD server refused {option}: {reason}{}", explained(.message))]
    Refused {
        /// The option.
        option: &'static str,
        /// The reason, by its number.
        reason: Refusal,
        /// What the server says about it.
        message: String,
    },
    /// The server cannot do what is needed here.
    #[error("the NBD server does not offer {0}")]
    Lacks(&'static str),
    /// The export has no such metadata context.
    #[error("the export has no metadata context {0}")]
    NoContext(String),
    /// The export can only be read.
    #[error("the export is read-only")]
    ReadOnly,
    /// A request that does not fit the export; it was not sent.
    #[error("a request for {length} bytes at {offset} does not fit the export: {why}")]
    Misfit {
        /// Where it begins.
        offset: u64,
        /// How long it is.
        length: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The server answered a request with an error. Other requests are not concerned.
    #[error("the NBD server failed to {command} {length} bytes at {offset}: {errno}{}", explained(.message))]
    Command {
        /// What was asked for.
        command: &'static str,
        /// Where the request begins.
        offset: u64,
        /// How long it is.
        length: u32,
        /// The error.
        errno: Errno,
        /// What the server says about it.
        message: String,
    },
    /// Requests are waiting, and for so long nothing moved in either direction.
    #[error("the NBD server was silent for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The certificates or the other side's name are of no use.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
    /// The connection was lost while the request waited, or earlier.
    #[error("the connection to the NBD server is lost")]
    Lost(#[source] Arc<NbdError>),
    /// The connection was closed from this side.
    #[error("the connection to the NBD server was closed")]
    Closed,
}

impl NbdError {
    /// What the server answered, where it answered.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Command { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// Whether no request on this connection can succeed any more.
    pub fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Io { .. } | Self::Violation(_) | Self::Silent(_) | Self::Lost(_) | Self::Closed
        )
    }

    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

fn explained(message: &str) -> String {
    if message.is_empty() {
        return String::new();
    }
    format!(" ({message})")
}

/// The errors of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// Not allowed.
    Perm,
    /// The disk failed.
    Io,
    /// The server is out of memory.
    NoMem,
    /// The request makes no sense to the server.
    Inval,
    /// The target is full.
    NoSpace,
    /// The reply would be too long.
    Overflow,
    /// The server cannot do this.
    NotSupported,
    /// The server is going down.
    Shutdown,
    /// A number that the protocol does not name.
    Other(u32),
}

impl Errno {
    pub(crate) fn of(number: u32) -> Self {
        match number {
            1 => Self::Perm,
            5 => Self::Io,
            12 => Self::NoMem,
            22 => Self::Inval,
            28 => Self::NoSpace,
            75 => Self::Overflow,
            95 => Self::NotSupported,
            108 => Self::Shutdown,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Perm => f.write_str("not permitted"),
            Self::Io => f.write_str("input/output error"),
            Self::NoMem => f.write_str("out of memory"),
            Self::Inval => f.write_str("invalid request"),
            Self::NoSpace => f.write_str("no space left"),
            Self::Overflow => f.write_str("reply too long"),
            Self::NotSupported => f.write_str("not supported"),
            Self::Shutdown => f.write_str("shutting down"),
            Self::Other(number) => write!(f, "error {number}"),
        }
    }
}

/// Why a server does not agree to an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not know the option.
    Unsupported,
    /// Its policy forbids it.
    Policy,
    /// It takes the option to be malformed.
    Invalid,
    /// It is not built for it.
    Platform,
    /// It wants TLS first.
    TlsRequired,
    /// It has no such export.
    Unknown,
    /// It is going down.
    Shutdown,
    /// It wants the client to heed block sizes.
    BlockSizeRequired,
    /// The option is too long.
    TooBig,
    /// A number that the protocol does not name.
    Other(u32),
}

impl Refusal {
    pub(crate) fn of(number: u32) -> Self {
        match number & 0x7fff_ffff {
            1 => Self::Unsupported,
            2 => Self::Policy,
            3 => Self::Invalid,
            4 => Self::Platform,
            5 => Self::TlsRequired,
            6 => Self::Unknown,
            7 => Self::Shutdown,
            8 => Self::BlockSizeRequired,
            9 => Self::TooBig,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("not supported"),
            Self::Policy => f.write_str("forbidden by its policy"),
            Self::Invalid => f.write_str("not valid"),
            Self::Platform => f.write_str("not supported on its platform"),
            Self::TlsRequired => f.write_str("TLS is required"),
            Self::Unknown => f.write_str("no such export"),
            Self::Shutdown => f.write_str("shutting down"),
            Self::BlockSizeRequired => f.write_str("block sizes must be heeded"),
            Self::TooBig => f.write_str("too long"),
            Self::Other(number) => write!(f, "error {number}"),
        }
    }
}
