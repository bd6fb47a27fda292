//! Text for people: lines that fit, columns that line up, words in the right number.

mod diff;
mod style;
mod table;

use std::fmt::{Display, Write as _};

pub use diff::unified;
pub use style::{Mood, Style};
pub use table::{Cell, Column, Table};

/// `1 object`, `2 objects`.
pub fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(number))
}

/// `10,000`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The first and last items with a number for those between, when there are more than `most`.
pub fn elided<T: Display>(items: &[T], most: usize) -> String {
    let text = |items: &[T]| -> Vec<String> { items.iter().map(ToString::to_string).collect() };
    if items.len() <= most {
        return text(items).join(", ");
    }
    let (first, last) = (most.saturating_sub(2).max(1), 1);
    let between = items.len() - first - last;
    let head = text(&items[..first]).join(", ");
    let tail = text(&items[items.len() - last..]).join(", ");
    format!("{head}, … {} more …, {tail}", thousands(between))
}

/// The text in lines of so many columns, the first after `first`, the others after `rest`.
pub fn wrapped(text: &str, width: usize, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(width.max(20))
        .initial_indent(first)
        .subsequent_indent(rest)
        // A name or a digest is copied from the terminal: it stays whole.
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

/// Text inside of XML or HTML, in an attribute too. What neither can hold shows as a replacement.
pub fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A parser would make a blank of it in an attribute.
            '\n' | '\t' => {
                let _ = write!(escaped, "&#{};", u32::from(each));
            }
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            _ if each.is_control() => escaped.push('\u{FFFD}'),
            _ => escaped.push(each),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "object"), "1 object");
        assert_eq!(count(0, "object"), "0 objects");
    }

    #[test]
    fn a_long_list_keeps_its_ends() {
        let groups: Vec<usize> = (1..=1_003).collect();
        assert_eq!(elided(&groups[..3], 5), "1, 2, 3");
        assert_eq!(elided(&groups, 5), "1, 2, 3, … 999 more …, 1003");
    }

    #[test]
    fn markup_cannot_be_brought_in() {
        assert_eq!(
            xml("<b a=\"1\">'&'\n\u{1b}"),
            "&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;&#10;\u{FFFD}"
        );
    }

    #[test]
    fn a_sentence_keeps_its_margin() {
        let text = wrapped("members of shop-web are not known", 24, "- ", "  ");
        assert_eq!(text, "- members of shop-web\n  are not known");
    }
}
