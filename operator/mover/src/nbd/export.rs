//! What was agreed on with a server about an export, and what fits it.

use super::error::NbdError;
use super::option::Info;

/// The most that one request carries; servers accept this much unless they say otherwise.
const MOST: u32 = 32 << 20;
/// The largest least block size that the protocol allows.
const LARGEST_LEAST: u32 = 64 << 10;

/// An export, as its server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    size: u64,
    flags: u16,
    least: u32,
    preferred: u32,
    most: u32,
    pub(crate) structured: bool,
    pub(crate) contexts: Vec<(u32, String)>,
}

/// What a server can do with an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Flush,
    Trim,
    WriteZeroes,
    DontFragment,
}

impl Export {
    /// From what a server said on entering the transmission phase.
    pub(crate) fn new(infos: &[Info]) -> Result<Self, NbdError> {
        let mut export = Self {
            size: 0,
            flags: 0,
            least: 1,
            preferred: 4096,
            most: MOST,
            structured: false,
            contexts: Vec::new(),
        };
        let mut described = false;
        for info in infos {
            match *info {
                Info::Export { size, flags } => {
                    described = true;
                    (export.size, export.flags) = (size, flags);
                }
                Info::BlockSize {
                    least,
                    preferred,
                    most,
                } => export.set_block_sizes(least, preferred, most)?,
                Info::Other => {}
            }
        }
        if !described {
            return Err(NbdError::Violation("an export without a size"));
        }
        if export.flags & 1 == 0 {
            return Err(NbdError::Violation("an export without flags"));
        }
        if i64::try_from(export.size).is_err() {
            return Err(NbdError::Violation("an export of an impossible size"));
        }
        Ok(export)
    }

    fn set_block_sizes(&mut self, least: u32, preferred: u32, most: u32) -> Result<(), NbdError> {
        let sane = least.is_power_of_two()
            && least <= LARGEST_LEAST
            && preferred.is_power_of_two()
            && preferred >= least
            && (most == u32::MAX || most.is_multiple_of(least))
            && most >= least;
        if !sane {
            return Err(NbdError::Violation("impossible block sizes"));
        }
        let most = most.min(MOST);
        (self.least, self.preferred, self.most) = (least, preferred, most - most % least);
        Ok(())
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it can only be read.
    pub fn read_only(&self) -> bool {
        self.flags & (1 << 1) != 0
    }

    /// Whether what one connection flushed is what all connections wrote.
    pub fn multi_conn(&self) -> bool {
        self.flags & (1 << 8) != 0
    }

    /// What requests must be aligned to, in bytes: a power of two.
    pub fn least_block(&self) -> u32 {
        self.least
    }

    /// The block size that the server works best with.
    pub fn preferred_block(&self) -> u32 {
        self.preferred
    }

    /// The most that one request may carry, in bytes.
    pub fn most_payload(&self) -> u32 {
        self.most
    }

    /// The metadata contexts that were agreed on.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().map(|(_, name)| name.as_str())
    }

    pub(crate) fn can(&self, ability: Ability) -> bool {
        let bit = match ability {
            Ability::Flush => 2,
            Ability::Trim => 5,
            Ability::WriteZeroes => 6,
            Ability::DontFragment => 7,
        };
        self.flags & (1 << bit) != 0
    }

    pub(crate) fn needs(&self, ability: Ability) -> Result<(), NbdError> {
        if self.can(ability) {
            return Ok(());
        }
        Err(NbdError::Lacks(match ability {
            Ability::Flush => "to flush",
            Ability::Trim => "to trim",
            Ability::WriteZeroes => "to write zeroes",
            Ability::DontFragment => "replies in one piece",
        }))
    }

    /// Whether a request fits that carries no data.
    pub(crate) fn check_range(&self, offset: u64, length: u32) -> Result<(), NbdError> {
        let misfit = |why| NbdError::Misfit {
            offset,
            length: u64::from(length),
            why,
        };
        if length == 0 {
            return Err(misfit("it is empty"));
        }
        let end = offset.checked_add(u64::from(length));
        let Some(end) = end.filter(|end| *end <= self.size) else {
            return Err(misfit("it reaches beyond the end"));
        };
        let least = u64::from(self.least);
        if !offset.is_multiple_of(least) || !(end.is_multiple_of(least) || end == self.size) {
            return Err(misfit("it is not aligned to the server's blocks"));
        }
        Ok(())
    }

    /// Whether a request fits that carries data one way or the other.
    pub(crate) fn check_payload(&self, offset: u64, length: u32) -> Result<(), NbdError> {
        self.check_range(offset, length)?;
        if length > self.most {
            return Err(NbdError::Misfit {
                offset,
                length: u64::from(length),
                why: "it is longer than the server takes",
            });
        }
        Ok(())
    }
}
