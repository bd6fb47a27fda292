//! A review for a person at a terminal: new errors first, then what would happen, then the rest by how much to care.

use std::fmt::Write as _;

use drover_engine::review::Class;
use drover_manifest::Diagnostic;

use super::judged::{Judged, Placed};
use super::words;
use crate::text::{Style, count, wrapped};

/// Meanings of one class that are shown; the rest is a number.
const MOST: usize = 200;
/// Effects of one meaning that are shown.
const EFFECTS: usize = 12;

/// All that is said; nothing where nothing is.
pub fn render(judged: &Judged, style: Style) -> String {
    let mut text = String::new();
    // With errors nothing of the rest can be applied; warnings can wait.
    let wrong = judged.new_problems.iter().any(Diagnostic::is_error);
    let new = |text: &mut String| problems(text, "NEW PROBLEMS", &judged.new_problems, style);
    if wrong {
        new(&mut text);
    }
    for class in Class::ALL {
        section(&mut text, judged, class, style);
    }
    if !wrong {
        new(&mut text);
    }
    problems(
        &mut text,
        "PROBLEMS THAT ARE GONE",
        &judged.gone_problems,
        style,
    );
    text
}

fn section(text: &mut String, judged: &Judged, class: Class, style: Style) {
    let number = judged.count(class);
    if number == 0 {
        return;
    }
    heading(text, &painted(class, words::heading(class), style));
    for object in words::by_object(judged.of_class(class).take(MOST)) {
        let _ = writeln!(text, "\n  {}", style.strong(words::object(object[0])));
        for placed in object {
            meaning(text, placed, style);
        }
    }
    if number > MOST {
        let _ = writeln!(
            text,
            "\n  … and {}; --format json has all",
            count(number - MOST, "more thing")
        );
    }
}

fn heading(text: &mut String, heading: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{heading}");
}

fn painted(class: Class, heading: &str, style: Style) -> String {
    match class {
        Class::Refused | Class::LosesProtection => style.bad(heading),
        Class::WouldRun | Class::WeakensSafety | Class::WorsensObjectives => style.notable(heading),
        Class::Harmless => style.strong(heading),
    }
}

fn meaning(text: &mut String, placed: &Placed, style: Style) {
    let meaning = &placed.meaning;
    let _ = writeln!(
        text,
        "{}",
        wrapped(&meaning.message, style.width(), "  - ", "    ")
    );
    for effect in meaning.effects.iter().take(EFFECTS) {
        let _ = writeln!(
            text,
            "{}",
            wrapped(effect, style.width(), "      ", "        ")
        );
    }
    let more = meaning.effects.len().saturating_sub(EFFECTS);
    if more > 0 {
        let _ = writeln!(text, "      … and {more} more");
    }
}

fn problems(text: &mut String, title: &str, problems: &[Diagnostic], style: Style) {
    if problems.is_empty() {
        return;
    }
    heading(text, &style.strong(title));
    text.push('\n');
    for problem in problems.iter().take(MOST) {
        let line = words::problem(problem);
        let _ = writeln!(text, "{}", wrapped(&line, style.width(), "  - ", "    "));
        if let Some(hint) = &problem.hint {
            let hint = format!("hint: {hint}");
            let _ = writeln!(
                text,
                "{}",
                wrapped(&hint, style.width(), "      ", "        ")
            );
        }
    }
    let more = problems.len().saturating_sub(MOST);
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more");
    }
}
