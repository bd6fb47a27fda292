//! What travels, and what is kept of it.

use std::time::Duration;

use drover_world::LinkState;

use crate::conformance::bench::{Ask, Bench, HOME, OUT, broken_unless, made, needs, planned};
use crate::conformance::{Lab, Verdict};
use crate::{LinkGoal, SiteGoal};

/// What the source acknowledged before it was stopped is at the target when it starts.
///
/// # Errors
/// When something is missing.
pub async fn the_last_changes_are_all_there(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-last").await?;
    lab.write(&bench.machine, HOME).await;
    let steps = planned(HOME);
    let (before, start) = steps.split_at(3);
    bench.reach_all(1, before).await?;
    let source = lab.content(&bench.machine, HOME, false).await;
    let target = lab.content(&bench.machine, OUT, false).await;
    broken_unless(source.is_some() && source == target, || {
        format!("the source holds {source:?}, the target {target:?}")
    })?;
    bench.reach_all(1, start).await
}

/// The proof that nothing is missing goes as soon as the source may write again.
///
/// # Errors
/// When it stays.
pub async fn the_proof_is_taken_back_when_the_source_runs(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-proof").await?;
    let towards = OUT;
    let steps = [
        Ask::Site(HOME, SiteGoal::Stopped),
        Ask::Link(LinkGoal::FinalSync { towards }),
    ];
    bench.reach_all(1, &steps).await?;
    let link = bench.link().await?;
    broken_unless(link.final_sync == Some(1), || {
        format!("synchronised, and {link:?}")
    })?;
    lab.switch(&bench.machine, HOME, true).await;
    let link = bench.link().await?;
    broken_unless(link.final_sync.is_none(), || {
        "the source runs again, and nothing is said to be missing".into()
    })?;
    bench.refused(1, &Ask::Make(made(OUT, None, false))).await?;
    // It is proven anew.
    bench.reach_all(2, &steps).await?;
    let link = bench.link().await?;
    broken_unless(link.final_sync == Some(2), || {
        format!("synchronised again, and {link:?}")
    })
}

/// Until a failover is committed nothing is copied to the side that it left.
///
/// # Errors
/// When something is.
pub async fn nothing_goes_backwards_before_the_commit(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-backwards").await?;
    bench.reach_all(1, &planned(HOME)).await?;
    lab.write(&bench.machine, OUT).await;
    let before = lab.content(&bench.machine, HOME, false).await;
    let towards = HOME;
    for goal in [
        LinkGoal::Reversed { towards },
        LinkGoal::SyncedBack { towards },
        LinkGoal::Seeded { towards },
    ] {
        bench.refused(1, &Ask::Link(goal)).await?;
        let link = bench.link().await?;
        broken_unless(link.towards == OUT, || format!("{goal:?} turned the link"))?;
    }
    let after = lab.content(&bench.machine, HOME, false).await;
    broken_unless(before == after, || {
        "the disk that was left has changed".into()
    })
}

/// After the commit data flows back, and the next failover loses nothing that was written meanwhile.
///
/// # Errors
/// When it does not, or does.
pub async fn replication_is_reversed(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-reverse").await?;
    bench.reach_all(1, &planned(HOME)).await?;
    let (left, towards) = (HOME, HOME);
    bench
        .reach(1, &Ask::Link(LinkGoal::Committed { left }))
        .await?;
    bench.reach(2, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    lab.write(&bench.machine, OUT).await;
    bench
        .reach(2, &Ask::Link(LinkGoal::Reversed { towards }))
        .await?;
    let link = bench.link().await?;
    let reversed = link.towards == HOME && link.state == LinkState::Replicating;
    broken_unless(reversed, || format!("reversed, and {link:?}"))?;
    lab.write(&bench.machine, OUT).await;
    let back = planned(OUT);
    bench.reach_all(3, &back[..3]).await?;
    let source = lab.content(&bench.machine, OUT, false).await;
    let target = lab.content(&bench.machine, HOME, false).await;
    broken_unless(source.is_some() && source == target, || {
        format!("the source holds {source:?}, the old machine {target:?}")
    })?;
    bench.reach_all(3, &back[3..]).await
}

/// Points are kept as long as the policy says, longer while a run goes on, and go with its commit.
///
/// # Errors
/// When it is not so.
pub async fn points_go_by_retention_or_commit(lab: &dyn Lab) -> Verdict {
    const HOURS: Duration = Duration::from_hours(5);
    const LONGER: Duration = Duration::from_hours(25);
    needs(lab.abilities().days)?;
    let bench = Bench::protected(lab, "conformance-points").await?;
    lab.pass(HOURS).await;
    let first = bench.link().await?.points;
    broken_unless(first.len() > 1, || {
        format!("five hours gave only {first:?}")
    })?;
    broken_unless(first.is_sorted_by_key(|point| point.at), || {
        "they are not listed oldest first".into()
    })?;
    lab.pass(LONGER).await;
    let kept = bench.link().await?.points;
    let oldest = &first[0];
    broken_unless(!kept.iter().any(|point| point.name == oldest.name), || {
        "a point outlived its retention".into()
    })?;
    bench.reach(1, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    let held = bench.link().await?.points;
    lab.pass(LONGER).await;
    let still = bench.link().await?.points;
    let gone = held
        .iter()
        .find(|point| !still.iter().any(|other| other.name == point.name));
    broken_unless(gone.is_none(), || {
        format!("{gone:?} went while a run was on")
    })?;
    // The oldest can still be chosen.
    let oldest = Ask::Make(made(OUT, Some(&held[0].name), false));
    bench.reach(1, &oldest).await?;
    bench.reach(1, &Ask::Site(OUT, SiteGoal::Started)).await?;
    let left = HOME;
    bench
        .reach(1, &Ask::Link(LinkGoal::Committed { left }))
        .await?;
    let after = bench.link().await?.points;
    broken_unless(after.is_empty(), || {
        format!("committed, and there are {after:?}")
    })
}

/// Machines of one consistency set have a point of the same instant.
///
/// # Errors
/// When they have none.
pub async fn a_set_shares_its_instants(lab: &dyn Lab) -> Verdict {
    const SOON: Duration = Duration::from_mins(20);
    let mut benches = Vec::new();
    for name in [
        "conformance-set-1",
        "conformance-set-2",
        "conformance-set-3",
    ] {
        let mut bench = Bench::new(lab, name).await;
        bench.machine.consistency = Some("conformance-set".into());
        bench.protect().await?;
        benches.push(bench);
    }
    lab.pass(SOON).await;
    let mut shared: Option<Vec<jiff::Timestamp>> = None;
    for bench in &benches {
        let own: Vec<_> = bench
            .link()
            .await?
            .points
            .iter()
            .map(|point| point.at)
            .collect();
        shared = Some(match shared {
            None => own,
            Some(before) => before.into_iter().filter(|at| own.contains(at)).collect(),
        });
    }
    let shared = shared.unwrap_or_default();
    broken_unless(!shared.is_empty(), || {
        "they have no instant in common".into()
    })
}

/// Letting go keeps the copy unless its removal is asked for.
///
/// # Errors
/// When it does not, or when a removed copy stays.
pub async fn letting_go_keeps_the_copy(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-let-go").await?;
    let let_go = |remove_replica| Ask::Link(LinkGoal::Unrelated { remove_replica });
    bench.reach(1, &let_go(false)).await?;
    let link = bench.link().await?;
    broken_unless(link.state == LinkState::None, || {
        format!("let go, and {link:?}")
    })?;
    let kept = lab.content(&bench.machine, OUT, false).await;
    broken_unless(kept.is_some(), || "the copy went".into())?;
    bench.protect_again().await?;
    bench.reach(2, &let_go(true)).await?;
    let gone = lab.content(&bench.machine, OUT, false).await;
    broken_unless(gone.is_none(), || {
        "the copy was to be removed, and is there".into()
    })?;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.may_serve(), || {
        format!("the machine itself is {seen:?}")
    })
}
