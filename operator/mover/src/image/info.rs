//! What an image is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::ImageError;
use super::program::{failed, succeed};

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `qcow2`, `raw` and so on, as its first bytes have it: a guest with a raw disk decides what those are.
    pub format: String,
    /// The size of the disk, in bytes.
    pub virtual_size: u64,
    /// The image below.
    pub backing: Option<PathBuf>,
    /// The format of the image below, where that is recorded.
    pub backing_format: Option<String>,
    /// The bitmaps that are kept in it.
    pub bitmaps: Vec<Bitmap>,
}

/// A bitmap that is kept in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Its name.
    pub name: String,
    /// Whoever had the image open has not written the bitmap back. That is so as long as a guest runs; when
    /// nobody has it open, the bitmap does not tell every change.
    pub broken: bool,
    /// Whether it notes what is written.
    pub recording: bool,
}

impl Info {
    /// The bitmap of this name.
    pub fn bitmap(&self, name: &str) -> Option<&Bitmap> {
        self.bitmaps.iter().find(|bitmap| bitmap.name == name)
    }
}

/// What an image is; also while a guest has it open.
///
/// # Errors
/// When it is not there or cannot be read.
pub async fn info(path: &Path) -> Result<Info, ImageError> {
    let seen: Seen = told(path, &["info"]).await?;
    Ok(seen.into())
}

/// What an image is and all that are below it, the image itself first.
///
/// # Errors
/// When one of them is not there or cannot be read.
pub async fn chain(path: &Path) -> Result<Vec<Info>, ImageError> {
    let seen: Vec<Seen> = told(path, &["info", "--backing-chain"]).await?;
    Ok(seen.into_iter().map(Info::from).collect())
}

async fn told<T: DeserializeOwned>(path: &Path, what: &[&str]) -> Result<T, ImageError> {
    let what = what.iter().chain(&["--force-share", "--output=json"]);
    let mut arguments: Vec<&OsStr> = what.map(AsRef::as_ref).collect();
    arguments.push(path.as_ref());
    let output = succeed("qemu-img", &arguments, path).await?;
    serde_json::from_slice(&output).map_err(|error| failed("qemu-img", &error))
}

/// How `qemu-img info` says it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Seen {
    format: String,
    virtual_size: u64,
    backing_filename: Option<PathBuf>,
    full_backing_filename: Option<PathBuf>,
    backing_filename_format: Option<String>,
    format_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Specific {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    bitmaps: Vec<SeenBitmap>,
}

#[derive(Deserialize)]
struct SeenBitmap {
    name: String,
    #[serde(default)]
    flags: Vec<String>,
}

impl From<Seen> for Info {
    fn from(seen: Seen) -> Self {
        let data = seen.format_specific.and_then(|specific| specific.data);
        let bitmaps = data.map(|data| data.bitmaps).unwrap_or_default();
        Self {
            format: seen.format,
            virtual_size: seen.virtual_size,
            backing: seen.full_backing_filename.or(seen.backing_filename),
            backing_format: seen.backing_filename_format,
            bitmaps: bitmaps.into_iter().map(Bitmap::from).collect(),
        }
    }
}

impl From<SeenBitmap> for Bitmap {
    fn from(seen: SeenBitmap) -> Self {
        let has = |flag: &str| seen.flags.iter().any(|other| other == flag);
        Self {
            broken: has("in-use"),
            recording: has("auto"),
            name: seen.name,
        }
    }
}
