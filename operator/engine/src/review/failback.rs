//! Failback policies: how machines come home (FB-2 to FB-4).

use drover_api::{
    BetweenPhases, DataSync, FailbackLocation, FailbackPolicySpec, LocationType, ReprotectPolicy,
};

use super::codes::FAILBACK_CHANGED;
use super::meaning::{Class, Meaning};
use super::settings;
use super::sheet::{Changed, Sheet, harmless};
use super::sides::{Pair, Sides, pairs};
use super::words::{names, or};
use crate::problem::FieldPath;

const KIND: &str = "FailbackPolicy";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let before = &sides.before.declared.failback_policies;
    let after = &sides.after.declared.failback_policies;
    let all = pairs(before, after);
    settings::come_and_go(KIND, &all, |policy| &policy.spec, out);
    for (key, pair) in all {
        let Pair::Both(old, new) = &pair else {
            continue;
        };
        let plans = sides.after.declared.plans.range((key.0, "")..);
        let users: Vec<&str> = plans
            .take_while(|((namespace, _), _)| *namespace == key.0)
            .filter(|(_, plan)| {
                let reference = plan.object.spec.failback_policy_ref.as_ref();
                reference.is_some_and(|reference| reference.name.as_str() == key.1)
            })
            .map(|((_, name), _)| *name)
            .collect();
        let mut sheet = Sheet::new(out, pair.subject(KIND, key));
        sheet.idle = users.is_empty();
        sheet.affected = vec![if users.is_empty() {
            "no plan goes by it".to_owned()
        } else {
            format!("for plan {}", names(&users))
        }];
        compare(&mut sheet, &old.object.spec, &new.object.spec);
    }
}

fn compare(sheet: &mut Sheet<'_>, before: &FailbackPolicySpec, after: &FailbackPolicySpec) {
    let FailbackPolicySpec {
        replication_policy_ref,
        data_sync,
        between_phases,
        location,
        reprotect,
    } = before;
    let policy = |reference: &Option<drover_api::common::PolicyRef>| {
        or(
            reference.as_ref().map(|reference| &reference.name),
            "fixed values",
        )
    };
    sheet.change(
        Changed {
            code: FAILBACK_CHANGED,
            path: FieldPath::spec("replicationPolicyRef"),
            before: &policy(replication_policy_ref),
            after: &policy(&after.replication_policy_ref),
        },
        harmless,
        |before, after| format!("the way back goes by {after} instead of {before}"),
    );
    // Unset where the pair synchronises inside the run is the same as what it then does.
    sheet.change(
        Changed {
            code: FAILBACK_CHANGED,
            path: FieldPath::spec("dataSync"),
            before: &sync(*data_sync),
            after: &sync(after.data_sync),
        },
        harmless,
        |_, after| format!("data comes back {after}"),
    );
    phases(
        sheet,
        between_phases.unwrap_or_default(),
        after.between_phases.unwrap_or_default(),
    );
    place(sheet, location, &after.location);
    if reprotect != &after.reprotect {
        let (class, message) = match after.reprotect {
            ReprotectPolicy::Automatic => (
                Class::Harmless,
                "after a failback machines are protected again by themselves",
            ),
            ReprotectPolicy::Manual => (
                Class::LosesProtection,
                "after a failback machines are not protected until a person asks for it",
            ),
        };
        sheet.say(
            FAILBACK_CHANGED,
            class,
            FieldPath::spec("reprotect"),
            message,
        );
    }
}

fn sync(sync: Option<DataSync>) -> &'static str {
    match sync {
        None => "as the pair of sites does it",
        Some(DataSync::DeltaBeforeFailover) => "while machines run, and the last changes after",
        Some(DataSync::FullDuringFailover) => "in full while machines are stopped",
    }
}

fn phases(sheet: &mut Sheet<'_>, before: BetweenPhases, after: BetweenPhases) {
    if before == after {
        return;
    }
    let (class, message) = match after {
        BetweenPhases::Hold => (
            Class::Harmless,
            "a failback waits for a person's word before machines stop",
        ),
        BetweenPhases::Continue => (
            Class::WeakensSafety,
            "a failback no longer waits for a person's word before machines stop",
        ),
    };
    sheet.say(
        FAILBACK_CHANGED,
        class,
        FieldPath::spec("betweenPhases"),
        message,
    );
}

fn place(sheet: &mut Sheet<'_>, before: &FailbackLocation, after: &FailbackLocation) {
    let words = |location: &FailbackLocation| {
        let FailbackLocation {
            kind,
            host,
            pool,
            create_if_missing,
        } = location;
        match kind {
            LocationType::Original => "where they came from".to_owned(),
            LocationType::Alternate => {
                let missing = if *create_if_missing {
                    ", made where they are missing"
                } else {
                    ""
                };
                let host = host.as_ref().map(|host| format!("host {host}"));
                let pool = pool.as_ref().map(|pool| format!("pool {pool}"));
                let parts: Vec<String> = host.into_iter().chain(pool).collect();
                format!("{}{missing}", parts.join(", "))
            }
        }
    };
    sheet.change(
        Changed {
            code: FAILBACK_CHANGED,
            path: FieldPath::spec("location"),
            before: &words(before),
            after: &words(after),
        },
        harmless,
        |before, after| format!("machines come back to: {after}; before: {before}"),
    );
}
