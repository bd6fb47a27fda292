//! What a machine would share with the one that it is a copy of.

use std::path::Path;

use super::edit::Domain;
use super::ties::{Tie, Tied};

impl Domain {
    /// Takes away what two machines must not have together at one host: the file of what firmware remembers,
    /// which libvirt makes anew, folders of the host, and devices that are passed through.
    pub fn stand_alone(&mut self) {
        if let Some(boot) = self.root.child_mut("os") {
            for nvram in boot.children_mut().filter(|child| child.name == "nvram") {
                nvram.content.clear();
                nvram.unset("type");
            }
            // Without a template libvirt finds one by the firmware.
            boot.retain(|child| child.name != "nvram" || child.get("template").is_some());
        }
        if let Some(devices) = self.root.child_mut("devices") {
            devices.retain(|device| !matches!(device.name.as_str(), "filesystem" | "hostdev"));
        }
    }

    /// Whether what its firmware remembers is in a file that is called after it, as libvirt makes one: another
    /// file may be another machine's.
    pub fn has_own_variables(&self) -> bool {
        let name = self.name();
        let of_others = |tie: &Tie| {
            let file = Path::new(&tie.path).file_name();
            let file = file.map(|file| file.to_string_lossy().into_owned());
            tie.what == Tied::Nvram && !file.is_some_and(|file| file.starts_with(&name))
        };
        !self.ties().iter().any(of_others)
    }
}
