//! Files that are there whole or not at all.

use std::path::Path;

use tokio::fs::{self, File};

use super::error::ImageError;

/// Gives a file that is complete its name: it is on the disk before, and its name is afterwards. Both names
/// are of one file system.
///
/// # Errors
/// When the file is not there, or the file system fails; then it has its final name or the other, and is
/// whole under either.
pub async fn publish(part: &Path, path: &Path) -> Result<(), ImageError> {
    sync(part).await?;
    let renamed = fs::rename(part, path).await;
    renamed.map_err(ImageError::io("renaming", part))?;
    let (from, to) = (folder(part), folder(path));
    sync(to).await?;
    if from != to {
        sync(from).await?;
    }
    Ok(())
}

/// Brings a file that has its name already to the disk, and the name too.
///
/// # Errors
/// When the file is not there, or the file system fails.
pub async fn settle(path: &Path) -> Result<(), ImageError> {
    sync(path).await?;
    sync(folder(path)).await
}

/// Brings a file or a folder to the disk.
pub(super) async fn sync(path: &Path) -> Result<(), ImageError> {
    let file = File::open(path).await;
    let file = file.map_err(ImageError::io("opening", path))?;
    let synced = file.sync_all().await;
    synced.map_err(ImageError::io("writing to disk", path))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
