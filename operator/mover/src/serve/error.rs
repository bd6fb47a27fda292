//! Why nothing can be served.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing can be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Another process answers there.
    #[error("another process listens on {}: one mover at a time", .0.display())]
    Taken(PathBuf),
    /// Something else lies where the socket should be.
    #[error("{} is there and no socket: remove it, or listen elsewhere", .0.display())]
    InTheWay(PathBuf),
    /// The certificates cannot be used.
    #[error("the certificates in {} cannot be used: {why}", .folder.display())]
    Certificates {
        /// Where they should be.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
}
