//! `docs/meanings.md`: the codes of all meanings.

use std::fmt::Write as _;

use drover_engine::review::CODES;

use crate::MADE;

const HEAD: &str = "
# What a review can say

Each meaning of a change has a stable code, so that a [policy](review.md#a-policy) can name it and a pipeline can filter by
it. How much to care depends on the change: `retention-changed` weakens safety when recovery points are kept shorter, and is
harmless when they are kept longer.

| code | says |
| --- | --- |
";

pub fn page() -> String {
    let mut page = format!("{MADE}\n{HEAD}");
    for code in CODES {
        writeln!(page, "| `{}` | {} |", code.code, code.meaning).unwrap();
    }
    page
}
