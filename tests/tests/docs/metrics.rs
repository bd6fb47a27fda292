//! The page about metrics: from the text of a process that has each of them once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use drover_control::Metrics;

use crate::MADE;

/// What is said of one metric.
#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: Vec<String>,
}

fn families() -> BTreeMap<String, Family> {
    let text = Metrics::example();
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(("HELP", rest)) = line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (name, help) = rest.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().help =
                help.trim_end_matches('.').to_owned();
        } else if let Some(("TYPE", rest)) = line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let (sample, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            // The family is the longest name that the sample begins with.
            let of = families
                .keys()
                .filter(|family| name.starts_with(family.as_str()));
            let of = of.max_by_key(|family| family.len()).unwrap().clone();
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels
                .filter_map(|label| label.split_once('='))
                .map(|(label, _)| label);
            let labels = labels
                .filter(|label| *label != "le")
                .map(|label| format!("`{label}`"));
            families.get_mut(&of).unwrap().labels = labels.collect();
        }
    }
    families
}

pub fn page() -> String {
    let mut page = format!(
        "{MADE}\n\n# Metrics\n\n`/metrics` of `drover run`, as OpenMetrics. What is counted is told by each process; how plans, groups \
         and sites stand\nis told by the one that leads. No label is a machine: `drover describe` knows them all. A counter's sample ends in \
         `_total`,\na histogram's in `_bucket`, `_sum` and `_count`, the build's in `_info`.\n\n| metric | type | labels | says |\n\
         | --- | --- | --- | --- |\n"
    );
    for (name, family) in families() {
        let Family { kind, help, labels } = family;
        writeln!(
            page,
            "| `{name}` | {kind} | {} | {help} |",
            labels.join(", ")
        )
        .unwrap();
    }
    page
}
