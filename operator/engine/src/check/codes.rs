//! The codes of all problems, with what each means: documentation and tests read this table.

/// One kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its stable name, as [`crate::problem::Problem::code`] has it.
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
    // references
    UNKNOWN_REFERENCE = "unknown-reference": "a reference names an object that is not declared";
    UNKNOWN_SITE = "unknown-site": "a site is named that no `Site` declares";
    SITE_NOT_AMONG_MANIFESTS = "site-not-among-manifests": "no `Site` is declared at all, so nothing that depends on a site was checked";
    UNKNOWN_MACHINE = "unknown-machine": "a machine is named that is not a member where it should be";
    AMBIGUOUS_MACHINE = "ambiguous-machine": "a machine's name fits members of several protection groups";
    UNKNOWN_HOST = "unknown-host": "a host is named that the site does not list";
    UNKNOWN_PLAN_GROUP = "unknown-plan-group": "a group is named that the plan does not have";

    // fields
    EXACTLY_ONE_OF = "exactly-one-of": "none or several of the alternatives are set";
    FIELD_REQUIRED = "field-required": "a field is missing that another one makes necessary";
    FIELD_NOT_APPLICABLE = "field-not-applicable": "a field is set that another one makes meaningless";
    NOT_FOR_STANDING_RULE = "not-for-standing-rule": "a standing rule asks for what only a one-shot request may ask for";
    NEEDS_ACTIVE_SITE = "needs-active-site": "overrides or a request in a plan without `activeSite`";
    SAME_SITE_TWICE = "same-site-twice": "the primary and the secondary site are the same";
    SELECTOR_VALUES = "selector-values": "values are missing for `In` or `NotIn`, or given for `Exists` or `DoesNotExist`";
    DUPLICATE_NAME = "duplicate-name": "two entries of a list have the same name";

    // order
    SELF_DEPENDENCE = "self-dependence": "a group of a plan waits for itself";
    DEPENDENCY_CYCLE = "dependency-cycle": "groups of a plan wait for each other in a circle";
    DUPLICATE_DEPENDENCY = "duplicate-dependency": "a group of a plan waits twice for the same group";

    // members
    EMPTY_PLAN = "empty-plan": "a plan has no groups, or no machine in any of them";
    EMPTY_PLAN_GROUP = "empty-plan-group": "a group of a plan has no machine";
    EMPTY_PROTECTION_GROUP = "empty-protection-group": "a protection group has no machine";
    MACHINE_IN_TWO_GROUPS = "machine-in-two-groups": "a machine is in a plan twice";
    MACHINE_PROTECTED_TWICE = "machine-protected-twice": "a machine of a site is claimed by two protection groups";
    MACHINE_OWNED_TWICE = "machine-owned-twice": "a machine is in two plans that both have `activeSite`";
    SPLIT_CONSISTENCY_GROUP = "split-consistency-group": "a plan moves only some members of a consistency group";
    OVERRIDE_IN_CONSISTENCY_GROUP = "override-in-consistency-group": "an override would separate a machine from its consistency group";
    OVERRIDE_TWICE = "override-twice": "a machine has two overrides in a plan";
    OVERRIDE_WITHOUT_EFFECT = "override-without-effect": "an override says what the plan says anyway";

    // networks and addresses
    MAPPING_MISSING = "mapping-missing": "machines have network interfaces and their protection group has no network mapping";
    MAPPING_FOR_OTHER_SITES = "mapping-for-other-sites": "a protection group uses a network mapping of other sites";
    UNMAPPED_NETWORK = "unmapped-network": "a network that a machine is on is not in the network mapping";
    AMBIGUOUS_NETWORK = "ambiguous-network": "two pairs of a mapping have the same network at one site";
    OVERLAPPING_SUBNETS = "overlapping-subnets": "the subnets of two pairs of a mapping overlap at one site";
    TEST_NETWORK_IS_PRODUCTION = "test-network-is-production": "a drill would run on a production network";
    TEST_NETWORK_MISSING = "test-network-missing": "a drill is declared and a network has no isolated counterpart at its target";
    ADDRESS_OUTSIDE_SUBNET = "address-outside-subnet": "an address is not in the subnet of its network";
    ADDRESS_MISSING = "address-missing": "addresses are assigned and none is declared";
    ADDRESS_CHANGES = "address-changes": "addresses are kept and the declared ones differ between the sites";
    DUPLICATE_ADDRESS = "duplicate-address": "two interfaces have the same address on the same network";
    PUBLIC_ADDRESS_KEPT = "public-address-kept": "a public address would be kept in Azure";
    KEEP_NEEDS_SUBNET = "keep-needs-subnet": "addresses are kept and the subnet is not declared at both sites";
    KEEP_CHANGES_SUBNET = "keep-changes-subnet": "addresses are kept and the subnets differ between the sites";
    SPLIT_SUBNET = "split-subnet": "addresses are kept and machines of the subnet would stay behind";

    // pairs of sites
    NO_SUCH_PAIR = "no-such-pair": "the replicator does not replicate between these two sites";
    SITES_DIFFER = "sites-differ": "a plan and one of its protection groups have different sites";
    UNSUPPORTED_FAILOVER_TYPE = "unsupported-failover-type": "the pair of sites does not support this type of failover in this direction";
    DRILL_UNSUPPORTED = "drill-unsupported": "the pair of sites does not support drills in this direction";
    COMMITS_AT_ONCE = "commits-at-once": "the pair of sites commits by itself, whatever the plan says";
    DATA_SYNC_REFUSED = "data-sync-refused": "a failback policy says how to synchronise and the pair of sites does not synchronise within the failback";
    CANNOT_FAIL_BACK = "cannot-fail-back": "machines that are protected here will not be able to come back";
    FAILBACK_IMPOSSIBLE = "failback-impossible": "a plan speaks of a failback that its machines cannot make";
    MIXED_PURPOSES = "mixed-purposes": "a plan mixes machines that come back with machines that only move";

    // times
    WINDOW_NEVER_OPENS = "window-never-opens": "a window starts and ends at the same time of day";
    ALWAYS_FROZEN = "always-frozen": "the freeze windows cover the whole day, so no planned run ever starts";
    START_WINDOW_FROZEN = "start-window-frozen": "the window in which a run may start lies inside the freeze windows";
    DRILL_OUTLASTS_SCHEDULE = "drill-outlasts-schedule": "a drill still stands when the next one is due";
    DRILL_GUARD_WITHOUT_DRILLS = "drill-guard-without-drills": "a guard asks for a recent drill and no drill is declared";
    DRILL_GUARD_TOO_STRICT = "drill-guard-too-strict": "a guard asks for drills more often than the schedule makes them";
    NO_APP_CONSISTENT_POINTS = "no-app-consistent-points": "an application-consistent point is asked for and the policy makes none";
    RPO_THRESHOLD_BELOW_INTERVAL = "rpo-threshold-below-interval": "the RPO alarm is shorter than the interval of replication";
    RPO_OBJECTIVE_BELOW_INTERVAL = "rpo-objective-below-interval": "the RPO objective is shorter than the interval of replication";
    APP_CONSISTENT_BEYOND_RETENTION = "app-consistent-beyond-retention": "application-consistent points are made less often than they are kept";
    ZERO_SOAK = "zero-soak": "an automatic commit follows the checks at once";
    REQUEST_EXPIRED = "request-expired": "a request has expired and starts nothing";
    MAINTENANCE_OVER = "maintenance-over": "a maintenance has ended and is still declared";

    // tenants
    SITE_ADMITS_NOBODY = "site-admits-nobody": "a site has no tenants, so nobody may protect its machines";
    MACHINE_NOT_ADMITTED = "machine-not-admitted": "no tenant of the site gives this machine to anybody";

    // actions
    RECORD_OUTSIDE_ZONE = "record-outside-zone": "a DNS record is not in the zone that it is written to";
    RECORD_NEVER_MOVES = "record-never-moves": "a DNS record has the same addresses at both sites";
    ACTION_NEVER_RUNS = "action-never-runs": "an action takes part in no run";
    DNS_IN_DRILL = "dns-in-drill": "a DNS change is asked for in drills, where it never takes part";
}
