//! From text to a tree.

use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::error::DomainError;
use super::tree::{Element, Node};

/// Elements in elements: libvirt needs about ten, and to write or drop a tree takes stack for each.
const DEEPEST: usize = 100;

/// What a document holds: its element, and what stands around it.
pub(super) fn document(xml: &str) -> Result<(Vec<Node>, Element, Vec<Node>), DomainError> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let wrong = |why: &dyn std::fmt::Display| DomainError::Xml {
            at,
            why: why.to_string(),
        };
        match event.map_err(|error| wrong(&error))? {
            Event::Start(_) if open.len() > DEEPEST => return Err(wrong(&"it is too deep")),
            Event::Start(start) => open.push(element(&start).map_err(|error| wrong(&error))?),
            Event::Empty(start) => {
                let element = element(&start).map_err(|error| wrong(&error))?;
                put(&mut open, Node::Element(element));
            }
            Event::End(_) => {
                // The reader has seen that it ends what is open.
                if let Some(element) = open.pop() {
                    put(&mut open, Node::Element(element));
                }
            }
            Event::Text(text) => put(&mut open, Node::Text(text.xml10_content().into_owned())),
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*name))
                    .map_err(|error| wrong(&error))?
                    .into_owned();
                put(&mut open, Node::Text(text));
            }
            Event::CData(text) => put(&mut open, Node::CData(text.xml10_content().into_owned())),
            Event::Comment(text) => {
                put(&mut open, Node::Comment(text.xml10_content().into_owned()));
            }
            Event::PI(text) => put(&mut open, Node::Instruction((*text).to_owned())),
            // It says how bytes become the text that this is already.
            Event::Decl(_) => {}
            Event::DocType(_) => return Err(wrong(&"it has a document type")),
            Event::Eof if open.len() == 1 => break,
            Event::Eof => return Err(wrong(&"it ends in the middle")),
        }
    }
    let nodes = open.pop().unwrap_or_default().content;
    around(nodes).ok_or_else(|| DomainError::Xml {
        at: xml.len() as u64,
        why: "it is not one element".to_owned(),
    })
}

fn element(start: &BytesStart<'_>) -> Result<Element, quick_xml::Error> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error: AttrError| quick_xml::Error::from(error))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        let name = attribute.key.as_ref().to_owned();
        element.attributes.push((name, value.into_owned()));
    }
    Ok(element)
}

fn put(open: &mut [Element], node: Node) {
    let Some(parent) = open.last_mut() else {
        return;
    };
    match (parent.content.last_mut(), node) {
        // Escapes come one by one.
        (Some(Node::Text(before)), Node::Text(text)) => before.push_str(&text),
        (_, node) => parent.content.push(node),
    }
}

fn around(nodes: Vec<Node>) -> Option<(Vec<Node>, Element, Vec<Node>)> {
    let (mut before, mut root, mut after) = (Vec::new(), None, Vec::new());
    for node in nodes {
        match node {
            Node::Element(element) if root.is_none() => root = Some(element),
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Element(_) | Node::CData(_) | Node::Text(_) => return None,
            other if root.is_none() => before.push(other),
            other => after.push(other),
        }
    }
    root.map(|root| (before, root, after))
}
