//! How names are put into sentences.

/// Names that a message shows before it says how many more there are.
pub(super) const SHOWN: usize = 5;

/// The first few of so many names: `` `a`, `b` and 12 more ``.
pub(super) fn some_of<'n>(names: impl IntoIterator<Item = &'n str>, total: usize) -> String {
    let shown: Vec<String> = names.into_iter().take(SHOWN).map(quoted).collect();
    if total > shown.len() && !shown.is_empty() {
        return format!("{} and {} more", shown.join(", "), total - shown.len());
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "none".to_owned(),
    }
}

/// All of a few names.
pub(super) fn all_of(names: &[&str]) -> String {
    some_of(names.iter().copied(), names.len())
}

/// A name as messages write it.
pub(super) fn quoted(name: &str) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_counted() {
        assert_eq!(all_of(&["a"]), "`a`");
        assert_eq!(all_of(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(
            all_of(&["a", "b", "c", "d", "e", "f", "g"]),
            "`a`, `b`, `c`, `d`, `e` and 2 more"
        );
    }
}
