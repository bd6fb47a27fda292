//! Replication policies: how data moves, how old it may get, what is kept (PR-2 to PR-8).

use drover_api::common::RetrySchedule;
use drover_api::value::{Bandwidth, Duration};
use drover_api::{
    AzureSiteRecoveryReplicator, CsiAddonsReplicator, Encryption, HypervReplicaReplicator,
    InitialReplication, PluginReplicator, RecoveryPoints, ReplicationPolicySpec, Replicator,
    SanArrayReplicator, SanMode, VsphereReplicationReplicator,
};

use super::codes::{
    APP_CONSISTENT_CHANGED, BANDWIDTH_CHANGED, COMPRESSION_CHANGED, ENCRYPTION_CHANGED,
    INITIAL_REPLICATION_CHANGED, INTERVAL_CHANGED, REPLICATOR_CHANGED, RESYNC_WINDOW_CHANGED,
    RETENTION_CHANGED, RETRY_CHANGED, RPO_THRESHOLD_CHANGED,
};
use super::meaning::{Class, Meaning};
use super::settings;
use super::sheet::{Changed, Sheet, if_less, if_more};
use super::sides::{Pair, Sides, pairs};
use super::words::{count, names, or, same_name, window};
use crate::problem::FieldPath;

const KIND: &str = "ReplicationPolicy";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let (before, after) = (
        &sides.before.declared.policies,
        &sides.after.declared.policies,
    );
    let all = pairs(before, after);
    settings::come_and_go(KIND, &all, |policy| &policy.spec, out);
    for (key, pair) in all {
        let Pair::Both(old, new) = &pair else {
            continue;
        };
        let (old, new) = (&old.object.spec, &new.object.spec);
        if old == new {
            continue;
        }
        let uses = |spec: &drover_api::ProtectionGroupSpec| spec.policy_ref.name.as_str() == key.1;
        let users = sides.after.groups_where(key.0, uses);
        let returning = sides
            .after
            .declared
            .failback_policies
            .range((key.0, "")..)
            .take_while(|((namespace, _), _)| *namespace == key.0)
            .filter(|(_, policy)| {
                let way_back = policy.object.spec.replication_policy_ref.as_ref();
                way_back.is_some_and(|reference| reference.name.as_str() == key.1)
            })
            .count();
        let mut sheet = Sheet::new(out, pair.subject(KIND, key));
        sheet.idle = users.is_empty() && returning == 0;
        sheet.affected = affected(&users, returning);
        compare(&mut sheet, old, new);
    }
}

/// Whom a change of a policy is about.
fn affected(users: &[(&str, usize)], returning: usize) -> Vec<String> {
    let machines: usize = users.iter().map(|(_, machines)| machines).sum();
    let groups: Vec<&str> = users.iter().map(|(name, _)| *name).collect();
    let mut affected = Vec::new();
    if !groups.is_empty() {
        let (groups, machines) = (names(&groups), count(machines, "machine"));
        affected.push(format!("for {machines} of {groups}"));
    }
    if returning > 0 {
        affected.push(format!(
            "for the way back by {}",
            count(returning, "failback policy")
        ));
    }
    if affected.is_empty() {
        affected.push("nobody goes by it".to_owned());
    }
    affected
}

/// What is different between two policies, be it that one was changed or that a group goes by another.
pub(super) fn compare(
    sheet: &mut Sheet<'_>,
    before: &ReplicationPolicySpec,
    after: &ReplicationPolicySpec,
) {
    // A new field breaks this, so that nobody forgets to say what it means.
    let ReplicationPolicySpec {
        replicator: _,
        initial_replication,
        initial_replication_at,
        rpo_threshold,
        interval,
        recovery_points,
        resync_window,
        bandwidth,
        retry,
        encryption,
        compression,
    } = before;
    replicator(sheet, &before.replicator, &after.replicator);
    let first_copy = first_copy(*initial_replication, initial_replication_at.as_ref());
    let path = || FieldPath::spec("initialReplication");
    sheet.change(
        Changed {
            code: INITIAL_REPLICATION_CHANGED,
            path: path(),
            before: &first_copy,
            after: &self::first_copy(
                after.initial_replication,
                after.initial_replication_at.as_ref(),
            ),
        },
        super::sheet::harmless,
        |before, after| format!("first full copies come about {after} instead of {before}"),
    );
    sheet.change(
        Changed {
            code: RPO_THRESHOLD_CHANGED,
            path: FieldPath::spec("rpoThreshold"),
            before: rpo_threshold,
            after: &after.rpo_threshold,
        },
        if_more(Class::WorsensObjectives),
        |before, after| format!("the RPO alarm is raised above {after} instead of {before}"),
    );
    self::interval(sheet, interval.as_ref(), after.interval.as_ref());
    points(sheet, recovery_points, &after.recovery_points);
    if *resync_window != after.resync_window {
        let (before, after) = (window(resync_window), window(&after.resync_window));
        let message = format!("resynchronisations run from {after} instead of {before}");
        sheet
            .say(
                RESYNC_WINDOW_CHANGED,
                Class::Harmless,
                FieldPath::spec("resyncWindow"),
                message,
            )
            .values(Some(before), Some(after));
    }
    self::bandwidth(sheet, bandwidth.as_ref(), after.bandwidth.as_ref());
    retries(sheet, retry, &after.retry);
    self::encryption(sheet, encryption.as_ref(), after.encryption.as_ref());
    if *compression != after.compression {
        let message = if after.compression {
            "data is compressed on its way, where the replicator can"
        } else {
            "data is no longer compressed on its way"
        };
        let path = FieldPath::spec("compression");
        sheet
            .say(COMPRESSION_CHANGED, Class::Harmless, path, message)
            .values(Some(compression), Some(after.compression));
    }
}

fn first_copy(how: InitialReplication, at: Option<&drover_api::value::TimeOfDay>) -> String {
    match how {
        InitialReplication::Online => "over the link at once".to_owned(),
        InitialReplication::Scheduled => format!("over the link at {}", or(at, "no time")),
        InitialReplication::OfflineSeed => "from a copy brought by other means".to_owned(),
        InitialReplication::ExistingCopy => "from a machine at the target".to_owned(),
    }
}

fn interval(sheet: &mut Sheet<'_>, before: Option<&Duration>, after: Option<&Duration>) {
    if before == after {
        return;
    }
    let how = |interval: Option<&Duration>| match interval {
        Some(interval) => format!("every {interval}"),
        None => "as the replicator does by itself".to_owned(),
    };
    let class = match (before, after) {
        (Some(before), Some(after)) if after <= before => Class::Harmless,
        (None, Some(_)) => Class::Harmless,
        _ => Class::WorsensObjectives,
    };
    let message = format!("changes are sent {} instead of {}", how(after), how(before));
    sheet
        .say(
            INTERVAL_CHANGED,
            class,
            FieldPath::spec("interval"),
            message,
        )
        .values(before, after);
}

fn points(sheet: &mut Sheet<'_>, before: &RecoveryPoints, after: &RecoveryPoints) {
    let RecoveryPoints {
        retention,
        app_consistent_every,
    } = before;
    let path = FieldPath::spec("recoveryPoints");
    sheet.change(
        Changed {
            code: RETENTION_CHANGED,
            path: path.clone().field("retention"),
            before: retention,
            after: &after.retention,
        },
        if_less(Class::WeakensSafety),
        |before, after| format!("recovery points are kept {after} instead of {before}"),
    );
    let (before, after) = (app_consistent_every, &after.app_consistent_every);
    if before == after {
        return;
    }
    let how = |every: &Duration| match every {
        none if none.is_zero() => "no longer".to_owned(),
        every => format!("every {every}"),
    };
    let worse = after.is_zero() || (!before.is_zero() && after > before);
    let class = if worse {
        Class::WorsensObjectives
    } else {
        Class::Harmless
    };
    let message = if before.is_zero() {
        format!("application-consistent points are made, every {after}")
    } else if after.is_zero() {
        "application-consistent points are no longer made".to_owned()
    } else {
        format!(
            "application-consistent points are made {} instead of {}",
            how(after),
            how(before)
        )
    };
    sheet
        .say(
            APP_CONSISTENT_CHANGED,
            class,
            path.field("appConsistentEvery"),
            message,
        )
        .values(Some(before), Some(after));
}

fn bandwidth(sheet: &mut Sheet<'_>, before: Option<&Bandwidth>, after: Option<&Bandwidth>) {
    if before == after {
        return;
    }
    let class = match (before, after) {
        (_, None) => Class::Harmless,
        (Some(before), Some(after)) if after > before => Class::Harmless,
        _ => Class::WorsensObjectives,
    };
    let message = match (before, after) {
        (Some(before), Some(after)) => {
            format!("replication may use {after} of the link instead of {before}")
        }
        (None, after) => format!(
            "replication may use no more than {} of the link",
            or(after, "")
        ),
        (_, None) => "replication may use all of the link".to_owned(),
    };
    sheet
        .say(
            BANDWIDTH_CHANGED,
            class,
            FieldPath::spec("bandwidth"),
            message,
        )
        .values(before, after);
}

fn retries(sheet: &mut Sheet<'_>, before: &RetrySchedule, after: &RetrySchedule) {
    if before == after {
        return;
    }
    let words = |schedule: &RetrySchedule| {
        let RetrySchedule { pauses, then_every } = schedule;
        let pauses: Vec<String> = pauses.iter().map(ToString::to_string).collect();
        format!("{}, then every {then_every}", pauses.join(", "))
    };
    let (before, after) = (words(before), words(after));
    let message = format!("after an error it is tried again after {after} instead of {before}");
    sheet
        .say(
            RETRY_CHANGED,
            Class::Harmless,
            FieldPath::spec("retry"),
            message,
        )
        .values(Some(before), Some(after));
}

fn encryption(sheet: &mut Sheet<'_>, before: Option<&Encryption>, after: Option<&Encryption>) {
    let path = || FieldPath::spec("encryption");
    let in_flight =
        |encryption: Option<&Encryption>| encryption.is_some_and(|encryption| encryption.in_flight);
    let key = |encryption: Option<&Encryption>| -> Option<String> {
        let reference = encryption?.at_rest_key_secret_ref.as_ref()?;
        Some(reference.name.to_string())
    };
    match (in_flight(before), in_flight(after)) {
        (true, false) => {
            sheet.say(
                ENCRYPTION_CHANGED,
                Class::WeakensSafety,
                path(),
                "data no longer travels encrypted",
            );
        }
        (false, true) => {
            sheet.say(
                ENCRYPTION_CHANGED,
                Class::Harmless,
                path(),
                "data travels encrypted",
            );
        }
        _ => {}
    }
    let (old, new) = (key(before), key(after));
    if old == new {
        return;
    }
    let (class, message) = match (&old, &new) {
        (_, None) => (
            Class::WeakensSafety,
            "copies are no longer encrypted with a key of their own".to_owned(),
        ),
        (None, Some(new)) => (
            Class::Harmless,
            format!("copies are encrypted with the key in {new}"),
        ),
        (Some(old), Some(new)) => (
            Class::Harmless,
            format!("copies are encrypted with the key in {new} instead of {old}"),
        ),
    };
    sheet
        .say(
            ENCRYPTION_CHANGED,
            class,
            path().field("atRestKeySecretRef"),
            message,
        )
        .values(old, new);
}

fn replicator(sheet: &mut Sheet<'_>, before: &Replicator, after: &Replicator) {
    if same_replicator(before, after) {
        return;
    }
    let (old, new) = (before.driver(), after.driver());
    let path = FieldPath::spec("replicator");
    if old != new {
        let message = format!("{new} moves the data instead of {old}");
        sheet
            .say(REPLICATOR_CHANGED, Class::LosesProtection, path, message)
            .values(Some(old), Some(new))
            .effect("copies begin anew, and until then nothing is protected");
        return;
    }
    let asynchronous = matches!(
        (before, after),
        (Replicator::SanArray(before), Replicator::SanArray(after))
            if before.mode == SanMode::Synchronous && after.mode == SanMode::Asynchronous
    );
    let (class, message) = if asynchronous {
        (
            Class::WorsensObjectives,
            "writes are answered before they are at the other array: the last changes can be lost"
                .to_owned(),
        )
    } else {
        (
            Class::WeakensSafety,
            format!("{new} moves the data with other settings"),
        )
    };
    sheet
        .say(REPLICATOR_CHANGED, class, path, message)
        .values(settings::of(before), settings::of(after));
}

/// Whether two replicators are the same, whatever the case of names that Azure and arrays do not tell apart.
fn same_replicator(before: &Replicator, after: &Replicator) -> bool {
    use Replicator as R;
    match (before, after) {
        (R::AzureSiteRecovery(before), R::AzureSiteRecovery(after)) => {
            let AzureSiteRecoveryReplicator { vault } = before;
            same_name(vault, &after.vault)
        }
        (R::Simulator(before), R::Simulator(after)) => before == after,
        (R::QemuBitmap(before), R::QemuBitmap(after)) => before == after,
        (R::CsiAddons(CsiAddonsReplicator { class }), R::CsiAddons(after)) => *class == after.class,
        (R::HypervReplica(HypervReplicaReplicator { authentication }), R::HypervReplica(after)) => {
            *authentication == after.authentication
        }
        (
            R::VsphereReplication(VsphereReplicationReplicator { quiesce }),
            R::VsphereReplication(after),
        ) => *quiesce == after.quiesce,
        (R::SanArray(SanArrayReplicator { array_pair, mode }), R::SanArray(after)) => {
            *array_pair == after.array_pair && *mode == after.mode
        }
        (R::Plugin(PluginReplicator { name, config }), R::Plugin(after)) => {
            *name == after.name && *config == after.config
        }
        _ => false,
    }
}
