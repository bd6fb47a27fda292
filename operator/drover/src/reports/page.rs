//! A page about one object: a heading, facts, sections.

use std::fmt::Write as _;

use drover_api::conditions::Condition;
use jiff::Timestamp;

use super::moments;
pub use crate::text::Mood;
use crate::text::{Cell, Column, Style, Table, wrapped};

/// Under a heading.
pub const INDENT: &str = "  ";
/// Columns of the name of a fact.
const NAME: usize = 11;
/// Lines of one kind that are shown; more would push what matters off the screen.
const MOST: usize = 20;

/// A page that is being written.
#[derive(Debug)]
pub struct Page {
    style: Style,
    text: String,
}

impl Page {
    /// A page with a heading.
    pub fn new(style: Style, title: &str, what: &str, mood: Mood) -> Self {
        let mut page = Self {
            style,
            text: String::new(),
        };
        let lines = wrapped(&format!("{title}: {what}"), style.width(), "", INDENT);
        // Wrapped without colour, so that it takes no room.
        let heading = match lines.strip_prefix(title) {
            Some(said) => format!("{}{}", style.strong(title), style.in_mood(mood, said)),
            None => style.in_mood(mood, lines),
        };
        let _ = writeln!(page.text, "{heading}\n");
        page
    }

    /// How it is to look.
    pub fn style(&self) -> Style {
        self.style
    }

    /// `name  text`, the text in as many lines as it takes.
    pub fn fact(&mut self, name: &str, text: impl AsRef<str>) {
        self.fact_as(name, text, Mood::Plain);
    }

    /// The same, in a mood.
    pub fn fact_as(&mut self, name: &str, text: impl AsRef<str>, mood: Mood) {
        let margin = " ".repeat(INDENT.len() + NAME + 2);
        let lines = wrapped(text.as_ref(), self.style.width(), &margin, &margin);
        // Wrapped without colour, so that it takes no room; then the name goes into the margin.
        let lines = self.style.in_mood(mood, lines.trim_start());
        let name = self.style.faint(format!("{name:NAME$}"));
        let _ = writeln!(self.text, "{INDENT}{name}  {lines}");
    }

    /// A fact that is told only where it is known.
    pub fn maybe(&mut self, name: &str, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.fact(name, text);
        }
    }

    /// A section and its heading.
    pub fn section(&mut self, title: &str) {
        let _ = writeln!(self.text, "\n{}", self.style.strong(title));
    }

    /// A paragraph of a section.
    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(
            self.text,
            "{}",
            wrapped(text, self.style.width(), INDENT, INDENT)
        );
    }

    /// Sentences in a list; those that are too many are counted.
    pub fn list(&mut self, items: &[String], mood: Mood) {
        for item in items.iter().take(MOST) {
            let lines = wrapped(item, self.style.width(), "  - ", "    ");
            let _ = writeln!(self.text, "{}", self.style.in_mood(mood, lines));
        }
        if items.len() > MOST {
            let _ = writeln!(self.text, "{INDENT}… and {} more", items.len() - MOST);
        }
    }

    /// A command that somebody can copy: never folded.
    pub fn command(&mut self, command: &str) {
        let _ = writeln!(self.text, "      {}", self.style.strong(command));
    }

    /// A table.
    pub fn table(&mut self, table: &Table) {
        let text = table.render(self.style, INDENT);
        self.text.push_str(&text);
    }

    /// Text as it is.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What conditions say.
    pub fn conditions(&mut self, conditions: &[Condition], now: Timestamp) {
        if conditions.is_empty() {
            return;
        }
        self.section("Conditions");
        let mut table = Table::new([
            Column::short("TYPE"),
            Column::short("STATUS"),
            Column::number("FOR"),
            Column::short("REASON"),
            Column::wrapped("MESSAGE"),
        ]);
        let mut sorted: Vec<&Condition> = conditions.iter().collect();
        sorted.sort_by_key(|each| (each.type_ != drover_api::conditions::READY, &each.type_));
        for each in sorted {
            let status = each.status.clone();
            table.row(vec![
                each.type_.clone().into(),
                if is_wrong(each) {
                    Cell::bad(status)
                } else {
                    status.into()
                },
                moments::ago(each.last_transition_time.0, now).into(),
                each.reason.clone().into(),
                each.message.clone().into(),
            ]);
        }
        self.table(&table);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Whether a condition is not as it should be.
pub fn is_wrong(condition: &Condition) -> bool {
    use drover_api::conditions as known;
    let good_when_true = [
        known::READY,
        known::PROTECTED,
        known::FAILOVER_READY,
        known::REACHABLE,
    ];
    let bad_when_true = [
        known::STALLED,
        known::CONFLICTED,
        known::CONTESTED,
        known::RPO_EXCEEDED,
        known::REPLICATION_FAILING,
        known::CRASH_CONSISTENT_ONLY,
        known::DRIFTED,
    ];
    let kind = condition.type_.as_str();
    match condition.status.as_str() {
        "True" => bad_when_true.contains(&kind),
        _ => good_when_true.contains(&kind),
    }
}
