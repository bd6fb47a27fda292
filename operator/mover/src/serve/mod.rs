//! What others ask of this mover: the operator, and the mover of the other site.
//!
//! HTTP/1.1 over unix sockets, which are open to nobody but their owner, and over TCP with mutual TLS; never
//! over TCP without. Who calls is known to every handler, as a [`Peer`] among the request's extensions. A
//! request may become a [`tunnel`] to the NBD socket of a backup.
//!
//! What may not enter: what is asked and how it is answered. That is the router's.

mod answer;
mod connection;
mod error;
mod listen;
mod peer;
mod tls;
mod tunnel;

pub use answer::Failed;
pub use error::ServeError;
pub use listen::{Bound, Listen};
pub use peer::Peer;
pub use tls::ServerTls;
pub use tunnel::tunnel;

use axum::Router;

/// Listens, and serves until it is told to stop. Requests then have five seconds to end, tunnels none.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn serve(
    listeners: Vec<Listen>,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Bound::new(listeners).await?.serve(router, stop).await;
    Ok(())
}
