//! What is seen.

use drover_world::{ErrorClass, Power};

use crate::conformance::bench::{Ask, Bench, HOME, broken_unless, needs, unexpected};
use crate::conformance::{Failure, Lab, Verdict};
use crate::{Extent, InstanceKey, SiteGoal};

/// A machine that somebody switched off by hand is seen as off, and started when that is asked again.
///
/// # Errors
/// When it is not so.
pub async fn what_is_there_is_seen_not_what_was_asked(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-truth").await?;
    let start = Ask::Site(HOME, SiteGoal::Started);
    bench.reach(1, &start).await?;
    lab.switch(&bench.machine, HOME, false).await;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.power == Power::Off, || {
        format!("it was switched off by hand, and is seen as {seen:?}")
    })?;
    bench.reach(1, &start).await?;
    let seen = bench.instance(HOME).await?;
    broken_unless(seen.power == Power::Healthy, || {
        format!("it was started again, and is seen as {seen:?}")
    })
}

/// After a cursor only what changed is reported, and everything that changed; the wait for it ends.
///
/// # Errors
/// When it is not so.
pub async fn what_changed_is_seen_alone(lab: &dyn Lab) -> Verdict {
    let bench = Bench::protected(lab, "conformance-changed").await?;
    let site = bench.drivers.primary.as_ref();
    let all = site
        .observe(None)
        .await
        .map_err(|error| unexpected(&error))?;
    broken_unless(all.extent == Extent::All && all.gone.is_empty(), || {
        "everything was asked for, and not reported as complete".into()
    })?;
    bench.reach(1, &Ask::Site(HOME, SiteGoal::Stopped)).await?;
    site.changed(all.cursor).await;
    let some = site
        .observe(Some(all.cursor))
        .await
        .map_err(|error| unexpected(&error))?;
    let key = InstanceKey {
        name: bench.machine.primary.clone(),
        drill: false,
    };
    let told = some.seen.iter().find(|(found, _)| *found == key);
    let told = told.map(|(_, seen)| (seen.instance.power, seen.instance.epoch));
    broken_unless(told == Some((Power::Off, 1)), || {
        format!("it was stopped, and since the cursor there is {told:?}")
    })?;
    let rest = site
        .observe(Some(some.cursor))
        .await
        .map_err(|error| unexpected(&error))?;
    let again = rest.seen.iter().any(|(found, _)| *found == key);
    broken_unless(rest.extent == Extent::All || !again, || {
        "what was reported before is reported as a change again".into()
    })
}

/// Nothing is said of a site that does not answer: neither that its machines are there, nor that they are
/// not.
///
/// # Errors
/// When something is.
pub async fn a_site_that_is_cut_off_says_nothing(lab: &dyn Lab) -> Verdict {
    needs(lab.abilities().cut_off)?;
    let bench = Bench::protected(lab, "conformance-cut").await?;
    lab.cut_off(HOME, true).await;
    let looked = bench.drivers.primary.observe(None).await;
    let probed = bench.drivers.primary.probe().await;
    lab.cut_off(HOME, false).await;
    for class in [
        looked.map(|_| ()).map_err(|error| error.class),
        probed.map(|_| ()).map_err(|error| error.class),
    ] {
        broken_unless(class == Err(ErrorClass::Retryable), || {
            format!("a site that is cut off answered {class:?}")
        })?;
    }
    let seen = bench.instance(HOME).await?;
    let runs = seen.power == Power::Healthy;
    runs.then_some(())
        .ok_or_else(|| Failure::Broken(format!("it ran on, and is seen as {seen:?}")))
}
