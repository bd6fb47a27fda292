//! The graph of a plan as a picture that stands alone: an SVG with its own colours for light and dark.
//!
//! A box for each group with its machines and times, waves from left to right, the critical path
//! highlighted. What is cut because a name is long is told in full when a pointer rests on the box, and
//! to screen readers. Times are those of the run that the plan's report is of.

use std::fmt::Write as _;

use drover_api::value::{Duration, StepName};
use drover_engine::plan::{GroupReport, PlanReport, StepReport};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::layout::{self, GAP, Graph, HEAD, Layout, Point, Way};
use super::{Around, Drawing, Node};
use crate::text::{count, xml};

/// Around everything: arrows that go on in another band pass here.
const MARGIN: f64 = 40.0;
/// Above the first band: the plan and what its run would do.
const TITLE: f64 = 64.0;
/// Below the last band: what the colours mean.
const LEGEND: f64 = 40.0;
/// Between two plans.
const APART: f64 = 24.0;
/// Within a box.
const PADDING: f64 = 12.0;
/// The height of a line of text in a box.
const LINE: f64 = 17.0;
/// The narrowest and the widest box.
const WIDTHS: (f64, f64) = (150.0, 260.0);
/// The most actions of a box that are drawn; the others are counted.
const MOST_ACTIONS: usize = 4;
/// The most arrows that are drawn, beside those of the critical path: more are a grey area.
const MOST_ARROWS: usize = 1_500;
/// The width of a column of text by the size of its font, in fonts that run wide. Fonts differ; text must
/// not run out of its box in any of them.
const COLUMN: f64 = 0.64;
const BOLD_COLUMN: f64 = 0.7;

const STYLE: &str = "\
.page{fill:#ffffff}.head{fill:#1b1f24;font-weight:600}.sub{fill:#57606a}.wave{fill:#57606a}\
.box{fill:#f6f8fa;stroke:#afb8c1}.critical .box{fill:#fff4e5;stroke:#bc4c00;stroke-width:2}\
.name{fill:#1b1f24;font-weight:600}.fact{fill:#424a53}.action{fill:#0550ae}\
.arrow{fill:none;stroke:#8c959f;stroke-width:1.5}.tip{fill:#8c959f}\
.hot{stroke:#bc4c00;stroke-width:2.5}.hottip{fill:#bc4c00}\
@media (prefers-color-scheme:dark){\
.page{fill:#0d1117}.head{fill:#f0f6fc}.sub{fill:#9198a1}.wave{fill:#9198a1}\
.box{fill:#151b23;stroke:#3d444d}.critical .box{fill:#2d1f10;stroke:#f0883e}\
.name{fill:#f0f6fc}.fact{fill:#c9d1d9}.action{fill:#79c0ff}\
.arrow{stroke:#656c76}.tip{fill:#656c76}.hot{stroke:#f0883e}.hottip{fill:#f0883e}}";

/// A plan to be drawn: its graph, what its run would do, and that in a line.
pub struct Picture<'a> {
    /// The graph.
    pub drawing: &'a Drawing,
    /// What the run would do.
    pub report: &'a PlanReport,
    /// What the run is, and what is to be expected of it.
    pub says: String,
}

/// The plans, one below the other.
pub fn svg(pictures: &[Picture<'_>]) -> String {
    let parts: Vec<Part<'_>> = pictures.iter().map(Part::new).collect();
    let width = parts.iter().map(Part::width).fold(0.0, f64::max);
    let gaps = APART * f64::from(u32::try_from(parts.len().saturating_sub(1)).unwrap_or(0));
    let height = parts.iter().map(Part::height).sum::<f64>() + gaps;
    let names: Vec<String> = pictures
        .iter()
        .map(|each| each.drawing.plan.to_string())
        .collect();
    let title = match names.as_slice() {
        [one] => format!("Recovery plan {one}"),
        several => count(several.len(), "recovery plan"),
    };
    let says: Vec<&str> = pictures.iter().map(|each| each.says.as_str()).collect();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title about\" \
         font-family=\"ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"about\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        xml(&title),
        xml(&says.join(" ")),
    );
    let mut top = 0.0;
    for part in &parts {
        let _ = writeln!(text, "<g transform=\"translate(0 {top:.0})\">");
        part.write(&mut text);
        text.push_str("</g>\n");
        top += part.height() + APART;
    }
    text.push_str("</svg>\n");
    text
}

/// One plan, laid out.
struct Part<'a> {
    picture: &'a Picture<'a>,
    boxes: Vec<Box<'a>>,
    width: f64,
    layout: Layout,
    /// Whether an arrow is drawn, and lies on the critical path.
    arrows: Vec<(usize, usize, bool)>,
    left_out: usize,
}

/// What is written in a box.
struct Box<'a> {
    node: &'a Node,
    critical: bool,
    facts: Vec<String>,
    actions: Vec<String>,
}

impl<'a> Box<'a> {
    fn new(node: &'a Node, group: Option<&GroupReport>, critical: bool) -> Self {
        let plus = if node.open { " or more" } else { "" };
        let mut facts = vec![format!("{}{plus}", count(node.machines, "machine"))];
        if let Some(group) = group {
            let (start, end) = (&group.enter.start, &group.enter.end);
            let takes = end.as_millis().saturating_sub(start.as_millis());
            let takes = Duration::from_millis(takes);
            facts[0] = format!("{} · {takes}", facts[0]);
            facts.push(format!("{start} → {end}"));
        }
        let around = |when: &'static str, actions: &'a [Around]| {
            actions
                .iter()
                .map(move |action| format!("{when} {} · {}", action.name, action.kind))
        };
        let mut actions: Vec<String> = around("before", &node.before)
            .chain(around("after", &node.after))
            .collect();
        let more = actions.len().saturating_sub(MOST_ACTIONS);
        if more > 0 {
            actions.truncate(MOST_ACTIONS - 1);
            actions.push(format!("and {}", count(more + 1, "more action")));
        }
        Self {
            node,
            critical,
            facts,
            actions,
        }
    }

    fn height(&self) -> f64 {
        let lines = 1 + self.facts.len() + self.actions.len();
        PADDING * 1.5 + LINE * f64::from(u32::try_from(lines).unwrap_or(u32::MAX))
    }

    /// The width that all of it would have.
    fn wanted(&self) -> f64 {
        let lines = self.facts.iter().chain(&self.actions);
        let lines = lines.map(|line| measured(line, 12.0, COLUMN));
        let name = measured(self.node.name.as_str(), 14.0, BOLD_COLUMN);
        lines.fold(name, f64::max) + 2.0 * PADDING
    }
}

impl<'a> Part<'a> {
    fn new(picture: &'a Picture<'a>) -> Self {
        let (drawing, report) = (picture.drawing, picture.report);
        let path = critical(report);
        let boxes: Vec<Box<'a>> = drawing
            .groups
            .iter()
            .map(|node| {
                let group = report.groups.iter().find(|group| group.name == node.name);
                Box::new(node, group, path.contains(&node.name.as_str()))
            })
            .collect();
        let wanted = boxes.iter().map(Box::wanted).fold(WIDTHS.0, f64::max);
        let width = wanted.min(WIDTHS.1);
        let hot = |from: usize, to: usize| {
            let names = [from, to].map(|each| drawing.groups[each].name.as_str());
            path.windows(2).any(|two| two == names)
        };
        let all = drawing
            .groups
            .iter()
            .enumerate()
            .flat_map(|(to, node)| node.edges.iter().map(move |from| (*from, to)));
        let all: Vec<(usize, usize, bool)> =
            all.map(|(from, to)| (from, to, hot(from, to))).collect();
        let total = all.len();
        let few = total <= MOST_ARROWS;
        let arrows: Vec<_> = all.into_iter().filter(|(.., hot)| few || *hot).collect();
        let graph = Graph {
            boxes: boxes
                .iter()
                .map(|each| (each.node.wave.saturating_sub(1), each.height()))
                .collect(),
            width,
            arrows: arrows.iter().map(|(from, to, _)| (*from, *to)).collect(),
        };
        let layout = layout::lay_out(&graph);
        Self {
            picture,
            boxes,
            width,
            layout,
            left_out: total - arrows.len(),
            arrows,
        }
    }

    fn heading(&self) -> (String, String) {
        (
            self.picture.drawing.plan.to_string(),
            self.picture.says.clone(),
        )
    }

    fn width(&self) -> f64 {
        let (name, _) = self.heading();
        let least = measured(&name, 20.0, BOLD_COLUMN).max(560.0);
        self.layout.size.0.max(least) + 2.0 * MARGIN
    }

    /// What the run is, in as many lines as it takes.
    fn says(&self) -> Vec<String> {
        let columns = (1..400).take_while(|columns| {
            f64::from(*columns) * 13.0 * COLUMN < self.width() - 2.0 * MARGIN
        });
        let text = crate::text::wrapped(&self.picture.says, columns.count(), "", "");
        text.lines().map(str::to_owned).collect()
    }

    fn top(&self) -> f64 {
        let more = self.says().len().saturating_sub(1);
        MARGIN + TITLE + 18.0 * f64::from(u32::try_from(more).unwrap_or(0))
    }

    fn height(&self) -> f64 {
        self.top() + self.layout.size.1 + LEGEND + MARGIN
    }

    fn write(&self, text: &mut String) {
        let (name, _) = self.heading();
        let _ = writeln!(
            text,
            "<text class=\"head\" x=\"{MARGIN}\" y=\"{:.0}\" font-size=\"20\">{}</text>",
            MARGIN + 18.0,
            xml(&name)
        );
        for (line, says) in (0_u32..).zip(self.says()) {
            let y = MARGIN + 40.0 + 18.0 * f64::from(line);
            let _ = writeln!(
                text,
                "<text class=\"sub\" x=\"{MARGIN}\" y=\"{y:.0}\" font-size=\"13\">{}</text>",
                xml(&says)
            );
        }
        let left = MARGIN - GAP / 2.0;
        let _ = writeln!(
            text,
            "<g transform=\"translate({left:.0} {:.0})\">",
            self.top()
        );
        self.waves(text);
        // The critical path lies above the others.
        for wanted in [false, true] {
            for (way, (.., hot)) in self.layout.arrows.iter().zip(&self.arrows) {
                if *hot == wanted {
                    arrow(way, *hot, text);
                }
            }
        }
        for (each, at) in self.boxes.iter().zip(&self.layout.boxes) {
            self.group(each, *at, text);
        }
        text.push_str("</g>\n");
        self.legend(text);
    }

    fn waves(&self, text: &mut String) {
        for (wave, (x, y), width) in &self.layout.waves {
            let middle = x + width / 2.0;
            let _ = writeln!(
                text,
                "<text class=\"wave\" x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"12\" \
                 text-anchor=\"middle\">wave {}</text>",
                y + HEAD - 12.0,
                wave + 1
            );
        }
    }

    fn group(&self, each: &Box<'_>, (x, y): Point, text: &mut String) {
        let class = if each.critical {
            "group critical"
        } else {
            "group"
        };
        let _ = writeln!(
            text,
            "<g class=\"{class}\"><title>{}</title>\
             <rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>",
            xml(&whole(each)),
            self.width,
            each.height()
        );
        let room = self.width - 2.0 * PADDING;
        let mut at = y + PADDING + 10.0;
        let mut line = |class: &str, size: f64, column: f64, says: &str| {
            let _ = writeln!(
                text,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{at:.1}\" font-size=\"{size}\">{}</text>",
                x + PADDING,
                xml(&cut(says, size, column, room))
            );
            at += LINE;
        };
        line("name", 14.0, BOLD_COLUMN, each.node.name.as_str());
        for fact in &each.facts {
            line("fact", 12.0, COLUMN, fact);
        }
        for action in &each.actions {
            line("action", 12.0, COLUMN, action);
        }
        text.push_str("</g>\n");
    }

    fn legend(&self, text: &mut String) {
        let y = self.top() + self.layout.size.1 + LEGEND;
        let mut says = "critical path: what makes the run as long as it is".to_owned();
        if self.left_out > 0 {
            let more = count(self.left_out, "more arrow");
            let _ = write!(says, "; {more} are not drawn");
        }
        let _ = writeln!(
            text,
            "<g><path class=\"arrow hot\" d=\"M{MARGIN} {:.1}h28\"/>\
             <text class=\"sub\" x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12\">{}</text></g>",
            y - 4.0,
            MARGIN + 38.0,
            xml(&says)
        );
    }
}

/// The groups of the critical path in their order at the target, each once.
fn critical(report: &PlanReport) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for step in &report.critical_path {
        let group = match &step.step {
            StepReport::Before { group, .. }
            | StepReport::Start { group, .. }
            | StepReport::After { group, .. } => group.as_str(),
            // Stopping goes the other way round and ends at a barrier: arrows do not show it.
            StepReport::Stop { .. } | StepReport::FinalSync { .. } | StepReport::AllLeft => {
                continue;
            }
        };
        if groups.last() != Some(&group) {
            groups.push(group);
        }
    }
    groups
}

/// All that a box stands for.
fn whole(each: &Box<'_>) -> String {
    let node = each.node;
    let mut text = format!(
        "{}, wave {}: {}",
        node.name,
        node.wave,
        each.facts.join(", ")
    );
    let waits: Vec<&str> = node.depends_on.iter().map(StepName::as_str).collect();
    if !waits.is_empty() {
        let _ = write!(text, "; waits for {}", waits.join(", "));
    }
    for (when, actions) in [("before", &node.before), ("after", &node.after)] {
        for action in actions {
            let _ = write!(text, "; {when} {} ({})", action.name, action.kind);
        }
    }
    if each.critical {
        text.push_str("; on the critical path");
    }
    text
}

fn arrow(way: &Way, hot: bool, text: &mut String) {
    let (line, tip) = if hot {
        ("arrow hot", "hottip")
    } else {
        ("arrow", "tip")
    };
    let (path, end) = match way {
        Way::Curve(points) => (curve(points), points.last()),
        Way::Corners(points) => (corners(points), points.last()),
    };
    let Some((x, y)) = end else {
        return;
    };
    let _ = writeln!(
        text,
        "<path class=\"{line}\" d=\"{path}\"/>\
         <path class=\"{tip}\" d=\"M{x:.1} {y:.1}l-8 -4.5v9z\"/>"
    );
}

/// Straight through slots, and in an S between them.
fn curve(points: &[Point]) -> String {
    let Some(((x, y), rest)) = points.split_first() else {
        return String::new();
    };
    let mut path = format!("M{x:.1} {y:.1}");
    let mut last = (*x, *y);
    for (position, &(x, y)) in rest.iter().enumerate() {
        // The tip covers the end.
        let end = if position + 1 == rest.len() {
            x - 6.0
        } else {
            x
        };
        if position % 2 == 1 {
            let _ = write!(path, "L{end:.1} {y:.1}");
        } else {
            let middle = f64::midpoint(last.0, end);
            let _ = write!(
                path,
                "C{middle:.1} {:.1} {middle:.1} {y:.1} {end:.1} {y:.1}",
                last.1
            );
        }
        last = (end, y);
    }
    path
}

/// Straight lines with round corners.
fn corners(points: &[Point]) -> String {
    const ROUND: f64 = 8.0;
    let Some((x, y)) = points.first() else {
        return String::new();
    };
    let mut path = format!("M{x:.1} {y:.1}");
    for three in points.windows(3) {
        let [before, corner, after] = [three[0], three[1], three[2]];
        let towards = |other: Point| {
            let (dx, dy) = (other.0 - corner.0, other.1 - corner.1);
            let length = dx.hypot(dy).max(0.001);
            let round = ROUND.min(length / 2.0);
            (
                corner.0 + dx / length * round,
                corner.1 + dy / length * round,
            )
        };
        let (from, to) = (towards(before), towards(after));
        let _ = write!(
            path,
            "L{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
            from.0, from.1, corner.0, corner.1, to.0, to.1
        );
    }
    if let Some((x, y)) = points.last() {
        let _ = write!(path, "L{:.1} {y:.1}", x - 6.0);
    }
    path
}

fn measured(text: &str, size: f64, column: f64) -> f64 {
    f64::from(u32::try_from(text.width()).unwrap_or(u32::MAX)) * size * column
}

/// A text that fits, with an ellipsis where it was cut. Names differ at their ends more often than in the
/// middle, so that is what goes.
fn cut(text: &str, size: f64, column: f64, room: f64) -> String {
    if measured(text, size, column) <= room {
        return text.to_owned();
    }
    let fits = (1..text.width()).take_while(|columns| {
        f64::from(u32::try_from(*columns).unwrap_or(u32::MAX)) * size * column <= room
    });
    let keep = fits.count().saturating_sub(1);
    let (head, tail) = (keep.div_ceil(2), keep / 2);
    let start = taken(text.chars(), head);
    let end: String = taken(text.chars().rev(), tail).chars().rev().collect();
    format!("{start}…{end}")
}

/// As many characters as fit into so many columns.
fn taken(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    let taken = chars.take_while(|each| {
        used += each.width().unwrap_or(0);
        used <= columns
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_in_the_middle_and_fits() {
        let long = "orders-service-of-the-wholesale-department";
        let shown = cut(long, 14.0, BOLD_COLUMN, 120.0);
        assert!(measured(&shown, 14.0, BOLD_COLUMN) <= 120.0, "{shown}");
        assert!(
            shown.starts_with("ord") && shown.ends_with("ent"),
            "{shown}"
        );
        let wide = cut(&"가나다라마바사아자차".repeat(3), 12.0, COLUMN, 100.0);
        assert!(measured(&wide, 12.0, COLUMN) <= 100.0, "{wide}");
        assert_eq!(cut("web", 14.0, BOLD_COLUMN, 120.0), "web");
    }

    #[test]
    fn a_way_is_drawn_from_its_first_point_to_its_last() {
        let straight = [(0.0, 0.0), (10.0, 0.0)];
        assert_eq!(curve(&straight), "M0.0 0.0C2.0 0.0 2.0 0.0 4.0 0.0");
        let bent = [(0.0, 0.0), (20.0, 0.0), (20.0, 40.0)];
        assert_eq!(
            corners(&bent),
            "M0.0 0.0L12.0 0.0Q20.0 0.0 20.0 8.0L14.0 40.0"
        );
    }
}
