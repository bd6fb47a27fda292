//! How a mover is spoken to: by the operator, and by the mover of the other site.
//!
//! HTTP/1.1 with JSON in both directions, over a unix socket on the same host or over TCP with mutual TLS,
//! never without. A request may also become a stream of bytes, through which another protocol is spoken.
//!
//! What may not enter: what is asked and answered. A question says what should be, so that it can be asked
//! twice.
//!
//! ```no_run
//! use drover_libvirt::call::{Address, Caller, Credentials};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let address: Address = "mover.example.com:7443".parse()?;
//! let credentials = Credentials::of_folder("/etc/drover/tls".as_ref())?;
//! let caller = Caller::new(address, Some(&credentials))?;
//! let answer: u64 = caller.call("/v1/double", &21).await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod caller;
mod credentials;
mod deflate;
mod error;
mod explain;
mod failure;
mod line;

#[cfg(test)]
mod tests;

pub use address::{Address, AddressError, notice_dead_links};
pub use caller::{Caller, Stream};
pub use credentials::Credentials;
pub use deflate::{DEFLATE, Deflate, Inflate, Traffic};
pub use error::CallError;
pub use explain::{Explanation, chain};
pub use failure::Failure;

/// What a request asks for that is to become a stream of bytes, in its header `Upgrade`.
pub const STREAM: &str = "drover-stream";
