//! Where is listened.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::net::{TcpListener, UnixListener, UnixSocket, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::info;

use super::connection::{self, Shop};
use super::error::ServeError;
use super::tls::ServerTls;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 256;
/// A question is small; what is large goes through a tunnel.
const LARGEST: usize = 1 << 20;

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Listen {
    /// A unix socket, which nobody but its owner may open.
    Unix(PathBuf),
    /// TCP with mutual TLS. Port 0: any that is free.
    Tcp(SocketAddr, ServerTls),
}

/// Sockets that listen; who connects waits until they are served.
#[derive(Debug)]
pub struct Bound(Vec<Door>);

#[derive(Debug)]
pub(super) enum Door {
    /// The file goes first: a socket that does not listen any more may be replaced by then.
    Unix {
        _file: Unlink,
        listener: UnixListener,
    },
    Tcp(TcpListener, ServerTls),
}

/// A socket's file, gone when nobody listens any more.
#[derive(Debug)]
pub(super) struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        // One that is left behind is replaced by whoever comes next.
        drop(std::fs::remove_file(&self.0));
    }
}

impl Bound {
    /// Listens.
    ///
    /// # Errors
    /// When an address is taken or cannot be listened on.
    pub async fn new(listeners: Vec<Listen>) -> Result<Self, ServeError> {
        let mut doors = Vec::with_capacity(listeners.len());
        for listen in listeners {
            doors.push(match listen {
                Listen::Unix(path) => {
                    let listener = unix(&path).await?;
                    Door::Unix {
                        _file: Unlink(path),
                        listener,
                    }
                }
                Listen::Tcp(address, tls) => {
                    let listener = TcpListener::bind(address).await;
                    Door::Tcp(listener.map_err(failed(&address.to_string()))?, tls)
                }
            });
        }
        Ok(Self(doors))
    }

    /// The addresses over TCP, with the ports that were free.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |door: &Door| match door {
            Door::Tcp(listener, _) => listener.local_addr().ok(),
            Door::Unix { .. } => None,
        };
        self.0.iter().filter_map(address).collect()
    }

    /// Serves until it is told to stop, or dropped.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(connection::MOST));
        let shop = Shop {
            router: router.layer(DefaultBodyLimit::max(LARGEST)),
            places: Arc::clone(&places),
            stopped,
        };
        let mut doors = JoinSet::new();
        for door in self.0 {
            info!(?door, "listens");
            doors.spawn(connection::accept(door, shop.clone()));
        }
        stop.await;
        stopping.send_replace(true);
        while doors.join_next().await.is_some() {}
        // Each connection comes to an end by itself now, and gives its place back.
        let all = u32::try_from(connection::MOST).unwrap_or(u32::MAX);
        drop(places.acquire_many(all).await);
    }
}

async fn unix(path: &Path) -> Result<UnixListener, ServeError> {
    let address = path.display().to_string();
    clear(path).await?;
    let bound = async {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // Until it listens nobody can connect, so that it is never open to others.
        tokio::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).await?;
        socket.listen(BACKLOG)
    };
    bound.await.map_err(failed(&address))
}

/// Takes away what a process that died left behind.
async fn clear(path: &Path) -> Result<(), ServeError> {
    let address = path.display().to_string();
    match tokio::fs::symlink_metadata(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&address)(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ServeError::InTheWay(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(ServeError::Taken(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let removed = tokio::fs::remove_file(path).await;
            removed.map_err(failed(&address))
        }
        // Too busy to answer, or not ours: somebody may be there.
        Err(error) => Err(failed(&address)(error)),
    }
}

fn failed(address: &str) -> impl FnOnce(io::Error) -> ServeError {
    let address = address.to_owned();
    move |source| ServeError::Listen { address, source }
}
