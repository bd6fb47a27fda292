//! A document as a tree, and its text.

use std::fmt::Write as _;

/// An element with everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// With its prefix, as it is written.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub content: Vec<Node>,
}

/// What an element holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Element(Element),
    /// What is meant, without any escapes.
    Text(String),
    CData(String),
    Comment(String),
    Instruction(String),
}

impl Node {
    fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }
}

impl Element {
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            name,
            ..Self::default()
        }
    }

    pub fn with(mut self, attribute: &str, value: &str) -> Self {
        self.set(attribute, value);
        self
    }

    pub fn get(&self, attribute: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name == attribute);
        found.map(|(_, value)| value.as_str())
    }

    pub fn is(&self, attribute: &str, value: &str) -> bool {
        self.get(attribute) == Some(value)
    }

    pub fn set(&mut self, attribute: &str, value: &str) {
        let old = self
            .attributes
            .iter_mut()
            .find(|(name, _)| name == attribute);
        match old {
            Some((_, old)) => value.clone_into(old),
            None => self
                .attributes
                .push((attribute.to_owned(), value.to_owned())),
        }
    }

    pub fn unset(&mut self, attribute: &str) {
        self.attributes.retain(|(name, _)| name != attribute);
    }

    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.content.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Element> {
        self.content.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children().filter(move |child| child.name == name)
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children().find(|child| child.name == name)
    }

    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children_mut().find(|child| child.name == name)
    }

    /// What is found going down by these names.
    pub fn down(&self, path: &[&str]) -> Option<&Element> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// What is found going down by these names.
    pub fn down_mut(&mut self, path: &[&str]) -> Option<&mut Element> {
        path.iter()
            .try_fold(self, |element, name| element.child_mut(name))
    }

    /// The child of this name, which is made if there is none.
    pub fn make(&mut self, name: &str) -> &mut Element {
        if self.child(name).is_none() {
            self.add(Element::new(name));
        }
        let Some(child) = self.child_mut(name) else {
            unreachable!("it was there or was added");
        };
        child
    }

    /// Adds a child behind all others, on a line of its own where they are.
    pub fn add(&mut self, child: Element) {
        let last = |node: &Node| matches!(node, Node::Element(_));
        let at = self.content.iter().rposition(last);
        self.insert(at.map_or(0, |at| at + 1), child);
    }

    /// Adds a child behind those of this name, or behind all.
    pub fn add_beside(&mut self, name: &str, child: Element) {
        let alike = |node: &Node| matches!(node, Node::Element(other) if other.name == name);
        match self.content.iter().rposition(alike) {
            Some(at) => self.insert(at + 1, child),
            None => self.add(child),
        }
    }

    fn insert(&mut self, at: usize, child: Element) {
        let before = at.checked_sub(2).and_then(|at| self.content.get(at));
        let indent = before.filter(|node| node.is_blank()).cloned();
        let nodes = indent.into_iter().chain([Node::Element(child)]);
        self.content.splice(at..at, nodes);
    }

    /// Keeps those children that are wanted; with the others goes the space before them.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Element) -> bool) {
        let mut some_left = false;
        let mut kept: Vec<Node> = Vec::with_capacity(self.content.len());
        for node in self.content.drain(..) {
            match node {
                Node::Element(child) if !wanted(&child) => {
                    some_left = true;
                    if kept.last().is_some_and(Node::is_blank) {
                        kept.pop();
                    }
                }
                // Two texts that meet are one when they are read again.
                Node::Text(text) => match kept.last_mut() {
                    Some(Node::Text(before)) => before.push_str(&text),
                    _ => kept.push(Node::Text(text)),
                },
                node => kept.push(node),
            }
        }
        if some_left && kept.iter().all(Node::is_blank) {
            kept.clear();
        }
        self.content = kept;
    }

    pub fn remove(&mut self, name: &str) {
        self.retain(|child| child.name != name);
    }

    /// The text in it, without that of its children.
    pub fn text(&self) -> String {
        let text = self.content.iter().filter_map(|node| match node {
            Node::Text(text) | Node::CData(text) => Some(text.as_str()),
            _ => None,
        });
        text.collect::<String>().trim().to_owned()
    }

    pub fn set_text(&mut self, text: &str) {
        self.content.clear();
        if !text.is_empty() {
            self.content.push(Node::Text(text.to_owned()));
        }
    }

    pub fn write(&self, to: &mut String) {
        to.push('<');
        to.push_str(&self.name);
        for (name, value) in &self.attributes {
            to.push(' ');
            to.push_str(name);
            to.push_str("='");
            escape(value, true, to);
            to.push('\'');
        }
        if self.content.is_empty() {
            to.push_str("/>");
            return;
        }
        to.push('>');
        for node in &self.content {
            node.write(to);
        }
        to.push_str("</");
        to.push_str(&self.name);
        to.push('>');
    }
}

impl Node {
    pub fn write(&self, to: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Element(element) => {
                element.write(to);
                Ok(())
            }
            Self::Text(text) => {
                escape(text, false, to);
                Ok(())
            }
            Self::CData(text) => write!(to, "<![CDATA[{text}]]>"),
            Self::Comment(text) => write!(to, "<!--{text}-->"),
            Self::Instruction(text) => write!(to, "<?{text}?>"),
        };
    }
}

/// As libvirt does it. Ends of lines in an attribute would be read as blanks, and a carriage return anywhere
/// as the end of a line.
fn escape(text: &str, attribute: bool, to: &mut String) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '\'' => to.push_str("&apos;"),
            '"' => to.push_str("&quot;"),
            '\r' => to.push_str("&#13;"),
            '\n' if attribute => to.push_str("&#10;"),
            '\t' if attribute => to.push_str("&#9;"),
            c => to.push(c),
        }
    }
}
