//! The examples that people start from: each is loaded, checked and planned both ways, and what each
//! pair of sites can do is what the table of the specification says.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use drover_api::{
    Object,
    common::{Direction, FailoverType, SiteRole, SourceStop},
};
use drover_engine::{
    check::{self, check},
    declared::Declared,
    members::declared_inventories,
    plan::{Authority, Intent, Places, Planner, Records, Verdict},
    problem::Severity,
};
use drover_manifest::{Options, Registry, Renderer, Source, drover_kinds, load};
use drover_tests::manifests::{self, Document};
use drover_world::PlanId;
use serde_json::{Value, json};

/// Before anything in the examples expires.
const NOW: &str = "2026-06-01T00:00:00Z";

/// What the checker warns of, folder by folder: nothing else, and in no other folder. Each is inherent
/// to the pair, and says what its example is there to show.
const WARNINGS: &[(&str, &[&str])] = &[
    // SPEC: FO-5, SA-6
    (
        "pairs/hyperv-san",
        &["commits-at-once RecoveryPlan/ledger spec.commit"],
    ),
    // SPEC: FB-8
    (
        "pairs/physical-to-azure",
        &["cannot-fail-back ProtectionGroup/historian spec.policyRef.name"],
    ),
];

/// Whether a drill, a planned and an unplanned failover are possible.
type Able = [bool; 3];

const ALL: Able = [true, true, true];
const NO_PLANNED: Able = [true, false, true];
const ONLY_PLANNED: Able = [false, true, false];
const ONLY_UNPLANNED: Able = [false, false, true];
const NOTHING: Able = [false, false, false];

/// A row of the specification's table, and of what FB-0 adds to it.
struct Row {
    /// The folder.
    pair: &'static str,
    to_secondary: Able,
    to_primary: Able,
    /// How the way back begins after a failover to the secondary site, and after one to the primary.
    way_back: [&'static str; 2],
}

const fn row(
    pair: &'static str,
    to_secondary: Able,
    to_primary: Able,
    way_back: [&'static str; 2],
) -> Row {
    Row {
        pair,
        to_secondary,
        to_primary,
        way_back,
    }
}

const AFTER_COMMIT: &str = "AfterCommit";
const ON_REPROTECT: &str = "OnReprotect";
const WITHIN_FAILBACK: &str = "WithinFailback";
const ANY: &str = "AfterCommit, OnReprotect or WithinFailback";

/// Written from the specification, not from the code.
// SPEC: FO (direction table), FB-0
const TABLE: &[Row] = &[
    row("vmm-to-vmm", ALL, ALL, [AFTER_COMMIT, AFTER_COMMIT]),
    row(
        "vmm-to-azure",
        ALL,
        ONLY_PLANNED,
        [WITHIN_FAILBACK, ON_REPROTECT],
    ),
    row(
        "hyperv-to-azure",
        ALL,
        ONLY_PLANNED,
        [WITHIN_FAILBACK, ON_REPROTECT],
    ),
    row(
        "vmware-to-azure",
        NO_PLANNED,
        ONLY_UNPLANNED,
        [ON_REPROTECT, ON_REPROTECT],
    ),
    // What comes back is a virtual machine, at a site of another kind (FB-8).
    row(
        "physical-to-azure",
        NO_PLANNED,
        NOTHING,
        [ON_REPROTECT, "none"],
    ),
    row(
        "azure-to-azure",
        NO_PLANNED,
        NO_PLANNED,
        [ON_REPROTECT, ON_REPROTECT],
    ),
    row("hyperv-san", ALL, ALL, [AFTER_COMMIT, AFTER_COMMIT]),
    // "As the driver declares": this is what is known without asking one.
    row(
        "vmware-to-site",
        NO_PLANNED,
        NO_PLANNED,
        [ON_REPROTECT, ON_REPROTECT],
    ),
    row("libvirt-to-libvirt", ALL, ALL, [AFTER_COMMIT, AFTER_COMMIT]),
    row("simulator", ALL, ALL, [ANY, ANY]),
];

impl Row {
    fn able(&self, direction: Direction) -> Able {
        match direction {
            Direction::ToSecondary => self.to_secondary,
            Direction::ToPrimary => self.to_primary,
        }
    }

    /// Its examples: between real fabrics and between simulated ones.
    fn examples(&self) -> Vec<&'static Example> {
        let ours = format!("pairs/{}/", self.pair);
        let all = EXAMPLES.iter();
        let found: Vec<_> = all
            .filter(|example| example.name.starts_with(&ours))
            .collect();
        assert!(!found.is_empty(), "{ours}");
        found
    }
}

/// All examples, loaded once: compiling the schemas takes longer than all the rest.
static EXAMPLES: LazyLock<Vec<Example>> = LazyLock::new(|| {
    let kinds = drover_kinds();
    folders()
        .iter()
        .map(|folder| Example::load(folder, &kinds))
        .collect()
});

const DIRECTIONS: [Direction; 2] = [Direction::ToSecondary, Direction::ToPrimary];
const TYPES: [FailoverType; 2] = [FailoverType::Planned, FailoverType::Unplanned];

fn field(direction: Direction) -> &'static str {
    match direction {
        Direction::ToSecondary => "toSecondary",
        Direction::ToPrimary => "toPrimary",
    }
}

fn intent(direction: Direction, kind: FailoverType) -> Intent {
    match kind {
        FailoverType::Planned => Intent::planned(direction.target()),
        FailoverType::Unplanned => Intent::unplanned(direction.target(), SourceStop::Required),
    }
}

fn examples() -> PathBuf {
    manifests::repository().join("examples")
}

/// The folders that hold manifests, but for the large estate, which is generated and measured. Policies
/// are no manifests.
fn folders() -> BTreeSet<PathBuf> {
    let files = manifests::files(&examples()).unwrap();
    let folders = files.iter().filter_map(|file| file.parent());
    folders
        .filter(|folder| !folder.ends_with("large") && !folder.ends_with("policies"))
        .map(Path::to_owned)
        .collect()
}

/// What one folder declares.
#[derive(Clone)]
struct Example {
    /// The folder, below `examples/`.
    name: String,
    objects: Vec<Object>,
}

impl Example {
    /// Reads a folder as the command line does: there may be nothing to say about it.
    fn load(folder: &Path, kinds: &Registry<Object>) -> Self {
        let name = folder.strip_prefix(examples()).unwrap();
        let files = manifests::files(folder).unwrap();
        let texts: Vec<(String, String)> = files
            .iter()
            .map(|file| (file.display().to_string(), manifests::read(file).unwrap()))
            .collect();
        let sources: Vec<Source<'_>> = texts
            .iter()
            .map(|(name, text)| Source {
                name,
                text: text.as_bytes(),
            })
            .collect();
        let loaded = load(&sources, kinds, &Options::default());
        let told = Renderer::plain().render_all(&loaded.diagnostics, &sources);
        assert!(loaded.diagnostics.is_empty(), "{told}");
        Self {
            name: name.display().to_string(),
            objects: loaded
                .objects
                .into_iter()
                .map(|declared| declared.object)
                .collect(),
        }
    }

    /// Everything that the checker says, as `severity code kind/name field`.
    fn problems(&self) -> Vec<String> {
        let declared = Declared::new(&self.objects);
        let options = check::Options {
            now: Some(NOW.parse().unwrap()),
            ..check::Options::default()
        };
        let problems = check(&declared, &declared_inventories(&declared), &options);
        problems
            .iter()
            .map(|problem| {
                let object = &self.objects[problem.object];
                let severity = match problem.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                };
                format!(
                    "{severity} {} {}/{} {}",
                    problem.code,
                    object.kind(),
                    object.name(),
                    problem.path
                )
            })
            .collect()
    }

    /// Whether the checker refuses something with this code.
    fn is_refused(&self, code: &str) -> bool {
        let start = format!("error {code} ");
        self.problems()
            .iter()
            .any(|problem| problem.starts_with(&start))
    }

    fn with_planner<T>(&self, read: impl FnOnce(&Planner<'_>) -> T) -> T {
        let declared = Declared::new(&self.objects);
        read(&Planner {
            declared: &declared,
            inventories: &declared_inventories(&declared),
            records: &Records::NONE,
            places: &Places::NONE,
            now: Some(NOW.parse().unwrap()),
        })
    }

    /// The plans that own their machines or only drill.
    fn plans(&self) -> Vec<PlanId> {
        let plans = self.objects.iter().filter_map(|object| match object {
            Object::RecoveryPlan(plan) => Some(plan),
            _ => None,
        });
        plans
            .map(|plan| PlanId {
                namespace: plan.metadata.namespace.as_deref().unwrap().parse().unwrap(),
                name: plan.metadata.name.as_deref().unwrap().parse().unwrap(),
            })
            .collect()
    }

    /// The same with the objects of a kind changed.
    fn change(&self, kind: &str, change: impl Fn(&mut Value)) -> Self {
        let mut changed = self.clone();
        for object in changed
            .objects
            .iter_mut()
            .filter(|object| object.kind() == kind)
        {
            let mut value = serde_json::to_value(&*object).unwrap();
            change(&mut value);
            *object = read(kind, value);
        }
        changed
    }

    /// The same with one more object.
    fn add(&self, value: Value) -> Self {
        let mut more = self.clone();
        let kind = value["kind"].as_str().unwrap().to_owned();
        more.objects.push(read(&kind, value));
        more
    }
}

fn read(kind: &str, value: Value) -> Object {
    Object::deserialize_kind(kind, value).unwrap().unwrap()
}

#[test]
fn every_example_is_right() {
    // SPEC: BI-1, RD-3
    for example in EXAMPLES.iter() {
        let expected = WARNINGS
            .iter()
            .find(|(folder, _)| example.name.starts_with(folder))
            .map_or(&[] as &[&str], |(_, warnings)| warnings);
        let expected: Vec<String> = expected
            .iter()
            .map(|warning| format!("warning {warning}"))
            .collect();
        assert_eq!(example.problems(), expected, "{}", example.name);
    }
}

#[test]
fn every_example_can_be_planned_both_ways() {
    // SPEC: PL-5
    for example in EXAMPLES.iter() {
        assert!(!example.plans().is_empty(), "{}", example.name);
        for plan in example.plans() {
            example.with_planner(|planner| {
                for intent in DIRECTIONS
                    .map(|way| TYPES.map(|kind| intent(way, kind)))
                    .concat()
                {
                    let report = planner.plan(&plan, intent).unwrap();
                    assert!(report.machines > 0, "{plan}: {intent:?}");
                    assert_eq!(
                        planner.plan(&plan, intent).unwrap(),
                        report,
                        "planned again"
                    );
                }
            });
        }
    }
}

#[test]
fn a_changed_line_starts_what_the_standing_rules_say() {
    // SPEC: PL-8, PL-9
    for example in EXAMPLES.iter() {
        let away = example.change("RecoveryPlan", |plan| {
            plan["spec"]["activeSite"] = json!("secondary");
        });
        for plan in example.plans() {
            let outlook = |example: &Example, actual| {
                example.with_planner(|planner| planner.outlook(&plan, Some(actual)).unwrap())
            };
            // Nothing happens as it stands,
            assert_eq!(outlook(example, SiteRole::Primary).would_run(), None);
            // the line starts a failover, by the rule that the example writes down,
            let out = outlook(&away, SiteRole::Primary);
            assert!(
                matches!(
                    out.verdict,
                    Verdict::Run {
                        by: Authority::StandingRule,
                        ..
                    }
                ),
                "{}: {out:?}",
                example.name
            );
            // and changing it back a failback, where the machines can come back.
            let home = outlook(example, SiteRole::Secondary).would_run();
            let returns = !example.name.contains("physical");
            assert_eq!(
                home.map(|(direction, _)| direction),
                returns.then_some(Direction::ToPrimary),
                "{}",
                example.name
            );
        }
    }
}

#[test]
fn every_pair_has_an_example() {
    let rows: BTreeSet<&str> = TABLE.iter().map(|row| row.pair).collect();
    let folders = folders();
    let found: BTreeSet<&str> = folders
        .iter()
        .filter_map(|folder| {
            folder
                .strip_prefix(examples().join("pairs"))
                .ok()?
                .iter()
                .next()
        })
        .map(|name| name.to_str().unwrap())
        .collect();
    assert_eq!(found, rows);
}

#[test]
fn the_planner_refuses_what_the_table_forbids_and_nothing_else() {
    // SPEC: FO (direction table), PR-9, FB-8
    for row in TABLE {
        for example in row.examples() {
            for (direction, (position, kind)) in DIRECTIONS
                .into_iter()
                .flat_map(|way| (1..).zip(TYPES).map(move |kind| (way, kind)))
            {
                let able = row.able(direction)[position];
                for plan in example.plans() {
                    let report = example
                        .with_planner(|planner| planner.plan(&plan, intent(direction, kind)))
                        .unwrap();
                    let name = format!("{}: {direction:?} {kind:?}", example.name);
                    assert_eq!(
                        report.refusals.is_empty(),
                        able,
                        "{name}: {:?}",
                        report.refusals
                    );
                }
            }
        }
    }
}

#[test]
fn the_checker_refuses_what_the_table_forbids_and_nothing_else() {
    // SPEC: FO (direction table), FB-8
    for row in TABLE {
        for example in row.examples() {
            for direction in DIRECTIONS {
                let able = row.able(direction);
                for (possible, kind) in [(able[1], "Planned"), (able[2], "Unplanned")] {
                    let ruled = example.change("RecoveryPlan", |plan| {
                        plan["spec"]["failover"][field(direction)] = json!({ "type": kind });
                    });
                    let name = format!("{}: {direction:?} {kind}", example.name);
                    assert_eq!(
                        is_refused(&ruled, able),
                        !possible,
                        "{name}: {:?}",
                        ruled.problems()
                    );
                }
            }
        }
    }
}

/// Where nothing is possible, a plan that speaks of it is refused for that.
fn is_refused(example: &Example, able: Able) -> bool {
    let impossible = example.is_refused("failback-impossible");
    assert_eq!(impossible, able == NOTHING, "{}", example.name);
    impossible || example.is_refused("unsupported-failover-type")
}

#[test]
fn drills_are_refused_where_the_table_forbids_them() {
    // SPEC: FO (direction table), FO-1
    for row in TABLE {
        for example in row.examples() {
            for direction in DIRECTIONS {
                let plan = &example.plans()[0];
                let drilled = example.add(json!({
                    "apiVersion": "drover.dev/v1alpha1",
                    "kind": "RecoveryDrill",
                    "metadata": { "name": "rehearsal", "namespace": plan.namespace.as_str() },
                    "spec": { "planRef": { "name": plan.name.as_str() }, "direction": direction },
                }));
                let [possible, ..] = row.able(direction);
                let name = format!("{}: {direction:?}", example.name);
                assert_eq!(drilled.is_refused("drill-unsupported"), !possible, "{name}");
                // What is possible is also prepared: there are isolated networks for it.
                assert!(!drilled.is_refused("test-network-missing"), "{name}");
            }
        }
    }
}

#[test]
fn only_a_failback_that_synchronises_is_told_how() {
    // SPEC: FB-0, FB-3
    for row in TABLE {
        for example in row.examples() {
            let mut policies = example.objects.iter();
            let has_policy = policies.any(|object| object.kind() == "FailbackPolicy");
            assert_eq!(has_policy, row.to_primary != NOTHING, "{}", example.name);
            let told = example.change("FailbackPolicy", |policy| {
                policy["spec"]["dataSync"] = json!("DeltaBeforeFailover");
            });
            let within = row.way_back[0].contains(WITHIN_FAILBACK);
            let refused = has_policy && !within;
            assert_eq!(
                told.is_refused("data-sync-refused"),
                refused,
                "{}",
                example.name
            );
        }
    }
}

#[test]
fn the_words_at_the_head_of_each_example_are_those_of_the_table() {
    // SPEC: FO (direction table), FB-0
    for row in TABLE {
        for example in row.examples() {
            let path = examples().join(&example.name).join("plan.yaml");
            let text = manifests::read(&path).unwrap();
            for (direction, way_back) in DIRECTIONS.into_iter().zip(row.way_back) {
                let word = |able| if able { "yes" } else { "no" };
                let [drill, planned, unplanned] = row.able(direction).map(word);
                let line = format!(
                    "# {:<14} {drill:<6} {planned:<9} {unplanned:<11} {way_back}",
                    field(direction)
                );
                assert!(
                    text.lines().any(|found| found == line),
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_overview_of_the_pairs_is_the_table() {
    // SPEC: FO (direction table)
    let text = manifests::read(&examples().join("pairs/README.md")).unwrap();
    let found: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ["))
        .collect();
    let words = |able: Able| match able {
        ALL => "all three".to_owned(),
        NOTHING => "nothing".to_owned(),
        _ => {
            let words = ["test", "planned", "unplanned"].into_iter().zip(able);
            let words: Vec<&str> = words
                .filter_map(|(word, able)| able.then_some(word))
                .collect();
            words.join(", ")
        }
    };
    let made: Vec<String> = TABLE
        .iter()
        .map(|row| {
            let [pair, out, home] = [
                row.pair.to_owned(),
                words(row.to_secondary),
                words(row.to_primary),
            ];
            let way_back = match row.way_back[0] {
                ANY => "any of them",
                way => way,
            };
            format!("| [{pair}]({pair}) | {out} | {home} | {way_back} |")
        })
        .collect();
    assert_eq!(found, made);
}

#[test]
fn a_simulated_pair_differs_in_its_fabric_alone() {
    for row in TABLE {
        let pair = examples().join("pairs").join(row.pair);
        let [real, simulated] = ["real", "simulated"].map(|side| pair.join(side));
        if !real.is_dir() {
            continue;
        }
        assert_eq!(
            manifests::read(&real.join("plan.yaml")).unwrap(),
            manifests::read(&simulated.join("plan.yaml")).unwrap(),
            "{}",
            row.pair
        );
        let specs = |folder: &Path| {
            let mut specs = specs(&folder.join("fabric.yaml"));
            for ((kind, ..), spec) in &mut specs {
                let own = if kind == "Site" {
                    "fabric"
                } else {
                    "replicator"
                };
                spec[own] = Value::Null;
            }
            specs
        };
        assert_eq!(specs(&real), specs(&simulated), "{}", row.pair);
    }
}

#[test]
fn the_quickstart_is_the_shop_that_all_tests_share() {
    // SPEC: KU-2
    let mut quickstart = BTreeMap::new();
    for file in manifests::files(&examples().join("quickstart")).unwrap() {
        quickstart.extend(specs(&file));
    }
    // It lists the machines, so that the selector finds some.
    let seoul = ("Site".to_owned(), String::new(), "seoul".to_owned());
    let simulator = &mut quickstart.get_mut(&seoul).unwrap()["fabric"]["simulator"];
    let machines = simulator
        .as_object_mut()
        .unwrap()
        .remove("machines")
        .unwrap();
    assert_eq!(machines.as_array().unwrap().len(), 12);
    let fixture = manifests::repository().join("tests/fixtures/example.yaml");
    assert_eq!(quickstart, specs(&fixture));
}

#[test]
fn the_quickstart_is_planned_offline_with_all_its_machines() {
    // SPEC: PL-5, PR-10
    let mut all = EXAMPLES.iter();
    let example = all.find(|example| example.name == "quickstart").unwrap();
    for direction in DIRECTIONS {
        let plan = &example.plans()[0];
        let report = example
            .with_planner(|planner| planner.plan(plan, intent(direction, FailoverType::Planned)))
            .unwrap();
        assert_eq!(report.machines, 12, "{direction:?}");
        assert_eq!(report.waves.len(), 2, "{direction:?}");
        assert!(report.groups.iter().all(|group| group.open.is_empty()));
    }
}

/// The specs of a file by kind, namespace and name.
fn specs(file: &Path) -> BTreeMap<(String, String, String), Value> {
    let documents = manifests::documents(&manifests::read(file).unwrap()).unwrap();
    let id = |document: &Document| {
        let namespace = document.namespace().unwrap_or_default();
        [document.kind(), namespace, document.name()]
            .map(str::to_owned)
            .into()
    };
    documents
        .into_iter()
        .map(|document| (id(&document), document.value["spec"].clone()))
        .collect()
}
