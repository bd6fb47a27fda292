//! Where a value stands. A path is a chain on the stack and becomes a text only when there is
//! something to say: nearly all objects are in order.

use std::fmt::Write;

/// A path, from its last step back to the root.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    /// A field that the schema names.
    Field(&'a Path<'a>, &'a str),
    /// An entry of a map, whose key people choose.
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// `spec.labels.tier`, as schemas spell it.
    pub fn dotted(&self) -> String {
        self.text(false)
    }

    /// `spec.labels[tier]`, as everything else spells it.
    pub fn keyed(&self) -> String {
        self.text(true)
    }

    fn text(&self, keyed: bool) -> String {
        let mut text = String::new();
        self.write(keyed, &mut text);
        text
    }

    fn write(&self, keyed: bool, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Key(parent, key) if keyed => {
                parent.write(keyed, out);
                // Writing to a text cannot fail.
                let _ = write!(out, "[{key}]");
            }
            Self::Field(parent, name) | Self::Key(parent, name) => {
                parent.write(keyed, out);
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            Self::Item(parent, index) => {
                parent.write(keyed, out);
                let _ = write!(out, "[{index}]");
            }
        }
    }
}
