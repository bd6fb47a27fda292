//! A field of an object is set in its text, and every other byte of the text stays.
//!
//! The text is not written anew from what it says: comments, order, quotes, indentation and line ends
//! are somebody's. [`set`] changes the fewest bytes that do it, and then reads the result again: the
//! document must say what it said with that one field set, and no other document may have changed a
//! byte. Where that cannot be, nothing is returned but why.

mod place;
mod write;

use crate::document::parse;
use crate::limits::MAX_DOCUMENTS;
use crate::load::Origin;
use crate::node::{Key, Node, Value};
use crate::position::{Lines, Span, offset};
use crate::split::split;

use place::Spot;

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Text.
    Text(String),
    /// A map, in this order.
    Map(Vec<(String, Written)>),
}

/// A field and what it is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The keys from the root of the object.
    pub path: Vec<String>,
    /// The value. A map replaces what was there as a whole.
    pub value: Written,
}

impl Setting {
    /// A field that is to be this text.
    pub fn text(path: &[&str], text: impl Into<String>) -> Self {
        Self {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            value: Written::Text(text.into()),
        }
    }
}

/// A text in which fields were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: Vec<u8>,
    /// Where the object stands in it.
    pub origin: Origin,
}

/// Why a field cannot be set in a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct CannotEdit {
    /// What stands in the way.
    pub what: String,
    /// What a person can do.
    pub hint: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// Sets fields of an object, one after the other. `before` names the keys after which a key is best
/// written where it is missing, the best first; where none of them is there it becomes the first.
///
/// A field that says so already is left as it is written.
///
/// # Errors
/// When a field cannot be set without changing anything else.
///
/// ```
/// use drover_manifest::{Options, Setting, Source, drover_kinds, load, set};
///
/// let text = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: 'a' } # ours\n\
///             spec: { fabric: { simulator: {} } }\n";
/// let source = Source { name: "site.yaml", text: text.as_bytes() };
/// let loaded = load(&[source], &drover_kinds(), &Options::default());
/// let setting = Setting::text(&["metadata", "name"], "b");
/// let edited = set(source.text, loaded.objects[0].origin, &[setting], |_| &[])?;
/// assert_eq!(edited.text, text.replace("'a'", "'b'").into_bytes());
/// # Ok::<(), drover_manifest::CannotEdit>(())
/// ```
pub fn set(
    text: &[u8],
    origin: Origin,
    settings: &[Setting],
    before: impl Fn(&str) -> &'static [&'static str],
) -> Result<Edited, CannotEdit> {
    let mut edited = Edited {
        text: text.to_vec(),
        origin,
    };
    for setting in settings {
        let editor = Editor::new(&edited.text, edited.origin)?;
        if let Some(edit) = editor.edit(setting, &before)? {
            edited = editor.applied(&edit, setting)?;
        }
    }
    Ok(edited)
}

/// These bytes of the source become that text.
struct Edit {
    span: Span,
    text: String,
}

/// A refusal: what stands in the way at which byte, and what can be done.
struct Refusal {
    at: u32,
    what: String,
    hint: &'static str,
}

const SHARED: &str = "the value may be shared by an anchor (&) and its aliases (*): \
                      write it out where it is meant";
const BY_HAND: &str = "change it by hand";

struct Editor<'t> {
    text: &'t [u8],
    origin: Origin,
    root: Node,
}

impl<'t> Editor<'t> {
    fn new(text: &'t [u8], origin: Origin) -> Result<Self, CannotEdit> {
        let start = origin.document.start;
        let bytes = text.get(origin.document.range()).unwrap_or_default();
        let root = parse(bytes, start).ok().and_then(|(root, _)| root);
        let Some(root) = root else {
            let what = "the document cannot be read".to_owned();
            return Err(placed(
                text,
                Refusal {
                    at: start,
                    what,
                    hint: BY_HAND,
                },
            ));
        };
        Ok(Self { text, origin, root })
    }

    /// What is to be changed; nothing where the field says so already.
    fn edit(
        &self,
        setting: &Setting,
        before: &impl Fn(&str) -> &'static [&'static str],
    ) -> Result<Option<Edit>, CannotEdit> {
        self.find(setting, before)
            .map_err(|refusal| placed(self.text, refusal))
    }

    fn object(&self) -> Option<&Node> {
        object_of(&self.root, self.origin)
    }

    fn find(
        &self,
        setting: &Setting,
        before: &impl Fn(&str) -> &'static [&'static str],
    ) -> Result<Option<Edit>, Refusal> {
        let at = self.origin.document.start;
        let missing = || Refusal {
            at,
            what: "the object is not there".to_owned(),
            hint: BY_HAND,
        };
        let mut spot = Spot::root(self.text, self.object().ok_or_else(missing)?);
        for (done, step) in setting.path.iter().enumerate() {
            let rest = &setting.path[done + 1..];
            if spot.node.is_null() {
                return spot
                    .fill(&nested(&setting.path[done..], &setting.value))
                    .map(Some);
            }
            if !spot.node.is_map() {
                return Err(spot.refuse("this is no map", BY_HAND));
            }
            let Some(next) = spot.below(step)? else {
                let value = nested(rest, &setting.value);
                return spot.insert(step, &value, before(step)).map(Some);
            };
            spot = next;
        }
        spot.replace(&setting.value)
    }

    /// The text with the edit, after it was read again.
    fn applied(&self, edit: &Edit, setting: &Setting) -> Result<Edited, CannotEdit> {
        let range = edit.span.range();
        let mut text = Vec::with_capacity(self.text.len() + edit.text.len());
        text.extend_from_slice(&self.text[..range.start]);
        text.extend_from_slice(edit.text.as_bytes());
        text.extend_from_slice(&self.text[range.end..]);
        let refuse = |what: &str| {
            let what = format!("{what} if this were changed");
            placed(
                self.text,
                Refusal {
                    at: edit.span.start,
                    what,
                    hint: SHARED,
                },
            )
        };
        let document = self
            .same_but_one(&text)
            .ok_or_else(|| refuse("other documents would change"))?;
        let origin = Origin {
            document,
            ..self.origin
        };
        let bytes = text.get(document.range()).unwrap_or_default();
        let read = parse(bytes, document.start).ok().and_then(|(root, _)| root);
        let read = read.ok_or_else(|| refuse("the document could not be read any more"))?;
        let mut expected = self.root.clone();
        if let Some(object) = object_of_mut(&mut expected, self.origin) {
            put(object, &setting.path, &setting.value);
        }
        if !says_the_same(&expected, &read) {
            return Err(refuse("more than this field would change"));
        }
        Ok(Edited { text, origin })
    }

    /// Where the document of the object stands in the new text, if all others are there as they were.
    fn same_but_one(&self, new: &[u8]) -> Option<Span> {
        let (old_chunks, _) = split(self.text, MAX_DOCUMENTS);
        let (new_chunks, _) = split(new, MAX_DOCUMENTS);
        if old_chunks.len() != new_chunks.len() {
            return None;
        }
        let mut found = None;
        for (old, now) in old_chunks.iter().zip(&new_chunks) {
            if old.start == self.origin.document.start {
                found = Some(Span::new(now.start, now.end));
            } else if self.text[old.range()] != new[now.range()] {
                return None;
            }
        }
        found
    }
}

fn object_of(root: &Node, origin: Origin) -> Option<&Node> {
    match origin.item {
        None => Some(root),
        Some(index) => root.get("items")?.items().get(index as usize),
    }
}

fn object_of_mut(root: &mut Node, origin: Origin) -> Option<&mut Node> {
    let Some(index) = origin.item else {
        return Some(root);
    };
    let items = entry_mut(root, "items")?;
    match &mut items.value {
        Value::Seq(items) => items.get_mut(index as usize),
        _ => None,
    }
}

fn entry_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let found = entries.iter_mut().find(|(own, _)| own.text == key);
    found.map(|(_, value)| value)
}

/// The value below these keys.
fn nested(keys: &[String], value: &Written) -> Written {
    keys.iter().rev().fold(value.clone(), |inner, key| {
        Written::Map(vec![(key.clone(), inner)])
    })
}

/// The tree with the field set.
fn put(node: &mut Node, path: &[String], value: &Written) {
    let Some((first, rest)) = path.split_first() else {
        *node = tree_of(value);
        return;
    };
    if node.is_null() {
        node.value = Value::Map(Vec::new());
    }
    if let Some(below) = entry_mut(node, first) {
        put(below, rest, value);
    } else if let Value::Map(entries) = &mut node.value {
        let key = Key {
            span: Span::default(),
            text: first.clone(),
        };
        entries.push((key, tree_of(&nested(rest, value))));
    }
}

fn tree_of(value: &Written) -> Node {
    let value = match value {
        Written::Text(text) => Value::Str(text.clone()),
        Written::Map(entries) => {
            let entry = |(key, value): &(String, Written)| {
                let key = Key {
                    span: Span::default(),
                    text: key.clone(),
                };
                (key, tree_of(value))
            };
            Value::Map(entries.iter().map(entry).collect())
        }
    };
    Node {
        span: Span::default(),
        value,
    }
}

/// Whether two trees say the same, wherever it stands and in whatever order keys are written.
fn says_the_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Map(entries), Value::Map(others)) => {
            let same = |(key, value): &(Key, Node)| {
                other
                    .get(&key.text)
                    .is_some_and(|other| says_the_same(value, other))
            };
            entries.len() == others.len() && entries.iter().all(same)
        }
        (Value::Seq(items), Value::Seq(others)) => {
            let pairs = items.iter().zip(others);
            items.len() == others.len()
                && pairs
                    .into_iter()
                    .all(|(one, other)| says_the_same(one, other))
        }
        (Value::Float(number), Value::Float(other)) => number.to_bits() == other.to_bits(),
        (value, other) => value == other,
    }
}

fn placed(text: &[u8], refusal: Refusal) -> CannotEdit {
    let at = refusal.at.min(offset(text.len()));
    let position = Lines::new(text).position(text, at);
    CannotEdit {
        what: refusal.what,
        hint: refusal.hint,
        line: position.line,
        column: position.column,
    }
}

#[cfg(test)]
mod tests;
