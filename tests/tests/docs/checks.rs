//! `docs/checks.md`: the codes of all problems.

use std::fmt::Write as _;

use drover_engine::check::CODES;
use drover_manifest::code;
use drover_tests::manifests;

use crate::MADE;

const HEAD: &str = "
# What is checked

Each problem has a stable code, so that a pipeline can filter by it. An error stops `drover plan`; a warning does
not, and `drover validate --fail-on warning` makes it count. Every problem says where it is, and most say what would
mend it.
";

pub fn page() -> String {
    let mut page = format!("{MADE}\n{HEAD}");
    let texts: Vec<(&str, String)> = code::ALL
        .iter()
        .map(|code| (*code, meaning(code)))
        .collect();
    let objects: Vec<(&str, String)> = CODES
        .iter()
        .map(|code| (code.code, format!("{}.", capital(code.meaning))))
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

/// What is written above a code where it is defined: one place for those who read the source and for
/// those who read the page.
fn meaning(code: &str) -> String {
    let path = manifests::repository().join("operator/manifest/src/code.rs");
    let source = manifests::read(&path).unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let end = format!("&str = \"{code}\";");
    let line = lines.iter().position(|line| line.ends_with(&end)).unwrap();
    let above = lines[..line]
        .iter()
        .rev()
        .map_while(|line| line.strip_prefix("/// "));
    let mut words: Vec<&str> = above.collect();
    words.reverse();
    assert!(!words.is_empty(), "{code} is not explained");
    // A link of rustdoc leads nowhere here.
    words
        .join(" ")
        .replace("](crate::limits)", "")
        .replace("[`limits`", "`limits`")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
