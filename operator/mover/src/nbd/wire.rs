//! The bytes of the transmission phase: requests, and the heads of replies.
//!
//! Nothing here waits or keeps anything; what comes from a server is taken apart and judged.
//!
//! Source: the NBD protocol, `doc/proto.md` of the `NetworkBlockDevice` project.

use super::error::{Errno, NbdError};

/// The length of a request without its data.
pub(crate) const REQUEST: usize = 28;
/// The longest head of a reply behind its magic.
pub(crate) const LONGEST_HEAD: usize = 16;

const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_MAGIC: u32 = 0x6744_6698;
const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// The flag of a chunk that ends a reply.
const DONE: u16 = 1;

/// A write of zeroes that allocates.
pub(crate) const FLAG_NO_HOLE: u16 = 1 << 1;
/// A read that is answered in one piece.
pub(crate) const FLAG_DONT_FRAGMENT: u16 = 1 << 2;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Read,
    Write,
    Disconnect,
    Flush,
    Trim,
    WriteZeroes,
    BlockStatus,
}

impl Command {
    fn number(self) -> u16 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Disconnect => 2,
            Self::Flush => 3,
            Self::Trim => 4,
            Self::WriteZeroes => 6,
            Self::BlockStatus => 7,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Disconnect => "disconnect",
            Self::Flush => "flush",
            Self::Trim => "trim",
            Self::WriteZeroes => "zero",
            Self::BlockStatus => "tell the status of",
        }
    }
}

/// A request without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub command: Command,
    pub flags: u16,
    pub cookie: u64,
    pub offset: u64,
    pub length: u32,
}

impl Request {
    pub fn bytes(&self) -> [u8; REQUEST] {
        let mut bytes = [0; REQUEST];
        bytes[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.command.number().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_be_bytes());
        bytes[24..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

/// How a reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Simple { error: u32, cookie: u64 },
    Chunk(ChunkHead),
}

/// How a chunk of a structured reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHead {
    pub done: bool,
    pub kind: ChunkKind,
    pub cookie: u64,
    pub length: u32,
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkKind {
    Nothing,
    Data,
    Hole,
    Status,
    Error,
    /// An error, and where it happened.
    ErrorAt,
}

impl Head {
    /// How many bytes of the head follow this magic.
    pub fn length(magic: u32) -> Result<usize, NbdError> {
        match magic {
            SIMPLE_MAGIC => Ok(12),
            CHUNK_MAGIC => Ok(LONGEST_HEAD),
            _ => Err(NbdError::Violation("a reply begins with a wrong magic")),
        }
    }

    pub fn parse(magic: u32, bytes: &[u8]) -> Result<Self, NbdError> {
        let mut rest = Fields(bytes);
        match magic {
            SIMPLE_MAGIC => Ok(Self::Simple {
                error: rest.u32()?,
                cookie: rest.u64()?,
            }),
            CHUNK_MAGIC => {
                let flags = rest.u16()?;
                if flags & !DONE != 0 {
                    return Err(NbdError::Violation("a chunk has unknown flags"));
                }
                Ok(Self::Chunk(ChunkHead {
                    done: flags & DONE != 0,
                    kind: ChunkKind::of(rest.u16()?)?,
                    cookie: rest.u64()?,
                    length: rest.u32()?,
                }))
            }
            _ => Err(NbdError::Violation("a reply begins with a wrong magic")),
        }
    }
}

impl ChunkKind {
    fn of(number: u16) -> Result<Self, NbdError> {
        match number {
            0 => Ok(Self::Nothing),
            1 => Ok(Self::Data),
            2 => Ok(Self::Hole),
            5 => Ok(Self::Status),
            0x8002 => Ok(Self::ErrorAt),
            // The protocol has clients take unknown errors as errors.
            error if error & 0x8000 != 0 => Ok(Self::Error),
            _ => Err(NbdError::Violation("a chunk is of an unknown kind")),
        }
    }
}

/// What an error chunk says.
pub(crate) fn error_chunk(kind: ChunkKind, bytes: &[u8]) -> Result<(Errno, String), NbdError> {
    let mut rest = Fields(bytes);
    let number = rest.u32()?;
    let length = usize::from(rest.u16()?);
    if number == 0 {
        return Err(NbdError::Violation("an error chunk without an error"));
    }
    let message = rest.take(length)?;
    if kind == ChunkKind::ErrorAt {
        rest.u64()?;
    }
    Ok((Errno::of(number), printable(message)))
}

/// Text of a server, fit to be shown: it ends up in logs and conditions.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(300).map(clean).collect()
}

/// Numbers, one after the other.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], NbdError> {
        let too_short = NbdError::Violation("a message is shorter than what it must hold");
        let (taken, rest) = self.0.split_at_checked(length).ok_or(too_short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NbdError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u16(&mut self) -> Result<u16, NbdError> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, NbdError> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, NbdError> {
        self.array().map(u64::from_be_bytes)
    }
}
