//! A description, and what is simple about it.

use std::fmt;

use super::error::DomainError;
use super::parse::document;
use super::tree::{Element, Node};

/// The channel that a guest's agent listens at.
const AGENT: &str = "org.qemu.guest_agent.0";

/// A machine as libvirt describes it. It may hold secrets, and does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Domain {
    before: Vec<Node>,
    pub(super) root: Element,
    after: Vec<Node>,
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Domain {
    /// Reads a description, of a machine that runs or of one that does not.
    ///
    /// # Errors
    /// When it is no XML, or describes no machine.
    pub fn parse(xml: &str) -> Result<Self, DomainError> {
        let (before, root, after) = document(xml)?;
        if root.name != "domain" {
            return Err(DomainError::NotADomain(root.name));
        }
        Ok(Self {
            before,
            root,
            after,
        })
    }

    /// The description; what was not changed is as it was read.
    pub fn to_xml(&self) -> String {
        let mut xml = String::new();
        for node in &self.before {
            node.write(&mut xml);
            xml.push('\n');
        }
        self.root.write(&mut xml);
        xml.push('\n');
        for node in &self.after {
            node.write(&mut xml);
            xml.push('\n');
        }
        xml
    }

    /// The name that libvirt knows it by.
    pub fn name(&self) -> String {
        self.text("name").unwrap_or_default()
    }

    /// Gives it another name.
    pub fn set_name(&mut self, name: &str) {
        self.root.make("name").set_text(name);
    }

    /// The number that libvirt and the guest know it by.
    pub fn uuid(&self) -> Option<String> {
        self.text("uuid")
    }

    /// Gives it another number, or none, so that libvirt makes one up. What its firmware tells the guest
    /// must be the same, or libvirt refuses the description.
    pub fn set_uuid(&mut self, uuid: Option<&str>) {
        match uuid {
            Some(uuid) => self.root.make("uuid").set_text(uuid),
            None => self.root.remove("uuid"),
        }
        let is_uuid = |entry: &Element| entry.name == "entry" && entry.is("name", "uuid");
        let infos = self.root.children_mut();
        for info in infos.filter(|child| child.name == "sysinfo") {
            for system in info.children_mut().filter(|child| child.name == "system") {
                match uuid {
                    None => system.retain(|entry| !is_uuid(entry)),
                    Some(uuid) => {
                        let entries = system.children_mut().filter(|entry| is_uuid(entry));
                        entries.for_each(|entry| entry.set_text(uuid));
                    }
                }
            }
        }
    }

    /// The model of the mainboard, such as `pc-q35-7.2`.
    pub fn machine_type(&self) -> Option<String> {
        let kind = self.root.down(&["os", "type"])?;
        kind.get("machine").map(str::to_owned)
    }

    /// Gives it another mainboard: a guest may take it for another machine.
    pub fn set_machine_type(&mut self, machine: &str) {
        let kind = self.root.make("os").make("type");
        kind.set("machine", machine);
    }

    /// The processor that its guest sees, such as `Haswell`, where it is one by name and not that of the host.
    pub fn cpu_model(&self) -> Option<String> {
        let cpu = self.root.child("cpu")?;
        let by_name = cpu.get("mode").is_none_or(|mode| mode == "custom");
        let model = cpu.child("model").filter(|_| by_name)?.text();
        (!model.is_empty()).then_some(model)
    }

    /// Whether it has a channel for an agent in the guest.
    pub fn has_agent(&self) -> bool {
        self.agent().is_some()
    }

    /// Whether an agent listens at the other end of the channel, which only a machine that runs can tell.
    pub fn agent_connected(&self) -> Option<bool> {
        match self.agent()?.get("state")? {
            "connected" => Some(true),
            "disconnected" => Some(false),
            _ => None,
        }
    }

    fn agent(&self) -> Option<&Element> {
        let channels = self.devices("channel");
        let mut targets = channels.filter_map(|channel| channel.child("target"));
        targets.find(|target| target.is("name", AGENT))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.root.child(name).map(Element::text)
    }

    pub(super) fn devices<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Element> {
        let devices = self.root.child("devices").into_iter();
        devices.flat_map(move |devices| devices.named(kind))
    }

    pub(super) fn devices_mut<'a>(
        &'a mut self,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a mut Element> {
        let devices = self.root.child_mut("devices").into_iter();
        let all = devices.flat_map(Element::children_mut);
        all.filter(move |device| device.name == kind)
    }
}
