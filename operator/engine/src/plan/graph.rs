//! The order between the groups of a plan.

use std::collections::BTreeMap;

use drover_api::RecoveryPlanSpec;
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};

use super::PlanError;

/// Groups and the order between them. A group is its position in `spec.groups`.
///
/// Only the edges that people write are held, never what follows from them: a chain of ten thousand
/// groups has ten thousand edges, its closure fifty million.
///
/// ```
/// use drover_engine::plan::PlanGraph;
///
/// let none: &[&str] = &[];
/// let graph = PlanGraph::new([
///     ("data", None),
///     ("cache", Some(none)),
///     ("web", Some(&["data", "cache"])),
/// ])?;
/// assert_eq!(graph.waves(), [vec![0, 1], vec![2]]);
/// assert_eq!(graph.stop_order(), [2, 1, 0]);
/// # Ok::<(), drover_engine::plan::PlanError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlanGraph {
    /// An edge leads from a group to one that depends on it.
    graph: DiGraph<(), ()>,
    /// The wave of each group, from 0.
    waves: Vec<usize>,
}

impl PlanGraph {
    /// The graph of these groups: a name and what it depends on. Unset means the group before it, an
    /// empty list nothing.
    ///
    /// # Errors
    /// For two groups of one name, a dependency on a group that is not there, and a cycle.
    pub fn new<'a, N: AsRef<str> + 'a>(
        groups: impl IntoIterator<Item = (&'a str, Option<&'a [N]>)>,
    ) -> Result<Self, PlanError> {
        let groups: Vec<(&str, Option<&[N]>)> = groups.into_iter().collect();
        let positions = positions(&groups)?;
        let mut graph = DiGraph::with_capacity(groups.len(), groups.len());
        for _ in &groups {
            graph.add_node(());
        }
        // A node lists its newest edge first, so edges go in backwards: neighbours then come out in
        // the order of the plan.
        for (group, (name, depends_on)) in groups.iter().enumerate().rev() {
            for dependency in direct(group, name, *depends_on, &positions)?
                .into_iter()
                .rev()
            {
                graph.add_edge(node(dependency), node(group), ());
            }
        }
        let waves = longest_paths(&graph).map_err(|cycle| {
            let name = |group: usize| groups[group].0.to_owned();
            PlanError::Cycle(cycle.into_iter().map(name).collect())
        })?;
        Ok(Self { graph, waves })
    }

    /// The graph of a plan's groups.
    ///
    /// # Errors
    /// As [`PlanGraph::new`].
    pub fn of(spec: &RecoveryPlanSpec) -> Result<Self, PlanError> {
        Self::new(
            spec.groups
                .iter()
                .map(|group| (group.name.as_str(), group.depends_on.as_deref())),
        )
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.waves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// The groups that a group waits for directly, in the order of the plan.
    pub fn dependencies(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        self.graph
            .neighbors_directed(node(group), Incoming)
            .map(NodeIndex::index)
    }

    /// The groups that wait for a group directly, in the order of the plan.
    pub fn dependents(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        self.graph
            .neighbors_directed(node(group), Outgoing)
            .map(NodeIndex::index)
    }

    /// The wave of a group, from 0: the length of the longest way to it. Nothing for a position
    /// beyond the plan.
    pub fn wave(&self, group: usize) -> Option<usize> {
        self.waves.get(group).copied()
    }

    /// The groups by wave; inside a wave in the order of the plan. Waves are how people see the order:
    /// a group starts when its own dependencies are healthy, not when the whole wave before it is.
    pub fn waves(&self) -> Vec<Vec<usize>> {
        let count = self.waves.iter().max().map_or(0, |last| last + 1);
        let mut waves = vec![Vec::new(); count];
        for (group, wave) in self.waves.iter().enumerate() {
            waves[*wave].push(group);
        }
        waves
    }

    /// All groups in an order in which each comes after what it depends on.
    pub fn start_order(&self) -> Vec<usize> {
        self.waves().concat()
    }

    /// The exact reverse of [`PlanGraph::start_order`]: dependents come first (PL-3).
    pub fn stop_order(&self) -> Vec<usize> {
        let mut order = self.start_order();
        order.reverse();
        order
    }
}

fn node(group: usize) -> NodeIndex {
    NodeIndex::new(group)
}

fn positions<'a, N>(
    groups: &[(&'a str, Option<&[N]>)],
) -> Result<BTreeMap<&'a str, usize>, PlanError> {
    let mut positions = BTreeMap::new();
    for (position, (name, _)) in groups.iter().enumerate() {
        if positions.insert(*name, position).is_some() {
            return Err(PlanError::DuplicateGroup((*name).to_owned()));
        }
    }
    Ok(positions)
}

/// What a group depends on, each once and in the order of the plan.
fn direct<N: AsRef<str>>(
    group: usize,
    name: &str,
    depends_on: Option<&[N]>,
    positions: &BTreeMap<&str, usize>,
) -> Result<Vec<usize>, PlanError> {
    let Some(depends_on) = depends_on else {
        return Ok(group.checked_sub(1).into_iter().collect());
    };
    let mut dependencies = Vec::with_capacity(depends_on.len());
    for dependency in depends_on {
        let Some(position) = positions.get(dependency.as_ref()) else {
            return Err(PlanError::UnknownGroup {
                group: name.to_owned(),
                depends_on: dependency.as_ref().to_owned(),
            });
        };
        dependencies.push(*position);
    }
    dependencies.sort_unstable();
    dependencies.dedup();
    Ok(dependencies)
}

/// The length of the longest way to each node, or a cycle. No recursion: a chain may be as long as a
/// plan.
fn longest_paths(graph: &DiGraph<(), ()>) -> Result<Vec<usize>, Vec<usize>> {
    let mut awaited: Vec<usize> = graph
        .node_indices()
        .map(|group| graph.neighbors_directed(group, Incoming).count())
        .collect();
    let mut lengths = vec![0; awaited.len()];
    let mut reached: Vec<usize> = (0..awaited.len()).filter(|at| awaited[*at] == 0).collect();
    let mut next = 0;
    while let Some(group) = reached.get(next).copied() {
        next += 1;
        for dependent in graph.neighbors_directed(node(group), Outgoing) {
            let dependent = dependent.index();
            lengths[dependent] = lengths[dependent].max(lengths[group] + 1);
            awaited[dependent] -= 1;
            if awaited[dependent] == 0 {
                reached.push(dependent);
            }
        }
    }
    if reached.len() == awaited.len() {
        return Ok(lengths);
    }
    Err(cycle(graph, &awaited))
}

/// A whole cycle among the nodes that still await something. Each of them awaits another of them, so
/// walking from one to what it awaits must come round.
fn cycle(graph: &DiGraph<(), ()>, awaited: &[usize]) -> Vec<usize> {
    let mut seen_at = vec![None; awaited.len()];
    let mut walked = Vec::new();
    let mut at = (0..awaited.len()).find(|group| awaited[*group] > 0);
    while let Some(group) = at {
        if let Some(begin) = seen_at[group] {
            walked.drain(..begin);
            break;
        }
        seen_at[group] = Some(walked.len());
        walked.push(group);
        at = graph
            .neighbors_directed(node(group), Incoming)
            .map(NodeIndex::index)
            .find(|dependency| awaited[*dependency] > 0);
    }
    // The walk went from dependent to dependency; people read it the other way, from the group that
    // comes first in the plan.
    walked.reverse();
    let first = walked.iter().enumerate().min_by_key(|(_, group)| **group);
    let first = first.map_or(0, |(position, _)| position);
    walked.rotate_left(first);
    walked
}
