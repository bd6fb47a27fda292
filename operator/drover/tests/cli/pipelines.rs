//! The jobs of `examples/ci` do what they say: their scripts are run, in a repository with a change, and with a
//! forge that is played by a folder.
//!
//! The forge's programs, `gh` and `curl`, are scripts here that take the same arguments; what a job asks of an
//! answer is asked with `jq`, as it is written there. That GitHub and GitLab are like that is not tested.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use drover_tests::manifests;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::{Repository, apply, base};
use crate::transcript::DROVER;

/// What both programs do once they know what is asked: `thread.json` holds the comments, `calls` what was asked,
/// and a file `refuses` lets the forge take nothing.
const FORGE: &str = r#"
forge() { # METHOD URL FILE
    echo "$1 $2" >> "$FORGE/calls"
    [ "$1" = GET ] || [ ! -e "$FORGE/refuses" ] || exit 22
    case $1 in
        GET) answer=. ;;
        POST) answer='. + [{ id: (map(.id) | max + 1), body: $body }]' ;;
        *) answer='map(if .id == ($id | tonumber) then .body = $body else . end)' ;;
    esac
    jq --arg id "${2##*/}" --rawfile body "${3:-/dev/null}" "$answer" "$FORGE/thread.json" > "$FORGE/new.json"
    mv "$FORGE/new.json" "$FORGE/thread.json"
}
"#;

const GH: &str = r#"
[ "$1" = api ] && [ -n "$GH_TOKEN" ] || exit 4
shift
method=GET filter=. file= url=
while [ $# -gt 0 ]; do
    case $1 in
        --paginate) ;;
        --method) method=$2; shift ;;
        --jq) filter=$2; shift ;;
        -F) file=${2#body=@}; shift ;;
        *) url=$1 ;;
    esac
    shift
done
forge "$method" "$url" "$file"
jq -r "$filter" "$FORGE/thread.json"
"#;

const CURL: &str = r#"
method=GET file= url= token=
while [ $# -gt 0 ]; do
    case $1 in
        --request) method=$2; shift ;;
        --header) token=${2#PRIVATE-TOKEN: }; shift ;;
        --data-urlencode) file=${2#body@}; shift ;;
        --fail|--silent|--show-error) ;;
        *) url=$1 ;;
    esac
    shift
done
[ -n "$token" ] || exit 22
forge "$method" "$url" "$file"
cat "$FORGE/thread.json"
"#;

/// A repository with a change in it, and a forge with somebody's comment on it.
struct Stage {
    repository: Repository,
    folder: TempDir,
}

impl Stage {
    /// A step of the history as the change, and the policy of the examples.
    fn new(step: &str) -> Self {
        let repository = base();
        let policy = example("drover-review.yml");
        repository.put(".drover-review.yaml", policy);
        repository.commit("main");
        repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
        repository.git(&["checkout", "-q", "-b", "change"]);
        let step = manifests::repository().join("tests/history").join(step);
        apply(&repository, &step.join("change.patch"));
        repository.git(&["commit", "-q", "-a", "-m", "change"]);
        let folder = tempfile::tempdir().unwrap();
        let stage = Self { repository, folder };
        fs::create_dir(stage.at("bin")).unwrap();
        symlink(DROVER, stage.at("bin/drover")).unwrap();
        for (name, script) in [("gh", GH), ("curl", CURL)] {
            let path = stage.at(&format!("bin/{name}"));
            fs::write(&path, format!("#!/bin/sh\nset -eu{FORGE}{script}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        stage.answer(&json!([{ "id": 1, "body": "Looks good to me." }]));
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn answer(&self, thread: &Value) {
        fs::write(self.at("thread.json"), thread.to_string()).unwrap();
    }

    fn thread(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.at("thread.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The change is pushed once more, with something else in it.
    fn push(&self, step: &str) {
        let step = manifests::repository().join("tests/history").join(step);
        apply(&self.repository, &step.join("change.patch"));
        self.repository.git(&["commit", "-q", "-a", "-m", "more"]);
    }

    /// A script as a runner runs it.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.at("bin").display());
        let mut command = Command::new("bash");
        command
            .args(["-eo", "pipefail", "-c", script])
            .current_dir(self.repository.path())
            .env("PATH", path)
            .env("FORGE", self.folder.path())
            .envs(variables.iter().copied());
        command.output().unwrap()
    }
}

fn example(name: &str) -> String {
    let path = manifests::repository().join("examples/ci").join(name);
    fs::read_to_string(path).unwrap()
}

/// A job: its scripts, each of which must end well for the next to run.
trait Job {
    /// How the job ends, and what was said.
    fn run(&self, stage: &Stage) -> Output;
}

/// The steps of the GitHub workflow after drover is there.
struct GitHub(Value);

impl Job for GitHub {
    fn run(&self, stage: &Stage) -> Output {
        let outputs = stage.at("outputs");
        fs::write(&outputs, "").unwrap();
        let mut last = None;
        for name in ["Review", "Comment", "Verdict"] {
            let steps = self.0["jobs"]["review"]["steps"].as_array().unwrap();
            let step = steps.iter().find(|step| step["name"] == name).unwrap();
            let known = |text: &str| {
                let status = fs::read_to_string(&outputs).unwrap();
                let status = status.trim().trim_start_matches("status=").to_owned();
                text.replace("${{ github.base_ref }}", "main")
                    .replace("${{ github.token }}", "token")
                    .replace("${{ github.repository }}", "shop/recovery")
                    .replace("${{ github.event.pull_request.number }}", "7")
                    .replace("${{ steps.review.outputs.status }}", &status)
            };
            let script = known(step["run"].as_str().unwrap());
            assert!(!script.contains("${{"), "{script}");
            let mut variables = vec![("GITHUB_OUTPUT".to_owned(), outputs.display().to_string())];
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                variables.push((name.clone(), known(value.as_str().unwrap())));
            }
            let variables: Vec<(&str, &str)> = variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let output = stage.run(&script, &variables);
            let ended = !output.status.success();
            last = Some(output);
            if ended {
                break;
            }
        }
        last.unwrap()
    }
}

/// The lines of the GitLab job, which are one script.
struct GitLab(Value);

impl Job for GitLab {
    fn run(&self, stage: &Stage) -> Output {
        let lines = self.0["recovery-review"]["script"].as_array().unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        let main = stage.repository.git(&["rev-parse", "main"]);
        let variables = [
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", main.trim()),
            ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
            ("CI_PROJECT_ID", "12"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("DROVER_TOKEN", "token"),
        ];
        stage.run(&lines.join("\n"), &variables)
    }
}

fn read(name: &str) -> Value {
    serde_yaml::from_str(&example(name)).unwrap()
}

fn jobs() -> [(&'static str, Box<dyn Job>); 2] {
    [
        ("GitHub", Box::new(GitHub(read("github-actions.yml")))),
        ("GitLab", Box::new(GitLab(read("gitlab-ci.yml")))),
    ]
}

fn ended_well(output: &Output, forge: &str) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{forge}: {complaint}");
}

#[test]
fn every_push_updates_one_comment() {
    // SPEC: RD-3
    for (forge, job) in jobs() {
        // given a change that starts a failover
        let stage = Stage::new("01-failover");
        // when its job runs first
        ended_well(&job.run(&stage), forge);
        // then there is one comment more
        let thread = stage.thread();
        assert_eq!(thread.len(), 2, "{forge}: {thread:?}");
        let body = thread[1]["body"].as_str().unwrap();
        assert!(
            body.starts_with("<!-- drover diff -->\n"),
            "{forge}: {body}"
        );
        assert!(
            body.contains("a planned failover of 8 machines starts"),
            "{forge}: {body}"
        );

        // when something is pushed
        stage.push("62-drills-suspended");
        ended_well(&job.run(&stage), forge);
        // then the same comment says it, and nobody else's changed
        let after = stage.thread();
        assert_eq!(after.len(), 2, "{forge}: {after:?}");
        assert_eq!(after[0], thread[0], "{forge}");
        assert_eq!(after[1]["id"], thread[1]["id"], "{forge}");
        assert_ne!(after[1]["body"], thread[1]["body"], "{forge}");
    }
}

#[test]
fn what_the_policy_does_not_allow_fails_once_the_comment_says_so() {
    // SPEC: RD-3
    for (forge, job) in jobs() {
        // given a change that the policy of the examples names
        let stage = Stage::new("56-commit-automatic");
        let output = job.run(&stage);
        assert!(!output.status.success(), "{forge}");
        let thread = stage.thread();
        let body = thread[1]["body"].as_str().unwrap();
        assert!(
            body.contains("The review policy does not allow this"),
            "{forge}: {body}"
        );
    }
}

#[test]
fn a_comment_that_cannot_be_written_fails_the_job() {
    // SPEC: RD-3
    for (forge, job) in jobs() {
        let stage = Stage::new("01-failover");
        fs::write(stage.at("refuses"), "").unwrap();
        let output = job.run(&stage);
        assert!(!output.status.success(), "{forge}");
        assert_eq!(stage.thread().len(), 1, "{forge}");
        let calls = fs::read_to_string(stage.at("calls")).unwrap();
        assert!(
            calls.lines().any(|call| call.starts_with("POST")),
            "{forge}: {calls}"
        );
    }
}

#[test]
fn code_scanning_is_told_what_matters_and_where() {
    // SPEC: RD-3
    // given a change that takes protection from machines, and brings an error
    let stage = Stage::new("20-protection-group-deleted");
    let said = |arguments: &str| {
        let script = format!("drover diff main change --format sarif {arguments} || test $? = 1");
        let output = stage.run(&script, &[]);
        ended_well(&output, &script);
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let one = |result: &Value| {
            let place = &result["locations"][0]["physicalLocation"];
            format!(
                "{} {} {}:{}",
                result["level"].as_str().unwrap(),
                result["ruleId"].as_str().unwrap(),
                place["artifactLocation"]["uri"].as_str().unwrap(),
                place["region"]["startLine"],
            )
        };
        results.iter().map(one).collect::<Vec<_>>()
    };
    // then the worst comes first, and what is gone is shown where its file begins
    let expected = [
        "error split-subnet plan.yaml:19",
        "warning protection-group-removed protection.yaml:1",
        "warning rto-changed plan.yaml:18",
        "note plan-group-removed plan.yaml:18",
        "note dependencies-changed plan.yaml:26",
    ];
    assert_eq!(said(""), expected);
    // and what the policy does not allow is an error
    let judged = said("--policy .drover-review.yaml");
    assert!(
        judged
            .iter()
            .any(|line| line.starts_with("error protection-group-removed")),
        "{judged:?}"
    );
}
