//! Copies that need not look at the target: all of a disk, or what changed.

use std::pin::pin;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::Transfer;
use super::dirty::Dirty;
use super::error::{Side, TransferError};
use super::map::Map;
use super::options::{Copied, TargetState};
use crate::nbd::{Ability, Content, NbdError};

/// How many bytes one request zeroes: enough that there are few, little enough that progress is seen.
const ZERO_AT_ONCE: u64 = 64 << 20;

/// A part of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub offset: u64,
    pub length: u64,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is known to be data.
    Data,
    /// It changed, to data or to zeroes.
    Either,
    /// It is known to be zeroes.
    Zeroes,
}

impl Transfer<'_> {
    /// Copies everything. Zeroes are not sent, and not written where the target is fresh. A source with the
    /// context `base:allocation` is read only where it holds data.
    ///
    /// # Errors
    /// When one side fails: the target is half-written then.
    pub async fn full(&self) -> Result<Copied, TransferError> {
        self.check_target()?;
        self.begin(self.size());
        let map = Map::new(self.source, Side::Source);
        let pieces = stream::try_unfold((map, 0), |(mut map, at)| async move {
            let next = self.next_extent(&mut map, at).await?;
            Ok::<_, TransferError>(next.map(|(piece, end)| (piece, (map, end))))
        });
        // Boxed, as others below, because the compiler cannot tell else that a copy may change threads.
        let pieces = pieces.map_ok(|piece| self.split(piece)).try_flatten();
        self.run(pieces.boxed()).await
    }

    /// Copies what changed, whatever the target holds there.
    ///
    /// # Errors
    /// When one side fails, or the changes are those of a larger disk.
    pub async fn delta(&self, dirty: &Dirty) -> Result<Copied, TransferError> {
        self.check_target()?;
        let end = dirty.stretches().last().map_or(0, |last| last.end);
        if end > self.size() {
            return Err(TransferError::Beyond {
                end,
                size: self.size(),
            });
        }
        let dirty = dirty.aligned(self.grain, self.size());
        self.begin(dirty.bytes());
        let pieces: Vec<Piece> = dirty
            .stretches()
            .iter()
            .map(|stretch| Piece {
                offset: stretch.start,
                length: stretch.end - stretch.start,
                what: What::Either,
            })
            .collect();
        let pieces = stream::iter(pieces).flat_map(|piece| self.split(piece));
        self.run(pieces.boxed()).await
    }

    /// Better at the beginning than after hours.
    pub(super) fn check_target(&self) -> Result<(), TransferError> {
        let export = self.target.export();
        let failed = if export.read_only() {
            Some(NbdError::ReadOnly)
        } else {
            export.needs(Ability::Flush).err()
        };
        failed.map_or(Ok(()), |error| Err(TransferError::at(Side::Target)(error)))
    }

    /// What begins at `at`. Data reach to the end of their last block, zeroes to the beginning of theirs, so
    /// that nothing is written as zeroes that is none.
    async fn next_extent(
        &self,
        map: &mut Map<'_>,
        at: u64,
    ) -> Result<Option<(Piece, u64)>, TransferError> {
        let size = self.size();
        let mut seen = at;
        while seen < size {
            let (end, zero) = map.from(seen).await?;
            let reach = match zero {
                _ if end >= size => size,
                true => end - end % self.grain,
                false => end.next_multiple_of(self.grain).min(size),
            };
            if reach > at {
                let piece = Piece {
                    offset: at,
                    length: reach - at,
                    what: if zero { What::Zeroes } else { What::Data },
                };
                return Ok(Some((piece, reach)));
            }
            seen = end;
        }
        Ok(None)
    }

    /// Parts that fit a request and end where requests end, counted from the beginning of the disk.
    pub(super) fn split(
        &self,
        piece: Piece,
    ) -> impl Stream<Item = Result<Piece, TransferError>> + use<> {
        let step = match piece.what {
            What::Zeroes => ZERO_AT_ONCE,
            What::Data | What::Either => u64::from(self.options.request),
        };
        let end = piece.offset + piece.length;
        let mut at = piece.offset;
        let parts = std::iter::from_fn(move || {
            let offset = at;
            at = end.min((offset / step + 1) * step);
            (offset < end).then_some(Ok(Piece {
                offset,
                length: at - offset,
                what: piece.what,
            }))
        });
        stream::iter(parts)
    }

    async fn run(
        &self,
        pieces: impl Stream<Item = Result<Piece, TransferError>>,
    ) -> Result<Copied, TransferError> {
        let done = pieces
            .map_ok(|piece| self.piece(piece))
            .try_buffer_unordered(self.options.in_flight);
        let copied = self.add_up(done).await?;
        self.settle(copied).await
    }

    /// What all pieces came to.
    pub(super) async fn add_up(
        &self,
        done: impl Stream<Item = Result<(u64, Copied), TransferError>>,
    ) -> Result<Copied, TransferError> {
        let mut done = pin!(done);
        let mut copied = Copied::default();
        while let Some((length, part)) = done.try_next().await? {
            copied += part;
            self.advance(length);
        }
        Ok(copied)
    }

    async fn piece(&self, piece: Piece) -> Result<(u64, Copied), TransferError> {
        let mut copied = Copied::default();
        if piece.what == What::Zeroes {
            self.zero(piece.offset, piece.length, &mut copied).await?;
            return Ok((piece.length, copied));
        }
        self.throttle.turn(piece.length).await;
        let content = self
            .fetch(piece)
            .await
            .map_err(TransferError::at(Side::Source))?;
        copied.read = piece.length;
        match content {
            Content::Data(data) if !is_zero(&data) => {
                let data = data.freeze();
                self.put(piece.offset, data.clone(), &mut copied).await?;
                self.pool.recover(data);
            }
            zeroes => {
                if let Content::Data(buffer) = zeroes {
                    self.pool.give_back(buffer);
                }
                let (offset, length) = (piece.offset, piece.length);
                match piece.what {
                    // There was something else before.
                    What::Either => self.overwrite(offset, length, &mut copied).await?,
                    _ => self.zero(offset, length, &mut copied).await?,
                }
            }
        }
        Ok((piece.length, copied))
    }

    async fn fetch(&self, piece: Piece) -> Result<Content, NbdError> {
        let length = u32::try_from(piece.length).unwrap_or(u32::MAX);
        let buffer = self.pool.take();
        if piece.what == What::Data {
            self.source.read_data(piece.offset, length, buffer).await
        } else {
            self.source.read_into(piece.offset, length, buffer).await
        }
    }

    pub(super) async fn put(
        &self,
        offset: u64,
        data: Bytes,
        copied: &mut Copied,
    ) -> Result<(), TransferError> {
        copied.written += data.len() as u64;
        let written = self.target.write(offset, data).await;
        written.map_err(TransferError::at(Side::Target))
    }

    /// The target reads as zeroes there afterwards.
    async fn zero(
        &self,
        offset: u64,
        length: u64,
        copied: &mut Copied,
    ) -> Result<(), TransferError> {
        if self.options.target == TargetState::Fresh {
            return Ok(());
        }
        self.overwrite(offset, length, copied).await
    }

    /// As [`zero`](Self::zero), whatever is said of the target: it was looked at.
    pub(super) async fn overwrite(
        &self,
        offset: u64,
        length: u64,
        copied: &mut Copied,
    ) -> Result<(), TransferError> {
        let export = self.target.export();
        if !export.can(Ability::WriteZeroes) {
            return self.zero_by_data(offset, length, copied).await;
        }
        let short = u32::try_from(length).unwrap_or(u32::MAX);
        let zeroed = self.target.write_zeroes(offset, short, self.options.zeroes);
        zeroed.await.map_err(TransferError::at(Side::Target))?;
        copied.zeroed += length;
        Ok(())
    }

    async fn zero_by_data(
        &self,
        offset: u64,
        length: u64,
        copied: &mut Copied,
    ) -> Result<(), TransferError> {
        let mut at = offset;
        while at < offset + length {
            let step = (offset + length - at).min(u64::from(self.options.request));
            let mut buffer = self.pool.take();
            buffer.resize(usize::try_from(step).unwrap_or(0), 0);
            let data = buffer.freeze();
            self.put(at, data.clone(), copied).await?;
            self.pool.recover(data);
            at += step;
        }
        Ok(())
    }

    /// A copy is one when it survives the loss of power.
    pub(super) async fn settle(&self, copied: Copied) -> Result<Copied, TransferError> {
        let flushed = self.target.flush().await;
        flushed.map_err(TransferError::at(Side::Target))?;
        Ok(copied)
    }
}

/// Data are told from zeroes by their first bytes, nearly always.
pub(super) fn is_zero(data: &[u8]) -> bool {
    let (ends, middle) = data.as_chunks::<64>();
    ends.iter().all(|chunk| *chunk == [0; 64]) && middle.iter().all(|byte| *byte == 0)
}
