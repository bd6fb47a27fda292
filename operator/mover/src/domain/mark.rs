//! What we note in a description.

use super::edit::Domain;
use super::tree::{Element, Node};

const NAMESPACE: &str = "https://drover.dev/libvirt/1";
const NAME: &str = "drover:machine";
const DECLARED: &str = "xmlns:drover";
const EPOCH: &str = "epoch";
const MADE_AT: &str = "made-at";

/// What we note in the description of a machine that we made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The epoch of the request.
    pub epoch: u64,
    /// When what it runs from was taken, where it is made of a recovery point; as who notes it counts.
    pub made_at: Option<u64>,
}

impl Domain {
    /// What we noted, if the machine is one of ours.
    pub fn metadata(&self) -> Option<Mark> {
        let metadata = self.root.child("metadata")?;
        let mark = metadata.children().find(|child| self.is_mark(child))?;
        let number = |name: &str| mark.get(name)?.parse().ok();
        Some(Mark {
            epoch: number(EPOCH)?,
            made_at: number(MADE_AT),
        })
    }

    /// Notes it in place of what was noted before. What others noted stays.
    pub fn set_metadata(&mut self, mark: Mark) {
        self.clear_metadata();
        let mut element = Element::new(NAME)
            .with(DECLARED, NAMESPACE)
            .with(EPOCH, &mark.epoch.to_string());
        if let Some(made_at) = mark.made_at {
            element.set(MADE_AT, &made_at.to_string());
        }
        self.root.make("metadata").add(element);
    }

    /// Takes away what we noted.
    pub fn clear_metadata(&mut self) {
        let metadata = self.root.child("metadata").into_iter();
        let all = metadata.flat_map(Element::children);
        let ours: Vec<Element> = all.filter(|child| self.is_mark(child)).cloned().collect();
        let Some(metadata) = self.root.child_mut("metadata") else {
            return;
        };
        metadata.retain(|child| !ours.contains(child));
        let empty = metadata
            .content
            .iter()
            .all(|node| matches!(node, Node::Text(_)));
        if empty && !ours.is_empty() {
            self.root.remove("metadata");
        }
    }

    /// A prefix means what the nearest element around says; libvirt may write any.
    fn is_mark(&self, element: &Element) -> bool {
        let (declared, local) = match element.name.split_once(':') {
            Some((prefix, local)) => (format!("xmlns:{prefix}"), local),
            None => ("xmlns".to_owned(), element.name.as_str()),
        };
        let around = [Some(element), self.root.child("metadata"), Some(&self.root)];
        let mut meanings = around
            .into_iter()
            .flatten()
            .filter_map(|from| from.get(&declared));
        local == "machine" && meanings.next() == Some(NAMESPACE)
    }
}
