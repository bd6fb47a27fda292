//! Why a copy failed.

use std::fmt;

use thiserror::Error;

use crate::nbd::NbdError;

/// Which end of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is read.
    Source,
    /// It is written.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why a copy failed. What was written before stays written.
#[derive(Debug, Error)]
pub enum TransferError {
    /// One end failed.
    #[error("the {side} of the copy failed")]
    Nbd {
        /// Which.
        side: Side,
        /// How.
        source: NbdError,
    },
    /// The disks are of different sizes.
    #[error("the source has {source_size} bytes, the target {target_size}")]
    Sizes {
        /// The source's.
        source_size: u64,
        /// The target's.
        target_size: u64,
    },
    /// A map of another disk.
    #[error("the changes end at {end}, the disk at {size}")]
    Beyond {
        /// Where the last change ends.
        end: u64,
        /// The size of the disk.
        size: u64,
    },
}

impl TransferError {
    pub(super) fn at(side: Side) -> impl FnOnce(NbdError) -> Self {
        move |source| Self::Nbd { side, source }
    }

    /// Which end failed.
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::Nbd { side, .. } => Some(*side),
            Self::Sizes { .. } | Self::Beyond { .. } => None,
        }
    }
}
