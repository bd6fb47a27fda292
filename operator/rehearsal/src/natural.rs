//! Names in the order in which people count: `web-2` comes before `web-10`.

use std::cmp::Ordering;

/// Compares letter by letter, and numbers as numbers however long they are.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let by_parts = parts(one).cmp(parts(other));
    // `web-01` and `web-1` are two names.
    by_parts.then_with(|| one.cmp(other))
}

/// A piece of a name that is digits only, or has none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// How many digits there are without leading zeros, and which: so that no number is too large.
    Number(usize, &'a str),
    Letters(&'a str),
}

fn parts(mut rest: &str) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let digits = rest.starts_with(|first: char| first.is_ascii_digit());
        let end = rest.find(|each: char| each.is_ascii_digit() != digits);
        let (part, others) = rest.split_at(end.unwrap_or(rest.len()));
        rest = others;
        if part.is_empty() {
            return None;
        }
        Some(if digits {
            let number = part.trim_start_matches('0');
            Part::Number(number.len(), number)
        } else {
            Part::Letters(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_and_letters_are_not() {
        let mut names = [
            "web-10", "web-2", "db", "web-1", "web-01", "web", "2web", "web-2a", "web-2-b",
        ];
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(
            names,
            [
                "2web", "db", "web", "web-01", "web-1", "web-2", "web-2-b", "web-2a", "web-10"
            ]
        );
    }

    #[test]
    fn no_number_is_too_large() {
        let (small, large) = (
            format!("a{}", "9".repeat(60)),
            format!("a1{}", "0".repeat(60)),
        );
        assert_eq!(compare(&small, &large), Ordering::Less);
        assert_eq!(compare(&large, &large), Ordering::Equal);
        assert_eq!(compare("", "0"), Ordering::Less);
    }
}
