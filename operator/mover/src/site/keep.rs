//! Points go by retention, and files that nothing needs go.
//!
//! A point between two others goes by writing what the next one holds into its file. Until that is done the next
//! one's own file is above it, so who reads it never sees the half of that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drover_api::value::MachineName;
use drover_world::FabricError;
use jiff::Timestamp;
use tracing::warn;

use super::Site;
use super::power::is_off;
use super::refusal::retryable;
use crate::image;
use crate::record::{Base, Half, PointKept, Record};

/// So many of the newest points are kept however close they are.
const NEWEST: usize = 4;
/// In the last hour one is kept in so many milliseconds, before that one an hour.
const CLOSE: i128 = 5 * 60 * 1000;
const HOUR: i128 = 60 * 60 * 1000;

/// The points that go: those beyond retention, and those that are closer to the one before than they need to
/// be. The newest always stay.
fn to_go(points: &[PointKept], retention: u64, now: Timestamp) -> Vec<String> {
    let age = |point: &PointKept| now.duration_since(point.taken.at).as_millis();
    let newest = points.len().saturating_sub(NEWEST);
    let mut kept_at: Option<Timestamp> = None;
    let mut go = Vec::new();
    for point in &points[..newest] {
        let apart = if age(point) < HOUR { CLOSE } else { HOUR };
        let close = kept_at.is_some_and(|at| point.taken.at.duration_since(at).as_millis() < apart);
        if close || age(point) > i128::from(retention) {
            go.push(point.name.clone());
        } else {
            kept_at = Some(point.taken.at);
        }
    }
    go
}

impl Site {
    /// Lets points go that need not be kept, while no run is on.
    pub(super) async fn thin(&self, machine: &MachineName) -> Result<(), FabricError> {
        loop {
            let record = self.store.get(machine);
            let Some(half) = record.half.as_ref().filter(|_| may_thin(&record)) else {
                return Ok(());
            };
            let now = Timestamp::now();
            let go = to_go(&half.points, half.terms.retention, now);
            if !go.is_empty() {
                self.change_half(machine, |half| {
                    half.points.retain(|point| !go.contains(&point.name));
                })?;
            }
            let half = self.store.get(machine).half;
            let Some(merge) = half.as_ref().and_then(|half| next_merge(half, &record)) else {
                break;
            };
            self.merge(machine, merge).await?;
        }
        self.tidy(machine).await
    }

    /// What a file holds goes into the one below it, which is no point any more.
    async fn merge(&self, machine: &MachineName, merge: Merge) -> Result<(), FabricError> {
        let Merge {
            disk,
            below,
            file,
            above,
        } = merge;
        let base = self.store.get(machine).half.and_then(|half| half.base);
        // The one above is told what it stands on from now on, and so is written to as well.
        let written = [Some(&below), Some(&file), above.as_ref()];
        let base = base.filter(|base| {
            let of_disk = base.files.get(&disk);
            of_disk.is_some() && written.contains(&of_disk)
        });
        if let Some(base) = &base {
            if Self::is_written_to(base)? {
                return Err(retryable(
                    format!("what the copy of {machine} is based on was written to"),
                    "both sides are compared",
                ));
            }
            // Whatever becomes of this process: it was written to by nobody else.
            self.change_half(machine, |half| {
                if let Some(base) = &mut half.base {
                    base.merging = true;
                }
            })?;
        }
        image::commit(&file).await?;
        if let Some(above) = &above {
            let format = image::info(&below).await?.format;
            image::rebase(above, &below, &format).await?;
        }
        let merged = base.map(|base| merged(base, &disk, (&file, &below)));
        let merged = merged.transpose()?;
        self.change_half(machine, |half| {
            if merged.is_some() {
                half.base = merged;
            }
            if let Some(files) = half.layers.get_mut(&disk) {
                files.retain(|known| *known != file);
            }
            for point in &mut half.points {
                if point.files.get(&disk) == Some(&file) {
                    point.files.insert(disk.clone(), below.clone());
                }
            }
            half.litter.push(file);
        })
    }

    /// Removes files that nothing needs.
    pub(super) async fn tidy(&self, machine: &MachineName) -> Result<(), FabricError> {
        let record = self.store.get(machine);
        let Some(half) = &record.half else {
            return Ok(());
        };
        if half.litter.is_empty() {
            return Ok(());
        }
        let needed = needed(&record);
        let ours = self.store.folder(machine);
        let unneeded = |file: &&PathBuf| !needed.contains(*file);
        for file in half.litter.iter().filter(unneeded) {
            // Only what was made here is removed, whatever a record says.
            if !file.starts_with(&ours) {
                continue;
            }
            match tokio::fs::remove_file(file).await {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!(file = %file.display(), %error, "a file that nothing needs stays");
                }
            }
        }
        // What is needed now, as by a drill, goes when it is not any more.
        let looked_at = &half.litter;
        self.change_half(machine, |half| {
            half.litter
                .retain(|file| needed.contains(file) || !looked_at.contains(file));
        })
    }

    /// Whether files of a running machine can become one, or go.
    pub(super) fn has_to_fold(&self, machine: &MachineName, record: &Record) -> bool {
        let lent = self.live().get(machine).is_some_and(|live| live.lent);
        record.half.as_ref().is_some_and(|half| {
            let several = half.layers.values().any(|files| files.len() > 2);
            !half.litter.is_empty() || several && lent && may_fold(half, record)
        })
    }

    /// After a commit the files below a running machine become one: the original disk at home. It waits until
    /// the way back is copied regularly: a disk does one thing at a time, and that one is awaited.
    pub(super) async fn fold(&self, machine: &MachineName) -> Result<(), FabricError> {
        self.tidy(machine).await?;
        let record = self.store.get(machine);
        let lent = self.live().get(machine).is_some_and(|live| live.lent);
        let Some(half) = record
            .half
            .as_ref()
            .filter(|half| lent && may_fold(half, &record))
        else {
            return Ok(());
        };
        let Some((host, seen)) = self.find(machine.as_str()).await? else {
            return Ok(());
        };
        if is_off(&seen) {
            return Ok(());
        }
        for (disk, files) in &half.layers {
            let [bottom, between @ .., top] = files.as_slice() else {
                continue;
            };
            if between.is_empty() {
                continue;
            }
            host.fold(machine.as_str(), disk, bottom, between).await?;
            self.store.change(machine, |record| {
                if let Some(half) = &mut record.half {
                    half.litter.extend(between.iter().cloned());
                    half.layers
                        .insert(disk.clone(), vec![bottom.clone(), top.clone()]);
                }
                if let Some(made) = &mut record.made {
                    // What it stands on now, so that nothing else is kept for it.
                    made.on.insert(disk.clone(), bottom.clone());
                    made.below
                        .retain(|file| !between.contains(file) && file != bottom);
                }
            })?;
        }
        self.tidy(machine).await
    }
}

/// Whether a machine was made here for good, and nothing else is based on its files.
fn may_fold(half: &Half, record: &Record) -> bool {
    !half.holds() && record.made.is_some() && record.drill.is_none()
}

/// Files are only brought together where nothing is based on one of them.
fn may_thin(record: &Record) -> bool {
    let half = record.half.as_ref();
    let quiet = half.is_some_and(|half| half.holds() && !half.in_run && half.left.is_none());
    quiet && record.made.is_none() && record.drill.is_none()
}

/// A base after a file of this disk was merged into the one below; sealed anew, unless somebody wrote to its other
/// disks.
fn merged(mut base: Base, disk: &str, (file, below): (&Path, &Path)) -> Result<Base, FabricError> {
    let before: BTreeSet<&str> = base.seal.split(' ').collect();
    let mut sealed = true;
    for (_, file) in base.files.iter().filter(|(other, _)| *other != disk) {
        sealed &= before.contains(Site::seal([file])?.as_str());
    }
    if let Some(of_disk) = base.files.get_mut(disk)
        && of_disk == file
    {
        below.clone_into(of_disk);
    }
    base.merging = false;
    if sealed {
        base.seal = Site::seal(base.files.values())?;
    }
    Ok(base)
}

struct Merge {
    disk: String,
    below: PathBuf,
    file: PathBuf,
    above: Option<PathBuf>,
}

/// The lowest file that is no point's, and has one above it. The base of a copy back is left as it is until the
/// failback is committed.
fn next_merge(half: &Half, record: &Record) -> Option<Merge> {
    debug_assert!(record.made.is_none());
    for (disk, files) in &half.layers {
        for at in 0..files.len().saturating_sub(1) {
            let used = |point: &PointKept| point.files.get(disk) == Some(&files[at]);
            let original = at == 0 && half.origin == half.role;
            if original || half.points.iter().any(used) {
                continue;
            }
            return Some(Merge {
                disk: disk.clone(),
                below: files[at].clone(),
                file: files[at + 1].clone(),
                above: files.get(at + 2).cloned(),
            });
        }
    }
    None
}

fn needed(record: &Record) -> BTreeSet<PathBuf> {
    let half = record.half.iter();
    let made = record.made.iter().chain(&record.drill);
    let of_made = made.flat_map(|made| {
        let files = made.files.values().chain(made.on.values());
        files.chain(&made.below)
    });
    half.flat_map(|half| half.layers.values().flatten())
        .chain(of_made)
        .cloned()
        .collect()
}

/// All files that a record speaks of.
pub(super) fn known(record: &Record) -> BTreeSet<PathBuf> {
    let mut known = needed(record);
    if let Some(half) = &record.half {
        let points = half.points.iter().flat_map(|point| point.files.values());
        let base = half.base.iter().flat_map(|base| base.files.values());
        known.extend(points.chain(base).chain(&half.litter).cloned());
    }
    known
}

#[cfg(test)]
mod tests {
    use drover_api::common::SiteRole;
    use drover_fabric::Subject;
    use drover_libvirt::protocol::{Described, LentOne, Taken, Terms};
    use drover_world::LinkState;
    use jiff::SignedDuration;

    use super::*;
    use crate::record::Made;
    use crate::site::Options;
    use crate::site::pull::What;

    fn points(ages_in_minutes: &[i64], now: Timestamp) -> Vec<PointKept> {
        let point = |minutes: &i64| PointKept {
            name: minutes.to_string(),
            taken: Taken {
                at: now - SignedDuration::from_mins(*minutes),
                by: None,
            },
            quiesced: false,
            files: std::collections::BTreeMap::new(),
        };
        ages_in_minutes.iter().map(point).collect()
    }

    #[test]
    fn close_points_and_old_points_go_and_the_newest_stay() {
        // SPEC: PR-6
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let day = 24 * 60 * 60 * 1000;
        let all = points(
            &[1500, 1400, 1390, 130, 125, 58, 57, 56, 50, 4, 3, 2, 1],
            now,
        );
        assert_eq!(to_go(&all, day, now), ["1500", "1390", "125", "57", "56"]);
        let few = points(&[3000, 2900, 2800], now);
        assert!(to_go(&few, day, now).is_empty());
    }

    fn of_disk<T>(value: T) -> std::collections::BTreeMap<String, T> {
        std::collections::BTreeMap::from([("vda".to_owned(), value)])
    }

    fn half_of(machine: &MachineName) -> Half {
        let subject = Subject {
            primary: machine.clone(),
            secondary: machine.clone(),
            consistency: None,
            excluded_disks: Vec::new(),
        };
        let terms: Terms = serde_json::from_value(serde_json::json!({
            "sites": {"primary": "seoul", "secondary": "busan"},
            "addresses": ["", ""],
            "interval": 1000,
            "retention": 1000,
            "appEvery": 0,
            "bandwidth": null,
            "compression": false,
            "pool": null,
        }))
        .unwrap();
        Half::new(subject, SiteRole::Secondary, SiteRole::Secondary, terms)
    }

    fn site_at(pool: &std::path::Path) -> std::sync::Arc<Site> {
        let options = Options {
            hosts: Vec::new(),
            folder: pool.to_owned(),
            run: pool.join("run"),
            tls: None,
        };
        Site::open(options).unwrap()
    }

    #[tokio::test]
    async fn what_was_brought_over_late_lands_on_nothing_else() {
        // SPEC: PR-4, FO-4
        let pool = tempfile::tempdir().unwrap();
        let site = site_at(pool.path());
        let machine: MachineName = "db-1".parse().unwrap();
        let mut before = half_of(&machine);
        before.state = LinkState::Replicating;
        before.layers = of_disk(vec!["1.qcow2".into()]);
        let set = |half: &Half| {
            let half = half.clone();
            let change = |record: &mut Record| record.half = Some(half);
            site.store.change(&machine, change).unwrap();
        };
        let described = Described {
            xml: String::new(),
            agent: false,
            disks: Vec::new(),
            variables: None,
        };
        let lent = LentOne {
            loan: "loan-1".into(),
            quiesced: false,
            checkpoint: Some("drover-2".into()),
            seal: None,
            disks: Vec::new(),
            described,
            variables: None,
        };
        let now = Timestamp::now();
        let keep = |before: &Half| {
            let files = of_disk("2.qcow2".into());
            site.keep_point(
                &machine,
                before,
                &lent,
                Taken {
                    at: now,
                    by: Some(now),
                },
                files,
                What::Changes,
            )
        };

        // Somebody else's copy arrived meanwhile; a run began; the link was let go of.
        let mut newer = before.clone();
        newer.layers = of_disk(vec!["1.qcow2".into(), "3.qcow2".into()]);
        let (mut held, mut gone) = (before.clone(), before.clone());
        held.state = LinkState::Paused;
        gone.state = LinkState::None;
        for changed in [newer, held, gone] {
            set(&changed);
            assert!(keep(&before).is_err());
            let mut left = site.store.get(&machine).half.unwrap();
            assert_eq!(left.litter, ["2.qcow2".to_owned()].map(PathBuf::from));
            left.litter.clear();
            assert_eq!(left, changed);
        }
        // Nobody did anything.
        set(&before);
        assert_eq!(keep(&before).unwrap(), Some("drover-2".to_owned()));
        let half = site.store.get(&machine).half.unwrap();
        assert_eq!((half.points.len(), half.layers["vda"].len()), (1, 2));
    }

    #[tokio::test]
    async fn a_merge_into_the_base_that_was_cut_off_is_done_again_and_takes_no_point() {
        // SPEC: PR-6, FO-3
        let pool = tempfile::tempdir().unwrap();
        let site = site_at(pool.path());
        let machine: MachineName = "db-1".parse().unwrap();
        let folder = site.store.folder(&machine);
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(format!("{name}.qcow2"));
        let files = ["0", "1", "2"].map(file);
        image::create(&files[0], 1 << 20).await.unwrap();
        image::overlay(&files[1], &files[0], "qcow2").await.unwrap();
        image::overlay(&files[2], &files[1], "qcow2").await.unwrap();

        // Given a copy that stands on what was there before, of which a point just went
        let now = Timestamp::now();
        let mut half = half_of(&machine);
        half.state = LinkState::Replicating;
        half.layers = of_disk(files.to_vec());
        half.points = points(&[1], now);
        half.points[0].files = of_disk(files[2].clone());
        let base = of_disk(files[0].clone());
        let seal = Site::seal(base.values()).unwrap();
        half.base = Some(Base::new(base, seal));
        let set = |half: &Half| {
            let half = half.clone();
            let change = |record: &mut Record| record.half = Some(half);
            site.store.change(&machine, change).unwrap();
        };
        set(&half);
        let write = || {
            let mut image = std::fs::File::options();
            let image = image.append(true).open(&files[0]).unwrap();
            image.set_modified(std::time::SystemTime::now()).unwrap();
        };

        // When the mover is killed when it has written to that
        let mut cut_off = half.clone();
        cut_off.base.as_mut().unwrap().merging = true;
        set(&cut_off);
        write();
        // Then nobody else wrote to it, and the merge is done again.
        site.look_at_base(&machine).await.unwrap();
        assert_eq!(site.store.get(&machine).half, Some(cut_off));
        site.thin(&machine).await.unwrap();
        let after = site.store.get(&machine).half.unwrap();
        assert_eq!(after.layers["vda"], files[..1]);
        assert_eq!(after.points[0].files["vda"], files[0]);
        let base = after.base.as_ref().unwrap();
        assert!(!base.merging && !Site::is_written_to(base).unwrap());

        // Given files below it, as after a failover, then those are merged, too.
        let mut higher = after.clone();
        let above = ["3", "4"].map(file);
        image::overlay(&above[0], &files[0], "qcow2").await.unwrap();
        image::overlay(&above[1], &above[0], "qcow2").await.unwrap();
        higher.layers = of_disk(vec![files[0].clone(), above[0].clone(), above[1].clone()]);
        higher.points[0].files = of_disk(above[1].clone());
        let top = of_disk(above[1].clone());
        let seal = Site::seal(top.values()).unwrap();
        higher.base = Some(Base::new(top, seal));
        set(&higher);
        site.thin(&machine).await.unwrap();
        let after = site.store.get(&machine).half.unwrap();
        let base = after.base.as_ref().unwrap();
        assert_eq!(base.files["vda"], files[0]);
        assert!(!Site::is_written_to(base).unwrap());

        // When somebody else writes to it, then nothing is merged into it, and no point is whole.
        write();
        assert!(Site::is_written_to(base).unwrap());
        let mut older = after.clone();
        let above = file("5");
        image::overlay(&above, &files[0], "qcow2").await.unwrap();
        older.points[0].files = of_disk(above.clone());
        older.layers = of_disk(vec![files[0].clone(), above]);
        set(&older);
        assert!(site.thin(&machine).await.is_err());
        assert!(site.look_at_base(&machine).await.is_err());
        // While the other side does not answer all stays as it is.
        assert_eq!(site.store.get(&machine).half, Some(older));
    }

    #[tokio::test]
    async fn a_commit_takes_no_file_from_below_a_drill_of_a_newer_point() {
        // SPEC: FO-1, FO-5
        let pool = tempfile::tempdir().unwrap();
        let site = site_at(pool.path());
        let machine: MachineName = "db-1".parse().unwrap();
        let folder = site.store.folder(&machine);
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(format!("{name}.qcow2"));
        for name in ["1", "2", "3", "4", "made", "drill"] {
            std::fs::write(file(name), name).unwrap();
        }

        // Given a failover from an older point, and a drill of the newest one.
        let mut half = half_of(&machine);
        half.layers = of_disk(["1", "2", "3", "4"].map(file).to_vec());
        half.left = Some(SiteRole::Primary);
        let made = |name: &str, on: &str, half: &Half| Made {
            epoch: 1,
            domain: name.to_owned(),
            files: of_disk(file(name)),
            on: of_disk(file(on)),
            below: half.below(&of_disk(file(on))),
            seal: None,
            agreed: None,
            checkpoint: None,
            released: false,
            stands: true,
        };
        let (machine_made, drill) = (made("made", "2", &half), made("drill", "4", &half));
        site.store
            .change(&machine, |record| {
                record.made = Some(machine_made);
                record.drill = Some(drill);
                record.half = Some(half);
            })
            .unwrap();

        // When it is committed, and its files are tidied.
        let half = site.store.get(&machine).half.unwrap();
        let asker = drover_libvirt::protocol::Asker {
            run: "shop-1".to_owned(),
            epoch: 2,
        };
        site.commit(&machine, &half, &asker, SiteRole::Primary)
            .unwrap();
        site.tidy(&machine).await.unwrap();

        // Then the drill keeps what it stands on, until it is over.
        let there = |name: &str| file(name).exists();
        assert!(
            ["1", "2", "3", "4", "made", "drill"]
                .iter()
                .all(|name| there(name))
        );
        site.store
            .change(&machine, |record| {
                let drill = record.drill.take().unwrap();
                let half = record.half.as_mut().unwrap();
                half.litter.extend(drill.files.into_values());
            })
            .unwrap();
        site.tidy(&machine).await.unwrap();
        assert!(["1", "2", "made"].iter().all(|name| there(name)));
        assert!(!["3", "4", "drill"].iter().any(|name| there(name)));
        assert!(site.store.get(&machine).half.unwrap().litter.is_empty());
    }
}
