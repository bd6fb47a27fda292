//! Did you mean.

/// The candidate that was probably meant, if one is near enough.
///
/// Case, `-` and `_` do not count: `active_site` means `activeSite`. Beyond that about one slip in
/// three characters is forgiven; a swapped pair counts as one.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Somebody's megabyte is no misspelling, and distances are quadratic.
    if written.len() > 100 {
        return None;
    }
    let plain = simplify(written);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = simplify(candidate);
        let distance = strsim::damerau_levenshtein(&plain, &other);
        let length = plain.chars().count().max(other.chars().count());
        let near = distance * 3 <= length;
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn simplify(name: &str) -> String {
    let kept = name.chars().filter(|each| !matches!(each, '-' | '_' | ' '));
    kept.flat_map(char::to_lowercase).collect()
}

/// Names for a sentence, each in backticks: `` `a`, `b` or `c` ``.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven() {
        let fields = ["activeSite", "groups", "guards", "failover", "sites"];
        assert_eq!(nearest("active_site", fields), Some("activeSite"));
        assert_eq!(nearest("ActiveSite", fields), Some("activeSite"));
        assert_eq!(nearest("gorups", fields), Some("groups"));
        assert_eq!(nearest("group", fields), Some("groups"));
        assert_eq!(nearest("site", fields), Some("sites"));
        assert_eq!(nearest("priority", fields), None);
        assert_eq!(nearest("", fields), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), fields), None);
    }

    #[test]
    fn names_make_a_sentence() {
        assert_eq!(list(["a", "b", "c"], "or"), "`a`, `b` or `c`");
        assert_eq!(list(["a"], "or"), "`a`");
        assert_eq!(list([], "or"), "");
    }
}
