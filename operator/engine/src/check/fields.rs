//! Which fields belong together: what the definitions say in CEL, with the exact field and a way out.

use drover_api::common::{
    FailoverType, RecoveryPointChoice, RecoveryPointType, SitePair, SourceStop, Unfenced, Window,
};
use drover_api::{
    BetweenPhases, Commit, CommitPolicy, DataSync, DecisionAction, Fabric, FailbackLocation,
    FailbackPolicySpec, InitialReplication, LocationType, ReplicationPolicySpec, Replicator,
    Request, RunDecisionSpec, StandingRule, Start, StartPolicy,
};

use super::codes::{
    EXACTLY_ONE_OF, FIELD_NOT_APPLICABLE, FIELD_REQUIRED, NEEDS_ACTIVE_SITE, NOT_FOR_STANDING_RULE,
    SAME_SITE_TWICE, WINDOW_NEVER_OPENS,
};
use super::context::{Context, Plan, in_plan};
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let declared = context.declared;
    for site in declared.sites.values() {
        At::new(site.index, problems).fabric(&site.object.spec.fabric);
    }
    for policy in declared.policies.values() {
        At::new(policy.index, problems).replication_policy(&policy.object.spec);
    }
    for mapping in &context.mappings {
        At::new(mapping.object, problems).sites(&mapping.spec.sites);
    }
    for group in &context.groups {
        let mut at = At::new(group.object, problems);
        at.sites(&group.spec.sites);
        at.members(group.spec);
    }
    for policy in declared.failback_policies.values() {
        At::new(policy.index, problems).failback_policy(&policy.object.spec);
    }
    for plan in &context.plans {
        At::new(plan.object, problems).plan(plan);
    }
    for drill in declared.drills.values() {
        let point = &drill.object.spec.recovery_point;
        At::new(drill.index, problems).recovery_point(&FieldPath::spec("recoveryPoint"), point);
    }
    for decision in declared.decisions.values() {
        At::new(decision.index, problems).decision(&decision.object.spec);
    }
}

/// One object, and where its problems go.
struct At<'p> {
    object: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'p> At<'p> {
    fn new(object: usize, problems: &'p mut Vec<Problem>) -> Self {
        Self { object, problems }
    }

    fn error(&mut self, code: &'static str, path: FieldPath, message: &str, hint: &str) {
        let problem = Problem::error(code, self.object, path, message);
        self.problems.push(problem.hint(hint));
    }

    /// A field that is there when, and only when, another one has a certain value.
    fn belongs(&mut self, holder: &FieldPath, field: &'static str, to: &str, set: bool, due: bool) {
        if set && !due {
            self.error(
                FIELD_NOT_APPLICABLE,
                holder.clone().field(field),
                &format!("`{field}` is only for `{to}`"),
                &format!("remove `{field}`, or set `{to}`"),
            );
        } else if due && !set {
            self.error(
                FIELD_REQUIRED,
                holder.clone(),
                &format!("`{to}` needs `{field}`"),
                &format!("set `{field}`"),
            );
        }
    }

    /// A field that may be there only when another one has a certain value.
    fn only_for(
        &mut self,
        holder: &FieldPath,
        field: &'static str,
        to: &str,
        set: bool,
        may: bool,
    ) {
        self.belongs(holder, field, to, set && !may, false);
    }

    fn sites(&mut self, sites: &SitePair) {
        if sites.primary == sites.secondary {
            self.error(
                SAME_SITE_TWICE,
                FieldPath::spec("sites").field("secondary"),
                &format!("`{}` is also the primary site", sites.primary),
                "name the other site: machines cannot be recovered where they were lost",
            );
        }
    }

    fn fabric(&mut self, fabric: &Fabric) {
        let Fabric::Hyperv(hyperv) = fabric else {
            return;
        };
        let path = FieldPath::spec("fabric").field("hyperv");
        if hyperv.hosts.is_some() == hyperv.vmm.is_some() {
            self.error(
                EXACTLY_ONE_OF,
                path,
                "set exactly one of `hosts` and `vmm`",
                "a Hyper-V site lists `hosts`; a cloud of System Center VMM is `vmm`",
            );
        }
    }

    fn replication_policy(&mut self, policy: &ReplicationPolicySpec) {
        let scheduled = policy.initial_replication == InitialReplication::Scheduled;
        self.belongs(
            &FieldPath::default().field("spec"),
            "initialReplicationAt",
            "initialReplication: Scheduled",
            policy.initial_replication_at.is_some(),
            scheduled,
        );
        self.window(FieldPath::spec("resyncWindow"), &policy.resync_window);
        let encryption = policy.encryption.as_ref();
        let at_rest = encryption.is_some_and(|with| with.at_rest_key_secret_ref.is_some());
        if at_rest && matches!(policy.replicator, Replicator::QemuBitmap(_)) {
            self.error(
                FIELD_NOT_APPLICABLE,
                FieldPath::spec("encryption").field("atRestKeySecretRef"),
                "`qemuBitmap` cannot heed `atRestKeySecretRef`: copies lie in the pool as they are",
                "remove it, and encrypt the file system of the pool",
            );
        }
    }

    fn members(&mut self, group: &drover_api::ProtectionGroupSpec) {
        if group.machines.is_empty() && group.selector.is_none() {
            self.error(
                FIELD_REQUIRED,
                FieldPath::default().field("spec"),
                "this protection group says nothing of its members",
                "list them under `machines`, or select them by label with `selector`",
            );
        }
        if group.selector.is_none() && !group.member_settings.is_empty() {
            self.error(
                FIELD_NOT_APPLICABLE,
                FieldPath::spec("memberSettings"),
                "`memberSettings` are for machines that a `selector` finds, and there is none",
                "write the settings of a listed machine beside its name",
            );
        }
    }

    fn failback_policy(&mut self, policy: &FailbackPolicySpec) {
        let hold = policy.between_phases == Some(BetweenPhases::Hold);
        if hold && policy.data_sync == Some(DataSync::FullDuringFailover) {
            self.error(
                FIELD_NOT_APPLICABLE,
                FieldPath::spec("betweenPhases"),
                "`dataSync: FullDuringFailover` has one phase, so nothing can hold between two",
                "remove `betweenPhases`, or set `dataSync: DeltaBeforeFailover`",
            );
        }
        self.location(&policy.location);
    }

    fn location(&mut self, location: &FailbackLocation) {
        let path = FieldPath::spec("location");
        let alternate = location.kind == LocationType::Alternate;
        let to = "type: Alternate";
        self.only_for(&path, "host", to, location.host.is_some(), alternate);
        self.only_for(&path, "pool", to, location.pool.is_some(), alternate);
        let create = location.create_if_missing;
        self.only_for(&path, "createIfMissing", to, create, alternate);
        if alternate && location.host.is_none() && location.pool.is_none() {
            self.error(
                FIELD_REQUIRED,
                path,
                "an alternate location names a host, a pool or both",
                "set `host` or `pool`",
            );
        }
    }

    fn plan(&mut self, plan: &Plan<'_>) {
        let spec = plan.spec;
        self.sites(&spec.sites);
        if spec.active_site.is_none() {
            self.without_active_site("overrides", !spec.overrides.is_empty());
            self.without_active_site("request", spec.request.is_some());
        }
        let rules = [
            ("toSecondary", &spec.failover.to_secondary),
            ("toPrimary", &spec.failover.to_primary),
        ];
        for (field, rule) in rules {
            if let Some(rule) = rule {
                self.standing_rule(&FieldPath::spec("failover").field(field), rule);
            }
        }
        if let Some(request) = &spec.request {
            self.request(request);
        }
        self.commit(&spec.commit);
        let windows = spec.guards.iter().flat_map(|guards| &guards.freeze_windows);
        for (position, window) in windows.enumerate() {
            let path = FieldPath::spec("guards").field("freezeWindows");
            self.window(path.index(position), window);
        }
        for (position, group) in spec.groups.iter().enumerate() {
            if group.protection_groups.is_empty() && group.machines.is_empty() {
                self.error(
                    FIELD_REQUIRED,
                    in_plan(position),
                    &format!("group `{}` names no machines", group.name),
                    "name `protectionGroups`, `machines`, or both",
                );
            }
        }
    }

    fn without_active_site(&mut self, field: &'static str, set: bool) {
        if set {
            self.error(
                NEEDS_ACTIVE_SITE,
                FieldPath::spec(field),
                &format!(
                    "`{field}` needs `activeSite`: a plan without it only drills and forecasts"
                ),
                &format!("set `activeSite`, or remove `{field}`"),
            );
        }
    }

    fn standing_rule(&mut self, path: &FieldPath, rule: &StandingRule) {
        let unplanned = rule.kind == FailoverType::Unplanned;
        let stop = rule.source_stop;
        self.only_for(
            path,
            "sourceStop",
            "type: Unplanned",
            stop.is_some(),
            unplanned,
        );
        if stop == Some(SourceStop::Skip) {
            self.error(
                NOT_FOR_STANDING_RULE,
                path.clone().field("sourceStop"),
                "`sourceStop: Skip` in a standing rule would skip the source every time",
                "set `Required` or `Attempt` here, and ask for `Skip` with a `request` when it is \
                 needed",
            );
        }
        if let Some(start) = &rule.start {
            self.start(&path.clone().field("start"), start);
        }
    }

    fn start(&mut self, path: &FieldPath, start: &Start) {
        let waits = start.policy == StartPolicy::WhenStable;
        let to = "policy: WhenStable";
        self.belongs(path, "stableFor", to, start.stable_for.is_some(), waits);
        self.only_for(path, "window", to, start.window.is_some(), waits);
        if let Some(window) = &start.window {
            self.window(path.clone().field("window"), window);
        }
    }

    fn request(&mut self, request: &Request) {
        let path = FieldPath::spec("request");
        let unplanned = request.kind == FailoverType::Unplanned;
        let to = "type: Unplanned";
        let stop = request.source_stop.is_some();
        self.only_for(&path, "sourceStop", to, stop, unplanned);
        let point = request.recovery_point.is_some();
        self.only_for(&path, "recoveryPoint", to, point, unplanned);
        let risk = request.unfenced == Unfenced::AcceptSplitBrain;
        self.only_for(&path, "unfenced", to, risk, unplanned);
        if let Some(point) = &request.recovery_point {
            self.recovery_point(&path.field("recoveryPoint"), point);
        }
    }

    fn commit(&mut self, commit: &Commit) {
        let automatic = commit.policy == CommitPolicy::Automatic;
        let path = FieldPath::spec("commit");
        let set = commit.soak.is_some();
        self.belongs(&path, "soak", "policy: Automatic", set, automatic);
    }

    fn recovery_point(&mut self, path: &FieldPath, point: &RecoveryPointChoice) {
        let time = point.kind == RecoveryPointType::Time;
        self.belongs(path, "time", "type: Time", point.time.is_some(), time);
        let named = point.kind == RecoveryPointType::Named;
        self.belongs(path, "name", "type: Named", point.name.is_some(), named);
    }

    fn decision(&mut self, decision: &RunDecisionSpec) {
        let spec = FieldPath::default().field("spec");
        let approve = decision.action == DecisionAction::Approve;
        // Without a step the run as a whole is approved.
        if decision.step.is_some() {
            self.belongs(&spec, "step", "action: Approve", true, approve);
        }
        let change = decision.action == DecisionAction::ChangePoint;
        let point = decision.recovery_point.is_some();
        self.belongs(&spec, "recoveryPoint", "action: ChangePoint", point, change);
        if let Some(point) = &decision.recovery_point {
            self.recovery_point(&spec.field("recoveryPoint"), point);
        }
    }

    fn window(&mut self, path: FieldPath, window: &Window) {
        if window.start == window.end {
            self.error(
                WINDOW_NEVER_OPENS,
                path,
                &format!(
                    "the window starts and ends at {}, so it never opens",
                    window.start
                ),
                "set another `end`; a window may pass midnight",
            );
        }
    }
}

#[cfg(test)]
mod tests;
