//! What `drover diff` is given, and what is wrong with it: revisions, folders, clones, foreign files.
//!
//! What is said word for word stands in `tests/history/inputs.txt`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use drover_tests::manifests;
use serde_json::Value;

use crate::history::{Repository, isolated, without_commits};
use crate::transcript::{compare, drover, record};

const SITE: &str = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: NAME }\n\
                    spec:\n  fabric: { simulator: {} }\n  tenants: [{ namespaceSelector: {}, \
                    inventorySelector: {} }]\n";

fn site(name: &str) -> String {
    SITE.replace("NAME", name)
}

/// A template of a chart, which is no YAML before it is rendered.
const WEB: &str = "{{- if .Values.web }}\napiVersion: apps/v1\nkind: Deployment\n{{- end }}\n";

/// Two commits on `main`: a site, and another one beside it, on a branch `other`.
fn two_sites() -> Repository {
    let repository = Repository::new();
    repository.put("sites/seoul.yaml", site("seoul"));
    repository.commit("main");
    repository.git(&["checkout", "-q", "-b", "work"]);
    repository.put("sites/busan.yaml", site("busan"));
    repository.commit("other");
    repository
}

/// A transcript of some commands, each in its folder.
struct Script(String);

impl Script {
    fn about(&mut self, what: &str) -> &mut Self {
        let _ = write!(self.0, "# {what}\n\n");
        self
    }

    fn run(&mut self, typed: &str, folder: &Path) -> &mut Self {
        let said = without_commits(&record(typed, folder));
        let said = said.replace(folder.to_str().unwrap(), "FOLDER");
        self.0.push_str(&said);
        self.0.push('\n');
        self
    }
}

#[test]
fn what_is_said_of_bad_input() {
    // SPEC: BI-1, RD-3
    let mut script = Script(String::new());
    names(&mut script);
    texts(&mut script);
    clones(&mut script);
    policies(&mut script);
    let kept = manifests::repository().join("tests/history/inputs.txt");
    let old = fs::read_to_string(&kept).unwrap_or_default();
    compare(&kept, &old, script.0.trim_end_matches('\n'));
}

fn names(script: &mut Script) {
    let repository = two_sites();
    let at = repository.path();
    script
        .about("Revisions, ranges, folders, and what is none of them.")
        .run("drover diff main", at)
        .run("drover diff main..other", at)
        .run("drover diff main...other", at)
        .run("drover diff main other -- sites/seoul.yaml", at)
        .run("drover diff main", &at.join("sites"))
        .run("drover diff nowhere", at)
        .run("drover diff main nowhere", at)
        .run("drover diff main -- ../elsewhere", at)
        .run("drover diff - main", at)
        .run("drover diff sites", at)
        .run("drover diff ./nowhere sites", at);
    repository.git(&["branch", "sites", "main"]);
    script
        .about("A branch and a folder of one name.")
        .run("drover diff sites", at)
        .run("drover diff refs/heads/sites", at);

    let folders = tempfile::tempdir().unwrap();
    fs::create_dir_all(folders.path().join("old")).unwrap();
    fs::create_dir_all(folders.path().join("new")).unwrap();
    fs::write(folders.path().join("old/a.yaml"), site("seoul")).unwrap();
    fs::write(folders.path().join("new/b.yaml"), site("seoul")).unwrap();
    fs::write(folders.path().join("in.yaml"), site("busan")).unwrap();
    fs::write(folders.path().join("empty.yaml"), "---\n# nothing\n").unwrap();
    script
        .about("Without git.")
        .run("drover diff old new", folders.path())
        .run("drover diff main", folders.path())
        .run("drover diff old - < in.yaml", folders.path())
        .run("drover diff old - < empty.yaml", folders.path())
        .run("drover validate old - < empty.yaml", folders.path())
        .run("drover diff old/a.yaml in.yaml --text-diff", folders.path());
}

fn texts(script: &mut Script) {
    let repository = two_sites();
    let at = repository.path();
    repository.put("sites/busan.yaml", "kind: [");
    repository.commit("broken");
    repository.git(&["checkout", "-q", "-f", "other"]);
    script
        .about("A side that does not parse.")
        .run("drover diff other broken", at)
        .run("drover diff broken other", at)
        .run("drover diff --format markdown other broken", at)
        .run("drover diff --format sarif other broken", at)
        .run("drover diff broken broken", at);

    let repository = two_sites();
    let at = repository.path();
    repository.put("sites/picture.yaml", [0xff, 0xfe, 0x00, 0x01]);
    repository.put("chart/values.yaml", "replicas: 3\n");
    repository.put(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: { name: x }\nstringData: { a: b }\n",
    );
    repository.commit("binary");
    script
        .about("Files of others: one that is no text, and three that are no YAML.")
        .run("drover diff other binary", at);
    repository.put("chart/templates/web.yaml", WEB);
    repository.put("playbooks/web.yml", "- hosts: all\n\ttasks: []\n");
    repository.put("other/broken.json", "{ \"a\": [1, ");
    repository.commit("foreign");
    script
        .run("drover diff other foreign", at)
        .run("drover validate .", at)
        .run("drover validate chart", at)
        .run("drover validate playbooks/web.yml", at);
    repository.put(
        "chart/templates/site.yaml",
        WEB.replace("apps/v1", "drover.dev/v1alpha1"),
    );
    repository.commit("template");
    script
        .about("A template of ours.")
        .run("drover diff other template", at)
        .run("drover validate chart", at);
    let repository = Repository::new();
    repository.put("values.yaml", "replicas: 3\n");
    repository.commit("main");
    script
        .about("Nothing of Drover's.")
        .run("drover diff main", repository.path());
}

fn clones(script: &mut Script) {
    let source = two_sites();
    let folder = tempfile::tempdir().unwrap();
    let clone = |arguments: &[&str], name: &str| {
        let mut command = Command::new("git");
        command
            .args(["clone", "-q"])
            .args(arguments)
            .arg(format!("file://{}", source.path().display()));
        command.arg(folder.path().join(name));
        assert!(isolated(&mut command).output().unwrap().status.success());
    };
    clone(&["--depth", "1", "--branch", "other"], "shallow");
    let shallow = folder.path().join("shallow");
    script
        .about("A shallow clone.")
        .run("drover diff HEAD~1", &shallow)
        .run("drover diff origin/main...HEAD", &shallow);
    clone(&["--bare"], "bare");
    let bare = folder.path().join("bare");
    script
        .about("A bare repository has no work tree, and two revisions.")
        .run("drover diff main", &bare)
        .run("drover diff main other", &bare);

    let long = folder.path().join("long");
    let mut command = Command::new("git");
    command.args(["init", "-q", "--object-format=sha256"]);
    let made = isolated(command.arg(&long)).status().unwrap();
    assert!(made.success());
    fs::create_dir_all(folder.path().join("before")).unwrap();
    fs::write(folder.path().join("before/site.yaml"), site("seoul")).unwrap();
    fs::write(long.join("site.yaml"), site("busan")).unwrap();
    script
        .about("A repository that names objects by SHA-256.")
        .run("drover diff main", &long)
        .run("drover diff ../before/ ./", &long);

    let repository = two_sites();
    let at = repository.path();
    symlink("seoul.yaml", at.join("sites/again.yaml")).unwrap();
    symlink("/etc", at.join("sites/etc")).unwrap();
    symlink("busan.yaml", at.join("sites/notes.txt")).unwrap();
    let commit = repository.git(&["rev-parse", "main"]);
    let module = format!("160000,{},vendor/module", commit.trim());
    repository.git(&["update-index", "--add", "--cacheinfo", &module]);
    repository.git(&["add", "sites"]);
    repository.git(&["commit", "-q", "-m", "links"]);
    script
        .about("Links and submodules.")
        .run("drover diff main HEAD -- sites/etc vendor", at)
        .run("drover diff other HEAD", at);
}

fn policies(script: &mut Script) {
    let repository = two_sites();
    let at = repository.path();
    repository.put("policy.yml", "fail: [object-added]\n");
    repository.put("allowing.yml", "fail: [Harmless]\nallow: [object-added]\n");
    repository.put("misspelt.yml", "fail: [LosesProtecton]\n");
    repository.put("other.yml", "rules: []\n");
    script
        .about("What a policy does not allow.")
        .run("drover diff --policy policy.yml main other", at)
        .run("drover diff --policy allowing.yml main other", at)
        .run("drover diff --fail-on harmless main other", at)
        .run("drover diff --fail-on WouldRun main other", at)
        .run("drover diff --policy misspelt.yml main other", at)
        .run("drover diff --policy other.yml main other", at)
        .run("drover diff --policy nowhere.yml main other", at)
        .run("drover diff --fail-on nothing main other", at);
}

#[test]
fn of_the_work_tree_counts_what_git_does_not_ignore() {
    // SPEC: RD-3
    // given rendered manifests in an ignored folder, one of which was added all the same, and a new one
    let repository = two_sites();
    repository.put(".gitignore", "out/\n*.tmp.yaml\n");
    repository.put("out/kept.yaml", site("kept"));
    repository.git(&["add", "--force", "out/kept.yaml", ".gitignore"]);
    repository.commit("kept");
    repository.put("out/kept.yaml", site("renamed"));
    repository.put("out/rendered.yaml", site("rendered"));
    repository.put("sites/scratch.tmp.yaml", site("scratch"));
    repository.put("sites/new.yaml", site("new"));
    // when
    let report = report(&repository, &["kept"]);
    // then
    let meanings = report["meanings"].as_array().unwrap().iter();
    let names = meanings.map(|each| each["object"]["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["new", "renamed"]);
}

fn report(repository: &Repository, sides: &[&str]) -> Value {
    let mut command = drover(repository.path());
    command.args(["diff", "-o", "json"]).args(sides);
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

#[test]
fn a_damaged_repository_is_called_so() {
    // SPEC: RD-3, BI-1
    // given all objects in a pack that ends too early, as a disk that filled up leaves it
    let repository = two_sites();
    repository.git(&["repack", "-adq"]);
    let packs = fs::read_dir(repository.path().join(".git/objects/pack")).unwrap();
    let mut packs = packs.map(|entry| entry.unwrap().path());
    let pack = packs.find(|path| path.extension().is_some_and(|end| end == "pack"));
    let pack = pack.unwrap();
    let bytes = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    fs::write(&pack, &bytes[..10]).unwrap();
    for name in ["main", "main~1"] {
        // when
        let mut command = drover(repository.path());
        let output = command.args(["diff", name, "other"]).output().unwrap();
        // then it is not the name that is wrong
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(talk.contains("the repository is damaged"), "{talk}");
        assert!(talk.contains("git fsck"), "{talk}");
    }
    // and a name that nobody gave is still just that
    let mut command = drover(repository.path());
    let output = command.args(["diff", "nowhere", "other"]).output().unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("there is no revision nowhere"), "{talk}");
}

#[test]
fn an_index_that_was_cut_off_is_an_error_with_a_way_out() {
    // SPEC: RD-3, BI-1
    let repository = two_sites();
    let index = repository.path().join(".git/index");
    let whole = fs::read(&index).unwrap();
    for left in [0, 3, 12, 31, 40] {
        // given what a power loss leaves
        fs::write(&index, &whole[..left]).unwrap();
        // when
        let mut command = drover(repository.path());
        let output = command.args(["diff", "main"]).output().unwrap();
        // then
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{left}: {talk}");
        assert!(talk.contains("git reset"), "{left}: {talk}");
    }
    // and two revisions need none
    let mut command = drover(repository.path());
    let output = command.args(["diff", "main", "other"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn other_peoples_manifests_are_counted_and_no_more() {
    // SPEC: RD-3, BI-1: ten megabytes of them
    let repository = two_sites();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: big }\ndata:\n";
    let filler = "  key: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n";
    let text = format!("{map}{filler}");
    let document = format!("{text}---\n").repeat(10_000_000 / text.len());
    repository.put("big.yaml", document);
    repository.commit("big");
    let report = report(&repository, &["main", "big"]);
    assert_eq!(report["kind"], "ReviewReport");
    assert!(report["summary"]["ignored"].as_u64().unwrap() > 50_000);
    assert_eq!(report["summary"]["files"], 1);
    assert_eq!(report["summary"]["otherFiles"], 1);
    assert_eq!(report["meanings"][0]["code"], "object-added");
    assert_eq!(report["meanings"][0]["place"]["file"], "sites/busan.yaml");
}

#[test]
fn a_secret_of_somebody_is_not_shown() {
    // SPEC: BI-3
    let repository = two_sites();
    let secret =
        "---\napiVersion: v1\nkind: Secret\nmetadata: { name: x }\nstringData: { a: hunter2 }\n";
    repository.put("sites/busan.yaml", format!("{}{secret}", site("busan")));
    repository.put("other.yaml", secret);
    repository.commit("secret");
    let mut command = drover(repository.path());
    let arguments = ["diff", "--text-diff", "main", "secret"];
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        !text.contains("hunter2") && text.contains("it may hold a secret"),
        "{text}"
    );
}

#[test]
fn a_comment_is_never_longer_than_a_forge_takes() {
    // SPEC: RD-3
    let repository = Repository::new();
    repository.put(
        "sites.yaml",
        format!("{}---\n{}", site("seoul"), site("busan")),
    );
    repository.commit("main");
    let policies = (0..2_000).map(|number| {
        format!(
            "apiVersion: drover.dev/v1alpha1\nkind: ReplicationPolicy\nmetadata: {{ name: policy-{number}, \
             namespace: shop }}\nspec: {{ replicator: {{ simulator: {{}} }} }}\n---\n"
        )
    });
    repository.put("policies.yaml", policies.collect::<String>());
    repository.commit("many");
    let mut command = drover(repository.path());
    let arguments = [
        "diff",
        "--format",
        "markdown",
        "--text-diff",
        "main",
        "many",
    ];
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("had no room here"), "{text}");
    assert_eq!(
        text.matches("<details>").count(),
        text.matches("</details>").count()
    );
}

/// What drover says of standard input against `main`.
fn against_main(repository: &Repository, text: &str, arguments: &[&str]) -> Output {
    let mut command = drover(repository.path());
    command
        .args(["diff", "main", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

#[test]
fn standard_input_is_a_head() {
    // SPEC: RD-3
    let output = against_main(&two_sites(), &site("incheon"), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Site incheon"), "{text}");
}

#[test]
fn what_a_generator_renders_is_read_for_what_it_says() {
    // SPEC: RD-3, BI-1
    let service = "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: {}\n";
    // given what Helm writes: a comment before each document, empty ones, other kinds between
    let helm = format!(
        "---\n# Source: shop/templates/service.yaml\n{service}---\n# Source: shop/templates/empty.yaml\n\n\
         ---\n# Source: shop/templates/site.yaml\n{}",
        site("seoul")
    );
    // and what Kustomize does: fields in the order of the alphabet, without comments
    let kustomize = format!(
        "{service}---\napiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata:\n  name: seoul\nspec:\n  \
         fabric:\n    simulator: {{}}\n  tenants:\n  - inventorySelector: {{}}\n    \
         namespaceSelector: {{}}\n"
    );
    for rendered in [helm, kustomize] {
        let output = against_main(&two_sites(), &rendered, &["--", "sites/seoul.yaml"]);
        // then it is the site that was there
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "", "{rendered}");
        let talk = String::from_utf8(output.stderr).unwrap();
        let words: Vec<&str> = talk.split_whitespace().collect();
        let talk = words.join(" ");
        assert!(talk.contains("1 object of other tools ignored"), "{talk}");
        assert_eq!(output.status.code(), Some(0), "{talk}");
    }
}
