//! The way to a server, for somebody else who speaks to it: encrypted here where it must be, and plain to them.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};

use super::address::{Address, Stream};
use super::error::NbdError;
use super::handshake::{Wishes, encrypt};
use super::tls::Tls;

/// What a server says first.
pub(super) const GREETING: usize = 18;
/// What a client answers to that.
const FLAGS: usize = 4;

/// The way to a server.
#[derive(Clone, Debug)]
pub struct Way {
    address: Address,
    tls: Option<Tls>,
}

impl From<Address> for Way {
    fn from(address: Address) -> Self {
        Self::new(address, None)
    }
}

impl Way {
    /// The way there, encrypted or not.
    pub fn new(address: Address, tls: Option<Tls>) -> Self {
        Self { address, tls }
    }

    /// A stream on which the server can be greeted, as if nobody had spoken to it.
    pub(crate) async fn open(&self) -> Result<Box<dyn Stream>, NbdError> {
        let Some(tls) = &self.tls else {
            return self.address.connect().await;
        };
        let wishes = Wishes::new("").tls(tls.clone());
        let (stream, greeting) = encrypt(&self.address, &wishes).await?;
        Ok(Box::new(Greeted {
            stream,
            greeting,
            said: 0,
            unheard: FLAGS,
        }))
    }
}

/// A server that was greeted already: what it said is said again, and what is answered goes no further.
struct Greeted<S> {
    stream: S,
    greeting: [u8; GREETING],
    said: usize,
    unheard: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.greeting[self.said..];
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let fits = left.len().min(into.remaining());
        into.put_slice(&left[..fits]);
        self.said += fits;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unheard == 0 {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        let dropped = self.unheard.min(bytes.len());
        self.unheard -= dropped;
        Poll::Ready(Ok(dropped))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
