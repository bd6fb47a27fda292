//! Questions to whoever sits at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::failure::Failure;
use crate::output::Output;

/// How much of a confirmation something asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// A yes is enough.
    Yes,
    /// It cannot be undone: this word is to be typed.
    Typed(String),
}

/// Asks, unless the answer was given on the command line.
///
/// # Errors
/// When nobody is there, or the answer is another.
pub fn confirm(
    confirmation: &Confirmation,
    answered: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    if answered {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::NobodyConfirms);
    }
    let style = output.talk_style();
    output.talk(&match confirmation {
        Confirmation::Yes => format!("{} [y/N]", style.strong("Go on?")),
        Confirmation::Typed(word) => {
            format!(
                "This cannot be undone. Type {} to go on:",
                style.strong(word)
            )
        }
    });
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(Failure::Stdin)?;
    if agrees(confirmation, &line) {
        Ok(())
    } else {
        Err(Failure::NotConfirmed)
    }
}

fn agrees(confirmation: &Confirmation, line: &str) -> bool {
    let line = line.trim();
    match confirmation {
        Confirmation::Yes => matches!(line.to_ascii_lowercase().as_str(), "y" | "yes"),
        Confirmation::Typed(word) => line == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_undone_is_not_confirmed_by_a_yes() {
        // SPEC: SA-6
        let typed = Confirmation::Typed("shop-7".into());
        assert!(agrees(&typed, "shop-7\n"));
        for other in ["", "y\n", "yes\n", "shop-77\n", "Shop-7\n"] {
            assert!(!agrees(&typed, other), "{other}");
        }
        assert!(agrees(&Confirmation::Yes, "Y\n"));
        for other in ["", "\n", "no\n", "shop-7\n"] {
            assert!(!agrees(&Confirmation::Yes, other), "{other}");
        }
    }
}
