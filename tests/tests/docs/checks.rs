//! `docs/checks.md`: the codes of all problems.

use std::fmt::Write as _;

use drover_engine::check::CODES;
use drover_manifest::code;

use crate::MADE;

const HEAD: &str = "
# What is checked

Each problem has a stable code, so that a pipeline can filter by it. An error stops `drover plan`; a warning does
not, and `drover validate --fail-on warning` makes it count. Every problem says where it is, and most say what would
mend it.
";

pub fn page() -> String {
    let mut page = format!("{MADE}\n{HEAD}");
    let line = |code, meaning| (code, format!("{}.", capital(meaning)));
    let texts: Vec<(&str, String)> = code::ALL
        .iter()
        .map(|each| line(each.code, each.meaning))
        .collect();
    let objects: Vec<(&str, String)> = CODES
        .iter()
        .map(|each| line(each.code, each.meaning))
        .collect();
    section(&mut page, "What one text can get wrong", &texts);
    section(
        &mut page,
        "What objects can get wrong, alone and together",
        &objects,
    );
    page
}

fn section(page: &mut String, title: &str, codes: &[(&str, String)]) {
    write!(page, "\n## {title}\n\n| code | says |\n| --- | --- |\n").unwrap();
    for (code, meaning) in codes {
        writeln!(page, "| `{code}` | {meaning} |").unwrap();
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
