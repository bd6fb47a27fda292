//! A client of the NBD protocol: one connection, many requests at once.
//!
//! A server is a stranger. Every length that it sends is held against what was asked for and against the
//! size of the export before anything is allocated; a server that breaks the protocol, dies or falls silent
//! fails the requests of its own connection and nothing else.
//!
//! What may not enter: knowledge of virtual machines, and any retry. A lost connection stays lost; what was
//! written through it and not flushed may or may not be there.
//!
//! ```no_run
//! use drover_mover::nbd::{Address, Client, Wishes};
//!
//! # async fn example() -> Result<(), drover_mover::nbd::NbdError> {
//! let address = Address::Unix("/run/drover/backup.sock".into());
//! let client = Client::connect(&address, &Wishes::new("vda").context("base:allocation")).await?;
//! let block = client.read(0, 4096).await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod client;
mod driver;
mod error;
mod export;
mod handshake;
mod option;
mod pending;
mod tls;
mod way;
mod wire;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use client::{Client, Zeroes};
pub use error::{Errno, NbdError, Refusal};
pub(crate) use export::Ability;
pub use export::Export;
pub use handshake::Wishes;
pub use pending::{Content, Extent, Status};
pub use tls::{Identity, Tls};
pub use way::Way;
