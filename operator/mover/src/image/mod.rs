//! Disk images of this site: made, described, folded and served by QEMU's own programs.
//!
//! A recovery point is a qcow2 file above the one before it. Whatever is done here is done by `qemu-img` and
//! `qemu-nbd` as they are found on `PATH`; none of their processes outlives this one, however it ends.
//!
//! What may not enter: which points a machine has and which of them may go; guests that run, whose images
//! belong to libvirt.

mod change;
mod error;
mod info;
mod program;
mod publish;
mod served;

pub use change::{check, commit, create, larger_overlay, overlay, rebase};
pub use error::ImageError;
pub use info::{Bitmap, Info, chain, info};
pub use publish::{publish, settle};
pub use served::Served;
