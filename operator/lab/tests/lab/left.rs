//! What a lab consists of, and what is left of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use drover_lab::{Lab, Side};

/// The folder of a lab: that of a site's disks is `…/primary/lib/images`.
pub(crate) fn folder(lab: &Lab) -> PathBuf {
    let pool = lab.site(Side::Primary).pool_folder();
    pool.ancestors().nth(3).unwrap().to_owned()
}

/// The namespaces of the processes of a lab, by what they are called in `/proc`, without those that it
/// shares with this process.
pub(crate) fn spaces(folder: &Path) -> Vec<String> {
    let mut found: Vec<_> = processes()
        .iter()
        .filter(|process| command_line(process).contains(folder.to_str().unwrap()))
        .flat_map(|process| spaces_of(process))
        .collect();
    found.sort();
    found.dedup();
    let own = spaces_of(Path::new("/proc/self"));
    found.retain(|space| !own.contains(space));
    found
}

/// What is left of a lab: its folder, a mount of it, and processes in its namespaces.
pub(crate) fn left(folder: &Path, spaces: &[String]) -> Vec<String> {
    let mut left = Vec::new();
    if folder.exists() {
        left.push(folder.display().to_string());
    }
    let name = folder.to_str().unwrap();
    for process in processes() {
        let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        let is_inside = spaces_of(&process)
            .iter()
            .any(|space| spaces.contains(space));
        let command_line = command_line(&process);
        if is_inside || mounts.contains(name) || command_line.contains(name) {
            left.push(format!("{} {command_line}", process.display()));
        }
    }
    left
}

fn processes() -> Vec<PathBuf> {
    let is_process = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    };
    fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(is_process)
        .collect()
}

/// Of a process that just ended there are none.
fn spaces_of(process: &Path) -> Vec<String> {
    ["net", "mnt", "pid"]
        .iter()
        .filter_map(|kind| fs::read_link(process.join("ns").join(kind)).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

fn command_line(process: &Path) -> String {
    let words = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}
