//! The network interfaces of a machine.

use super::edit::Domain;
use super::runtime::is_made_up;
use super::tree::Element;

/// A network interface as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its address.
    pub mac: Option<String>,
    /// The network of libvirt that it is in.
    pub network: Option<String>,
    /// The bridge of the host that it is at.
    pub bridge: Option<String>,
    /// What the guest sees: `virtio`.
    pub model: Option<String>,
}

/// A network interface as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// The network of libvirt that it is in.
    pub network: String,
    /// Its address; without one it keeps that which it has, and a new one is given one by libvirt.
    pub mac: Option<String>,
    /// Whether its cable is plugged in.
    pub up: bool,
}

impl Interface {
    fn of(interface: &Element) -> Self {
        let part = |name: &str, key: &str| {
            let found = interface.child(name).and_then(|part| part.get(key));
            found.map(str::to_owned)
        };
        Self {
            mac: part("mac", "address"),
            network: part("source", "network"),
            bridge: part("source", "bridge"),
            model: part("model", "type"),
        }
    }
}

impl Nic {
    /// Has an interface be this one, and otherwise as it was.
    fn shape(&self, interface: &mut Element) {
        let source = interface.child("source");
        let same = interface.is("type", "network")
            && source.is_some_and(|source| source.is("network", &self.network));
        if !same {
            move_away(interface);
        }
        interface.set("type", "network");
        interface.unset("managed");
        interface.retain(|child| match child.name.as_str() {
            "target" => false,
            "alias" => !is_made_up(child),
            _ => true,
        });
        if let Some(mac) = &self.mac {
            // `type='static'` and the like are of the old one.
            let element = interface.make("mac");
            element.attributes.clear();
            element.set("address", mac);
        }
        let source = interface.make("source");
        let group = source.get("portgroup").filter(|_| same).map(str::to_owned);
        source.attributes.clear();
        source.content.clear();
        source.set("network", &self.network);
        if let Some(group) = group {
            source.set("portgroup", &group);
        }
        if self.up {
            interface.remove("link");
        } else {
            interface.make("link").set("state", "down");
        }
    }
}

/// What belongs to the place where an interface was, and not to the guest.
fn move_away(interface: &mut Element) {
    let place = [
        "virtualport",
        "vlan",
        "ip",
        "route",
        "script",
        "downscript",
        "backend",
        "teaming",
        "portForward",
    ];
    interface.retain(|child| !place.contains(&child.name.as_str()));
    // Drivers of devices that are passed through are others.
    if matches!(
        interface.get("type"),
        Some("hostdev" | "vdpa" | "vhostuser")
    ) {
        interface.remove("driver");
    }
}

impl Domain {
    /// All network interfaces.
    pub fn interfaces(&self) -> Vec<Interface> {
        self.devices("interface").map(Interface::of).collect()
    }

    /// Has it have these network interfaces: each in the place of the one that was there, with its model and
    /// other settings; those beyond are new, and what is more goes.
    pub fn set_interfaces(&mut self, nics: &[Nic]) {
        let had = self.devices("interface").count();
        let devices = self.root.make("devices");
        for _ in had..nics.len() {
            devices.add_beside("interface", Element::new("interface"));
        }
        let mut left = nics.len();
        devices.retain(|device| {
            let stays = device.name != "interface" || left > 0;
            if device.name == "interface" {
                left = left.saturating_sub(1);
            }
            stays
        });
        let interfaces = self.devices_mut("interface").zip(nics);
        for (at, (interface, nic)) in interfaces.enumerate() {
            nic.shape(interface);
            if at >= had {
                interface.add(Element::new("model").with("type", "virtio"));
            }
        }
    }
}
