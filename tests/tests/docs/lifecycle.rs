//! `docs/lifecycle.md`: the states of a machine, a run and a drill, drawn from the tables.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Write as _},
};

use drover_engine::{
    invariant::Invariant,
    lifecycle::{DRILL, MACHINE, RUN, Table},
};

use crate::MADE;

const HEAD: &str = "
# States

The three tables of `operator/engine/src/lifecycle`, as they are: what is not in them cannot happen. Beside each
transition stand the invariants that this very transition could break; what they say is in
[architecture](architecture.md#invariants). How it is found out that a transition is due is another matter: see
[how a decision is made](architecture.md#how-a-decision-is-made).
";

pub fn page() -> String {
    let mut page = format!("{MADE}\n{HEAD}");
    table(
        &mut page,
        "A machine under protection",
        "`ProtectedMachine.status.phase`.",
        &MACHINE,
    );
    table(
        &mut page,
        "A run",
        "`RecoveryRun.status.phase`, for failovers, failbacks, drills and reprotects alike.",
        &RUN,
    );
    table(
        &mut page,
        "A drill",
        "`RecoveryDrill.status.phase`. It never mixes with the states of the machines: a machine that is rehearsed is as \
         protected as before.",
        &DRILL,
    );
    page
}

fn table<S, E>(page: &mut String, title: &str, about: &str, table: &Table<S, E>)
where
    S: Copy + PartialEq + Debug,
    E: Copy + PartialEq + Debug,
{
    write!(
        page,
        "\n## {title}\n\n{about}\n\n```mermaid\nstateDiagram-v2\n"
    )
    .unwrap();
    writeln!(page, "    [*] --> {:?}", table.initial).unwrap();
    let mut ends: Vec<S> = Vec::new();
    for row in table.rows {
        for from in row.from {
            writeln!(page, "    {from:?} --> {:?}: {:?}", row.to, row.on).unwrap();
        }
        if table.is_final(row.to) && !ends.contains(&row.to) {
            ends.push(row.to);
        }
    }
    for end in ends {
        writeln!(page, "    {end:?} --> [*]").unwrap();
    }
    page.push_str("```\n\n| when | from | to | guards |\n| --- | --- | --- | --- |\n");
    for row in table.rows {
        let from: Vec<String> = row.from.iter().map(|state| format!("{state:?}")).collect();
        let guards: Vec<String> = row
            .guards
            .iter()
            .map(|guard| format!("`{}`", guard.name()))
            .collect();
        writeln!(
            page,
            "| {:?} | {} | {:?} | {} |",
            row.on,
            from.join(", "),
            row.to,
            guards.join(", ")
        )
        .unwrap();
    }
}

/// The invariants that stand beside some transition.
pub fn guards() -> BTreeSet<Invariant> {
    let machine = MACHINE.rows.iter().flat_map(|row| row.guards);
    let run = RUN.rows.iter().flat_map(|row| row.guards);
    let drill = DRILL.rows.iter().flat_map(|row| row.guards);
    machine.chain(run).chain(drill).copied().collect()
}
