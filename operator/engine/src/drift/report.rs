//! The drift report: what the statuses of all objects hold, by plan and by severity.

use drover_api::common::{SitePair, SiteRole};
use drover_api::value::{RunName, SiteName};
use drover_api::{
    ActualSite, DriftKind, DriftSeverity, ProtectedMachine, ReachabilityState, RecoveryDrill,
    RecoveryPlan, Site,
};
use drover_world::PlanId;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::finding::{Finding, Subject};
use super::owners::Owners;
use super::plan::{expired, overdue_since, overdue_words};
use super::severity;
use super::unjudged::{NotJudged, not_judged};
use crate::compile::sha256;

/// What a report is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Objects<'a> {
    /// Sites.
    pub sites: &'a [Site],
    /// Protected machines.
    pub machines: &'a [ProtectedMachine],
    /// Plans.
    pub plans: &'a [RecoveryPlan],
    /// Drills.
    pub drills: &'a [RecoveryDrill],
}

/// Where what is differs from what is declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// Of everything but when it was made: two reports that say the same have the same one.
    pub digest: String,
    /// How many differences there are.
    pub counts: Counts,
    /// Machines that were looked at.
    pub machines: usize,
    /// The plans, by namespace and name.
    pub plans: Vec<OfPlan>,
    /// Machines whose groups no plan names.
    pub without_plan: Vec<Finding>,
    /// The sites, by name.
    pub sites: Vec<OfSite>,
    /// Objects that the operator has not judged as they are declared now.
    pub not_judged: Vec<NotJudged>,
    /// When the operator last said that it works; nothing where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_seen: Option<Timestamp>,
}

/// An operator says that it works several times a minute.
const SILENT: SignedDuration = SignedDuration::from_mins(2);

/// How many differences there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Of severity critical.
    pub critical: usize,
    /// Of severity warning.
    pub warning: usize,
    /// Of severity info.
    pub info: usize,
}

impl Counts {
    /// Those of these findings.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            counts.add(finding.severity, 1);
        }
        counts
    }

    fn add(&mut self, severity: DriftSeverity, number: usize) {
        *match severity {
            DriftSeverity::Critical => &mut self.critical,
            DriftSeverity::Warning => &mut self.warning,
            DriftSeverity::Info => &mut self.info,
        } += number;
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.critical + self.warning + self.info
    }

    /// Those of a severity.
    pub fn at(&self, severity: DriftSeverity) -> usize {
        match severity {
            DriftSeverity::Critical => self.critical,
            DriftSeverity::Warning => self.warning,
            DriftSeverity::Info => self.info,
        }
    }
}

/// A plan and its differences.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfPlan {
    /// The plan.
    pub plan: PlanId,
    /// Its sites in their fixed roles.
    pub sites: SitePair,
    /// Where its machines should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<SiteRole>,
    /// Where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<ActualSite>,
    /// The run that goes on: what it changes is no drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// Its machines.
    pub machines: usize,
    /// The differences, the worst first.
    pub findings: Vec<Finding>,
}

/// A site and its differences.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfSite {
    /// The site.
    pub site: SiteName,
    /// Machines seen there, where it was ever asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<u32>,
    /// Of them, those that nobody protects.
    pub unprotected: u32,
    /// Of those, how many are counted and not listed.
    pub not_listed: u32,
    /// The differences, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// What these objects say, at this time.
    pub fn of(objects: &Objects<'_>, now: Timestamp) -> Self {
        // Names that an API holds can be read; one that could not would be nobody's plan.
        let known = objects
            .plans
            .iter()
            .filter_map(|plan| Some((id_of(plan)?, plan)));
        let known: Vec<(PlanId, &RecoveryPlan)> = known.collect();
        let owners = Owners::of(&known);
        let all = known.iter();
        let mut plans: Vec<OfPlan> = all.map(|(id, plan)| of_plan(id, plan, now)).collect();
        let mut without_plan = Vec::new();
        for machine in objects.machines {
            let findings = match owners
                .owner(machine)
                .and_then(|position| plans.get_mut(position))
            {
                Some(plan) => {
                    plan.machines += 1;
                    &mut plan.findings
                }
                None => &mut without_plan,
            };
            let drift = machine.status.iter().flat_map(|status| &status.drift);
            findings.extend(drift.map(|each| Finding::of(each, Subject::of_machine(machine))));
        }
        for drill in objects.drills {
            add_drill(&mut plans, drill, now);
        }
        for plan in &mut plans {
            worst_first(&mut plan.findings);
        }
        worst_first(&mut without_plan);
        plans.sort_by(|one, other| one.plan.cmp(&other.plan));
        let mut sites: Vec<OfSite> = objects.sites.iter().filter_map(of_site).collect();
        sites.sort_by(|one, other| one.site.cmp(&other.site));
        let mut report = Self {
            at: now,
            digest: String::new(),
            counts: Counts::default(),
            machines: objects.machines.len(),
            plans,
            without_plan,
            sites,
            not_judged: not_judged(objects, |machine| {
                let position = owners.owner(machine)?;
                known.get(position).map(|(id, _)| id.clone())
            }),
            operator_seen: None,
        };
        report.count();
        report
    }

    /// Only what these plans say, and whether their sites are seen.
    pub fn only(&mut self, plans: &[PlanId]) {
        self.plans.retain(|each| plans.contains(&each.plan));
        self.without_plan.clear();
        let theirs = self.plans.iter();
        let theirs: Vec<SiteName> = theirs
            .flat_map(|plan| [plan.sites.primary.clone(), plan.sites.secondary.clone()])
            .collect();
        self.sites.retain(|each| theirs.contains(&each.site));
        for site in &mut self.sites {
            site.findings.retain(|each| each.kind == DriftKind::Unseen);
            (site.unprotected, site.not_listed) = (0, 0);
        }
        self.not_judged.retain(|each| match &each.plan {
            Some(plan) => plans.contains(plan),
            None => theirs.iter().any(|site| each.is_site(site)),
        });
        self.machines = self.plans.iter().map(|plan| plan.machines).sum();
        self.count();
    }

    fn count(&mut self) {
        self.counts = Counts::of(self.findings());
        // What is not listed is what matters least.
        let more: u32 = self.sites.iter().map(|site| site.not_listed).sum();
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        let least = self.sites.iter().filter(|site| site.not_listed > 0);
        let least = least.filter_map(|site| site.findings.iter().map(|each| each.severity).min());
        if let Some(least) = least.min() {
            self.counts.add(least, more);
        }
        self.digest = digest(self);
    }

    /// All differences.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let plans = self.plans.iter().flat_map(|plan| &plan.findings);
        let sites = self.sites.iter().flat_map(|site| &site.findings);
        plans.chain(&self.without_plan).chain(sites)
    }

    /// Whether there is a difference that matters so much, or more.
    pub fn reaches(&self, level: DriftSeverity) -> bool {
        worst(self.findings()).is_some_and(|worst| worst >= level)
    }

    /// Since when the operator is silent, where it is: what it recorded may be as old.
    pub fn silent_since(&self) -> Option<Timestamp> {
        self.operator_seen
            .filter(|seen| self.at.duration_since(*seen) > SILENT)
    }

    /// Whether there is something of which nobody knows how it is: unknown is not fine (SA-1).
    pub fn is_unsure(&self) -> bool {
        !self.not_judged.is_empty() || self.silent_since().is_some()
    }
}

/// The worst severity of these.
pub fn worst<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Option<DriftSeverity> {
    findings.into_iter().map(|finding| finding.severity).max()
}

/// Of everything that a report says but when it was made.
pub fn digest(report: &Report) -> String {
    let said = (
        &report.plans,
        &report.without_plan,
        &report.sites,
        &report.not_judged,
    );
    // These have names for keys and nothing that could fail.
    sha256(serde_json::to_vec(&said).unwrap_or_default())
}

fn worst_first(findings: &mut [Finding]) {
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.kind);
        key(one)
            .cmp(&key(other))
            .then_with(|| one.subject.cmp(&other.subject))
    });
}

fn of_plan(id: &PlanId, plan: &RecoveryPlan, now: Timestamp) -> OfPlan {
    let status = plan.status.as_ref();
    let subject = || Subject::of("RecoveryPlan", &plan.metadata);
    let differences = status.iter().flat_map(|status| &status.differences);
    let own = differences.filter(|each| each.kind == DriftKind::ActiveSite);
    let mut findings: Vec<Finding> = own
        .map(|each| {
            let message = each.message.clone();
            Finding::new(each.kind, each.severity, subject(), each.since, message)
        })
        .collect();
    // Time goes on also where nobody looks.
    if let Some(since) = overdue_since(plan, now) {
        let kind = DriftKind::DrillOverdue;
        let message = overdue_words(plan);
        findings.push(Finding::new(
            kind,
            severity(kind),
            subject(),
            since,
            message,
        ));
    }
    OfPlan {
        plan: id.clone(),
        sites: plan.spec.sites.clone(),
        declared: plan.spec.active_site,
        actual: status.and_then(|status| status.active_site),
        run: status.and_then(|status| status.current_run.clone()),
        machines: 0,
        findings,
    }
}

pub(super) fn id_of(plan: &RecoveryPlan) -> Option<PlanId> {
    Some(PlanId {
        namespace: plan.metadata.namespace.as_deref()?.parse().ok()?,
        name: plan.metadata.name.as_deref()?.parse().ok()?,
    })
}

fn add_drill(plans: &mut [OfPlan], drill: &RecoveryDrill, now: Timestamp) {
    let Some(since) = expired(drill, now) else {
        return;
    };
    let namespace = drill.metadata.namespace.as_deref();
    let name = &drill.spec.plan_ref.name;
    let of = plans
        .iter_mut()
        .find(|each| each.plan.name == *name && Some(each.plan.namespace.as_str()) == namespace);
    if let Some(plan) = of {
        let kind = DriftKind::DrillExpired;
        let subject = Subject::of("RecoveryDrill", &drill.metadata);
        let message = "it stands although its time is over".to_owned();
        let finding = Finding::new(kind, severity(kind), subject, since, message);
        plan.findings.push(finding);
    }
}

fn of_site(site: &Site) -> Option<OfSite> {
    let name: SiteName = site.metadata.name.as_deref()?.parse().ok()?;
    let status = site.status.as_ref();
    let mut findings = Vec::new();
    let reach = status.and_then(|status| status.reachability.as_ref());
    if let Some(reach) = reach.filter(|reach| reach.state == ReachabilityState::Unknown) {
        let kind = DriftKind::Unseen;
        let subject = Subject::of("Site", &site.metadata);
        let message = "the site does not answer".to_owned();
        findings.push(Finding::new(
            kind,
            severity(kind),
            subject,
            reach.since,
            message,
        ));
    }
    let open = status.and_then(|status| status.unprotected.as_ref());
    for machine in open.iter().flat_map(|open| &open.machines) {
        let kind = DriftKind::Unprotected;
        let (severity, message) = if machine.offered {
            (severity(kind), "no protection group has it")
        } else {
            (
                DriftSeverity::Info,
                "no protection group has it, and no tenant of the site may protect it",
            )
        };
        let subject = Subject {
            kind: "Machine",
            namespace: None,
            name: machine.name.to_string(),
            machine: None,
        };
        let message = message.to_owned();
        findings.push(Finding::new(
            kind,
            severity,
            subject,
            machine.since,
            message,
        ));
    }
    worst_first(&mut findings);
    let unprotected = open.map_or(0, |open| open.count);
    let listed = open.map_or(0, |open| open.machines.len());
    Some(OfSite {
        site: name,
        machines: status
            .and_then(|status| status.inventory.as_ref())
            .map(|inventory| inventory.machines),
        unprotected,
        not_listed: unprotected.saturating_sub(u32::try_from(listed).unwrap_or(u32::MAX)),
        findings,
    })
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
