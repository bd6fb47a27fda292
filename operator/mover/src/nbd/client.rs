//! One connection to an export.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::address::{Address, Stream};
use super::driver::{self, Outgoing, Shared};
use super::error::NbdError;
use super::export::{Ability, Export};
use super::handshake::{self, Wishes};
use super::pending::{Content, Outcome, Pending, Status};
use super::wire::{Command, FLAG_DONT_FRAGMENT, FLAG_NO_HOLE, Request};

/// How many requests wait to be sent: who asks faster than the server reads is held up.
const QUEUE: usize = 32;

/// One connection to an export; any number of requests at once.
///
/// A request whose future is dropped is not waited for any more, which is not to say that it has no effect.
/// When the client is dropped the server is told that nothing more comes.
#[derive(Debug)]
pub struct Client {
    export: Export,
    shared: Arc<Shared>,
    queue: mpsc::Sender<Outgoing>,
    task: JoinHandle<()>,
}

/// What becomes of the space below zeroes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zeroes {
    /// It may be given back.
    #[default]
    MayUnmap,
    /// It is allocated, so that a later write cannot find the disk full.
    Allocate,
}

impl Client {
    /// Connects to a server and agrees on everything.
    ///
    /// # Errors
    /// When it cannot be reached, lacks what is wished for, or is no NBD server.
    pub async fn connect(address: &Address, wishes: &Wishes) -> Result<Self, NbdError> {
        let (stream, export) = handshake::connect(address, wishes).await?;
        Ok(Self::over(stream, export, wishes))
    }

    /// The same over a stream that somebody else connected, and encrypted where that is needed.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); when TLS is wished for.
    pub async fn enter<S>(stream: S, wishes: &Wishes) -> Result<Self, NbdError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (stream, export) = handshake::enter(Box::new(stream), wishes).await?;
        Ok(Self::over(stream, export, wishes))
    }

    /// The metadata contexts of an export: all, or those that match what the wishes name.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn list_contexts(
        address: &Address,
        wishes: &Wishes,
    ) -> Result<Vec<String>, NbdError> {
        handshake::list(address, wishes).await
    }

    pub(crate) fn over(stream: Box<dyn Stream>, export: Export, wishes: &Wishes) -> Self {
        let shared = Arc::new(Shared::new(&export));
        let (queue, requests) = mpsc::channel(QUEUE);
        let driven = driver::drive(stream, Arc::clone(&shared), requests, wishes.patience);
        Self {
            export,
            shared,
            queue,
            task: tokio::spawn(driven),
        }
    }

    /// What was agreed on.
    pub fn export(&self) -> &Export {
        &self.export
    }

    /// Reads.
    ///
    /// # Errors
    /// When the request does not fit, the server fails it, or the connection is lost.
    pub async fn read(&self, offset: u64, length: u32) -> Result<Content, NbdError> {
        self.read_into(offset, length, BytesMut::new()).await
    }

    /// Reads into a buffer, whose content is forgotten: one that was used before needs no memory from the
    /// system.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_into(
        &self,
        offset: u64,
        length: u32,
        buffer: BytesMut,
    ) -> Result<Content, NbdError> {
        self.read_with(0, (offset, length), buffer).await
    }

    /// As [`read_into`](Self::read_into), for what is known to be data: the server need not look for holes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_data(
        &self,
        offset: u64,
        length: u32,
        buffer: BytesMut,
    ) -> Result<Content, NbdError> {
        let whole = self.export.structured && self.export.can(Ability::DontFragment);
        let flags = if whole { FLAG_DONT_FRAGMENT } else { 0 };
        self.read_with(flags, (offset, length), buffer).await
    }

    async fn read_with(
        &self,
        flags: u16,
        range: (u64, u32),
        buffer: BytesMut,
    ) -> Result<Content, NbdError> {
        self.export.check_payload(range.0, range.1)?;
        let asked = self.ask(Command::Read, flags, range, Bytes::new(), buffer);
        match asked.await? {
            Outcome::Content(content) => Ok(content),
            _ => Err(NbdError::Violation("a reply of another kind")),
        }
    }

    /// Writes. It is on the disk when a later [`flush`](Self::flush) succeeded.
    ///
    /// # Errors
    /// As [`read`](Self::read); when the export is read-only.
    pub async fn write(&self, offset: u64, data: Bytes) -> Result<(), NbdError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.check_writable()?;
        self.export.check_payload(offset, length)?;
        self.act(Command::Write, 0, (offset, length), data).await
    }

    /// Writes zeroes, without sending them.
    ///
    /// # Errors
    /// As [`write`](Self::write); when the server does not offer it.
    pub async fn write_zeroes(
        &self,
        offset: u64,
        length: u32,
        space: Zeroes,
    ) -> Result<(), NbdError> {
        self.check_writable()?;
        self.export.needs(Ability::WriteZeroes)?;
        self.export.check_range(offset, length)?;
        let flags = match space {
            Zeroes::MayUnmap => 0,
            Zeroes::Allocate => FLAG_NO_HOLE,
        };
        let range = (offset, length);
        self.act(Command::WriteZeroes, flags, range, Bytes::new())
            .await
    }

    /// Gives space back. What is read there afterwards is anybody's guess.
    ///
    /// # Errors
    /// As [`write_zeroes`](Self::write_zeroes).
    pub async fn trim(&self, offset: u64, length: u32) -> Result<(), NbdError> {
        self.check_writable()?;
        self.export.needs(Ability::Trim)?;
        self.export.check_range(offset, length)?;
        self.act(Command::Trim, 0, (offset, length), Bytes::new())
            .await
    }

    /// Brings to the disk what was written before.
    ///
    /// # Errors
    /// When the server does not offer it or fails, or the connection is lost.
    pub async fn flush(&self) -> Result<(), NbdError> {
        self.export.needs(Ability::Flush)?;
        self.act(Command::Flush, 0, (0, 0), Bytes::new()).await
    }

    /// How blocks are, by each context that was agreed on.
    ///
    /// # Errors
    /// As [`read`](Self::read); when no context was agreed on.
    pub async fn block_status(&self, offset: u64, length: u32) -> Result<Vec<Status>, NbdError> {
        if self.export.contexts.is_empty() {
            return Err(NbdError::Lacks("a metadata context that was asked for"));
        }
        self.export.check_range(offset, length)?;
        let (range, none) = ((offset, length), BytesMut::new());
        let asked = self.ask(Command::BlockStatus, 0, range, Bytes::new(), none);
        match asked.await? {
            Outcome::Status(status) => Ok(status),
            _ => Err(NbdError::Violation("a reply of another kind")),
        }
    }

    /// Takes leave, and waits until the server has hung up: from then on nothing that was asked for over this
    /// connection takes effect any more. A copy that was given up is tried again only after that.
    pub async fn disconnect(self) {
        let Self { queue, task, .. } = self;
        drop(queue);
        // That the task ended is all there is to know.
        let _ = task.await;
    }

    fn check_writable(&self) -> Result<(), NbdError> {
        if self.export.read_only() {
            return Err(NbdError::ReadOnly);
        }
        Ok(())
    }

    async fn act(
        &self,
        command: Command,
        flags: u16,
        range: (u64, u32),
        payload: Bytes,
    ) -> Result<(), NbdError> {
        let asked = self.ask(command, flags, range, payload, BytesMut::new());
        asked.await.map(drop)
    }

    /// Between being waited for and being sent nothing is awaited: a request is cancelled before or after,
    /// never half.
    async fn ask(
        &self,
        command: Command,
        flags: u16,
        range: (u64, u32),
        payload: Bytes,
        buffer: BytesMut,
    ) -> Result<Outcome, NbdError> {
        let Ok(permit) = self.queue.reserve().await else {
            return Err(self.shared.cause());
        };
        let (pending, answer) = Pending::new(command, range, buffer);
        let request = Request {
            command,
            flags,
            cookie: self.shared.register(pending)?,
            offset: range.0,
            length: range.1,
        };
        permit.send(Outgoing { request, payload });
        answer.await.unwrap_or_else(|_| Err(self.shared.cause()))
    }
}
