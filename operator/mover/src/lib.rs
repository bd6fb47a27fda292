//! What runs at a libvirt site.
//!
//! A mover stands beside the hosts of one site and the storage that they share. It keeps what Drover asked for
//! last of each machine, with the epoch of that, in files beside the disks; it pulls changes from the mover of
//! the other site and keeps them as recovery points; it has libvirt start and stop machines. It goes on with
//! all of that while nobody speaks to it.
//!
//! [`site`] is the mover: what it is asked, and what it does by itself. [`serve`] hears what is asked, [`store`]
//! keeps [`record`]s. [`host`] speaks to libvirt, [`nbd`] to QEMU; [`transfer`] copies from one export to
//! another, [`image`] keeps the files that copies end in, and [`domain`] changes what libvirt knows of a machine.
//!
//! What may not enter: decisions about machines. It does what it is asked, and says how far it came.

pub mod domain;
pub mod host;
pub mod image;
pub mod nbd;
pub mod record;
pub mod serve;
pub mod site;
pub mod store;
pub mod transfer;
