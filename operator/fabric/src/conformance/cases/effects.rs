//! What is asked: repeated, cut short, late, impossible.

use drover_world::{EpochEnforcement, ErrorClass, Instance, LinkState, Outcome, Power};

use crate::conformance::bench::{Ask, Bench, HOME, OUT, broken_unless, made, needs, planned};
use crate::conformance::{Failure, Lab, Verdict};
use crate::{LinkGoal, SiteGoal};

/// Every effect of a failover, of its commit and of a reprotect is reached again at once when it is asked
/// again, by drivers made anew, and changes nothing.
///
/// # Errors
/// When it is not so.
pub async fn every_effect_can_be_repeated(lab: &dyn Lab) -> Verdict {
    let mut bench = Bench::protected(lab, "conformance-repeat").await?;
    let mut steps: Vec<(u64, Ask)> = planned(HOME).into_iter().map(|step| (1, step)).collect();
    let (left, towards) = (HOME, HOME);
    steps.push((1, Ask::Link(LinkGoal::Committed { left })));
    steps.push((2, Ask::Site(HOME, SiteGoal::Stopped)));
    steps.push((2, Ask::Link(LinkGoal::Reversed { towards })));
    for (epoch, step) in steps {
        bench.reach(epoch, &step).await?;
        let before = facts(&bench).await?;
        bench.restart().await;
        let again = bench.ask(epoch, &step).await;
        broken_unless(again == Ok(Outcome::Reached), || {
            format!("{step:?} was reached, and asked again it is {again:?}")
        })?;
        let after = facts(&bench).await?;
        broken_unless(before == after, || {
            format!("{step:?} took effect again: {before:?} became {after:?}")
        })?;
    }
    Ok(())
}

type Facts = (Instance, Instance, LinkState, Option<u64>, Option<u64>);

async fn facts(bench: &Bench<'_>) -> Result<Facts, Failure> {
    let link = bench.link().await?;
    Ok((
        bench.instance(HOME).await?,
        bench.instance(OUT).await?,
        link.state,
        link.final_sync,
        link.committed,
    ))
}

/// Drivers that are made anew after each request bring a failover to its end all the same.
///
/// # Errors
/// When they do not.
pub async fn a_restart_in_the_middle_changes_nothing(lab: &dyn Lab) -> Verdict {
    let mut bench = Bench::protected(lab, "conformance-restart").await?;
    lab.write(&bench.machine, HOME).await;
    for step in planned(HOME) {
        // Begun by one, ended by another.
        let begun = bench.ask(1, &step).await;
        if let Err(error) = begun {
            return Err(Failure::Broken(format!("{step:?}: {error}")));
        }
        bench.restart().await;
        bench.reach(1, &step).await?;
        bench.restart().await;
    }
    ran_over(&bench).await
}

/// A call that is dropped, wherever it waits, leaves nothing half asked: asked again, it comes about.
///
/// # Errors
/// When it does not.
pub async fn a_dropped_call_leaves_nothing_half_asked(lab: &dyn Lab) -> Verdict {
    /// More waits than a call that returns soon can have.
    const MOST: usize = 64;
    let bench = Bench::protected(lab, "conformance-drop").await?;
    lab.write(&bench.machine, HOME).await;
    for step in planned(HOME) {
        for waits in 0..MOST {
            if bench.ask_and_drop(1, &step, waits).await {
                break;
            }
        }
        bench.reach(1, &step).await?;
    }
    ran_over(&bench).await
}

/// The machine runs at the secondary site, and only there.
async fn ran_over(bench: &Bench<'_>) -> Verdict {
    let (home, out) = (bench.instance(HOME).await?, bench.instance(OUT).await?);
    let over = !home.may_serve() && out.power == Power::Healthy && out.made_at == Some(1);
    broken_unless(over, || format!("at home {home:?}, out {out:?}"))
}

/// A request with an older epoch than the one on record is refused with that epoch, or the record stays;
/// as the driver declares.
///
/// # Errors
/// When it is not so.
pub async fn an_older_epoch_is_refused_or_recorded(lab: &dyn Lab) -> Verdict {
    let mut bench = Bench::protected(lab, "conformance-epoch").await?;
    bench.reach(20, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    let towards = OUT;
    bench
        .reach(20, &Ask::Link(LinkGoal::FinalSync { towards }))
        .await?;
    bench.restart().await;
    let at_site = bench.drivers.primary.capabilities().epochs;
    let late = Ask::Site(HOME, SiteGoal::Started);
    asked_late(&bench, at_site, &late, 20).await?;
    let of_pair = bench.drivers.pair.capabilities().epochs;
    let late = Ask::Link(LinkGoal::Unrelated {
        remove_replica: false,
    });
    asked_late(&bench, of_pair, &late, 20).await?;
    if of_pair == EpochEnforcement::Enforced {
        asked_late(&bench, of_pair, &Ask::Make(made(OUT, None, false)), 20).await?;
        let link = bench.link().await?;
        let untouched = link.final_sync == Some(20) && link.epoch == 20;
        broken_unless(untouched, || {
            format!("a late request changed the link: {link:?}")
        })?;
    }
    if at_site == EpochEnforcement::Enforced {
        let seen = bench.instance(HOME).await?;
        broken_unless(seen.power == Power::Off && seen.epoch == 20, || {
            format!("a late request changed the machine: {seen:?}")
        })?;
    }
    Ok(())
}

async fn asked_late(
    bench: &Bench<'_>,
    enforcement: EpochEnforcement,
    what: &Ask,
    recorded: u64,
) -> Verdict {
    let answer = bench.ask(recorded - 1, what).await;
    match enforcement {
        EpochEnforcement::Enforced => {
            let seen = answer.as_ref().err().and_then(|error| error.epoch_seen);
            broken_unless(seen == Some(recorded), || {
                format!("{what:?} came late and was answered {answer:?}")
            })
        }
        EpochEnforcement::Advisory => {
            let seen = bench.instance(HOME).await?.epoch;
            let link = bench.link().await?.epoch;
            broken_unless(seen == recorded && link == recorded, || {
                format!("epoch {recorded} was recorded, and now it is {seen} and {link}")
            })
        }
    }
}

/// A request for a machine that is not there is recorded with its epoch, over a restart, and keeps who is
/// late from making it.
///
/// # Errors
/// When it is not so.
pub async fn an_absent_machine_keeps_its_epoch(lab: &dyn Lab) -> Verdict {
    let mut bench = Bench::protected(lab, "conformance-absent").await?;
    bench.reach(30, &Ask::Site(OUT, SiteGoal::Stopped)).await?;
    bench.restart().await;
    let seen = bench.instance(OUT).await?;
    broken_unless(seen.power == Power::Absent && seen.epoch == 30, || {
        format!("epoch 30 was to be recorded, and there is {seen:?}")
    })?;
    if bench.drivers.pair.capabilities().epochs == EpochEnforcement::Advisory {
        return Ok(());
    }
    let point = bench.newest_point().await?;
    let late = Ask::Make(made(OUT, Some(&point.name), false));
    let refused = bench.refused(29, &late).await?;
    broken_unless(refused.epoch_seen == Some(30), || {
        format!("refused without the epoch on record: {refused:?}")
    })
}

/// What cannot work before a person did something is terminal; what may work later is not.
///
/// # Errors
/// When it is not so.
pub async fn a_failure_has_its_class(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-class").await?;
    let absent = bench.refused(1, &Ask::Site(OUT, SiteGoal::Started)).await?;
    class(&absent, ErrorClass::Terminal, "starting what is not there")?;
    let unknown = Ask::Make(made(OUT, Some("no such point"), false));
    let refused = bench.refused(1, &unknown).await?;
    class(&refused, ErrorClass::Terminal, "a point that is not there")?;
    let towards = OUT;
    let early = Ask::Link(LinkGoal::FinalSync { towards });
    let refused = bench.refused(1, &early).await?;
    class(
        &refused,
        ErrorClass::Retryable,
        "the last changes of a running machine",
    )?;
    let early = Ask::Make(made(OUT, None, false));
    let refused = bench.refused(1, &early).await?;
    class(
        &refused,
        ErrorClass::Retryable,
        "a machine from last changes that were not sent",
    )?;
    needs(lab.abilities().cut_off)?;
    lab.cut_off(HOME, true).await;
    let refused = bench.refused(1, &Ask::Site(HOME, SiteGoal::Stopped)).await;
    lab.cut_off(HOME, false).await;
    class(&refused?, ErrorClass::Retryable, "a site that is cut off")
}

fn class(error: &drover_world::FabricError, expected: ErrorClass, what: &str) -> Verdict {
    broken_unless(error.class == expected, || {
        format!("{what} is {expected:?}, and was answered {error:?}")
    })
}

/// A fence is reported as confirmed, with its epoch, and lifted by a start. A driver without one says that
/// it cannot.
///
/// # Errors
/// When it is not so.
pub async fn a_fence_is_confirmed(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-fence").await?;
    let fence = Ask::Site(HOME, SiteGoal::Fenced);
    if !bench.drivers.primary.capabilities().fencing {
        let refused = bench.refused(1, &fence).await?;
        class(
            &refused,
            ErrorClass::Unsupported,
            "a fence where there is none",
        )?;
        return Err(Failure::NotApplicable(
            "the fabric has no means of fencing".into(),
        ));
    }
    bench.reach(1, &fence).await?;
    let fences = bench.drivers.primary.fences().await;
    let fences = fences.map_err(|error| Failure::Broken(error.to_string()))?;
    let name = &bench.machine.primary;
    let confirmed = fences
        .iter()
        .any(|(fenced, epoch)| fenced == name && *epoch >= 1);
    broken_unless(confirmed, || format!("the fence is not among {fences:?}"))?;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.fenced && !seen.may_serve(), || {
        format!("fenced, and {seen:?}")
    })?;
    bench.reach(2, &Ask::Site(HOME, SiteGoal::Started)).await?;
    let seen = bench.instance(HOME).await?;
    broken_unless(!seen.fenced && seen.power == Power::Healthy, || {
        format!("started, and still {seen:?}")
    })
}
