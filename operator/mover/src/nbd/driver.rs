//! What moves the bytes of one connection: requests out, replies in, each reply to whoever waits for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadHalf,
};
use tokio::sync::mpsc;

use super::address::Stream;
use super::error::{Errno, NbdError};
use super::export::Export;
use super::pending::{DATA_HEAD, Pending};
use super::wire::{ChunkHead, ChunkKind, Command, Head, LONGEST_HEAD, Request};

/// Enough for the heads of replies; data pass it by.
const READ_AHEAD: usize = 4 << 10;

/// A request on its way out.
pub(crate) struct Outgoing {
    pub request: Request,
    pub payload: Bytes,
}

/// What those who ask and the connection have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    table: Mutex<Table>,
    /// How often something moved, either way.
    moves: AtomicU64,
    /// Those that were agreed on.
    contexts: Vec<(u32, String)>,
    structured: bool,
}

#[derive(Debug, Default)]
struct Table {
    pending: HashMap<u64, Pending>,
    last_cookie: u64,
    lost: Option<Arc<NbdError>>,
}

impl Shared {
    pub fn new(export: &Export) -> Self {
        Self {
            table: Mutex::default(),
            moves: AtomicU64::new(0),
            contexts: export.contexts.clone(),
            structured: export.structured,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on a reply is expected; under this cookie.
    pub fn register(&self, pending: Pending) -> Result<u64, NbdError> {
        let mut table = self.table();
        if let Some(cause) = &table.lost {
            return Err(NbdError::Lost(Arc::clone(cause)));
        }
        table.last_cookie += 1;
        let cookie = table.last_cookie;
        table.pending.insert(cookie, pending);
        Ok(cookie)
    }

    /// Why nothing works any more.
    pub fn cause(&self) -> NbdError {
        match &self.table().lost {
            Some(cause) => NbdError::Lost(Arc::clone(cause)),
            None => NbdError::Closed,
        }
    }

    fn lose(&self, cause: NbdError) {
        let cause = Arc::new(cause);
        let mut table = self.table();
        table.lost = Some(Arc::clone(&cause));
        let waiting = std::mem::take(&mut table.pending);
        drop(table);
        for pending in waiting.into_values() {
            pending.lose(NbdError::Lost(Arc::clone(&cause)));
        }
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    fn with<T>(
        &self,
        cookie: u64,
        act: impl FnOnce(&mut Pending) -> Result<T, NbdError>,
    ) -> Result<T, NbdError> {
        let mut table = self.table();
        let unasked = NbdError::Violation("a reply that nobody waits for");
        act(table.pending.get_mut(&cookie).ok_or(unasked)?)
    }

    fn finish(&self, cookie: u64) -> Result<(), NbdError> {
        let pending = self.table().pending.remove(&cookie);
        match pending {
            Some(pending) => pending.finish(self.contexts.len()),
            None => Err(NbdError::Violation("a reply that nobody waits for")),
        }
    }
}

/// Runs until the connection ends, by whoever's doing; then nobody waits any more.
pub(crate) async fn drive(
    stream: Box<dyn Stream>,
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<Outgoing>,
    patience: Duration,
) {
    let (reader, writer) = tokio::io::split(stream);
    let reader = Reader {
        stream: BufReader::with_capacity(READ_AHEAD, reader),
        shared: &shared,
    };
    let ended = tokio::select! {
        ended = reader.run() => ended,
        ended = write(writer, &mut queue, &shared, patience) => ended,
        ended = watch(&shared, patience) => ended,
    };
    let Err(cause) = ended;
    shared.lose(cause);
}

/// Sends what is asked for. When nobody can ask any more it takes leave, and gives the server time to finish
/// what it was asked and nobody waited for: only then is nothing written any more.
async fn write(
    mut stream: impl AsyncWrite + Unpin,
    queue: &mut mpsc::Receiver<Outgoing>,
    shared: &Shared,
    patience: Duration,
) -> Result<Infallible, NbdError> {
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(outgoing) = next {
            let sent = send(&mut stream, &outgoing.request, outgoing.payload).await;
            sent.map_err(NbdError::io("sending a request"))?;
            shared.moved();
            next = queue.try_recv().ok();
        }
        let sent = stream.flush().await;
        sent.map_err(NbdError::io("sending a request"))?;
    }
    let leave = Request {
        command: Command::Disconnect,
        flags: 0,
        cookie: 0,
        offset: 0,
        length: 0,
    };
    let sent = send(&mut stream, &leave, Bytes::new()).await;
    sent.map_err(NbdError::io("taking leave"))?;
    // A stream with TLS tells that it ends, not that it was cut.
    let ended = stream.shutdown().await;
    ended.map_err(NbdError::io("taking leave"))?;
    tokio::time::sleep(patience).await;
    Err(NbdError::Closed)
}

async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    request: &Request,
    payload: Bytes,
) -> std::io::Result<()> {
    let head = request.bytes();
    if payload.is_empty() {
        return stream.write_all(&head).await;
    }
    stream
        .write_all_buf(&mut Buf::chain(head.as_slice(), payload))
        .await
}

/// Ends when somebody waits and for so long nothing moved.
async fn watch(shared: &Shared, patience: Duration) -> Result<Infallible, NbdError> {
    loop {
        let before = shared.moves.load(Ordering::Relaxed);
        let waited = !shared.table().pending.is_empty();
        tokio::time::sleep(patience).await;
        // Nothing was answered, so who waited then waits still.
        if waited && shared.moves.load(Ordering::Relaxed) == before {
            return Err(NbdError::Silent(patience));
        }
    }
}

struct Reader<'a> {
    stream: BufReader<ReadHalf<Box<dyn Stream>>>,
    shared: &'a Shared,
}

impl Reader<'_> {
    async fn run(mut self) -> Result<Infallible, NbdError> {
        loop {
            match self.head().await? {
                Head::Simple { error, cookie } => self.simple(error, cookie).await?,
                Head::Chunk(chunk) => self.chunk(chunk).await?,
            }
        }
    }

    async fn head(&mut self) -> Result<Head, NbdError> {
        let magic = self.stream.read_u32().await;
        let magic = magic.map_err(NbdError::io("waiting for a reply"))?;
        let mut head = [0; LONGEST_HEAD];
        let head = &mut head[..Head::length(magic)?];
        self.exactly(head).await?;
        self.shared.moved();
        Head::parse(magic, head)
    }

    async fn simple(&mut self, error: u32, cookie: u64) -> Result<(), NbdError> {
        let (command, length) = self.shared.with(cookie, |pending| {
            if error != 0 {
                pending.fails(Errno::of(error), String::new());
            }
            Ok((pending.command, pending.length))
        })?;
        if error == 0 {
            match command {
                Command::Read if !self.shared.structured => {
                    self.data(cookie, 0, length).await?;
                    self.shared.with(cookie, |pending| {
                        pending.whole();
                        Ok(())
                    })?;
                }
                Command::Read | Command::BlockStatus => {
                    return Err(NbdError::Violation("a simple reply to such a request"));
                }
                _ => {}
            }
        }
        self.shared.finish(cookie)
    }

    async fn chunk(&mut self, chunk: ChunkHead) -> Result<(), NbdError> {
        if !self.shared.structured {
            return Err(NbdError::Violation("a structured reply was not agreed on"));
        }
        let cookie = chunk.cookie;
        self.shared.with(cookie, |pending| pending.check(&chunk))?;
        match chunk.kind {
            ChunkKind::Nothing => {}
            ChunkKind::Data => {
                let at = self.stream.read_u64().await;
                let at = at.map_err(NbdError::io("reading a reply"))?;
                let length = chunk.length - DATA_HEAD;
                let place = |pending: &mut Pending| pending.place(at, length);
                let start = self.shared.with(cookie, place)?;
                self.data(cookie, start, length).await?;
            }
            kind => {
                let mut bytes = vec![0; chunk.length as usize];
                self.exactly(&mut bytes).await?;
                self.shared.with(cookie, |pending| match kind {
                    ChunkKind::Hole => pending.hole(&bytes),
                    ChunkKind::Status => pending.status(&bytes, &self.shared.contexts),
                    _ => pending.error(kind, &bytes),
                })?;
            }
        }
        if chunk.done {
            self.shared.finish(cookie)?;
        }
        Ok(())
    }

    /// Reads into the buffer of a request, which is taken out of the table meanwhile.
    async fn data(&mut self, cookie: u64, start: usize, length: u32) -> Result<(), NbdError> {
        let take = |pending: &mut Pending| Ok(std::mem::take(&mut pending.buffer));
        let mut buffer = self.shared.with(cookie, take)?;
        let end = start + length as usize;
        if start < buffer.len() {
            self.exactly(&mut buffer[start..end]).await?;
        } else {
            buffer.resize(start, 0);
            self.append(&mut buffer, end).await?;
        }
        self.shared.with(cookie, |pending| {
            pending.buffer = buffer;
            Ok(())
        })
    }

    /// Reads behind what is there, without writing zeroes first.
    async fn append(&mut self, buffer: &mut BytesMut, end: usize) -> Result<(), NbdError> {
        while buffer.len() < end {
            let left = end - buffer.len();
            let read = self.stream.read_buf(&mut (&mut *buffer).limit(left)).await;
            if read.map_err(NbdError::io("reading a reply"))? == 0 {
                return Err(NbdError::io("reading a reply")(
                    std::io::ErrorKind::UnexpectedEof.into(),
                ));
            }
            self.shared.moved();
        }
        Ok(())
    }

    async fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), NbdError> {
        let read = read_exact(&mut self.stream, bytes).await;
        read.map_err(NbdError::io("reading a reply"))
    }
}

async fn read_exact(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut [u8],
) -> std::io::Result<()> {
    stream.read_exact(bytes).await.map(drop)
}
