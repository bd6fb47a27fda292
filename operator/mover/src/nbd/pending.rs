//! Requests that wait for their reply, and what has come of it so far.
//!
//! A reply may come in many chunks, in any order, between the chunks of other replies. Here they are held
//! against the request and put together; the bytes themselves are read elsewhere.

use std::collections::BTreeMap;

use bytes::BytesMut;
use tokio::sync::oneshot;

use super::error::{Errno, NbdError};
use super::wire::{ChunkHead, ChunkKind, Command, Fields, error_chunk};

/// The longest status of blocks that is read, in bytes: a million extents. Servers send much less.
const LONGEST_STATUS: u32 = 8 << 20;
/// The longest error that is read: a message of 4096 bytes, as the protocol limits text.
const LONGEST_ERROR: u32 = 14 + 4096;
/// The length of the head of a data chunk, which is where its data belong.
pub(crate) const DATA_HEAD: u32 = 8;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing but zeroes: the server sent none of them.
    Zeroes,
    /// The bytes, as many as were asked for.
    Data(BytesMut),
}

/// A stretch of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How long it is, in bytes.
    pub length: u32,
    /// What the context says about it.
    pub flags: u32,
}

/// What one metadata context says, from the beginning of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The context.
    pub context: String,
    /// One after the other, at least one, never more than what was asked for; maybe less.
    pub extents: Vec<Extent>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    Content(Content),
    Status(Vec<Status>),
}

/// A request that waits for its reply.
#[derive(Debug)]
pub(crate) struct Pending {
    pub command: Command,
    pub length: u32,
    /// What was read so far; capacity for all of it is there.
    pub buffer: BytesMut,
    offset: u64,
    /// What the chunks covered so far, by where it begins.
    covered: BTreeMap<u32, u32>,
    hole: bool,
    status: Vec<Status>,
    failure: Option<NbdError>,
    answer: oneshot::Sender<Result<Outcome, NbdError>>,
}

impl Pending {
    pub fn new(
        command: Command,
        (offset, length): (u64, u32),
        mut buffer: BytesMut,
    ) -> (Self, oneshot::Receiver<Result<Outcome, NbdError>>) {
        buffer.clear();
        if command == Command::Read {
            buffer.reserve(length as usize);
        }
        let (answer, receiver) = oneshot::channel();
        let pending = Self {
            command,
            length,
            buffer,
            offset,
            covered: BTreeMap::new(),
            hole: false,
            status: Vec::new(),
            failure: None,
            answer,
        };
        (pending, receiver)
    }

    /// Whether a chunk of this kind and length can be part of the reply.
    pub fn check(&self, chunk: &ChunkHead) -> Result<(), NbdError> {
        let length = chunk.length;
        let fits = match chunk.kind {
            ChunkKind::Nothing => length == 0 && chunk.done,
            ChunkKind::Data => {
                self.command == Command::Read
                    && length > DATA_HEAD
                    && length - DATA_HEAD <= self.length
            }
            ChunkKind::Hole => self.command == Command::Read && length == 12,
            ChunkKind::Status => {
                self.command == Command::BlockStatus
                    && (12..=LONGEST_STATUS).contains(&length)
                    && (length - 4).is_multiple_of(8)
            }
            ChunkKind::Error | ChunkKind::ErrorAt => (6..=LONGEST_ERROR).contains(&length),
        };
        if fits {
            return Ok(());
        }
        Err(NbdError::Violation(
            "a chunk does not fit what was asked for",
        ))
    }

    /// Where in the buffer a chunk belongs that covers these bytes, each of which is sent once.
    pub fn place(&mut self, at: u64, length: u32) -> Result<usize, NbdError> {
        let outside = NbdError::Violation("a chunk lies outside of what was asked for");
        let start = at.checked_sub(self.offset).map(u32::try_from);
        let Some(Ok(start)) = start else {
            return Err(outside);
        };
        let end = start.checked_add(length).filter(|end| *end <= self.length);
        let (Some(end), true) = (end, length > 0) else {
            return Err(outside);
        };
        let before = self.covered.range(..end).next_back();
        let before = before.map(|(from, to)| (*from, *to));
        match before {
            Some((_, to)) if to > start => {
                return Err(NbdError::Violation("two chunks cover the same bytes"));
            }
            Some((from, to)) if to == start => self.covered.insert(from, end),
            _ => self.covered.insert(start, end),
        };
        Ok(start as usize)
    }

    /// A chunk that is a hole.
    pub fn hole(&mut self, bytes: &[u8]) -> Result<(), NbdError> {
        let mut rest = Fields(bytes);
        let (at, length) = (rest.u64()?, rest.u32()?);
        let start = self.place(at, length)?;
        if length == self.length {
            self.hole = true;
            return Ok(());
        }
        let end = start + length as usize;
        if start < self.buffer.len() {
            // Later chunks came first, and the gap that they left was filled.
            self.buffer[start..end].fill(0);
        } else {
            self.buffer.resize(end, 0);
        }
        Ok(())
    }

    /// A chunk that says how blocks are. `contexts` are those that were agreed on.
    pub fn status(&mut self, bytes: &[u8], contexts: &[(u32, String)]) -> Result<(), NbdError> {
        let mut rest = Fields(bytes);
        let id = rest.u32()?;
        let Some((_, context)) = contexts.iter().find(|(known, _)| *known == id) else {
            return Err(NbdError::Violation("a status in an unknown context"));
        };
        if self.status.iter().any(|other| other.context == *context) {
            return Err(NbdError::Violation("two statuses in one context"));
        }
        let mut extents = Vec::with_capacity(rest.0.len() / 8);
        let mut left = self.length;
        while !rest.0.is_empty() {
            let (length, flags) = (rest.u32()?, rest.u32()?);
            if length == 0 {
                return Err(NbdError::Violation("an extent without length"));
            }
            // The last one may reach beyond what was asked for.
            let length = length.min(left);
            left -= length;
            if length > 0 {
                extents.push(Extent { length, flags });
            }
        }
        self.status.push(Status {
            context: context.clone(),
            extents,
        });
        Ok(())
    }

    /// A chunk that is an error. The first one counts; more may follow.
    pub fn error(&mut self, kind: ChunkKind, bytes: &[u8]) -> Result<(), NbdError> {
        let (errno, message) = error_chunk(kind, bytes)?;
        self.fails(errno, message);
        Ok(())
    }

    pub fn fails(&mut self, errno: Errno, message: String) {
        let failure = NbdError::Command {
            command: self.command.name(),
            offset: self.offset,
            length: self.length,
            errno,
            message,
        };
        self.failure.get_or_insert(failure);
    }

    /// Everything came by a simple reply.
    pub fn whole(&mut self) {
        self.covered.insert(0, self.length);
    }

    /// The reply is complete. An error is one of the server, not of the request.
    pub fn finish(mut self, contexts: usize) -> Result<(), NbdError> {
        let outcome = match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(self.outcome(contexts)?),
        };
        // Who asked may have stopped listening, which is how requests are cancelled.
        let _ = self.answer.send(outcome);
        Ok(())
    }

    fn outcome(&mut self, contexts: usize) -> Result<Outcome, NbdError> {
        match self.command {
            Command::Read if self.covered.get(&0) != Some(&self.length) => {
                // Chunks that came out of order were not joined as they came.
                let covered: u64 = self.covered.iter().map(|(a, b)| u64::from(b - a)).sum();
                if covered != u64::from(self.length) {
                    return Err(NbdError::Violation("a reply lacks some of the data"));
                }
                Ok(self.content())
            }
            Command::Read => Ok(self.content()),
            Command::BlockStatus if self.status.len() != contexts => {
                Err(NbdError::Violation("a reply lacks a context's status"))
            }
            Command::BlockStatus => Ok(Outcome::Status(std::mem::take(&mut self.status))),
            _ => Ok(Outcome::Done),
        }
    }

    fn content(&mut self) -> Outcome {
        Outcome::Content(if self.hole {
            Content::Zeroes
        } else {
            Content::Data(std::mem::take(&mut self.buffer))
        })
    }

    /// The connection is lost.
    pub fn lose(self, cause: NbdError) {
        let _ = self.answer.send(Err(cause));
    }
}
