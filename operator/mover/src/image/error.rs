//! Why something could not be done with an image.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::nbd::{Errno, NbdError};

/// Why something could not be done with an image.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A program is not installed here.
    #[error("{program} is not installed, or not on PATH")]
    Missing {
        /// Which.
        program: &'static str,
    },
    /// The image, or one that it refers to, is not there.
    #[error("{} or an image below it is not there: {text}", path.display())]
    NotFound {
        /// The image.
        path: PathBuf,
        /// What was said.
        text: String,
    },
    /// What was to be made is there already.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// The bitmap is not there, or does not tell every change: a comparison has to do.
    #[error("{} has no bitmap that can be used: {text}", path.display())]
    BrokenBitmap {
        /// The image.
        path: PathBuf,
        /// What was said.
        text: String,
    },
    /// The storage is full.
    #[error("there is no space left for {}: {text}", path.display())]
    Full {
        /// The image.
        path: PathBuf,
        /// What was said.
        text: String,
    },
    /// Another process has the image open.
    #[error("{} is in use by another process: {text}", path.display())]
    InUse {
        /// The image.
        path: PathBuf,
        /// What was said.
        text: String,
    },
    /// A program failed in another way.
    #[error("{program} failed: {text}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        text: String,
    },
    /// The file system failed.
    #[error("{doing} {} failed", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ImageError {
    /// What a program meant that failed at an image. Its exit status says too little, so its words must do;
    /// they are asked for in English.
    pub(super) fn said(program: &'static str, path: &Path, text: &str) -> Self {
        let text = text.trim();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let (path, said) = (path.to_owned(), text.to_owned());
        // The lock first: the advice that follows it quotes names, which may hold any words.
        if has(&["\" lock", "Is another process using the image"]) {
            Self::InUse { path, text: said }
        } else if has(&["No space left on device", "Disk quota exceeded"]) {
            Self::Full { path, text: said }
        } else if text.contains("Bitmap '")
            && has(&["is not found", "is inconsistent", "in use and cannot"])
        {
            Self::BrokenBitmap { path, text: said }
        } else if has(&["No such file or directory"]) {
            Self::NotFound { path, text: said }
        } else {
            let text = if text.is_empty() {
                "it said nothing"
            } else {
                text
            };
            let text = text.to_owned();
            Self::Failed { program, text }
        }
    }

    /// What a failure of the file system means.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound {
                text: format!("{doing}: {source}"),
                path,
            },
            io::ErrorKind::AlreadyExists => Self::Exists(path),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                text: format!("{doing}: {source}"),
                path,
            },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    /// What a server of an image means that fails a request.
    pub(super) fn nbd(path: &Path) -> impl FnOnce(NbdError) -> Self {
        let path = path.to_owned();
        move |error| {
            let text = error.to_string();
            if error.errno() == Some(Errno::NoSpace) {
                Self::Full { path, text }
            } else {
                Self::Failed {
                    program: "qemu-nbd",
                    text,
                }
            }
        }
    }
}
