//! Files of a running machine's disk become one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use virt::connect::Connect;
use virt_sys as c;

use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::sys::BlockJob;
use super::{Host, disks, find_active, sys};

/// A commit that does not advance for so long is taken to hang.
const STANDSTILL: Duration = Duration::from_mins(5);
const INTERVAL: Duration = Duration::from_millis(100);

/// What to do about a fold.
enum Step {
    /// It is done.
    Folded,
    /// A commit is under way.
    Wait(BlockJob),
    /// None is, and there is something to do.
    Begin,
}

impl Host {
    /// Folds these files of a disk `above` another one, the lowest first, into that, while the machine runs, and
    /// returns when the machine does not use any of them any more; they stay where they are. The file that is
    /// written to is not folded.
    ///
    /// A fold goes on when nobody waits for it any more: to ask again is to wait for it.
    ///
    /// # Errors
    /// [`HostError::Busy`] when the disk has another job, or the fold does not advance. When the machine does
    /// not run or does not use these files, when the commit fails, or when the host does not answer.
    pub async fn fold(
        &self,
        name: &str,
        disk: &str,
        base: &Path,
        above: &[PathBuf],
    ) -> Result<(), HostError> {
        let doing = format!("fold files of {disk} of {name}");
        let fold = Fold {
            name: name.to_owned(),
            disk: disk.to_owned(),
            base: base.to_owned(),
            above: above.to_owned(),
        };
        let (mut last, mut moved, mut is_begun) = (None, Instant::now(), false);
        loop {
            let look = fold.clone();
            match self
                .link
                .call(&doing, SHORT, move |connect| look.step(connect))
                .await?
            {
                Step::Folded => return Ok(()),
                Step::Wait(job) if last != Some(job) => (last, moved) = (Some(job), Instant::now()),
                Step::Wait(_) if moved.elapsed() < STANDSTILL => {}
                Step::Wait(_) => {
                    let why = "the commit does not advance".to_owned();
                    return Err(Fault::Busy(why).of(self.link.task(&doing)));
                }
                Step::Begin if is_begun => {
                    let why = "the commit ended and did not do it".to_owned();
                    return Err(Fault::Failed(why).of(self.link.task(&doing)));
                }
                Step::Begin => {
                    let begin = fold.clone();
                    self.link
                        .call(&doing, LONG, move |connect| begin.begin(connect))
                        .await?;
                    is_begun = true;
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[derive(Clone)]
struct Fold {
    name: String,
    disk: String,
    base: PathBuf,
    above: Vec<PathBuf>,
}

impl Fold {
    fn step(&self, connect: &Connect) -> Result<Step, Fault> {
        let domain = find_active(connect, &self.name)?;
        // Before the description: a job that ends between both has changed it.
        let job = sys::block_job(&domain, &self.disk)?;
        let disks = disks(&domain)?;
        let found = disks.iter().find(|disk| disk.target == self.disk);
        let none = || Fault::Failed(format!("the machine has no disk {}", self.disk));
        let chain = &found.ok_or_else(none)?.chain;
        let place = |file: &Path| chain.iter().position(|one| Path::new(one) == file);
        let top = self.above.last().and_then(|top| place(top));
        let uses = || self.above.iter().any(|file| place(file).is_some());
        match (job, top, place(&self.base)) {
            (Some(job), ..) if !job.is_commit => {
                Err(Fault::Busy("the disk has another job".to_owned()))
            }
            (Some(job), ..) => Ok(Step::Wait(job)),
            (None, _, None) => Err(not_used(&self.base)),
            (None, None, Some(_)) if uses() => Err(Fault::Failed(
                "the machine uses some of these files, and not the uppermost".to_owned(),
            )),
            (None, None, Some(_)) => Ok(Step::Folded),
            (None, Some(0), Some(_)) => {
                Err(Fault::Failed("the machine writes to that file".to_owned()))
            }
            (None, Some(top), Some(base)) if top < base => Ok(Step::Begin),
            (None, Some(_), Some(_)) => {
                Err(Fault::Failed("the base is not below the top".to_owned()))
            }
        }
    }

    fn begin(&self, connect: &Connect) -> Result<(), Fault> {
        let domain = find_active(connect, &self.name)?;
        let Some(top) = self.above.last() else {
            return Ok(());
        };
        let files = (&*self.base, &**top);
        let begin = |flags| sys::commit(&domain, &self.disk, files, flags);
        // Names within a chain stay relative where they are: folders are mounted elsewhere at other hosts.
        begin(c::VIR_DOMAIN_BLOCK_COMMIT_RELATIVE).or_else(|_not_relative| begin(0))
    }
}

fn not_used(file: &Path) -> Fault {
    Fault::Failed(format!("the machine does not use {}", file.display()))
}
