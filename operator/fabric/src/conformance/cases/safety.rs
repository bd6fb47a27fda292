//! What must be refused, and what must stay as it is.

use drover_world::{Disk, ErrorClass, Power};

use crate::conformance::bench::{Ask, Bench, HOME, OUT, broken_unless, made, needs, planned};
use crate::conformance::{Failure, Lab, Verdict};
use crate::{LinkGoal, SiteGoal};

/// A disk that is being written, or was cut off while it was, is reported as half-written and not started
/// from; once the copy is complete it is.
///
/// # Errors
/// When it is not so.
pub async fn a_half_written_disk_is_never_booted(lab: &dyn Lab) -> Verdict {
    needs(lab.abilities().slow_copies)?;
    let bench = Bench::protected(lab, "conformance-half").await?;
    bench.reach_all(1, &planned(HOME)).await?;
    let (left, towards) = (HOME, HOME);
    bench
        .reach(1, &Ask::Link(LinkGoal::Committed { left }))
        .await?;
    for _ in 0..40 {
        lab.write(&bench.machine, OUT).await;
    }
    bench.reach(2, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    lab.slow_copies(HOME, true).await;
    let reverse = Ask::Link(LinkGoal::Reversed { towards });
    let begun = bench.ask(2, &reverse).await;
    let verdict = not_booted(&bench).await;
    lab.slow_copies(HOME, false).await;
    begun.map_err(|error| Failure::Broken(error.to_string()))?;
    verdict?;
    bench.reach(3, &reverse).await?;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.disk == Disk::Whole, || {
        format!("the copy is complete, and {seen:?}")
    })
}

/// While the copy travels, and after it was cut off.
async fn not_booted(bench: &Bench<'_>) -> Verdict {
    const PART: std::time::Duration = std::time::Duration::from_secs(5);
    let start = Ask::Site(HOME, SiteGoal::Started);
    bench.lab.pass(PART).await;
    for cut_off in [false, true] {
        if cut_off {
            if bench.lab.abilities().cut_off.is_err() {
                return Ok(());
            }
            bench.lab.cut_off(OUT, true).await;
        }
        let seen = bench.instance(HOME).await;
        let answer = bench.ask(2, &start).await;
        let after = bench.instance(HOME).await;
        if cut_off {
            bench.lab.cut_off(OUT, false).await;
        }
        let (seen, after) = (seen?, after?);
        broken_unless(seen.disk == Disk::HalfWritten, || {
            format!("a copy is half-way, and the disk is {:?}", seen.disk)
        })?;
        broken_unless(answer.is_err() && !after.may_serve(), || {
            format!("a half-written disk was booted: {answer:?}, {after:?}")
        })?;
    }
    Ok(())
}

/// A machine that Drover did not make is not overwritten, whatever is asked.
///
/// # Errors
/// When it is.
pub async fn a_stranger_is_never_overwritten(lab: &dyn Lab) -> Verdict {
    let bench = Bench::new(lab, "conformance-stranger").await;
    lab.stranger(&bench.machine, OUT).await;
    let before = (
        bench.instance(OUT).await?,
        lab.content(&bench.machine, OUT, false).await,
    );
    let towards = OUT;
    let mut refusals = Vec::new();
    for ask in [
        Ask::Link(LinkGoal::Related { towards }),
        Ask::Link(LinkGoal::Seeded { towards }),
        Ask::Link(LinkGoal::FinalSync { towards }),
        Ask::Make(made(OUT, None, false)),
    ] {
        refusals.extend(bench.ask(1, &ask).await.err());
    }
    broken_unless(
        refusals
            .iter()
            .any(|error| error.class == ErrorClass::Terminal),
        || "nobody says that a person must do something about it".into(),
    )?;
    let now = bench.instance(OUT).await?;
    let content = lab.content(&bench.machine, OUT, false).await;
    let same = now.power == before.0.power && now.made_at.is_none() && content == before.1;
    broken_unless(same, || {
        format!("the stranger was {before:?}, and is {now:?}, {content:?}")
    })
}

/// A machine that was asked to stop does not start with its site.
///
/// # Errors
/// When it does.
pub async fn a_stopped_machine_stays_down(lab: &dyn Lab) -> Verdict {
    const SETTLES: std::time::Duration = std::time::Duration::from_mins(5);
    needs(lab.abilities().power_cycle)?;
    let bench = Bench::protected(lab, "conformance-down").await?;
    bench.reach(1, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    lab.power_cycle(HOME).await;
    lab.pass(SETTLES).await;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.power == Power::Off && seen.epoch == 1, || {
        format!("it was stopped, its site came back, and it is {seen:?}")
    })
}

/// A drill stands, runs and goes, and machine and link are as they were.
///
/// # Errors
/// When they are not, or when something of the drill is left.
pub async fn a_drill_touches_nothing(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-drill").await?;
    let rules = bench.drivers.pair.capabilities().rules;
    if !rules.to_secondary.test || !bench.drivers.secondary.capabilities().drills {
        return Err(Failure::NotApplicable("the pair has no drills".into()));
    }
    let point = bench.newest_point().await?;
    let (home, out) = (bench.instance(HOME).await?, bench.instance(OUT).await?);
    let link = bench.link().await?;
    bench
        .reach(7, &Ask::Make(made(OUT, Some(&point.name), true)))
        .await?;
    bench
        .reach(7, &Ask::Site(OUT, SiteGoal::DrillStarted))
        .await?;
    let drill = bench.seen(OUT, true).await?;
    broken_unless(drill.power == Power::Healthy, || {
        format!("the drill is {drill:?}")
    })?;
    untouched(&bench, (home, out), &link).await?;
    bench
        .reach(7, &Ask::Site(OUT, SiteGoal::DrillRemoved))
        .await?;
    let left = bench.seen(OUT, true).await?;
    let disks = lab.content(&bench.machine, OUT, true).await;
    let gone = left.power == Power::Absent && left.disk == Disk::None && disks.is_none();
    broken_unless(gone, || format!("of the drill there is left {left:?}"))?;
    untouched(&bench, (home, out), &link).await
}

async fn untouched(
    bench: &Bench<'_>,
    before: (drover_world::Instance, drover_world::Instance),
    link: &drover_world::Link,
) -> Verdict {
    let now = (bench.instance(HOME).await?, bench.instance(OUT).await?);
    broken_unless(now == before, || {
        format!("the drill changed {before:?} to {now:?}")
    })?;
    let now = bench.link().await?;
    let same = now.state == link.state
        && now.towards == link.towards
        && now.epoch == link.epoch
        && now.final_sync == link.final_sync
        && now.committed == link.committed;
    broken_unless(same, || format!("the drill changed {link:?} to {now:?}"))
}
