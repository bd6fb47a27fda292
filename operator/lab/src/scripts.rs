//! The scripts of a lab. They are part of the program, so that it needs no checkout, and are laid out in the
//! folder of each lab, with which they go.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::error::{Doing as _, Error};

const FIRST_PROCESS: &str = "first-process";
const BUILD: &str = "guest/build";

/// Where in the folder of scripts, and what. The guest is known by what these two say: a change makes another.
const ALL: [(&str, &str); 3] = [
    (FIRST_PROCESS, include_str!("../first-process")),
    (BUILD, include_str!("../guest/build")),
    ("guest/init", include_str!("../guest/init")),
];

#[derive(Debug, Clone)]
pub(super) struct Scripts {
    folder: PathBuf,
}

impl Scripts {
    pub(super) fn lay_out(lab: &Path) -> Result<Self, Error> {
        let folder = lab.join("scripts");
        fs::create_dir_all(folder.join("guest")).doing("make a folder for scripts")?;
        for (name, text) in ALL {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o755);
            options
                .open(folder.join(name))
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .doing("write a script")?;
        }
        Ok(Self { folder })
    }

    /// Becomes the first process of namespaces.
    pub(super) fn first_process(&self) -> PathBuf {
        self.folder.join(FIRST_PROCESS)
    }

    /// Builds the guest, where there is none.
    pub(super) fn build(&self) -> PathBuf {
        self.folder.join(BUILD)
    }
}
