//! One disk's way from a loan to a file.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use drover_libvirt::call::{Caller, Traffic};
use drover_libvirt::protocol::{LentDisk, path};
use drover_world::FabricError;

use super::ladder::Rung;
use crate::image::Served;
use crate::nbd::{Client, Wishes};
use crate::transfer::{Copied, Dirty, Options, Progress, TargetState, Throttle, Transfer};

const ALLOCATION: &str = "base:allocation";

/// Where disks are lent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lender<'a> {
    pub peer: &'a Caller,
    pub loan: &'a str,
    /// Whether what travels is compressed.
    pub compressed: bool,
}

/// What a copy came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    pub copied: Copied,
    /// Bytes that came over the link.
    pub travelled: u64,
}

/// One disk's copy.
#[derive(Debug)]
pub(super) struct DiskCopy<'a> {
    pub from: Lender<'a>,
    pub disk: &'a LentDisk,
    /// A file of the disk's size, which shows what the copy is based on.
    pub into: &'a Path,
    /// Where that is served for as long as this goes on.
    pub socket: PathBuf,
    pub rung: Rung,
    /// What was written to what the copy is based on.
    pub ours: Option<&'a Dirty>,
    pub throttle: Arc<Throttle>,
}

impl DiskCopy<'_> {
    /// Brings the disk over, and says how far it is. When this returns well the file is complete.
    pub async fn run(&self, say: impl Fn(Progress)) -> Result<Brought, FabricError> {
        let served = Served::writable(self.into, &self.socket).await?;
        let wishes = Wishes::new("").context(ALLOCATION);
        let target = Client::connect(&served.address(), &wishes).await?;
        let (source, traffic) = self.from.enter(&self.disk.target, &self.wishes()).await?;
        let copied = self.between(&source, &target, say).await;
        // What failed is tried again, and nothing may arrive late then.
        source.disconnect().await;
        target.disconnect().await;
        served.end().await?;
        Ok(Brought {
            copied: copied?,
            travelled: traffic.travelled(),
        })
    }

    fn wishes(&self) -> Wishes {
        let wishes = Wishes::new(self.disk.export.clone()).context(ALLOCATION);
        let changed = self.disk.changed.iter();
        let own = changed.filter(|(stream, _)| *stream == self.disk.target);
        own.fold(wishes, |wishes, (_, context)| {
            wishes.context(context.clone())
        })
    }

    async fn between(
        &self,
        source: &Client,
        target: &Client,
        say: impl Fn(Progress),
    ) -> Result<Copied, FabricError> {
        let options = Options {
            target: match self.rung {
                Rung::Full => TargetState::Fresh,
                _ => TargetState::Unknown,
            },
            ..Options::default()
        };
        let transfer = Transfer::new(source, target, options)?;
        let transfer = transfer.throttled(Arc::clone(&self.throttle));
        let mut seen = transfer.progress();
        let mut copy = pin!(self.climb(&transfer, source));
        loop {
            tokio::select! {
                copied = &mut copy => return copied,
                Ok(()) = seen.changed() => say(*seen.borrow_and_update()),
            }
        }
    }

    async fn climb(&self, transfer: &Transfer<'_>, source: &Client) -> Result<Copied, FabricError> {
        let copied = match self.rung {
            Rung::Nothing => transfer.delta(&Dirty::default()).await?,
            Rung::Full => transfer.full().await?,
            Rung::Compare => transfer.resync().await?,
            Rung::Changes => transfer.delta(&self.changed(source).await?).await?,
            Rung::Union => {
                let theirs = self.changed(source).await?;
                let both = self.ours.map(|ours| ours.union(&theirs));
                transfer.delta(&both.unwrap_or(theirs)).await?
            }
        };
        Ok(copied)
    }

    /// What changed at the source, by all that remembers it.
    async fn changed(&self, source: &Client) -> Result<Dirty, FabricError> {
        let mut dirty = Dirty::default();
        for (stream, context) in &self.disk.changed {
            let more = if *stream == self.disk.target {
                Dirty::read(source, context).await?
            } else {
                let wishes = Wishes::new(self.disk.export.clone()).context(context.clone());
                let (client, _) = self.from.enter(stream, &wishes).await?;
                let more = Dirty::read(&client, context).await?;
                client.disconnect().await;
                more
            };
            dirty = dirty.union(&more);
        }
        Ok(dirty)
    }
}

impl Lender<'_> {
    async fn enter(
        &self,
        stream: &str,
        wishes: &Wishes,
    ) -> Result<(Client, Arc<Traffic>), FabricError> {
        let path = format!("{}/{}/{stream}", path::STREAM, self.loan);
        let stream = if self.compressed {
            self.peer.compressed_stream(&path).await?
        } else {
            self.peer.stream(&path).await?
        };
        let traffic = stream.traffic();
        Ok((Client::enter(stream, wishes).await?, traffic))
    }
}
