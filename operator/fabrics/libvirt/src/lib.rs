//! Sites of QEMU machines under libvirt.
//!
//! What is here so far is how their disks travel: [`nbd`] speaks to QEMU, [`mover`] copies from one export
//! to another.
//!
//! What may not enter: decisions about machines. It does what it is asked, and says how far it came.

pub mod mover;
pub mod nbd;
