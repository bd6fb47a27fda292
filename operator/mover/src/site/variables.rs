//! What a machine's firmware remembers, such as from what to boot, goes where its disks go.
//!
//! It is a small file that seldom changes, and libvirt does not hand it out: it is copied where the mover sees it.
//! The newest is kept, not one for each recovery point.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use drover_api::value::MachineName;
use drover_libvirt::protocol::Variables;
use drover_world::FabricError;
use tokio::fs;
use tracing::warn;

use super::Site;
use super::hosts::Placed;
use super::lend::Lendable;
use super::refusal::retryable;
use crate::domain::Domain;
use crate::host::Host;
use crate::image;
use crate::record::Half;

/// What is kept of the other side, in the folder of a machine.
const KEPT: &str = "variables.fd";
/// What machines have that were made of it.
const MADE: &str = "made-variables.fd";
const DRILL: &str = "drill-variables.fd";

impl Site {
    /// The file, if the mover sees it: the folder of the pool is the same at all hosts, another one is not.
    pub(super) async fn variables_at(&self, host: &Host, domain: &Domain) -> Option<PathBuf> {
        let file = domain.variables()?;
        let is_here = || self.hosts.named(host.name()).is_ok_and(Placed::is_here);
        let seen = file.starts_with(&self.folder) || is_here();
        (seen && fs::try_exists(&file).await.unwrap_or(false)).then_some(file)
    }

    /// What the firmware of a machine remembers, if the other side has something else. Without it the copy of its
    /// disks is of use all the same.
    pub(super) async fn lend_variables(&self, machine: &Lendable<'_>) -> Option<Variables> {
        let (one, file) = (machine.one, machine.described.variables.as_deref()?);
        match read(file, one.variables.as_deref()).await {
            Ok(read) => read,
            Err(error) => {
                let machine = &one.machine;
                warn!(%machine, %error, "what its firmware remembers is not copied");
                None
            }
        }
    }

    /// Keeps what was lent.
    pub(super) async fn keep_variables(
        &self,
        machine: &MachineName,
        variables: &Variables,
    ) -> Result<(), FabricError> {
        let content = variables.content().map_err(|error| {
            retryable(
                format!("what the firmware of {machine} remembers: {error}"),
                "it comes again with the next copy",
            )
        })?;
        let folder = self.store.folder(machine);
        write(&folder.join(KEPT), &content).await?;
        let seal = variables.seal.clone();
        self.change_half(machine, |half| half.variables = Some(seal))
    }

    /// Gives a machine that is made here a file of its own with what is kept.
    pub(super) async fn give_variables(
        &self,
        half: &Half,
        domain: &mut Domain,
        drill: bool,
    ) -> Result<(), FabricError> {
        if half.variables.is_none() {
            return Ok(());
        }
        let folder = self.store.folder(half.subject.at(half.role));
        let file = folder.join(if drill { DRILL } else { MADE });
        if !domain.set_variables(&file) {
            return Ok(());
        }
        let kept = folder.join(KEPT);
        let content = fs::read(&kept).await;
        write(&file, &content.map_err(|error| storage(&kept, &error))?).await
    }

    /// The drill is gone, which had a file of its own.
    pub(super) async fn drop_variables_of_drill(&self, machine: &MachineName) {
        remove(&self.store.folder(machine).join(DRILL)).await;
    }

    /// Nothing is made of the copy any more.
    pub(super) async fn drop_variables(&self, machine: &MachineName) -> Result<(), FabricError> {
        self.change_half(machine, |half| half.variables = None)?;
        for file in [KEPT, MADE] {
            remove(&self.store.folder(machine).join(file)).await;
        }
        Ok(())
    }
}

/// What a file holds, unless it has this seal. If somebody writes to it just now, it comes next time.
async fn read(file: &Path, unless: Option<&str>) -> Result<Option<Variables>, FabricError> {
    let now = || Site::seal([&file.to_owned()]);
    let seal = now()?;
    if unless == Some(&seal) {
        return Ok(None);
    }
    let failed = |error| storage(file, &error);
    let content = fs::read(file).await.map_err(failed)?;
    if now()? != seal {
        return Ok(None);
    }
    Ok(Some(Variables::new(seal, &content).map_err(failed)?))
}

async fn write(file: &Path, content: &[u8]) -> Result<(), FabricError> {
    let part = file.with_extension("part");
    let written = fs::write(&part, content).await;
    written.map_err(|error| storage(&part, &error))?;
    Ok(image::publish(&part, file).await?)
}

async fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file).await
        && error.kind() != ErrorKind::NotFound
    {
        warn!(file = %file.display(), %error, "a file that nothing needs stays");
    }
}

fn storage(file: &Path, error: &std::io::Error) -> FabricError {
    let why = format!("{}: {error}", file.display());
    retryable(why, "look at the storage of the site")
}
