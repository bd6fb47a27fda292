//! A document as a tree in which everything knows where it stands.

use crate::position::Span;

/// A value and its bytes in the source.
///
/// What an alias or a merge key brought in keeps the place where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands. A block map or list ends with its last value.
    pub span: Span,
    /// What it says.
    pub value: Value,
}

/// What a node says, by the core schema of YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A plain scalar that `kubectl` (YAML 1.1) and YAML 1.2 read as different values, such as
    /// `010` or `1_000`. It fits no field: whoever wrote it must say what is meant.
    Unclear(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order it was written, without duplicate keys.
    Map(Vec<(Key, Node)>),
}

/// A key of a map. Keys are text: as in JSON, `1:` and `"1":` are the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it stands.
    pub span: Span,
    /// Its text.
    pub text: String,
}

impl Node {
    /// The value of a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and value, when this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.entries().iter().find(|(own, _)| own.text == key)
    }

    /// The entries of a map; nothing for everything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The values of a list; nothing for everything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// The text, when this is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether nothing at all is written there, as after the colon of `key:`.
    pub fn is_blank(&self) -> bool {
        self.is_null() && self.span.start == self.span.end
    }

    /// How a message calls the value, with an article: ``the integer `5` ``, `a list`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Int(value) => format!("the integer `{value}`"),
            Value::Float(value) => format!("the number `{value}`"),
            Value::Str(text) => format!("the string {}", quoted(text)),
            Value::Unclear(text) => format!("`{text}`"),
            Value::Seq(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// The most characters of somebody's text that a message repeats.
const QUOTED_CHARS: usize = 60;

/// Somebody's text in a message: between quotes, on one line, shortened.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(QUOTED_CHARS * 4) + 2);
    shown.push('"');
    for (index, each) in text.chars().enumerate() {
        if index == QUOTED_CHARS {
            shown.push('…');
            break;
        }
        if each.is_control() || is_invisible(each) {
            shown.extend(each.escape_default());
        } else {
            shown.push(each);
        }
    }
    shown.push('"');
    shown
}

/// Characters that reorder or hide text on a terminal.
pub(crate) fn is_invisible(each: char) -> bool {
    matches!(each, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stay_small() {
        assert!(size_of::<Node>() <= 40);
        assert!(size_of::<(Key, Node)>() <= 72);
    }

    #[test]
    fn a_message_repeats_text_on_one_short_line() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        assert_eq!(quoted("\u{202E}x"), r#""\u{202e}x""#);
        assert_eq!(quoted(&"가".repeat(100)).chars().count(), 63);
    }
}
