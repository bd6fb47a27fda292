//! Where a server listens, and the way there.

use std::fmt;
use std::path::PathBuf;

use drover_libvirt::call::notice_dead_links;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::error::NbdError;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A socket on this host.
    Unix(PathBuf),
    /// A host, by name or address, and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Any way to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Address {
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, NbdError> {
        let failed = NbdError::io("connecting");
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(failed)?)),
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(failed)?;
                notice_dead_links(&stream).map_err(NbdError::io("setting up TCP"))?;
                Ok(Box::new(stream))
            }
        }
    }
}
