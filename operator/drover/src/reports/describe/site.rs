//! A site.

use drover_api::{ReachabilityState, Site};
use jiff::Timestamp;

use super::{deletion, observed, title};
use crate::reports::moments::ago;
use crate::reports::page::{Mood, Page};
use crate::text::{Style, count, elided};

/// Everything that matters of a site.
pub fn site(site: &Site, now: Timestamp, style: Style) -> String {
    let nothing = drover_api::SiteStatus::default();
    let status = site.status.as_ref().unwrap_or(&nothing);
    let (said, mood) = match &status.reachability {
        None => ("nobody looked at it yet".to_owned(), Mood::Notable),
        Some(reach) => {
            let since = ago(reach.since, now);
            match reach.state {
                ReachabilityState::Reachable => (format!("answers, for {since}"), Mood::Good),
                ReachabilityState::Unknown => (
                    format!("does not answer, for {since}; what happens there is not known"),
                    Mood::Bad,
                ),
            }
        }
    };
    let mut page = Page::new(style, &title("Site", &site.metadata), &said, mood);
    deletion(&mut page, &site.metadata, now);
    observed(&mut page, &site.metadata, status.observed_generation);
    page.fact("fabric", site.spec.fabric.driver());
    page.fact("time zone", site.spec.time_zone.to_string());
    if site.spec.maintenance.is_some() {
        page.fact_as(
            "maintenance",
            "yes: everything automatic is held",
            Mood::Notable,
        );
    }
    match site.spec.tenants.len() {
        0 => page.fact_as(
            "tenants",
            "none, so nobody may protect machines here",
            Mood::Notable,
        ),
        number => page.fact("tenants", number.to_string()),
    }
    if let Some(seen) = &status.inventory {
        page.fact(
            "machines",
            format!("{}, {} of them protected", seen.machines, seen.protected),
        );
    }
    if let Some(open) = status.unprotected.as_ref().filter(|open| open.count > 0) {
        let names: Vec<&str> = open
            .machines
            .iter()
            .map(|machine| machine.name.as_str())
            .collect();
        let shown = elided(&names, 5);
        let words = format!(
            "{}, {} of them open to a tenant: {shown}",
            open.count, open.offered
        );
        page.fact_as("by nobody", words, Mood::Notable);
    }
    if let Some(free) = &status.capacity {
        page.fact(
            "free",
            format!(
                "{} of memory, {} of storage, {}",
                free.memory_free,
                free.storage_free,
                count(usize::try_from(free.cpus_free).unwrap_or(0), "processor")
            ),
        );
    }
    if !status.capabilities.is_empty() {
        page.fact("can", status.capabilities.join(", "));
    }
    let missing: Vec<String> = status
        .rights
        .iter()
        .filter(|right| !right.granted)
        .map(|right| match &right.hint {
            Some(hint) => format!("{}: {hint}", right.name),
            None => right.name.clone(),
        })
        .collect();
    if !missing.is_empty() {
        page.section("Rights that are missing");
        page.list(&missing, Mood::Bad);
    }
    page.conditions(&status.conditions, now);
    page.finish()
}
