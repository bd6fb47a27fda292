//! What a machine would share with the one that it is a copy of.

use super::edit::Domain;

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
}
