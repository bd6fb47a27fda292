//! A file is written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Writes a file anew that held `old` when it was read. Its mode stays; where the path is a link, what
/// it leads to is written.
///
/// # Errors
/// When it holds something else by now, may not be written, or cannot be.
pub fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<(), Failure> {
    let failed = |source| failed(path, source);
    let target = fs::canonicalize(path).map_err(failed)?;
    if fs::read(&target).map_err(failed)? != old {
        return Err(Failure::Refused {
            what: format!("{} was changed by somebody else meanwhile", path.display()),
            hint: "run the command again".to_owned(),
        });
    }
    let permissions = fs::metadata(&target).map_err(failed)?.permissions();
    if permissions.readonly() {
        return Err(failed(io::ErrorKind::PermissionDenied.into()));
    }
    put(&target, new, Some(permissions)).map_err(failed)
}

/// Writes a file, whatever was there.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, new: &[u8]) -> Result<(), Failure> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let permissions = fs::metadata(&target).ok().map(|found| found.permissions());
    put(&target, new, permissions).map_err(|source| failed(path, source))
}

fn put(target: &Path, new: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // In the same folder: a rename within a file system leaves either file whole.
    let mut part = tempfile::Builder::new()
        .prefix(".drover-")
        .suffix(".part")
        .tempfile_in(&folder)?;
    part.write_all(new)?;
    let permissions = permissions.map_or_else(|| usual(&part), Ok)?;
    part.as_file().set_permissions(permissions)?;
    part.as_file().sync_all()?;
    part.persist(target).map_err(|error| error.error)?;
    // The name is on disk when its folder is.
    fs::File::open(&folder)?.sync_all()
}

/// What other files are written with: a temporary one is its owner's alone.
fn usual(part: &tempfile::NamedTempFile) -> io::Result<fs::Permissions> {
    let mut permissions = part.as_file().metadata()?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        permissions.set_mode(0o644);
    }
    Ok(permissions)
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::Write {
        path: path.to_owned(),
        source,
    }
}
