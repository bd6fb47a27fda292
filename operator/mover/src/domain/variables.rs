//! What a machine's firmware remembers, such as from what to boot.

use std::path::{Path, PathBuf};

use super::edit::Domain;
use super::ties::{Tie, Tied};
use super::tree::{Element, Node};

impl Domain {
    /// The file that its firmware remembers in.
    pub fn variables(&self) -> Option<PathBuf> {
        self.kept().next().map(|tie| tie.path.into())
    }

    /// Has its firmware remember in this file, if it is one that does: then this returns true.
    pub fn set_variables(&mut self, file: &Path) -> bool {
        let Some(boot) = self.root.child_mut("os") else {
            return false;
        };
        let remembers = |loader: &Element| loader.is("type", "pflash");
        let of_libvirt = boot.is("firmware", "efi");
        if !of_libvirt && !boot.child("loader").is_some_and(remembers) {
            return false;
        }
        if boot.child("nvram").is_none() {
            // libvirt wants it behind the loader.
            boot.add_beside("loader", Element::new("nvram"));
        }
        let nvram = boot.make("nvram");
        nvram.unset("type");
        nvram.content = vec![Node::Text(file.display().to_string())];
        true
    }

    /// Whether what its firmware remembers is in a file that is called after it, as libvirt makes one: another
    /// file may be another machine's.
    pub fn has_own_variables(&self) -> bool {
        let name = self.name();
        let of_others = |tie: Tie| {
            let file = Path::new(&tie.path).file_name();
            let file = file.map(|file| file.to_string_lossy().into_owned());
            !file.is_some_and(|file| file.starts_with(&name))
        };
        !self.kept().any(of_others)
    }

    fn kept(&self) -> impl Iterator<Item = Tie> {
        let ties = self.ties().into_iter();
        ties.filter(|tie| tie.what == Tied::Nvram)
    }
}
