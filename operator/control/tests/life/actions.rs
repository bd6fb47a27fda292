//! What a plan does around its groups: programs that really run, calls, records, waits, and people.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::{Lab, MACHINES, Shop, shop};
use drover_api::{ActionRecord, ActionState, DecisionOutcome, RunPhase};
use drover_simulator::Latency;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The shop with one action after its databases.
fn after_data(action: &Value) -> Shop {
    shop().plan(&json!({"groups": [
        {"name": "data", "protectionGroups": ["data"], "after": [action]},
        {"name": "web", "protectionGroups": ["web"]},
    ]}))
}

/// A shell script that keeps what it has to say in a folder.
fn script(folder: &TempDir, text: &str) -> Value {
    let command = format!("cd {}\n{text}", folder.path().display());
    json!({"command": ["sh", "-c", command]})
}

async fn record(lab: &Lab, run: &str) -> ActionRecord {
    let status = lab.run(run).await.unwrap().status.unwrap();
    status.record.groups[0].after[0].clone()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn at(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

// Programs take real time, so these tests do too: nothing else in them takes any.

#[tokio::test]
async fn a_script_is_told_of_the_run_and_of_nothing_else() {
    // SPEC: PL-4, BI-3
    let folder = TempDir::new().unwrap();
    let mut lab = Lab::new(Latency::Zero).await;
    let mut told = script(&folder, "cat > told; env > env; echo fine >&2");
    told["env"] = json!({"COLOUR": "blue"});
    lab.protect(&after_data(&json!({"name": "tell", "script": told})))
        .await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let about: Value =
        serde_json::from_str(&fs::read_to_string(at(&folder, "told")).unwrap()).unwrap();
    assert_eq!(about["run"], "shop-1");
    assert_eq!(about["plan"], "shop");
    assert_eq!(about["kind"], "PlannedFailover");
    assert_eq!(about["direction"], "ToSecondary");
    assert_eq!(about["group"], "data");
    let machines = about["machines"].as_array().unwrap();
    assert_eq!(machines.len(), MACHINES.len());
    // Nothing of this process is handed on but the way to programs.
    let allowed = [
        "PATH",
        "COLOUR",
        "DROVER_IDEMPOTENCY_KEY",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for line in lines(&at(&folder, "env")) {
        let name = line.split('=').next().unwrap().to_owned();
        assert!(allowed.contains(&name.as_str()), "{name}");
    }
    let action = record(&lab, "shop-1").await;
    assert_eq!((action.state, action.attempts), (ActionState::Succeeded, 1));
    lab.sound();
}

#[tokio::test]
async fn a_script_that_fails_is_tried_again_under_the_same_key_and_then_halts_the_run() {
    // SPEC: PL-4, FO-2, BI-3
    let folder = TempDir::new().unwrap();
    let mut lab = Lab::new(Latency::Zero).await;
    let failing = script(
        &folder,
        "echo $DROVER_IDEMPOTENCY_KEY >> keys; test -e mended && exit 0
         head -c 100000 /dev/zero | tr '\\0' x >&2; exit 7",
    );
    let action = json!({"name": "try", "script": failing, "retries": 2});
    lab.protect(&after_data(&action)).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::Halted).await;
    let keys = lines(&at(&folder, "keys"));
    assert_eq!(keys.len(), 3);
    assert!(
        keys.iter()
            .all(|key| *key == keys[0] && key.ends_with("data/After/try"))
    );
    let action = record(&lab, "shop-1").await;
    assert_eq!((action.state, action.attempts), (ActionState::Failed, 3));
    let error = action.error.unwrap();
    assert!(error.contains("exit status: 7"), "{error}");
    assert!(error.len() <= 1024, "{} bytes", error.len());
    // The web server waits for what halted.
    assert_eq!(lab.serving("busan"), ["db-1", "db-2"]);

    fs::write(at(&folder, "mended"), "").unwrap();
    lab.decide("shop-1", "Resume").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let keys = lines(&at(&folder, "keys"));
    assert_eq!(keys.len(), 4);
    assert_eq!(keys[3], keys[0]);
    assert_eq!(record(&lab, "shop-1").await.state, ActionState::Succeeded);
    lab.sound();
}

#[tokio::test]
async fn a_script_that_takes_too_long_ends_with_all_that_it_started() {
    // SPEC: PL-4
    let folder = TempDir::new().unwrap();
    let mut lab = Lab::new(Latency::Zero).await;
    let hanging = script(&folder, "(sleep 3; echo late > late) & sleep 60");
    let action = json!({
        "name": "hang", "script": hanging, "timeout": "1s", "onFailure": "Continue",
    });
    lab.protect(&after_data(&action)).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    // That failure was allowed to be one: the run went on, and it is on record.
    let action = record(&lab, "shop-1").await;
    assert_eq!(action.state, ActionState::Failed);
    let error = action.error.unwrap();
    assert!(
        error.contains("longer than 1 s") || error.contains("too long"),
        "{error}"
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!at(&folder, "late").exists());
    lab.sound();
}

#[tokio::test]
async fn a_script_may_leave_something_running() {
    // SPEC: PL-4
    let folder = TempDir::new().unwrap();
    let mut lab = Lab::new(Latency::Zero).await;
    let leaving = script(&folder, "(sleep 2; echo late > late) & exit 0");
    let action = json!({"name": "leave", "script": leaving, "timeout": "1m"});
    lab.protect(&after_data(&action)).await;
    lab.set_active("secondary").await;
    let begun = std::time::Instant::now();
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert!(begun.elapsed() < Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(at(&folder, "late").exists());
}

#[tokio::test]
async fn what_is_rebuilt_from_another_point_is_worked_on_again() {
    // SPEC: PL-4, FO-5
    let folder = TempDir::new().unwrap();
    let mut lab = Lab::new(Latency::Zero).await;
    let counting = script(&folder, "echo $DROVER_IDEMPOTENCY_KEY >> keys");
    lab.protect(&after_data(&json!({"name": "count", "script": counting})))
        .await;
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let choice = json!({"action": "ChangePoint", "recoveryPoint": {"type": "Latest"}});
    lab.say("shop-1", "another", choice).await;
    assert_eq!(lab.answer("another").await.0, DecisionOutcome::Accepted);
    lab.until("it ran twice", async |_| {
        lines(&at(&folder, "keys")).len() == 2
    })
    .await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let keys = lines(&at(&folder, "keys"));
    assert_ne!(keys[0], keys[1]);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_person_approves_a_step() {
    // SPEC: PL-4, PL-10
    let mut lab = Lab::new(Latency::Zero).await;
    let manual = json!({"message": "Place a test order.", "approvals": 2});
    lab.protect(&after_data(&json!({"name": "order", "manual": manual})))
        .await;
    lab.set_active("secondary").await;
    lab.until("it waits for two people", async |lab| {
        let words = lab.words("shop-1").await;
        words.contains("step order needs 2 more approvals (group data)")
    })
    .await;
    let approve = |by: &str| json!({"action": "Approve", "by": by, "step": {"group": "data", "action": "order"}});
    lab.say("shop-1", "kim", approve("kim")).await;
    lab.say("shop-1", "kim-again", approve("kim")).await;
    let (outcome, why) = lab.answer("kim-again").await;
    assert_eq!(outcome, DecisionOutcome::Refused);
    assert!(why.contains("the same person"), "{why}");
    lab.pass(Duration::from_hours(1)).await;
    assert_eq!(lab.serving("busan"), ["db-1", "db-2"]);
    lab.say("shop-1", "lee", approve("lee")).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(record(&lab, "shop-1").await.approved_by, ["kim", "lee"]);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_wait_takes_its_time() {
    // SPEC: PL-4
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&after_data(
        &json!({"name": "settle", "wait": {"for": "10m"}}),
    ))
    .await;
    lab.set_active("secondary").await;
    lab.pass(Duration::from_mins(9)).await;
    assert_eq!(lab.serving("busan"), ["db-1", "db-2"]);
    lab.pass(Duration::from_mins(2)).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_called_until_it_answers_as_it_should() {
    // SPEC: PL-4
    let mut lab = Lab::new(Latency::Zero).await;
    let call = json!({"machine": "db-1", "port": 8008, "path": "/health", "expectStatus": 200});
    let action = json!({"name": "answers", "http": call, "retries": 1});
    lab.protect(&after_data(&action)).await;
    let (busan, db) = ("busan".parse().unwrap(), "db-1".parse().unwrap());
    lab.world.set_answer(&busan, &db, 8008, "/health", 503);
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::Halted).await;
    let action = record(&lab, "shop-1").await;
    assert_eq!(action.attempts, 2);
    assert!(
        action
            .error
            .unwrap()
            .contains("it answered 503 and not 200")
    );
    lab.world.set_answer(&busan, &db, 8008, "/health", 200);
    lab.decide("shop-1", "Resume").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn clients_follow_the_active_site_and_no_drill() {
    // SPEC: NM-6, PL-4
    let mut lab = Lab::new(Latency::Zero).await;
    let dns = json!({
        "record": "shop.example.com",
        "primary": ["203.0.113.10"],
        "secondary": ["198.51.100.10"],
        "rfc2136": {"server": "127.0.0.1:53", "zone": "example.com"},
    });
    lab.protect(&after_data(&json!({"name": "clients", "dns": dns})))
        .await;
    let pointed = |lab: &Lab| {
        let record = lab.world.record("shop.example.com");
        record.map(|record| record.addresses[0].to_string())
    };
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(pointed(&lab).as_deref(), Some("198.51.100.10"));
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    assert_eq!(pointed(&lab).as_deref(), Some("203.0.113.10"));
    assert_eq!(lab.world.record("shop.example.com").unwrap().changes, 2);
}
