//! Streams that are compressed in one direction: what was lent, on its way to who borrowed it.
//!
//! Whatever one side has to say is flushed at once, so that nobody waits for bytes that lie in a compressor.
//! The other direction, requests for blocks, is a few bytes, and stays as it is.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What both sides call it, as HTTP does: deflate in the form of zlib.
pub const DEFLATE: &str = "deflate";

/// What is compressed at once, at most.
const PIECE: usize = 256 << 10;
/// What is taken apart at once, at most: buffers of callers are large and not always filled.
const MORSEL: usize = 64 << 10;

/// Compresses what is read from a stream; what is written to it passes as it is.
pub struct Deflate<S> {
    stream: S,
    compressor: Option<Box<Compressor>>,
}

struct Compressor {
    deflate: Compress,
    plain: Box<[u8]>,
    squeezed: Vec<u8>,
    /// How much of that was taken.
    taken: usize,
    ended: bool,
}

impl<S> Deflate<S> {
    /// Compresses, or passes everything as it is.
    pub fn new(stream: S, compressed: bool) -> Self {
        let compressor = || {
            Box::new(Compressor {
                // Links are slow where compression is of use, and processors busy.
                deflate: Compress::new(Compression::fast(), true),
                plain: vec![0; PIECE].into(),
                squeezed: Vec::new(),
                taken: 0,
                ended: false,
            })
        };
        Self {
            stream,
            compressor: compressed.then(compressor),
        }
    }
}

impl Compressor {
    fn squeeze(&mut self, length: usize) -> io::Result<()> {
        self.squeezed.clear();
        self.taken = 0;
        self.ended = length == 0;
        let flush = if self.ended {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let before = self.deflate.total_in();
        loop {
            self.squeezed.reserve(MORSEL);
            let done = usize::try_from(self.deflate.total_in() - before).unwrap_or(length);
            let rest = self.plain.get(done..length).unwrap_or_default();
            let status = self.deflate.compress_vec(rest, &mut self.squeezed, flush);
            let ended = status.map_err(io::Error::other)? == Status::StreamEnd;
            // Where there is room left nothing more comes.
            if ended || self.squeezed.len() < self.squeezed.capacity() {
                return Ok(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflate<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(compressor) = &mut this.compressor else {
            return Pin::new(&mut this.stream).poll_read(context, into);
        };
        while compressor.taken == compressor.squeezed.len() && !compressor.ended {
            let mut plain = ReadBuf::new(&mut compressor.plain);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut plain))?;
            let length = plain.filled().len();
            compressor.squeeze(length)?;
        }
        let rest = compressor.squeezed.get(compressor.taken..);
        let rest = rest.unwrap_or_default();
        let length = rest.len().min(into.remaining());
        into.put_slice(rest.get(..length).unwrap_or_default());
        compressor.taken += length;
        Poll::Ready(Ok(()))
    }
}

/// What came over a stream, in bytes.
#[derive(Debug, Default)]
pub struct Traffic {
    travelled: AtomicU64,
    meant: AtomicU64,
}

impl Traffic {
    /// What travelled.
    pub fn travelled(&self) -> u64 {
        self.travelled.load(Ordering::Relaxed)
    }

    /// What that was before it was compressed.
    pub fn meant(&self) -> u64 {
        self.meant.load(Ordering::Relaxed)
    }
}

/// Takes apart what [`Deflate`] compressed, and counts.
pub struct Inflate<S> {
    stream: S,
    decompressor: Option<Box<Decompressor>>,
    traffic: Arc<Traffic>,
}

struct Decompressor {
    inflate: Decompress,
    squeezed: Box<[u8]>,
    /// What of that was read, and not yet taken apart.
    rest: std::ops::Range<usize>,
    ended: bool,
}

impl<S> Inflate<S> {
    /// Takes apart, or passes everything as it is.
    pub fn new(stream: S, compressed: bool) -> Self {
        let decompressor = || {
            Box::new(Decompressor {
                inflate: Decompress::new(true),
                squeezed: vec![0; MORSEL].into(),
                rest: 0..0,
                ended: false,
            })
        };
        Self {
            stream,
            decompressor: compressed.then(decompressor),
            traffic: Arc::default(),
        }
    }

    /// What comes over it, counted as it comes.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }
}

impl Decompressor {
    /// Takes apart what is there; what came out.
    fn take_apart(&mut self, into: &mut ReadBuf<'_>) -> io::Result<usize> {
        let room = into.remaining().min(MORSEL);
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let rest = self.squeezed.get(self.rest.clone()).unwrap_or_default();
        let plain = into.initialize_unfilled_to(room);
        let status = self.inflate.decompress(rest, plain, FlushDecompress::None);
        let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.ended = status == Status::StreamEnd;
        let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(0);
        self.rest.start += count(self.inflate.total_in(), before_in);
        let came = count(self.inflate.total_out(), before_out);
        into.advance(came);
        Ok(came)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Inflate<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (stream, traffic) = (Pin::new(&mut this.stream), &this.traffic);
        let Some(decompressor) = &mut this.decompressor else {
            let before = into.filled().len();
            ready!(stream.poll_read(context, into))?;
            let came = (into.filled().len() - before) as u64;
            traffic.travelled.fetch_add(came, Ordering::Relaxed);
            traffic.meant.fetch_add(came, Ordering::Relaxed);
            return Poll::Ready(Ok(()));
        };
        let mut stream = stream;
        loop {
            if into.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let came = decompressor.take_apart(into)?;
            traffic.meant.fetch_add(came as u64, Ordering::Relaxed);
            if came > 0 || decompressor.ended {
                return Poll::Ready(Ok(()));
            }
            let mut squeezed = ReadBuf::new(&mut decompressor.squeezed);
            ready!(stream.as_mut().poll_read(context, &mut squeezed))?;
            let length = squeezed.filled().len();
            decompressor.rest = 0..length;
            traffic
                .travelled
                .fetch_add(length as u64, Ordering::Relaxed);
            if length == 0 {
                // Cut off: who reads knows how much there should be.
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S> fmt::Debug for Inflate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("traffic", &self.traffic)
            .finish_non_exhaustive()
    }
}

macro_rules! writes_as_it_is {
    ($($half:ident)*) => {$(
        impl<S: AsyncWrite + Unpin> AsyncWrite for $half<S> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream).poll_write(context, bytes)
            }

            fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream).poll_flush(context)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream).poll_shutdown(context)
            }
        }
    )*};
}

writes_as_it_is!(Deflate Inflate);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    /// What arrives of pieces that are said one after the other, over a stream with so much room.
    async fn through(pieces: &[Vec<u8>], room: usize) -> Vec<u8> {
        let (mut says, hears) = duplex(room);
        let (mut near, far) = duplex(room);
        let mut squeezed = Deflate::new(hears, true);
        let mut plain = Inflate::new(far, true);
        let say = async {
            for piece in pieces {
                says.write_all(piece).await.unwrap();
            }
            drop(says);
        };
        let carry = async {
            tokio::io::copy(&mut squeezed, &mut near).await.unwrap();
            drop(near);
        };
        let mut heard = Vec::new();
        let (heard_all, (), ()) = tokio::join!(plain.read_to_end(&mut heard), say, carry);
        heard_all.unwrap();
        heard
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_was_said_arrives(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..8),
            again in 1_usize..40,
            room in 1_usize..9000,
        ) {
            let mut pieces = pieces;
            // Something to compress, and something longer than what is compressed at once.
            if let Some(last) = pieces.last().cloned() {
                pieces.push(last.repeat(again));
            }
            let heard = runtime().block_on(through(&pieces, room));
            prop_assert_eq!(heard, pieces.concat());
        }
    }

    #[tokio::test]
    async fn a_word_arrives_before_the_next_is_said() {
        let (mut says, hears) = duplex(1 << 16);
        let mut squeezed = Deflate::new(hears, true);
        let mut near = Vec::new();
        for word in [&b"first"[..], b"second"] {
            says.write_all(word).await.unwrap();
            near.clear();
            squeezed.read_buf(&mut near).await.unwrap();
            assert!(!near.is_empty());
        }
    }

    #[tokio::test]
    async fn what_travels_is_counted() {
        let zeroes = vec![0; 4 << 20];
        let (mut near, far) = duplex(1 << 20);
        let mut plain = Inflate::new(far, true);
        let traffic = plain.traffic();
        let mut squeezed = Deflate::new(zeroes.as_slice(), true);
        let carry = async {
            tokio::io::copy(&mut squeezed, &mut near).await.unwrap();
            drop(near);
        };
        let mut heard = Vec::new();
        let (all, ()) = tokio::join!(plain.read_to_end(&mut heard), carry);
        all.unwrap();
        assert!(heard == zeroes);
        assert_eq!(traffic.meant(), 4 << 20);
        assert!(traffic.travelled() < 128 << 10, "{traffic:?}");
    }

    #[tokio::test]
    async fn what_is_not_compressed_is_refused() {
        let mut plain = Inflate::new(&b"NBDMAGIC"[..], true);
        let error = plain.read_u64().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
