//! What a person wants of a plan: the fields that are written, and what the plan is then.

use drover_api::common::{
    Direction, FailoverType, RecoveryPointChoice, RecoveryPointType, Unfenced,
};
use drover_api::{RecoveryPlanSpec, Request, StandingRule};
use drover_manifest::{Setting, Written};
use drover_world::PlanId;
use jiff::{SignedDuration, Timestamp};

use super::super::plan::read_reviewed;
use crate::cli::{ActiveSite, FailoverTypeOf, Field, NewRequest, PlanDigestOf, RecoveryPointOf};
use crate::failure::Failure;
use crate::plans::saved::SavedPlan;
use crate::plans::survey::Question;

/// What a person wants of a plan.
pub struct Wish {
    /// The fields that are written.
    pub settings: Vec<Setting>,
    /// What the plan is to be then, and nothing else.
    pub spec: RecoveryPlanSpec,
    /// The field, for people.
    pub field: String,
    /// The reviewed run that the plan must still lead to.
    pub reviewed: Option<Reviewed>,
}

/// A run that was reviewed, and what was asked to see it.
pub struct Reviewed {
    /// The run.
    pub plan: SavedPlan,
    /// What was asked.
    pub question: Question,
}

/// What is wanted of a plan that is declared so.
///
/// # Errors
/// When it makes no sense for this plan.
pub fn wish(
    field: &Field,
    id: &PlanId,
    plan: &RecoveryPlanSpec,
    now: Timestamp,
) -> Result<Wish, Failure> {
    match field {
        Field::ActiveSite(wanted) => Ok(active_site(wanted, plan)),
        Field::FailoverType(wanted) => failover_type(wanted, plan, now),
        Field::RecoveryPoint(wanted) => recovery_point(wanted, plan, now),
        Field::PlanDigest(wanted) => plan_digest(wanted, id, plan),
    }
}

/// The fields after which a field is best written where it is missing, the best first: in the order of
/// their definition.
pub fn before(key: &str) -> &'static [&'static str] {
    match key {
        "activeSite" => &["sites"],
        "failover" => &["objectives", "overrides", "activeSite", "sites"],
        "request" => &["failover", "objectives", "overrides", "activeSite", "sites"],
        "guards" => &[
            "failbackPolicyRef",
            "commit",
            "request",
            "failover",
            "objectives",
            "overrides",
            "activeSite",
            "sites",
        ],
        "planDigest" => &["freezeWindows", "approvals", "drillNotOlderThan"],
        "toPrimary" => &["toSecondary"],
        "recoveryPoint" => &["type", "expires", "id"],
        _ => &[],
    }
}

fn active_site(wanted: &ActiveSite, plan: &RecoveryPlanSpec) -> Wish {
    let site = wanted.site.into();
    let mut spec = plan.clone();
    spec.active_site = Some(site);
    Wish {
        settings: vec![Setting::text(&["spec", "activeSite"], site.as_str())],
        spec,
        field: "activeSite".to_owned(),
        reviewed: None,
    }
}

fn failover_type(
    wanted: &FailoverTypeOf,
    plan: &RecoveryPlanSpec,
    now: Timestamp,
) -> Result<Wish, Failure> {
    let kind = wanted.kind.into();
    if let Some(way) = wanted.standing {
        return Ok(standing(way.into(), kind, plan));
    }
    let mut spec = plan.clone();
    if let Some(request) = live(spec.request.as_mut(), &wanted.request, now) {
        request.kind = kind;
        return Ok(Wish {
            settings: vec![Setting::text(&["spec", "request", "type"], name_of(kind))],
            spec,
            field: "request.type".to_owned(),
            reviewed: None,
        });
    }
    Ok(asked(plan, new_request(kind, None, &wanted.request, now)?))
}

/// The rule for all runs in a direction.
fn standing(direction: Direction, kind: FailoverType, plan: &RecoveryPlanSpec) -> Wish {
    let mut spec = plan.clone();
    let (key, rule) = match direction {
        Direction::ToSecondary => ("toSecondary", &mut spec.failover.to_secondary),
        Direction::ToPrimary => ("toPrimary", &mut spec.failover.to_primary),
    };
    match rule {
        Some(rule) => rule.kind = kind,
        None => {
            *rule = Some(StandingRule {
                kind,
                max_data_loss: None,
                source_stop: None,
                start: None,
            });
        }
    }
    Wish {
        settings: vec![Setting::text(
            &["spec", "failover", key, "type"],
            name_of(kind),
        )],
        spec,
        field: format!("failover.{key}.type"),
        reviewed: None,
    }
}

fn recovery_point(
    wanted: &RecoveryPointOf,
    plan: &RecoveryPlanSpec,
    now: Timestamp,
) -> Result<Wish, Failure> {
    let point = choice(wanted);
    let mut spec = plan.clone();
    let Some(request) = live(spec.request.as_mut(), &wanted.request, now) else {
        let kind = FailoverType::Unplanned;
        return Ok(asked(
            plan,
            new_request(kind, Some(point), &wanted.request, now)?,
        ));
    };
    if request.kind == FailoverType::Planned {
        return Err(Failure::Refused {
            what: format!(
                "the request {} is for a planned failover, which loses nothing and has no choice of a \
                 recovery point",
                request.id
            ),
            hint: "drover set failover-type PLAN Unplanned changes that".to_owned(),
        });
    }
    let path = ["spec", "request", "recoveryPoint"];
    let plain = |point: &RecoveryPointChoice| point.time.is_none() && point.name.is_none();
    let settings = match &request.recovery_point {
        Some(old) if plain(old) && plain(&point) => {
            vec![Setting::text(
                &[path[0], path[1], path[2], "type"],
                word_of(point.kind),
            )]
        }
        _ => vec![Setting {
            path: path.map(str::to_owned).to_vec(),
            value: written_point(&point),
        }],
    };
    request.recovery_point = Some(point);
    Ok(Wish {
        settings,
        spec,
        field: "request.recoveryPoint".to_owned(),
        reviewed: None,
    })
}

fn plan_digest(
    wanted: &PlanDigestOf,
    id: &PlanId,
    plan: &RecoveryPlanSpec,
) -> Result<Wish, Failure> {
    let saved = read_reviewed(&wanted.reviewed)?;
    let question = saved.question.into();
    let reviewed = saved.plans.into_iter().find(|plan| plan.plan == *id);
    let reviewed = reviewed.ok_or_else(|| Failure::Refused {
        what: format!("{} keeps no run of {id}", wanted.reviewed.display()),
        hint: "`drover plan --out FILE` keeps one".to_owned(),
    })?;
    let mut spec = plan.clone();
    spec.guards.get_or_insert_default().plan_digest = Some(reviewed.digest.clone());
    Ok(Wish {
        settings: vec![Setting::text(
            &["spec", "guards", "planDigest"],
            reviewed.digest.clone(),
        )],
        spec,
        field: "guards.planDigest".to_owned(),
        reviewed: Some(Reviewed {
            plan: reviewed,
            question,
        }),
    })
}

/// The request that counts still, unless a new one is asked for.
fn live<'r>(
    request: Option<&'r mut Request>,
    new: &NewRequest,
    now: Timestamp,
) -> Option<&'r mut Request> {
    request.filter(|request| request.expires > now && new.id.is_none())
}

fn new_request(
    kind: FailoverType,
    recovery_point: Option<RecoveryPointChoice>,
    new: &NewRequest,
    now: Timestamp,
) -> Result<Request, Failure> {
    let usual = || {
        let name = name_of(kind).to_lowercase();
        format!("{name}-{}", now.strftime("%Y%m%d-%H%M%S"))
    };
    let too_long = || Failure::Refused {
        what: format!("no request can count for {}", new.expires_in),
        hint: "give a shorter --expires-in".to_owned(),
    };
    let counts = SignedDuration::try_from(new.expires_in.as_std()).map_err(|_| too_long())?;
    // Whole seconds read better, and nothing depends on more.
    let expires = now.checked_add(counts).map_err(|_| too_long())?;
    let expires = Timestamp::from_second(expires.as_second()).map_err(|_| too_long())?;
    Ok(Request {
        id: new.id.clone().unwrap_or_else(usual),
        expires,
        kind,
        recovery_point,
        source_stop: None,
        unfenced: Unfenced::default(),
        max_data_loss: None,
    })
}

/// The plan with this request, whatever request it had.
fn asked(plan: &RecoveryPlanSpec, request: Request) -> Wish {
    let text = |text: &str| Written::Text(text.to_owned());
    let mut fields = vec![
        ("id".to_owned(), text(&request.id)),
        ("expires".to_owned(), text(&request.expires.to_string())),
        ("type".to_owned(), text(name_of(request.kind))),
    ];
    if let Some(point) = &request.recovery_point {
        fields.push(("recoveryPoint".to_owned(), written_point(point)));
    }
    let mut spec = plan.clone();
    spec.request = Some(request);
    Wish {
        settings: vec![Setting {
            path: vec!["spec".to_owned(), "request".to_owned()],
            value: Written::Map(fields),
        }],
        spec,
        field: "request".to_owned(),
        reviewed: None,
    }
}

fn choice(wanted: &RecoveryPointOf) -> RecoveryPointChoice {
    let kind = match (wanted.point, &wanted.name) {
        (Some(point), _) => point.into(),
        (None, Some(_)) => RecoveryPointType::Named,
        (None, None) => RecoveryPointType::Time,
    };
    RecoveryPointChoice {
        kind,
        time: wanted.time,
        name: wanted.name.clone(),
    }
}

fn written_point(point: &RecoveryPointChoice) -> Written {
    let mut fields = vec![("type", word_of(point.kind).to_owned())];
    fields.extend(point.time.map(|time| ("time", time.to_string())));
    fields.extend(point.name.clone().map(|name| ("name", name)));
    let fields = fields.into_iter();
    Written::Map(
        fields
            .map(|(key, text)| (key.to_owned(), Written::Text(text)))
            .collect(),
    )
}

fn name_of(kind: FailoverType) -> &'static str {
    match kind {
        FailoverType::Planned => "Planned",
        FailoverType::Unplanned => "Unplanned",
    }
}

fn word_of(kind: RecoveryPointType) -> &'static str {
    match kind {
        RecoveryPointType::Latest => "Latest",
        RecoveryPointType::LatestProcessed => "LatestProcessed",
        RecoveryPointType::LatestAppConsistent => "LatestAppConsistent",
        RecoveryPointType::Time => "Time",
        RecoveryPointType::Named => "Named",
    }
}
