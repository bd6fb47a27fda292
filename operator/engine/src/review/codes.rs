//! The codes of all meanings, with what each says: policies, documentation and tests read this table.

/// One kind of meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its stable name, as [`super::Meaning::code`] has it.
    pub code: &'static str,
    /// What it says, in one line.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)+) => {
        $(#[doc = $meaning] pub(super) const $name: &str = $code;)+

        /// All codes.
        pub const CODES: &[Code] = &[$(Code { code: $code, meaning: $meaning }),+];
    };
}

codes! {
    // what would happen
    RUN_WOULD_START = "run-would-start": "a failover or a failback starts";
    RUN_HELD = "run-held": "machines are elsewhere than declared and nothing starts, with the reason";
    ACTIVE_SITE_CHANGED = "active-site-changed": "`activeSite` changes and nothing is moved by that";
    REQUEST_CHANGED = "request-changed": "a plan's one-shot request is added, changed or taken away";
    OVERRIDE_CHANGED = "override-changed": "a machine's exception from its plan's site is added, changed or taken away";
    SUSPENDED = "suspended": "an object is suspended: nothing of it begins";
    RESUMED = "resumed": "an object is no longer suspended: what was held begins";
    DRILL_WOULD_START = "drill-would-start": "a test failover starts";
    DRILL_CLEANED_UP = "drill-cleaned-up": "a test failover is cleaned up";
    DECISION_ADDED = "decision-added": "a person's word on a run comes with the manifests";
    DECISION_REMOVED = "decision-removed": "the record of a person's word on a run goes";
    CANNOT_BE_CHANGED = "cannot-be-changed": "a field changes that the API keeps as it was";

    // who is protected, and who recovers it
    MACHINE_PROTECTED = "machine-protected": "machines become protected";
    MACHINE_UNPROTECTED = "machine-unprotected": "machines are no longer protected";
    MACHINE_NO_LONGER_MATCHES = "machine-no-longer-matches": "a selector no longer finds machines that it found";
    MACHINE_CHANGES_GROUP = "machine-changes-group": "machines go from one protection group to another";
    MACHINE_PLANNED = "machine-planned": "machines become part of a plan";
    MACHINE_NOT_PLANNED = "machine-not-planned": "machines are no longer part of a plan";
    MACHINE_MOVED = "machine-moved": "machines go from one group of a plan to another";
    SELECTOR_CHANGED = "selector-changed": "a selector changes, and whom it finds is the same or not known";
    PROTECTION_GROUP_ADDED = "protection-group-added": "a protection group is new";
    PROTECTION_GROUP_REMOVED = "protection-group-removed": "a protection group is deleted";
    PROTECTION_GROUP_RENAMED = "protection-group-renamed": "a protection group has another name, which is a deletion and a creation";
    PURPOSE_CHANGED = "purpose-changed": "what a protection is for changes";
    DELETION_POLICY_CHANGED = "deletion-policy-changed": "what deleting a protection group does to the copies changes";
    POLICY_REF_CHANGED = "policy-ref-changed": "a protection group goes by another replication policy";
    MAPPING_REF_CHANGED = "mapping-ref-changed": "a protection group goes by another network mapping";
    NICS_CHANGED = "nics-changed": "interfaces of machines, or their networks, change";
    ADDRESSES_CHANGED = "addresses-changed": "addresses of machines change";
    EXCLUDED_DISKS_CHANGED = "excluded-disks-changed": "other disks of machines are left out of replication";
    TARGET_SETTINGS_CHANGED = "target-settings-changed": "what machines become at a site changes";
    MEMBER_SETTINGS_CHANGED = "member-settings-changed": "settings of selected machines change, and who they are is not known";

    // how data moves
    REPLICATOR_CHANGED = "replicator-changed": "something else moves the data, or it does so with other settings";
    INITIAL_REPLICATION_CHANGED = "initial-replication-changed": "the first full copy comes about in another way";
    RPO_THRESHOLD_CHANGED = "rpo-threshold-changed": "the RPO alarm is raised earlier or later";
    INTERVAL_CHANGED = "interval-changed": "changes are sent more or less often";
    RETENTION_CHANGED = "retention-changed": "recovery points are kept longer or shorter";
    APP_CONSISTENT_CHANGED = "app-consistent-changed": "application-consistent points are made more or less often";
    RESYNC_WINDOW_CHANGED = "resync-window-changed": "resynchronisations run at another time";
    BANDWIDTH_CHANGED = "bandwidth-changed": "replication may use more or less of the link";
    RETRY_CHANGED = "retry-changed": "the pauses between retries change";
    ENCRYPTION_CHANGED = "encryption-changed": "data is encrypted in another way, or no longer";
    COMPRESSION_CHANGED = "compression-changed": "data is compressed on its way, or no longer";

    // networks and addresses
    NETWORK_ADDED = "network-added": "a pair of networks is new in a mapping";
    NETWORK_REMOVED = "network-removed": "a pair of networks is taken out of a mapping";
    NETWORK_CHANGED = "network-changed": "machines come up on another network or subnet";
    TEST_NETWORK_CHANGED = "test-network-changed": "drills run on another network, or can no longer run";
    ADDRESS_RULE_CHANGED = "address-rule-changed": "addresses are kept, assigned or left to DHCP, other than before";

    // plans
    PLAN_ADDED = "plan-added": "a recovery plan is new";
    PLAN_REMOVED = "plan-removed": "a recovery plan is deleted";
    PLAN_RENAMED = "plan-renamed": "a recovery plan has another name, which is a deletion and a creation";
    PLAN_GROUP_ADDED = "plan-group-added": "a group is new in a plan";
    PLAN_GROUP_REMOVED = "plan-group-removed": "a group is taken out of a plan";
    PLAN_GROUP_RENAMED = "plan-group-renamed": "a group of a plan has another name";
    DEPENDENCIES_CHANGED = "dependencies-changed": "a group of a plan waits for others than before";
    ACTION_ADDED = "action-added": "an action is new";
    ACTION_REMOVED = "action-removed": "an action is taken away";
    ACTION_CHANGED = "action-changed": "an action does something else, or in another way";
    ACTION_MOVED = "action-moved": "an action runs before another group, or after it";
    ACTIONS_REORDERED = "actions-reordered": "the actions of a group run in another order";
    STANDING_RULE_CHANGED = "standing-rule-changed": "runs in one direction go in another way";
    MAX_DATA_LOSS_CHANGED = "max-data-loss-changed": "a failover may lose more, or less";
    COMMIT_CHANGED = "commit-changed": "somebody else commits, or at another time";
    GUARD_REMOVED = "guard-removed": "something need no longer hold before a run starts";
    GUARD_WEAKENED = "guard-weakened": "less need hold before a run starts";
    GUARD_ADDED = "guard-added": "something must hold before a run starts, or more of it";
    FAILBACK_CHANGED = "failback-changed": "machines come home in another way";
    CONCURRENCY_CHANGED = "concurrency-changed": "more or fewer machines stop and start at once";
    DRILL_SCHEDULE_CHANGED = "drill-schedule-changed": "drills are due at other times, or never";
    RUN_HISTORY_CHANGED = "run-history-changed": "more or fewer runs are kept as evidence";
    OBJECTIVE_CHANGED = "objective-changed": "something else is aimed at";
    OBJECTIVE_MISSED = "objective-missed": "what is aimed at is no longer kept";
    OBJECTIVE_MET = "objective-met": "what is aimed at is kept again";
    RTO_CHANGED = "rto-changed": "coming back takes longer or shorter";
    RPO_CHANGED = "rpo-changed": "an unplanned failover loses more or less";

    // sites
    FABRIC_CHANGED = "fabric-changed": "a site is reached in another way, or is another";
    INVENTORY_CHANGED = "inventory-changed": "a site declares other machines";
    TENANTS_CHANGED = "tenants-changed": "other namespaces may protect a site's machines";
    LIMITS_CHANGED = "limits-changed": "a site may do more or less at once";
    TIME_ZONE_CHANGED = "time-zone-changed": "the windows of a site are read in another time zone";
    MAINTENANCE_CHANGED = "maintenance-changed": "a site's maintenance begins, changes or ends";
    FENCING_CHANGED = "fencing-changed": "machines are kept from serving in another way";

    // any kind
    OBJECT_ADDED = "object-added": "an object is new";
    OBJECT_REMOVED = "object-removed": "an object is deleted";
    OBJECT_RENAMED = "object-renamed": "an object has another name and says the same";
}
