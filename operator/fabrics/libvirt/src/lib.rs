//! Sites of QEMU machines under libvirt, as fabrics and replicators.
//!
//! At each site stands a mover, which does the work and goes on with it while nobody speaks to it. Here is
//! what speaks to movers: [`Libvirt`] opens sites and pairs, [`protocol`] is what is said, [`call`] how it gets
//! there.
//!
//! What may not enter: decisions, and anything that a mover has to know when nobody asks.

pub mod call;
mod driver;
mod pair;
pub mod protocol;
mod site;

pub use driver::Libvirt;
