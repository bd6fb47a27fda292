//! Images that nobody has open: made, stacked, folded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::fs::{self, OpenOptions};

use super::error::ImageError;
use super::info::info;
use super::program::{complaint, run, succeed};
use super::publish::sync;

const QEMU_IMG: &str = "qemu-img";
/// How `qemu-img check` says that nothing is wrong but that space is lost.
const LEAKS: i32 = 3;

/// Makes an empty qcow2 image of this size in bytes. It takes space as it is written.
///
/// # Errors
/// When the file exists, or cannot be made.
pub async fn create(path: &Path, size: u64) -> Result<(), ImageError> {
    let size = size.to_string();
    let fresh = Fresh::claim(path).await?;
    let arguments: [&OsStr; 8] = [
        "create".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        "-o".as_ref(),
        "cluster_size=64k,preallocation=off".as_ref(),
        fresh.path(),
        size.as_ref(),
    ];
    succeed(QEMU_IMG, &arguments, path).await?;
    fresh.keep();
    Ok(())
}

/// Makes a qcow2 image that holds nothing yet and shows what `on` holds, which is of this format. From now on
/// nobody may write that one; whether somebody does is not looked at.
///
/// # Errors
/// When the file exists or cannot be made; when `on` is not there.
pub async fn overlay(path: &Path, on: &Path, format: &str) -> Result<(), ImageError> {
    above(path, on, format, None).await
}

/// As [`overlay`], of another size in bytes: what `on` does not reach reads as zeroes.
///
/// # Errors
/// As [`overlay`].
pub async fn larger_overlay(
    path: &Path,
    on: &Path,
    format: &str,
    size: u64,
) -> Result<(), ImageError> {
    above(path, on, format, Some(size)).await
}

async fn above(path: &Path, on: &Path, format: &str, size: Option<u64>) -> Result<(), ImageError> {
    let on = absolute(on)?;
    let fresh = Fresh::claim(path).await?;
    let size = size.map(|size| size.to_string());
    let fixed: [&OsStr; 11] = [
        "create".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        "-o".as_ref(),
        "cluster_size=64k".as_ref(),
        "-b".as_ref(),
        on.as_ref(),
        "-F".as_ref(),
        format.as_ref(),
        fresh.path(),
    ];
    let mut arguments = fixed.to_vec();
    arguments.extend(size.as_ref().map(AsRef::<OsStr>::as_ref));
    succeed(QEMU_IMG, &arguments, path).await?;
    fresh.keep();
    Ok(())
}

/// Writes what an image holds into the one below it, and keeps it as it is. When that was interrupted the
/// image still reads as it should and the one below does not; doing it again makes it good.
///
/// # Errors
/// When one of the two is open elsewhere or not there, or the storage is full.
pub async fn commit(top: &Path) -> Result<(), ImageError> {
    let arguments: [&OsStr; 6] = [
        "commit".as_ref(),
        "-q".as_ref(),
        "-d".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        top.as_ref(),
    ];
    succeed(QEMU_IMG, &arguments, top).await?;
    match info(top).await?.backing {
        // What is below may be no file.
        Some(below) if below.is_absolute() => sync(&below).await,
        _ => Ok(()),
    }
}

/// Has an image stand on another one, of this format, that reads the same: nothing is copied or compared.
///
/// # Errors
/// When one of the two is not there, or the image is open elsewhere.
pub async fn rebase(path: &Path, on: &Path, format: &str) -> Result<(), ImageError> {
    let on = absolute(on)?;
    let there = fs::metadata(&on).await;
    there.map_err(ImageError::io("looking for", &on))?;
    let arguments: [&OsStr; 10] = [
        "rebase".as_ref(),
        "-q".as_ref(),
        "-u".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        "-b".as_ref(),
        on.as_ref(),
        "-F".as_ref(),
        format.as_ref(),
        path.as_ref(),
    ];
    succeed(QEMU_IMG, &arguments, path).await?;
    sync(path).await
}

/// Whether a qcow2 image is whole. That it takes more space than it needs is no error.
///
/// # Errors
/// When it is damaged, open elsewhere or not there.
pub async fn check(path: &Path) -> Result<(), ImageError> {
    let arguments: [&OsStr; 5] = [
        "check".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        path.as_ref(),
    ];
    let ended = run(QEMU_IMG, &arguments).await?;
    if ended.status.success() || ended.status.code() == Some(LEAKS) {
        return Ok(());
    }
    Err(complaint(QEMU_IMG, path, ended.status, &ended.words))
}

fn absolute(path: &Path) -> Result<PathBuf, ImageError> {
    std::path::absolute(path).map_err(ImageError::io("finding", path))
}

/// A name that was free and is ours; freed again unless the image was made.
struct Fresh {
    path: PathBuf,
    kept: bool,
}

impl Fresh {
    async fn claim(path: &Path) -> Result<Self, ImageError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let claimed = options.open(path).await;
        claimed.map(drop).map_err(ImageError::io("making", path))?;
        let path = path.to_owned();
        Ok(Self { path, kept: false })
    }

    fn path(&self) -> &OsStr {
        self.path.as_ref()
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is found by whoever makes it again.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
