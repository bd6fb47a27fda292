#![cfg(test)]

use super::*;
use crate::text::Style;

fn bar(look: Look, begin: u64, end: Option<u64>) -> Bar {
    Bar {
        look,
        begin: Duration::from_secs(begin),
        end: end.map(Duration::from_secs),
        decisive: false,
        failed: false,
    }
}

fn timeline(from: Option<Timestamp>) -> Timeline {
    let bars = vec![
        bar(Look::Leaves, 0, Some(30)),
        bar(Look::Starts, 60, Some(90)),
        bar(Look::Acts, 100, None),
    ];
    Timeline {
        from,
        length: Duration::from_secs(100),
        rows: vec![Row {
            name: "<data>".to_owned(),
            bars,
        }],
    }
}

#[test]
fn bars_stand_under_the_time_that_they_are_of() {
    // SPEC: RD-5
    let shown = super::text(&timeline(None), Style::new(false, 41));
    assert_eq!(
        shown,
        "          0s                        1m40s\n\
         \x20 <data>  ░░░░░░░░░░        ██████████  ◆\n\
         \x20 ░ leaves the source\n  █ starts at the target\n  ◆ an action begins\n"
    );
    let from = "2026-11-20T14:00:00Z".parse().unwrap();
    let shown = super::text(&timeline(Some(from)), Style::new(false, 41));
    let heading = shown.lines().next().unwrap();
    assert!(
        heading.contains("14:00:00") && heading.ends_with("14:01:40"),
        "{heading}"
    );
}

#[test]
fn a_name_is_no_markup_and_no_bar_leaves_its_track() {
    // SPEC: BI-1
    let mut late = timeline(None);
    late.rows[0].bars.push(bar(Look::Asks, 90, Some(900)));
    let page = super::html(&late);
    assert!(
        page.contains("&lt;data&gt;") && !page.contains("<data>"),
        "{page}"
    );
    assert!(page.contains("left:90.00%;width:10.00%"), "{page}");
    assert!(super::text(&late, Style::new(false, 60)).contains('◇'));
}

#[test]
fn nothing_that_took_no_time_divides_by_it() {
    let mut none = timeline(None);
    none.length = Duration::ZERO;
    assert!(!super::text(&none, Style::new(false, 60)).is_empty());
    let page = super::html(&none);
    assert!(!page.contains("NaN"));
    assert_eq!(page.matches(">0s<").count(), 1, "{page}");
}
