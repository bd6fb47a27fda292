//! What runs at a libvirt site.
//!
//! A mover stands beside the hosts of one site and the storage that they share. It keeps what Drover asked for
//! last of each machine, with the epoch of that, in files beside the disks; it pulls changes from the mover of
//! the other site and keeps them as recovery points; it has libvirt start and stop machines. It goes on with
//! all of that while nobody speaks to it.
//!
//! [`nbd`] speaks to QEMU, [`transfer`] copies from one export to another.
//!
//! What may not enter: decisions about machines. It does what it is asked, and says how far it came.

pub mod nbd;
pub mod transfer;
