//! A script as a Kubernetes Job, in a cluster.
//!
//! Its name follows from the attempt, so that whoever carries the attempt on, after a crash or as another
//! leader, finds the same Job and makes no second one.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::ScriptAction;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
    SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The key that a repetition can be told by, as an annotation of the Job.
pub const KEY: &str = "drover.dev/idempotency-key";
/// Who made it, and with what.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "drover");
/// How long a finished Job is kept for whoever looks, and for an operator that was away: it must not vanish
/// before its end was recorded, or it would be made again.
const KEPT: i32 = 7 * 24 * 60 * 60;
/// What fits into one variable of a process (Linux: 128 KiB).
const MOST_CONTEXT: usize = 96 * 1024;
/// The longest value of a label, and the longest name of a Job.
const LABEL: usize = 63;

/// One attempt of a script.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The same for every repetition.
    pub key: &'a str,
    /// The epoch of the record that began the attempt; attempts are counted anew with each.
    pub epoch: u64,
    /// Counted from 1.
    pub attempt: u32,
    /// The namespace of plan and run.
    pub namespace: &'a str,
    /// The run: when it goes, its Jobs go.
    pub run: OwnerReference,
    /// The plan.
    pub plan: &'a str,
    /// The action.
    pub action: &'a str,
    /// How long it may take.
    pub limit: Duration,
    /// What the run says of itself.
    pub about: &'a Value,
}

/// What became of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed, in words.
    Failed(String),
}

/// The name of the Job of an attempt.
pub fn name(order: &Order<'_>) -> String {
    let text = format!("{}/{}/{}", order.key, order.epoch, order.attempt);
    let digest = Sha256::digest(text.as_bytes());
    let short = digest.iter().take(8);
    let hash = format!(
        "{:016x}",
        short.fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    );
    let room = LABEL - hash.len() - 1;
    let action: String = order.action.chars().take(room).collect();
    format!("{}-{hash}", action.trim_end_matches(['-', '.']))
}

/// The attempt before this one, where there was one.
pub fn former<'a>(order: &Order<'a>) -> Option<Order<'a>> {
    let attempt = order.attempt.checked_sub(1).filter(|it| *it > 0)?;
    Some(Order {
        attempt,
        ..order.clone()
    })
}

/// Whether a Job has ended, however it did.
pub fn is_over(job: &Job) -> bool {
    end(job).is_some()
}

fn end(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let mut ends = conditions.iter();
    ends.find(|end| end.status == "True" && ["Complete", "Failed"].contains(&&*end.type_))
}

/// The Job of an attempt.
///
/// # Errors
/// When the script has no image: there is nothing to run it in.
pub fn build(script: &ScriptAction, order: &Order<'_>) -> Result<Job, String> {
    let Some(image) = &script.image else {
        return Err(
            "in a cluster a script runs as a Job, and its `image` is not set: set the container image that has \
             the command"
                .into(),
        );
    };
    let labels = labels(order);
    let container = Container {
        name: "script".into(),
        image: Some(image.clone()),
        command: Some(script.command.clone()),
        env: Some(environment(script, order)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".into()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        // The last lines of a script that failed say why.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    };
    let pod = PodSpec {
        containers: vec![container],
        restart_policy: Some("Never".into()),
        // A script that is given no identity of its own gets none.
        automount_service_account_token: Some(script.service_account_name.is_some()),
        service_account_name: script.service_account_name.clone(),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    };
    let seconds = i64::try_from(order.limit.as_secs()).unwrap_or(i64::MAX);
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(name(order)),
            namespace: Some(order.namespace.to_owned()),
            labels: Some(labels.clone()),
            annotations: Some([(KEY.to_owned(), order.key.to_owned())].into()),
            owner_references: Some(vec![order.run.clone()]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            // The plan says how many attempts there are, and each is a Job.
            backoff_limit: Some(0),
            active_deadline_seconds: Some(seconds.max(1)),
            ttl_seconds_after_finished: Some(KEPT),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    })
}

/// What became of a Job of this name; it must be the one that the attempt made.
///
/// # Errors
/// When it is somebody else's (SA-7).
pub fn judge(job: &Job, order: &Order<'_>) -> Result<Outcome, String> {
    let annotations = job.metadata.annotations.as_ref();
    if annotations.and_then(|all| all.get(KEY)).map(String::as_str) != Some(order.key) {
        return Err(format!(
            "there is a Job {} that Drover did not make for this step: remove it",
            name(order)
        ));
    }
    Ok(match end(job) {
        Some(end) if end.type_ == "Complete" => Outcome::Succeeded,
        Some(end) => Outcome::Failed(failure(
            end.reason.as_deref().unwrap_or_default(),
            end.message.as_deref().unwrap_or_default(),
            order,
        )),
        None if job.metadata.deletion_timestamp.is_some() => {
            Outcome::Failed(format!("somebody deletes its Job {}", name(order)))
        }
        None => Outcome::Running,
    })
}

fn failure(reason: &str, message: &str, order: &Order<'_>) -> String {
    if reason == "DeadlineExceeded" {
        return format!("it took longer than {} seconds", order.limit.as_secs());
    }
    let name = name(order);
    format!(
        "its Job {name} failed ({reason}: {message}); its last words: kubectl logs --namespace {} job/{name}",
        order.namespace
    )
}

fn labels(order: &Order<'_>) -> BTreeMap<String, String> {
    let all = [
        MANAGED_BY,
        ("drover.dev/plan", order.plan),
        ("drover.dev/run", &order.run.name),
        ("drover.dev/action", order.action),
    ];
    // A name may be longer than a label; the owner says it too.
    let fits = all.into_iter().filter(|(_, value)| value.len() <= LABEL);
    fits.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn environment(script: &ScriptAction, order: &Order<'_>) -> Vec<EnvVar> {
    let ours = [
        ("DROVER_IDEMPOTENCY_KEY".to_owned(), order.key.to_owned()),
        ("DROVER_CONTEXT".to_owned(), context(order.about)),
    ];
    let mut all = script.env.clone();
    all.extend(ours);
    let variable = |(name, value): (String, String)| EnvVar {
        name,
        // Kubernetes would expand `$(NAME)`; doubled it stays as it was written.
        value: Some(value.replace("$(", "$$(")),
        ..EnvVar::default()
    };
    all.into_iter().map(variable).collect()
}

/// What the run says of itself; of too many machines their number.
fn context(about: &Value) -> String {
    let whole = about.to_string();
    if whole.len() <= MOST_CONTEXT {
        return whole;
    }
    let mut about = about.clone();
    let machines = about["machines"].as_array().map_or(0, Vec::len);
    about["machines"] = json!([]);
    about["machinesLeftOut"] = machines.into();
    about.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(different: &Value) -> ScriptAction {
        let mut script =
            json!({"command": ["/bin/warm", "--up"], "image": "registry.example.com/warm:1"});
        let fields = script.as_object_mut().unwrap();
        fields.extend(different.as_object().unwrap().clone());
        serde_json::from_value(script).unwrap()
    }

    fn order(about: &Value) -> Order<'_> {
        Order {
            key: "uid/1/data/After/warm",
            epoch: 1,
            attempt: 1,
            namespace: "shop",
            run: OwnerReference {
                name: "shop-1".into(),
                ..OwnerReference::default()
            },
            plan: "shop",
            action: "warm",
            limit: Duration::from_mins(2),
            about,
        }
    }

    fn ended(kind: &str, reason: &str) -> Job {
        let mut job = build(&script(&json!({})), &order(&json!({}))).unwrap();
        let status = json!({"conditions": [
            {"type": "Suspended", "status": "False"},
            {"type": kind, "status": "True", "reason": reason, "message": "it is over"},
        ]});
        job.status = Some(serde_json::from_value(status).unwrap());
        job
    }

    #[test]
    fn an_attempt_has_one_name_and_another_attempt_has_another() {
        // SPEC: PL-4
        let about = json!({});
        let first = order(&about);
        assert_eq!(name(&first), name(&first.clone()));
        let second = Order {
            attempt: 2,
            ..first.clone()
        };
        let resumed = Order {
            epoch: 2,
            ..first.clone()
        };
        let names = [name(&first), name(&second), name(&resumed)];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
        let long = "a".repeat(100);
        let long = Order {
            action: &long,
            ..first
        };
        assert_eq!(name(&long).len(), LABEL);
    }

    #[test]
    fn the_attempt_before_is_known_by_its_name() {
        // SPEC: PL-4
        let about = json!({});
        let first = order(&about);
        assert!(former(&first).is_none());
        let second = Order {
            attempt: 2,
            ..first.clone()
        };
        assert_eq!(name(&former(&second).unwrap()), name(&first));
        assert!(is_over(&ended("Failed", "")) && is_over(&ended("Complete", "")));
        assert!(!is_over(&build(&script(&json!({})), &first).unwrap()));
    }

    #[test]
    fn a_job_has_no_identity_unless_it_is_given_one() {
        // SPEC: KU-3
        let about = json!({});
        let pod = |different: Value| {
            let job = build(&script(&different), &order(&about)).unwrap();
            job.spec.unwrap().template.spec.unwrap()
        };
        assert_eq!(pod(json!({})).automount_service_account_token, Some(false));
        let given = pod(json!({"serviceAccountName": "warmer"}));
        assert_eq!(given.automount_service_account_token, Some(true));
        assert_eq!(given.service_account_name.as_deref(), Some("warmer"));
    }

    #[test]
    fn a_script_reads_its_context_as_it_is() {
        // SPEC: PL-4
        let about = json!({"plan": "shop", "machines": [{"name": "$(HOME)"}]});
        let job = build(
            &script(&json!({"env": {"DROVER_CONTEXT": "mine"}})),
            &order(&about),
        )
        .unwrap();
        let pod = job.spec.unwrap().template.spec.unwrap();
        let all = pod.containers[0].env.clone().unwrap();
        let values = |name: &str| {
            let of_name = all.iter().filter(move |it| it.name == name);
            of_name
                .map(|it| it.value.clone().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(values("DROVER_IDEMPOTENCY_KEY"), ["uid/1/data/After/warm"]);
        assert_eq!(
            values("DROVER_CONTEXT"),
            [about.to_string().replace("$(", "$$(")]
        );
    }

    #[test]
    fn more_machines_than_a_variable_holds_are_counted() {
        let machine = json!({"name": "x".repeat(100)});
        let about = json!({"plan": "shop", "machines": vec![machine; 2000]});
        let told: Value = serde_json::from_str(&context(&about)).unwrap();
        assert_eq!(told["machinesLeftOut"], 2000);
        assert_eq!(told["plan"], "shop");
    }

    #[test]
    fn without_an_image_nothing_runs() {
        let mut bare = script(&json!({}));
        bare.image = None;
        let why = build(&bare, &order(&json!({}))).unwrap_err();
        assert!(why.contains("`image`"), "{why}");
    }

    #[test]
    fn a_job_says_how_it_ended() {
        // SPEC: PL-4
        let about = json!({});
        let order = order(&about);
        let judged = |job: &Job| judge(job, &order).unwrap();
        let fresh = build(&script(&json!({})), &order).unwrap();
        assert_eq!(judged(&fresh), Outcome::Running);
        assert_eq!(judged(&ended("Complete", "")), Outcome::Succeeded);
        let Outcome::Failed(why) = judged(&ended("Failed", "BackoffLimitExceeded")) else {
            panic!("it failed");
        };
        assert!(why.contains("BackoffLimitExceeded: it is over"), "{why}");
        assert!(
            why.contains("kubectl logs --namespace shop job/warm-"),
            "{why}"
        );
        assert_eq!(
            judged(&ended("Failed", "DeadlineExceeded")),
            Outcome::Failed("it took longer than 120 seconds".into())
        );
    }

    #[test]
    fn a_job_of_somebody_else_is_not_waited_for() {
        // SPEC: SA-7
        let mut job = ended("Complete", "");
        job.metadata.annotations = None;
        let why = judge(&job, &order(&json!({}))).unwrap_err();
        assert!(why.contains("did not make"), "{why}");
    }
}
