//! What libvirt tells only of a machine that runs.

use super::edit::Domain;
use super::tree::Element;

/// Names of tap devices that libvirt makes up, before their number.
const TAPS: [&str; 4] = ["vnet", "macvtap", "macvlan", "vif"];

/// Whether an alias is libvirt's own; those of people begin with `ua-` and stay.
pub(super) fn is_made_up(alias: &Element) -> bool {
    !alias
        .get("name")
        .is_some_and(|name| name.starts_with("ua-"))
}

impl Domain {
    /// Takes away what holds for this run on this host only. The addresses of devices stay: guests depend on
    /// which slot a card is in.
    pub fn drop_runtime(&mut self) {
        self.root.unset("id");
        self.root.children_mut().for_each(forget_label);
        self.root.retain(|child| {
            child.name != "seclabel" || !child.content.is_empty() || !is_dynamic(child)
        });
        let Some(devices) = self.root.child_mut("devices") else {
            return;
        };
        for device in devices.children_mut() {
            device.retain(|child| child.name != "alias" || !is_made_up(child));
            match device.name.as_str() {
                "disk" => settle_disk(device),
                "interface" => settle_interface(device),
                "graphics" => settle_graphics(device),
                "console" | "serial" | "parallel" | "channel" => settle_channel(device),
                _ => {}
            }
        }
    }
}

fn is_dynamic(label: &Element) -> bool {
    label.is("type", "dynamic")
}

/// A label that libvirt made up; what it was made from stays.
fn forget_label(child: &mut Element) {
    if child.name == "seclabel" && is_dynamic(child) {
        child.retain(|part| !matches!(part.name.as_str(), "label" | "imagelabel"));
    }
}

fn settle_disk(disk: &mut Element) {
    // One with an index, or none that ends a chain, is what libvirt found out; others were asked for.
    disk.retain(|child| {
        let found = child.get("index").is_some() || child.content.is_empty();
        child.name != "mirror" && (child.name != "backingStore" || !found)
    });
    if let Some(source) = disk.child_mut("source") {
        source.unset("index");
    }
}

fn settle_interface(interface: &mut Element) {
    let made_up = |name: &str| {
        let mut taps = TAPS.iter();
        taps.any(|tap| name.strip_prefix(tap).is_some_and(is_number))
    };
    interface.retain(|child| child.name != "target" || !child.get("dev").is_some_and(made_up));
    if interface.is("type", "network")
        && let Some(source) = interface.child_mut("source")
    {
        source
            .attributes
            .retain(|(name, _)| matches!(name.as_str(), "network" | "portgroup"));
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn settle_graphics(graphics: &mut Element) {
    if graphics.is("autoport", "yes") {
        graphics.set("port", "-1");
        graphics.unset("tlsPort");
    }
    for listen in graphics
        .children_mut()
        .filter(|child| child.name == "listen")
    {
        // The address of the network as this host has it.
        if listen.is("type", "network") {
            listen.unset("address");
        }
    }
}

fn settle_channel(channel: &mut Element) {
    channel.unset("tty");
    let is_pty = channel.is("type", "pty");
    let is_socket = channel.is("type", "unix");
    channel.retain(|child| {
        let path = child.get("path").unwrap_or_default();
        let own = is_socket && path.contains("/libvirt/qemu/channel/");
        child.name != "source" || !(is_pty || own)
    });
    if let Some(target) = channel.child_mut("target") {
        target.unset("state");
    }
}
