//! Regular expressions as Go reads them. Both languages are RE2's; they differ in what a digit or a
//! space is (ASCII in Go) and in what is special inside brackets.

use regex::Regex;

/// A pattern of a schema.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As it is written, for messages.
    pub text: String,
    regex: Regex,
}

impl Pattern {
    /// # Errors
    ///
    /// If it is no regular expression.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let regex = Regex::new(&translated(text))?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                let escaped = rest.next();
                match (escaped, in_class) {
                    (Some('d'), _) => out.push_str("[0-9]"),
                    (Some('D'), _) => out.push_str("[^0-9]"),
                    (Some('w'), _) => out.push_str("[0-9A-Za-z_]"),
                    (Some('W'), _) => out.push_str("[^0-9A-Za-z_]"),
                    (Some('s'), _) => out.push_str(r"[\t\n\x0C\r ]"),
                    (Some('S'), _) => out.push_str(r"[^\t\n\x0C\r ]"),
                    (Some(border @ ('b' | 'B')), false) => {
                        out.push_str("(?-u:\\");
                        out.push(border);
                        out.push(')');
                    }
                    (Some(other), _) => out.extend(['\\', other]),
                    (None, _) => out.push('\\'),
                }
            }
            '[' if in_class && rest.peek() == Some(&':') => {
                // A named class, `[:alpha:]`, up to its own bracket.
                out.push('[');
                for inner in rest.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that comes first closes nothing.
                if rest.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn digits_and_spaces_are_those_of_ascii() {
        assert!(matches(r"^\d+$", "12"));
        assert!(!matches(r"^\d+$", "١٢"));
        assert!(matches(r"^[^\s]+$", "a\u{3000}b"));
        assert!(!matches(r"^[^\s]+$", "a b"));
        assert!(matches(r"^[\w.-]+$", "a-b.c_1"));
        assert!(!matches(r"^\w+$", "é"));
        assert!(matches(r"^\S$", "é"));
    }

    #[test]
    fn brackets_mean_what_they_mean_in_go() {
        assert!(matches(r"^[[a]+$", "[a"));
        assert!(matches(r"^[]a]+$", "]a"));
        assert!(matches(r"^[a&&b]+$", "a&b"));
        assert!(matches(r"^[[:alpha:]-]+$", "a-b"));
        assert!(Pattern::new("a(").is_err());
    }
}
