//! Checkpoints: instants from which QEMU remembers what changed, in bitmaps in the images.

use virt::connect::Connect;

use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::{Host, disks, find, find_active, find_any, sys, xml};

impl Host {
    /// Makes a checkpoint: from now on a bitmap on each of these disks, such as `vda`, and on no others.
    ///
    /// # Errors
    /// When the machine does not run, has no such disk or has a checkpoint of that name, or the host does not
    /// answer.
    pub async fn checkpoint(
        &self,
        name: &str,
        checkpoint: &str,
        wanted: &[String],
    ) -> Result<(), HostError> {
        let doing = format!("make the checkpoint {checkpoint} of {name}");
        let (name, checkpoint, wanted) = (name.to_owned(), checkpoint.to_owned(), wanted.to_vec());
        let make = move |connect: &Connect| {
            let domain = find_active(connect, &name)?;
            let xml = xml::checkpoint(&checkpoint, &wanted, &disks(&domain)?)?;
            sys::create_checkpoint(&domain, &xml)
        };
        self.link.call(doing, LONG, make).await
    }

    /// The checkpoints of a machine that libvirt knows of, oldest first. That it knows of one does not mean
    /// that its bitmap is there.
    ///
    /// # Errors
    /// When there is no such machine, or the host does not answer.
    pub async fn checkpoints(&self, name: &str) -> Result<Vec<String>, HostError> {
        let (doing, name) = (format!("list the checkpoints of {name}"), name.to_owned());
        let list = move |connect: &Connect| Ok(sys::checkpoints(&find(connect, &name)?)?);
        self.link.call(doing, SHORT, list).await
    }

    /// The disks that a checkpoint has bitmaps on, such as `vda`.
    ///
    /// # Errors
    /// When there is no such machine or checkpoint, or the host does not answer.
    pub async fn checkpoint_disks(
        &self,
        name: &str,
        checkpoint: &str,
    ) -> Result<Vec<String>, HostError> {
        let doing = format!("look at the checkpoint {checkpoint} of {name}");
        let (name, checkpoint) = (name.to_owned(), checkpoint.to_owned());
        let look = move |connect: &Connect| {
            xml::checkpoint_disks(&sys::checkpoint(&find(connect, &name)?, &checkpoint)?)
        };
        self.link.call(doing, SHORT, look).await
    }

    /// Drops a checkpoint with its bitmaps; where those are gone or broken, what libvirt knows of it.
    ///
    /// # Errors
    /// When the machine is there and does not run: its bitmaps could not be dropped. When the host does not
    /// answer. A checkpoint that is not there is none.
    pub async fn drop_checkpoint(&self, name: &str, checkpoint: &str) -> Result<(), HostError> {
        let doing = format!("drop the checkpoint {checkpoint} of {name}");
        let (name, checkpoint) = (name.to_owned(), checkpoint.to_owned());
        self.link
            .call(doing, LONG, move |connect| {
                drop_checkpoint(connect, &name, &checkpoint)
            })
            .await
    }
}

fn drop_checkpoint(connect: &Connect, name: &str, checkpoint: &str) -> Result<(), Fault> {
    let Some(domain) = find_any(connect, name)? else {
        return Ok(());
    };
    if !sys::checkpoints(&domain)?
        .iter()
        .any(|there| there == checkpoint)
    {
        return Ok(());
    }
    if !domain.is_active()? {
        return Err(Fault::NotRunning);
    }
    match sys::delete_checkpoint(&domain, checkpoint, false) {
        Err(Fault::NoBitmap(why)) => {
            tracing::info!(name, checkpoint, why, "a checkpoint has no bitmap any more");
            match sys::delete_checkpoint(&domain, checkpoint, true) {
                // Somebody else dropped it.
                Err(Fault::NoBitmap(_)) => Ok(()),
                other => other,
            }
        }
        other => other,
    }
}
