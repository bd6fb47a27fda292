//! Events to a tree: aliases copied, merge keys merged, duplicate keys found, budgets kept.
//!
//! The tree is built with a stack of its own; nothing here recurses deeper than
//! [`MAX_DEPTH`](crate::limits::MAX_DEPTH).
//!
//! Merge keys (`<<: *name`) are no part of YAML 1.2, but `kubectl` and Kustomize merge them
//! (`sigs.k8s.io/yaml` decodes with `go-yaml` 2, whose decoder calls `merge`). Refusing them would
//! refuse manifests that a cluster takes. As there, explicit keys win, then the first map of a list.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::code;
use crate::input::{Gauge, Text};
use crate::limits::{
    MAX_COPIED_BYTES, MAX_DEPTH, MAX_LOOKAHEAD_BYTES, MAX_NODES, MAX_PROBLEMS_PER_DOCUMENT,
    MAX_SCALAR_BYTES,
};
use crate::merge;
use crate::node::{Key, Node, Value};
use crate::position::Span;
use crate::problem::Problem;
use crate::scalar;
use crate::syntax;
use crate::window::Window;

/// A document that could be read. The problems are of a kind that leaves a tree to look at, so that
/// other people's documents, with tags and keys of their own, can still be recognised and left alone.
#[derive(Debug)]
pub(crate) struct Composed {
    /// `None` when there is nothing but comments.
    pub(crate) root: Option<Node>,
    pub(crate) problems: Vec<Problem>,
}

/// A problem that ends a document.
pub(crate) type Fatal = Box<Problem>;

/// Reads the one document of `text`, which starts `base` bytes into its source.
pub(crate) fn compose(text: &str, base: u32) -> Result<Composed, Fatal> {
    let window = Window::new(text, base);
    let gauge = Gauge::new(window.text());
    let mut parser = Parser::new(Text::new(window.text(), &gauge));
    let mut composer = Composer::new(&window);
    while let Some(next) = parser.next_event() {
        gauge.event();
        if gauge.starved() {
            return Err(composer.starved());
        }
        let (event, span) = next.map_err(|error| composer.syntax(&error))?;
        let span = composer.window.span(span);
        composer.event(event, span)?;
    }
    Ok(Composed {
        root: composer.root,
        problems: composer.problems,
    })
}

struct Composer<'w, 't> {
    window: &'w Window<'t>,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    /// Whether anything can refer to an anchor; known once there is one.
    aliased: Option<bool>,
    nodes: usize,
    copied: usize,
    /// The end of the last event.
    seen: u32,
    problems: Vec<Problem>,
}

/// A list or map that is not closed yet.
struct Frame {
    start: u32,
    anchor: usize,
    open: Open,
}

enum Open {
    Seq(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        merges: Vec<Node>,
        slot: Slot,
    },
}

/// What comes next in a map.
enum Slot {
    Key,
    Value(Key),
    Merge,
    /// The value of a key that was refused.
    Refused,
}

impl<'w, 't> Composer<'w, 't> {
    fn new(window: &'w Window<'t>) -> Self {
        Self {
            window,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            aliased: None,
            nodes: 0,
            copied: 0,
            seen: window.span_of(0, 0).start,
            problems: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        self.seen = span.end;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(span)?;
                self.scalar(text.into_owned(), style, anchor, tag.as_deref(), span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.count(span)?;
                self.check_tag(tag.as_deref(), span, &["seq"]);
                self.open(span, anchor, Open::Seq(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.count(span)?;
                self.check_tag(tag.as_deref(), span, &["map"]);
                let map = Open::Map {
                    entries: Vec::new(),
                    merges: Vec::new(),
                    slot: Slot::Key,
                };
                self.open(span, anchor, map)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn count(&mut self, span: Span) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("this document has more than {MAX_NODES} keys and values");
        Err(too_large(span, message)
            .hint("split it into several documents")
            .into())
    }

    fn open(&mut self, span: Span, anchor: usize, open: Open) -> Result<(), Fatal> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.stack.push(Frame {
            start: span.start,
            anchor,
            open,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let closing = self.window.closing_bracket(span);
        let (value, last) = match frame.open {
            Open::Seq(items) => {
                let last = items.last().map(|item| item.span.end);
                (Value::Seq(items), last)
            }
            Open::Map {
                entries, merges, ..
            } => {
                let last = entries
                    .last()
                    .map(|(key, value)| value.span.end.max(key.span.end));
                (Value::Map(self.finish_map(entries, merges)), last)
            }
        };
        let end = closing.or(last).unwrap_or(frame.start);
        let node = Node {
            span: Span::new(frame.start, end),
            value,
        };
        self.add(node, frame.anchor)
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Fatal> {
        if text.len() > MAX_SCALAR_BYTES {
            let message = format!("this text is longer than {} MiB", MAX_SCALAR_BYTES >> 20);
            return Err(too_large(Span::at(span.start), message).into());
        }
        let plain = style == ScalarStyle::Plain;
        let span = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.window.trim_quoted(span),
            _ => span,
        };
        let string = self.check_tag(tag, span, &["str"]);
        if self.wants_key() && anchor == 0 {
            self.key(text, span, plain && !string);
            return Ok(());
        }
        let value = if plain && !string {
            scalar::resolve(text)
        } else {
            Value::Str(text)
        };
        self.add(Node { span, value }, anchor)
    }

    /// Whether the tag says what the value is anyway (`!!str`, `!`, or one of `allowed`). All others
    /// are a problem: they stand for types that manifests do not have.
    fn check_tag(&mut self, tag: Option<&Tag>, span: Span, allowed: &[&str]) -> bool {
        let Some(tag) = tag else { return false };
        let core = tag.is_yaml_core_schema();
        if (core && allowed.contains(&tag.suffix.as_str())) || tag.suffix == "!" {
            return true;
        }
        let name = if core {
            format!("!!{}", tag.suffix)
        } else {
            format!("{}{}", tag.handle, tag.suffix)
        };
        let hint = match tag.suffix.as_str() {
            "binary" if core => "manifests hold text only; binary data belongs in a Secret",
            _ => "remove the tag; quote the value if it is text",
        };
        let message = format!("the tag {} is not supported", crate::node::quoted(&name));
        self.problem(Problem::error(code::TAG, span, message).hint(hint));
        false
    }

    fn wants_key(&self) -> bool {
        let top = self.stack.last().map(|frame| &frame.open);
        matches!(
            top,
            Some(Open::Map {
                slot: Slot::Key,
                ..
            })
        )
    }

    fn key(&mut self, text: String, span: Span, plain: bool) {
        let slot = if plain && text == "<<" {
            Slot::Merge
        } else if plain && matches!(text.as_str(), "" | "~") {
            let message = "this key is empty";
            let problem = Problem::error(code::KEY, span, message);
            self.problem(problem.hint("write the name of the field before the colon"));
            Slot::Refused
        } else {
            Slot::Value(Key { span, text })
        };
        self.set_slot(slot);
    }

    fn set_slot(&mut self, next: Slot) {
        if let Some(Open::Map { slot, .. }) = self.stack.last_mut().map(|frame| &mut frame.open) {
            *slot = next;
        }
    }

    /// A finished node goes where it belongs: the document, a list, a map, or it is a key.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 && self.is_aliased() {
            let (bytes, _) = weigh(&node);
            self.charge(bytes, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.wants_key() {
            self.node_as_key(node);
            return Ok(());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.open {
            Open::Seq(items) => items.push(node),
            Open::Map {
                entries,
                merges,
                slot,
            } => match std::mem::replace(slot, Slot::Key) {
                Slot::Value(key) => entries.push((key, node)),
                Slot::Merge => merges.push(node),
                Slot::Key | Slot::Refused => {}
            },
        }
        Ok(())
    }

    fn node_as_key(&mut self, node: Node) {
        match node.value {
            Value::Str(text) => self.key(text, node.span, false),
            Value::Seq(_) | Value::Map(_) => {
                let problem = Problem::error(code::KEY, node.span, "a key must be text");
                self.problem(
                    problem.label("this is a list or a map").maybe_hint(
                        self.window
                            .looks_like_template()
                            .then(|| syntax::TEMPLATE_HINT.to_owned()),
                    ),
                );
                self.set_slot(Slot::Refused);
            }
            _ => {
                let text = self.window.slice(node.span).trim().to_owned();
                self.key(text, node.span, true);
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fatal> {
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it names";
            return Err(Problem::error(code::ALIAS, span, message).into());
        };
        let (bytes, height) = weigh(node);
        if self.stack.len() + height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let copy = node.clone();
        self.charge(bytes, span)?;
        self.add(copy, 0)
    }

    fn is_aliased(&mut self) -> bool {
        *self
            .aliased
            .get_or_insert_with(|| self.window.text().contains('*'))
    }

    fn charge(&mut self, bytes: usize, span: Span) -> Result<(), Fatal> {
        self.copied += bytes;
        if self.copied <= MAX_COPIED_BYTES {
            return Ok(());
        }
        let message = format!(
            "the aliases of this document copy more than {} MiB",
            MAX_COPIED_BYTES >> 20
        );
        Err(Problem::error(code::ALIAS, span, message)
            .hint("write the values out, or split the document")
            .into())
    }

    fn finish_map(&mut self, entries: Vec<(Key, Node)>, merges: Vec<Node>) -> Vec<(Key, Node)> {
        let mut found = Vec::new();
        let mut entries = merge::without_duplicates(entries, &mut found);
        merge::merge(&mut entries, merges, &mut found);
        for problem in found {
            self.problem(problem);
        }
        entries
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS_PER_DOCUMENT {
            self.problems.push(problem);
        }
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let opened = self.stack.iter().rev().map(|frame| frame.start);
        syntax::explain(self.window, error, opened).into()
    }

    fn starved(&self) -> Fatal {
        let mib = MAX_LOOKAHEAD_BYTES >> 20;
        let message = format!("from here, more than {mib} MiB make no complete value");
        let hint = "a quote or bracket may not be closed; otherwise split the document";
        too_large(Span::at(self.seen), message).hint(hint).into()
    }
}

fn too_large(span: Span, message: String) -> Problem {
    Problem::error(code::TOO_LARGE, span, message)
}

fn too_deep(span: Span) -> Fatal {
    let message = format!("nested deeper than {MAX_DEPTH} levels");
    too_large(span, message).into()
}

/// What a copy of this costs, in bytes, and how many levels it has.
fn weigh(node: &Node) -> (usize, usize) {
    let own = size_of::<Node>();
    match &node.value {
        Value::Str(text) | Value::Unclear(text) => (own + text.len(), 0),
        Value::Seq(items) => {
            let weights = items.iter().map(weigh);
            let (bytes, height) = weights.fold((own, 0), add_weights);
            (bytes, height + 1)
        }
        Value::Map(entries) => {
            let weights = entries.iter().map(|(key, value)| {
                let (bytes, height) = weigh(value);
                (bytes + size_of::<Key>() + key.text.len(), height)
            });
            let (bytes, height) = weights.fold((own, 0), add_weights);
            (bytes, height + 1)
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => (own, 0),
    }
}

fn add_weights(sum: (usize, usize), each: (usize, usize)) -> (usize, usize) {
    (sum.0 + each.0, sum.1.max(each.1))
}

/// For tests of other rooms: a tree without problems.
#[cfg(test)]
pub(crate) fn tree(text: &str) -> Node {
    let composed = compose(text, 0).unwrap();
    assert_eq!(composed.problems, []);
    composed.root.unwrap()
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
