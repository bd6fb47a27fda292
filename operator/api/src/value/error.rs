//! The one error of the value types: what was read, what was expected, and what to do about it.

use std::borrow::Cow;

/// How much of a refused text an error repeats: enough to recognise it, never a screenful.
const SHOWN_CHARS: usize = 64;

/// A text that is not the value its field holds.
///
/// `Display` says what was read and what is expected; [`hint`](Self::hint) says, where that can be
/// known, what the person probably meant.
///
/// ```
/// use drover_api::value::Duration;
///
/// let error = "15 min".parse::<Duration>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""15 min" is not a duration: write it as 15m, 1h30m or 90d"#
/// );
/// assert_eq!(error.hint(), Some("did you mean 15m?"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {noun}: {reason}")]
pub struct ValueError {
    text: Box<str>,
    noun: &'static str,
    reason: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
}

impl ValueError {
    pub(super) fn new(
        text: &str,
        noun: &'static str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            text: shortened(text).into(),
            noun,
            reason: reason.into(),
            hint: None,
        }
    }

    /// Adds what to do about it; `None` leaves the error as it is.
    pub(super) fn with_hint<H: Into<Cow<'static, str>>>(mut self, hint: Option<H>) -> Self {
        if let Some(hint) = hint {
            self.hint = Some(hint.into());
        }
        self
    }

    /// Adds "did you mean …?"; `None` leaves the error as it is.
    pub(super) fn suggest<T: std::fmt::Display>(self, meant: Option<T>) -> Self {
        self.with_hint(meant.map(|meant| format!("did you mean {meant}?")))
    }

    /// What was read; a text of more than 64 characters is cut there and ends in `…`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was expected, with its article: `a duration`.
    pub fn expected(&self) -> &'static str {
        self.noun
    }

    /// What the person can do next, when the text gives it away.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let error = ValueError::new(&"가".repeat(65), "a thing", "write it shorter");
        assert_eq!(error.text(), format!("{}…", "가".repeat(64)));
    }

    #[test]
    fn control_characters_are_escaped_in_the_message() {
        let error = ValueError::new("a\u{1b}[31m", "a thing", "write it plainly");
        assert_eq!(
            error.to_string(),
            r#""a\u{1b}[31m" is not a thing: write it plainly"#
        );
    }
}
