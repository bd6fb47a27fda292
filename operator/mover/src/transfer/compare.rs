//! Copies that look at both sides, and write only what differs.
//!
//! It is a ladder: what both sides know to be zeroes is not read; what one side knows to be is read from the
//! other only; the rest is read from both and compared, first whole, then block by block. The bytes themselves
//! are compared, because both are here: no checksum could be as sure.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::Transfer;
use super::copy::is_zero;
use super::error::{Side, TransferError};
use super::map::Map;
use super::options::Copied;
use crate::nbd::{Client, Content, NbdError};

/// What is written at least where a byte differs, in bytes: a cluster of most images.
const BLOCK: u64 = 64 << 10;

/// A part of the disk that has to be looked at, or that neither side holds data in.
#[derive(Clone, Copy, Debug)]
struct Part {
    offset: u64,
    length: u64,
    source_zero: bool,
    target_zero: bool,
}

/// Both maps, and how far they were followed.
struct Maps<'a> {
    source: Map<'a>,
    target: Map<'a>,
    at: u64,
}

impl Transfer<'_> {
    /// Makes the target equal to the source by writing what differs (PR-4). With the context
    /// `base:allocation` on both sides what neither holds is not read.
    ///
    /// # Errors
    /// When one side fails: the target is half-written then.
    pub async fn resync(&self) -> Result<Copied, TransferError> {
        self.check_target()?;
        let copied = self.look(true).await?;
        self.settle(copied).await
    }

    /// Finds out how much differs, in blocks, and writes nothing.
    ///
    /// # Errors
    /// When one side fails.
    pub async fn compare(&self) -> Result<Copied, TransferError> {
        self.look(false).await
    }

    async fn look(&self, repair: bool) -> Result<Copied, TransferError> {
        self.begin(self.size());
        let maps = Maps {
            source: Map::new(self.source, Side::Source),
            target: Map::new(self.target, Side::Target),
            at: 0,
        };
        let parts = stream::try_unfold(maps, |mut maps| async move {
            let next = self.next_part(&mut maps).await?;
            Ok::<_, TransferError>(next.map(|part| (part, maps)))
        });
        let done = parts
            .map_ok(|part| self.requests(part))
            .try_flatten()
            .map_ok(|part| self.compare_part(part, repair))
            .try_buffer_unordered(self.options.in_flight);
        self.add_up(done.boxed()).await
    }

    async fn next_part(&self, maps: &mut Maps<'_>) -> Result<Option<Part>, TransferError> {
        let size = self.size();
        let mut seen = maps.at;
        while seen < size {
            let (source_end, source_zero) = maps.source.from(seen).await?;
            let (target_end, target_zero) = maps.target.from(seen).await?;
            let end = source_end.min(target_end);
            let reach = match source_zero && target_zero {
                _ if end >= size => size,
                true => end - end % self.grain,
                false => end.next_multiple_of(self.grain).min(size),
            };
            if reach > maps.at {
                let part = Part {
                    offset: maps.at,
                    length: reach - maps.at,
                    // Only what is known of all of it counts.
                    source_zero: source_zero && source_end >= reach && seen == maps.at,
                    target_zero: target_zero && target_end >= reach && seen == maps.at,
                };
                maps.at = reach;
                return Ok(Some(part));
            }
            seen = end;
        }
        Ok(None)
    }

    fn requests(&self, part: Part) -> impl Stream<Item = Result<Part, TransferError>> + use<> {
        let nothing = part.source_zero && part.target_zero;
        let step = if nothing {
            u64::MAX
        } else {
            u64::from(self.options.request)
        };
        let end = part.offset + part.length;
        let mut at = part.offset;
        stream::iter(std::iter::from_fn(move || {
            let offset = at;
            at = end.min((offset / step + 1).saturating_mul(step));
            let length = at - offset;
            (offset < end).then_some(Ok(Part {
                offset,
                length,
                ..part
            }))
        }))
    }

    async fn compare_part(&self, part: Part, repair: bool) -> Result<(u64, Copied), TransferError> {
        let mut copied = Copied::default();
        if part.source_zero && part.target_zero {
            return Ok((part.length, copied));
        }
        self.throttle.turn(part.length).await;
        let (ours, theirs) = futures::try_join!(
            self.side(Side::Source, part, part.source_zero),
            self.side(Side::Target, part, part.target_zero),
        )?;
        copied.read = if part.source_zero { 0 } else { part.length };
        copied.compared = if part.target_zero { 0 } else { part.length };
        let ours = ours.map(BytesMut::freeze);
        let block = usize::try_from(BLOCK.max(self.grain)).unwrap_or(usize::MAX);
        let length = usize::try_from(part.length).unwrap_or(usize::MAX);
        for run in differing(ours.as_deref(), theirs.as_deref(), length, block) {
            let (at, long) = (part.offset + run.start as u64, run.len() as u64);
            copied.differing += long;
            if !repair {
                continue;
            }
            match ours.as_ref().map(|ours| ours.slice(run)) {
                Some(data) if !is_zero(&data) => self.put(at, data, &mut copied).await?,
                _ => self.overwrite(at, long, &mut copied).await?,
            }
        }
        self.keep(ours, theirs);
        Ok((part.length, copied))
    }

    /// What one side holds; nothing where that is zeroes.
    async fn side(
        &self,
        side: Side,
        part: Part,
        zero: bool,
    ) -> Result<Option<BytesMut>, TransferError> {
        if zero {
            return Ok(None);
        }
        let client = self.client(side);
        let content = read(client, part, self.pool.take()).await;
        match content.map_err(TransferError::at(side))? {
            Content::Data(data) => Ok(Some(data)),
            Content::Zeroes => Ok(None),
        }
    }

    fn client(&self, side: Side) -> &Client {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }

    fn keep(&self, ours: Option<Bytes>, theirs: Option<BytesMut>) {
        if let Some(ours) = ours {
            self.pool.recover(ours);
        }
        if let Some(theirs) = theirs {
            self.pool.give_back(theirs);
        }
    }
}

async fn read(client: &Client, part: Part, buffer: BytesMut) -> Result<Content, NbdError> {
    let length = u32::try_from(part.length).unwrap_or(u32::MAX);
    client.read_into(part.offset, length, buffer).await
}

/// Where two sides differ, in whole blocks; neighbours are one. Nothing stands for zeroes.
fn differing(
    ours: Option<&[u8]>,
    theirs: Option<&[u8]>,
    length: usize,
    block: usize,
) -> Vec<std::ops::Range<usize>> {
    let equal = |from: usize, to: usize| match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours.get(from..to) == theirs.get(from..to),
        (Some(one), None) | (None, Some(one)) => one.get(from..to).is_some_and(is_zero),
        (None, None) => true,
    };
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    if equal(0, length) {
        return runs;
    }
    for from in (0..length).step_by(block) {
        let to = length.min(from + block);
        if equal(from, to) {
            continue;
        }
        match runs.last_mut() {
            Some(last) if last.end == from => last.end = to,
            _ => runs.push(from..to),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    // SPEC: PR-4
    #[test]
    fn only_blocks_that_differ_are_written() {
        let ours = [1_u8; 1000];
        let mut theirs = ours;
        theirs[150] = 0;
        theirs[250] = 0;
        theirs[999] = 0;
        let runs = differing(Some(&ours), Some(&theirs), 1000, 100);
        assert_eq!(runs, [100..300, 900..1000]);
        assert_eq!(
            differing(Some(&ours), Some(&ours), 1000, 100),
            Vec::<Range<usize>>::new()
        );
    }

    #[test]
    fn zeroes_that_were_not_read_are_zeroes() {
        let mut one = [0_u8; 1000];
        one[500] = 7;
        assert_eq!(differing(Some(&one), None, 1000, 64), vec![448..512]);
        assert_eq!(differing(None, Some(&one), 1000, 64), vec![448..512]);
        assert_eq!(differing(None, None, 1000, 64), Vec::<Range<usize>>::new());
    }
}
