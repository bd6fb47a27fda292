//! Where an export holds data, and where zeroes: found out as it is needed.

use std::collections::VecDeque;

use super::error::{Side, TransferError};
use crate::nbd::{Client, Extent};

/// The context that tells data from zeroes.
pub(super) const ALLOCATION: &str = "base:allocation";
/// Its flag for what reads as zeroes. That a hole is one is not enough: below it may be other images.
const ZERO: u32 = 1 << 1;
/// How much is asked about at once, in bytes; a server may answer for less.
const WINDOW: u64 = 1 << 30;

/// Walks through one context of an export, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    client: &'a Client,
    context: &'a str,
    /// What was heard of and not yet used; it begins at `at`.
    heard: VecDeque<Extent>,
    at: u64,
}

impl<'a> Walk<'a> {
    pub fn new(client: &'a Client, context: &'a str) -> Self {
        Self {
            client,
            context,
            heard: VecDeque::new(),
            at: 0,
        }
    }

    /// Where the next extent ends, and its flags.
    pub async fn next(&mut self) -> Result<Option<(u64, u32)>, crate::nbd::NbdError> {
        let size = self.client.export().size();
        if self.heard.is_empty() && self.at < size {
            self.ask(size).await?;
        }
        Ok(self.heard.pop_front().map(|extent| {
            self.at += u64::from(extent.length);
            (self.at, extent.flags)
        }))
    }

    async fn ask(&mut self, size: u64) -> Result<(), crate::nbd::NbdError> {
        // An answer may end within a block, a question may not begin there.
        let least = u64::from(self.client.export().least_block());
        let from = self.at - self.at % least;
        let length = u32::try_from((size - from).min(WINDOW)).unwrap_or(u32::MAX);
        let mut status = self.client.block_status(from, length).await?;
        status.retain(|status| status.context == self.context);
        let missing = || crate::nbd::NbdError::NoContext(self.context.to_owned());
        self.heard = status.pop().ok_or_else(missing)?.extents.into();
        let mut known = self.at - from;
        while let Some(first) = self.heard.front_mut() {
            let dropped = known.min(u64::from(first.length));
            known -= dropped;
            first.length -= u32::try_from(dropped).unwrap_or(first.length);
            if first.length > 0 {
                return Ok(());
            }
            self.heard.pop_front();
        }
        Err(crate::nbd::NbdError::Violation(
            "the status of blocks does not advance",
        ))
    }
}

/// Data or zeroes, from where one is to the end of what is alike.
#[derive(Debug)]
pub(super) struct Map<'a> {
    side: Side,
    size: u64,
    /// Unset where the server does not tell: then everything may be data.
    walk: Option<Walk<'a>>,
    /// Where the current extent ends, and whether it is zeroes.
    current: (u64, bool),
}

impl<'a> Map<'a> {
    pub fn new(client: &'a Client, side: Side) -> Self {
        let told = client.export().contexts().any(|name| name == ALLOCATION);
        Self {
            side,
            size: client.export().size(),
            walk: told.then(|| Walk::new(client, ALLOCATION)),
            current: (0, false),
        }
    }

    /// Where what begins at `at` ends, and whether it is zeroes. `at` never goes back.
    pub async fn from(&mut self, at: u64) -> Result<(u64, bool), TransferError> {
        let Some(walk) = &mut self.walk else {
            return Ok((self.size, false));
        };
        while self.current.0 <= at {
            match walk.next().await.map_err(TransferError::at(self.side))? {
                Some((end, flags)) => self.current = (end, flags & ZERO != 0),
                None => return Ok((self.size, false)),
            }
        }
        Ok(self.current)
    }
}
