//! Keys of one map: duplicates found, merge keys filled in.

use std::collections::{HashMap, HashSet};

use crate::code;
use crate::node::{Key, Node, Value, quoted};
use crate::problem::Problem;

/// Below this many keys comparing each with each is quicker than hashing.
const FEW_KEYS: usize = 12;

/// The key that objects begin with, as people write them.
const OBJECT_BEGINS: &str = "apiVersion";

/// The entries without the later ones of each duplicate, which are reported.
pub(crate) fn without_duplicates(
    mut entries: Vec<(Key, Node)>,
    found: &mut Vec<Problem>,
) -> Vec<(Key, Node)> {
    let doubles = duplicates(&entries);
    if doubles.is_empty() {
        return entries;
    }
    // Files that were joined without `---` between them look like one object that says everything
    // twice: one problem for each object that begins, not one for each of its keys.
    let begins = doubles
        .iter()
        .find(|(_, second)| entries[*second].0.text == OBJECT_BEGINS)
        .map_or(usize::MAX, |(_, second)| *second);
    for (first, second) in &doubles {
        let begins_here = entries[*second].0.text == OBJECT_BEGINS;
        if *second > begins && !begins_here {
            continue;
        }
        let (first, second) = (&entries[*first].0, &entries[*second].0);
        let message = format!("the key {} is written twice", quoted(&first.text));
        let problem = Problem::error(code::DUPLICATE_KEY, second.span, message);
        let hint = if begins_here {
            "where another object begins, put a line `---` before it"
        } else {
            "remove one of the two"
        };
        found.push(problem.note(first.span, "first written here").hint(hint));
    }
    let dropped: HashSet<usize> = doubles.iter().map(|(_, second)| *second).collect();
    let mut index = 0;
    entries.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
    entries
}

/// Pairs of indexes: where a key was first written, and where again.
fn duplicates(entries: &[(Key, Node)]) -> Vec<(usize, usize)> {
    let mut doubles = Vec::new();
    if entries.len() <= FEW_KEYS {
        for (second, (key, _)) in entries.iter().enumerate() {
            let before = &entries[..second];
            if let Some(first) = before.iter().position(|(other, _)| other.text == key.text) {
                doubles.push((first, second));
            }
        }
        return doubles;
    }
    let mut seen = HashMap::with_capacity(entries.len());
    for (second, (key, _)) in entries.iter().enumerate() {
        match seen.entry(key.text.as_str()) {
            std::collections::hash_map::Entry::Occupied(first) => {
                doubles.push((*first.get(), second));
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(second);
            }
        }
    }
    doubles
}

/// Adds what the merged maps have and `entries` has not. Each of `merges` is a map, or a list of maps;
/// the first one that has a key gives its value.
pub(crate) fn merge(entries: &mut Vec<(Key, Node)>, merges: Vec<Node>, found: &mut Vec<Problem>) {
    if merges.is_empty() {
        return;
    }
    let mut present: HashSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
    let mut add = |more: Vec<(Key, Node)>| {
        entries.extend(
            more.into_iter()
                .filter(|(key, _)| present.insert(key.text.clone())),
        );
    };
    for from in merges {
        match from.value {
            Value::Map(more) => add(more),
            Value::Seq(maps) if maps.iter().all(Node::is_map) => {
                for map in maps {
                    if let Value::Map(more) = map.value {
                        add(more);
                    }
                }
            }
            _ => {
                let message = "`<<` merges a map, or a list of maps";
                let problem = Problem::error(code::ALIAS, from.span, message);
                found.push(problem.hint("name a map with an alias: `<<: *name`"));
            }
        }
    }
}
