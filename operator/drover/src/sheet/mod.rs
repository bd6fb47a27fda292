//! A report before it is printed: what it says and in which order, whatever it becomes.
//!
//! Whoever reports makes a [`Sheet`] once; a terminal, an issue tracker and a browser each get it in
//! their own way. So all of them say the same, and how a table looks is written in one place for each.
//!
//! What may not enter: what is reported. A sheet knows names, instants and moods, and no kinds.

mod html;
mod markdown;
mod text;

use jiff::Timestamp;

pub use html::html;
pub use markdown::markdown;
pub use text::text;

use crate::reports::moments::full;
pub use crate::text::Mood;
use crate::timeline::Timeline;

/// A report.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What it is about: `Run`.
    pub kind: &'static str,
    /// And which: `shop/shop-7`.
    pub name: String,
    /// How that stands, in a sentence.
    pub said: String,
    /// The mood of the sentence.
    pub mood: Mood,
    /// What there is to know, one by one.
    pub facts: Vec<Fact>,
    /// What needs more room.
    pub sections: Vec<Section>,
    /// What tells this print from another one.
    pub foot: Vec<Fact>,
    /// Reports that belong to it.
    pub inner: Vec<Sheet>,
}

/// Something that is known.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is called, in small letters.
    pub name: &'static str,
    /// What it is.
    pub value: Cell,
}

/// A part with a heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Whether it may be folded away where that is possible.
    pub folded: bool,
    /// What it holds.
    pub body: Body,
}

/// What a section holds.
#[derive(Clone, Debug)]
pub enum Body {
    /// Sentences.
    List(Vec<Cell>),
    /// Rows under titles.
    Table(Table),
    /// Bars under a clock.
    Timeline(Timeline),
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub struct Table {
    /// What a row is: `machine`.
    pub of: &'static str,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; each has a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its title, as it begins a sentence.
    pub title: &'static str,
    /// What is in it.
    pub kind: ColumnKind,
    /// Whether a terminal does without it.
    pub wide: bool,
}

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Names, which are cut where there is no room.
    Text,
    /// Names that differ at their end: their beginning is cut.
    Path,
    /// Something short that is never cut.
    Short,
    /// Numbers and lengths of time.
    Number,
    /// Sentences.
    Prose,
}

/// Something that is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What.
    pub value: Value,
    /// How it is to look.
    pub mood: Mood,
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Words.
    Words(String),
    /// A name, a digest: something that is typed, or compared letter by letter.
    Name(String),
    /// An instant.
    At(Timestamp),
    /// An instant of a day that is known from what stands around it.
    Clock(Timestamp),
}

impl Sheet {
    /// A report that says nothing but this yet.
    pub fn new(kind: &'static str, name: impl Into<String>, said: (String, Mood)) -> Self {
        let (said, mood) = said;
        Self {
            kind,
            name: name.into(),
            said,
            mood,
            facts: Vec::new(),
            sections: Vec::new(),
            foot: Vec::new(),
            inner: Vec::new(),
        }
    }

    /// One more fact.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Cell>) {
        let value = value.into();
        self.facts.push(Fact { name, value });
    }

    /// A fact that is told only where it is known.
    pub fn maybe(&mut self, name: &'static str, value: Option<impl Into<Cell>>) {
        if let Some(value) = value {
            self.fact(name, value);
        }
    }

    /// One more fact at the foot.
    pub fn foot(&mut self, name: &'static str, value: impl Into<Cell>) {
        let value = value.into();
        self.foot.push(Fact { name, value });
    }

    /// One more table, where it has rows.
    pub fn table(&mut self, title: impl Into<String>, table: Table) {
        if !table.rows.is_empty() {
            self.section(title, Body::Table(table));
        }
    }

    /// The same, folded away where that is possible.
    pub fn folded(&mut self, title: impl Into<String>, table: Table) {
        let before = self.sections.len();
        self.table(title, table);
        if let Some(section) = self.sections.get_mut(before) {
            section.folded = true;
        }
    }

    /// Sentences, where there are some.
    pub fn list(&mut self, title: impl Into<String>, sentences: Vec<Cell>) {
        if !sentences.is_empty() {
            self.section(title, Body::List(sentences));
        }
    }

    /// One more section.
    pub fn section(&mut self, title: impl Into<String>, body: Body) {
        self.sections.push(Section {
            title: title.into(),
            folded: false,
            body,
        });
    }

    /// `Run shop/shop-7`.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

impl Table {
    /// A table without rows.
    pub fn new(of: &'static str, columns: impl Into<Vec<Column>>) -> Self {
        Self {
            of,
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "{:?}", self.columns);
        self.rows.push(cells.into());
    }
}

impl Column {
    /// Names.
    pub const fn text(title: &'static str) -> Self {
        Self {
            title,
            kind: ColumnKind::Text,
            wide: false,
        }
    }

    /// Names that differ at their end.
    pub const fn path(title: &'static str) -> Self {
        Self {
            kind: ColumnKind::Path,
            ..Self::text(title)
        }
    }

    /// Something short.
    pub const fn short(title: &'static str) -> Self {
        Self {
            kind: ColumnKind::Short,
            ..Self::text(title)
        }
    }

    /// Numbers.
    pub const fn number(title: &'static str) -> Self {
        Self {
            kind: ColumnKind::Number,
            ..Self::text(title)
        }
    }

    /// Sentences.
    pub const fn prose(title: &'static str) -> Self {
        Self {
            kind: ColumnKind::Prose,
            ..Self::text(title)
        }
    }

    /// A column that a terminal does without.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

impl Cell {
    /// Where there is nothing to say.
    pub fn none() -> Self {
        "-".into()
    }

    /// Words in a mood.
    pub fn of(words: impl Into<String>, mood: Mood) -> Self {
        Self {
            value: Value::Words(words.into()),
            mood,
        }
    }

    /// A name.
    pub fn name(name: impl Into<String>) -> Self {
        Value::Name(name.into()).into()
    }

    /// An instant.
    pub fn at(at: Timestamp) -> Self {
        Value::At(at).into()
    }

    /// An instant of a day that is known.
    pub fn clock(at: Timestamp) -> Self {
        Value::Clock(at).into()
    }

    /// What it says where nothing around it says more.
    fn sentence(&self) -> String {
        match &self.value {
            Value::Words(words) | Value::Name(words) => words.clone(),
            Value::At(at) | Value::Clock(at) => format!("{} UTC", full(*at)),
        }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        let mood = Mood::Plain;
        Self { value, mood }
    }
}

impl From<&str> for Cell {
    fn from(words: &str) -> Self {
        Value::Words(words.to_owned()).into()
    }
}

impl From<String> for Cell {
    fn from(words: String) -> Self {
        Value::Words(words).into()
    }
}
