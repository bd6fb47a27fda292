//! The order between groups.

use crate::plan::{PlanError, PlanGraph};

type Group<'a> = (&'a str, Option<&'a [&'a str]>);

fn graph(groups: &[Group<'_>]) -> Result<PlanGraph, PlanError> {
    PlanGraph::new(groups.iter().copied())
}

#[test]
fn without_a_word_each_group_follows_the_one_before_it() {
    // SPEC: PL-1
    let graph = graph(&[("a", None), ("b", None), ("c", None)]).unwrap();
    assert_eq!(graph.waves(), [[0], [1], [2]]);
    assert_eq!(graph.start_order(), [0, 1, 2]);
    assert_eq!(graph.stop_order(), [2, 1, 0]);
}

#[test]
fn an_empty_list_means_no_predecessor() {
    // SPEC: PL-1
    let graph = graph(&[("a", None), ("b", Some(&[])), ("c", None)]).unwrap();
    assert_eq!(graph.waves(), [vec![0, 1], vec![2]]);
    assert_eq!(graph.dependencies(1).count(), 0);
    assert_eq!(graph.dependencies(2).collect::<Vec<_>>(), [1]);
}

#[test]
fn neighbours_are_direct_ones_in_the_order_of_the_plan() {
    let graph = graph(&[
        ("web", Some(&["cache", "data", "cache"])),
        ("data", Some(&[])),
        ("cache", Some(&["data"])),
        ("edge", Some(&["web", "data"])),
    ])
    .unwrap();
    assert_eq!(graph.dependencies(0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(graph.dependents(1).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(graph.waves(), [[1], [2], [0], [3]]);
    assert_eq!(graph.wave(3), Some(3));
    assert_eq!(graph.wave(4), None);
}

#[test]
fn a_cycle_is_named_in_full() {
    // SPEC: PL-1
    let error = graph(&[
        ("alone", Some(&[])),
        ("behind", Some(&["c"])),
        ("a", Some(&["c"])),
        ("b", Some(&["a"])),
        ("c", Some(&["b", "alone"])),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "groups wait for each other in a circle: a -> b -> c -> a"
    );
}

#[test]
fn a_group_that_waits_for_itself_is_a_cycle() {
    let error = graph(&[("a", Some(&["a"]))]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "groups wait for each other in a circle: a -> a"
    );
}

#[test]
fn names_must_be_known_and_different() {
    // SPEC: PL-1
    let unknown = graph(&[("a", None), ("b", Some(&["x"]))]).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "group b depends on x, which is no group of the plan"
    );
    let twice = graph(&[("a", None), ("a", None)]).unwrap_err();
    assert_eq!(twice.to_string(), "two groups are called a");
}

#[test]
fn a_graph_of_nothing_is_empty() {
    let graph = graph(&[]).unwrap();
    assert!(graph.is_empty());
    assert!(graph.waves().is_empty());
}
