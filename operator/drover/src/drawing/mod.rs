//! The graph of a plan: in languages that other tools draw, and as a picture.

mod layout;
pub mod svg;

use std::fmt::Write as _;

use drover_api::value::{GroupName, StepName};
use drover_api::{Action, PlanGroup, RecoveryPlanSpec};
use drover_engine::declared::Declared;
use drover_engine::members::{self, Inventories};
use drover_engine::plan::{PlanError, PlanGraph};
use drover_world::PlanId;
use serde::Serialize;

use crate::failure::Failure;
use crate::text::count;

/// A plan as it is drawn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawing {
    plan: PlanId,
    groups: Vec<Node>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    name: StepName,
    wave: usize,
    machines: usize,
    open: bool,
    depends_on: Vec<StepName>,
    before: Vec<Around>,
    after: Vec<Around>,
    #[serde(skip)]
    edges: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct Around {
    name: StepName,
    kind: &'static str,
}

impl Drawing {
    /// The graph of a plan.
    ///
    /// # Errors
    /// When its groups have no order, which a check says with a place.
    pub fn new(
        id: &PlanId,
        declared: &Declared<'_>,
        inventories: &Inventories,
    ) -> Result<Self, Failure> {
        let failed = |source| Failure::Plan {
            plan: id.clone(),
            source,
        };
        let key = (id.namespace.as_str(), id.name.as_str());
        let plan = declared
            .plans
            .get(&key)
            .map(|entry| &entry.object.spec)
            .ok_or_else(|| failed(PlanError::NoSuchPlan(id.clone())))?;
        let graph = PlanGraph::of(plan).map_err(failed)?;
        let node = |(position, group)| {
            let (machines, open) = machines(id, group, declared, inventories);
            node(position, group, plan, &graph, machines, open)
        };
        Ok(Self {
            plan: id.clone(),
            groups: plan.groups.iter().enumerate().map(node).collect(),
        })
    }
}

/// Machines of a group as far as they are known, and whether there may be more.
fn machines(
    id: &PlanId,
    group: &PlanGroup,
    declared: &Declared<'_>,
    inventories: &Inventories,
) -> (usize, bool) {
    let mut machines = group.machines.len();
    let mut open = false;
    let members = |name: &GroupName| {
        let protection = declared
            .groups
            .get(&(id.namespace.as_str(), name.as_str()))?;
        Some(members::of(&protection.object.spec, inventories))
    };
    for members in group.protection_groups.iter().filter_map(members) {
        machines += members.known.len();
        open |= members.open;
    }
    (machines, open)
}

fn node(
    position: usize,
    group: &PlanGroup,
    plan: &RecoveryPlanSpec,
    graph: &PlanGraph,
    machines: usize,
    open: bool,
) -> Node {
    let around = |actions: &[Action]| {
        let actions = actions.iter().map(|action| Around {
            name: action.name.clone(),
            kind: action.kind().map_or("action", |kind| kind.as_str()),
        });
        actions.collect()
    };
    let edges: Vec<usize> = graph.dependencies(position).collect();
    Node {
        name: group.name.clone(),
        wave: graph.wave(position).map_or(0, |wave| wave + 1),
        machines,
        open,
        depends_on: edges
            .iter()
            .map(|edge| plan.groups[*edge].name.clone())
            .collect(),
        before: around(&group.before),
        after: around(&group.after),
        edges,
    }
}

impl Node {
    /// The lines of its label: its name, its machines, what happens around it.
    fn label(&self) -> Vec<String> {
        let plus = if self.open { " or more" } else { "" };
        let machines = format!("{}{plus}", count(self.machines, "machine"));
        let around = |when: &'static str, actions: &[Around]| {
            let text = |action: &Around| format!("{when} {} ({})", action.name, action.kind);
            actions.iter().map(text).collect::<Vec<_>>()
        };
        let mut lines = vec![self.name.to_string(), machines];
        lines.extend(around("before:", &self.before));
        lines.extend(around("after:", &self.after));
        lines
    }
}

/// Mermaid. Several plans are a Markdown file with a fenced block for each.
pub fn mermaid(drawings: &[Drawing]) -> String {
    let mut text = String::new();
    for (position, drawing) in drawings.iter().enumerate() {
        if drawings.len() == 1 {
            return one_mermaid(drawing);
        }
        let gap = if position > 0 { "\n" } else { "" };
        let picture = one_mermaid(drawing);
        let _ = write!(
            text,
            "{gap}## {}\n\n```mermaid\n{picture}```\n",
            drawing.plan
        );
    }
    text
}

fn one_mermaid(drawing: &Drawing) -> String {
    let mut text = String::from("flowchart LR\n");
    for (position, node) in drawing.groups.iter().enumerate() {
        let lines: Vec<String> = node.label().iter().map(|line| in_mermaid(line)).collect();
        let _ = writeln!(text, "  g{position}[\"{}\"]", lines.join("<br/>"));
    }
    for (position, node) in drawing.groups.iter().enumerate() {
        for edge in &node.edges {
            let _ = writeln!(text, "  g{edge} --> g{position}");
        }
    }
    text
}

/// The language of Graphviz, a graph for each plan.
pub fn dot(drawings: &[Drawing]) -> String {
    let mut text = String::new();
    for drawing in drawings {
        let name = in_dot(&drawing.plan.to_string());
        let _ = writeln!(
            text,
            "digraph \"{name}\" {{\n  rankdir=LR;\n  node [shape=box];"
        );
        for (position, node) in drawing.groups.iter().enumerate() {
            let lines: Vec<String> = node.label().iter().map(|line| in_dot(line)).collect();
            let _ = writeln!(text, "  g{position} [label=\"{}\"];", lines.join("\\n"));
        }
        for (position, node) in drawing.groups.iter().enumerate() {
            for edge in &node.edges {
                let _ = writeln!(text, "  g{edge} -> g{position};");
            }
        }
        text.push_str("}\n");
    }
    text
}

/// In a quoted label Mermaid reads markup and entities of its own, written with `#`.
fn in_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '&' => escaped.push_str("#amp;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '`' => escaped.push_str("#96;"),
            _ if each.is_control() => escaped.push(' '),
            _ => escaped.push(each),
        }
    }
    escaped
}

fn in_dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '"' | '\\' => {
                escaped.push('\\');
                escaped.push(each);
            }
            _ if each.is_control() => escaped.push(' '),
            _ => escaped.push(each),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_end_themselves() {
        assert_eq!(in_mermaid("a\"]#<b>\n"), "a#quot;]#35;#lt;b#gt; ");
        assert_eq!(in_dot("a\"\\n\t"), "a\\\"\\\\n ");
    }
}
