//! How names and numbers are put into sentences.

use std::fmt::Display;

use drover_api::annotations::{self, Annotations};
use drover_api::common::{SitePair, SiteRole, Window};
use drover_api::value::Duration;

/// Names that a sentence shows before it says how many more there are.
pub(super) const SHOWN: usize = 5;

/// `db-1`, `db-1 and db-2`, `db-1, db-2, db-3, db-4, db-5 and 7 more`.
pub(super) fn names<T: Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(ToString::to_string).collect();
    if names.len() > SHOWN {
        return format!("{} and {} more", shown.join(", "), names.len() - SHOWN);
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "none".to_owned(),
    }
}

/// `1 machine`, `12 machines`.
pub(super) fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// `is` or `are`.
pub(super) fn are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// The first word for one, the second for several.
pub(super) fn for_number<'w>(number: usize, one: &'w str, several: &'w str) -> &'w str {
    if number == 1 { one } else { several }
}

/// A value, or what stands for none.
pub(super) fn or<T: Display>(value: Option<&T>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), ToString::to_string)
}

/// `secondary (busan)`.
pub(super) fn side(sites: &SitePair, role: SiteRole) -> String {
    format!("{} ({})", role.as_str(), sites.at(role))
}

/// `22:00 to 06:00`.
pub(super) fn window(window: &Window) -> String {
    format!("{} to {}", window.start, window.end)
}

/// `+2m`, `-30s`.
pub(super) fn signed(before: &Duration, after: &Duration) -> String {
    let by = Duration::from_millis(before.as_millis().abs_diff(after.as_millis()));
    let sign = if after > before { '+' } else { '-' };
    format!("{sign}{by}")
}

/// Texts that mean the same in whatever case: names of hosts, records, and of what Azure has.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.')
        .eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// Whether an object with these annotations is suspended.
pub(super) fn is_suspended(annotations: Option<&Annotations>) -> bool {
    annotations.is_some_and(annotations::is_suspended)
}
