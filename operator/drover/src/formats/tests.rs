use std::sync::Arc;

use drover_manifest::Position;
use serde_json::json;

use super::*;

fn place(file: &str, line: u32, column: u32) -> Place {
    let at = |column| Position {
        line,
        column,
        offset: 0,
    };
    Place {
        source: 0,
        file: Arc::from(file),
        start: at(column),
        end: at(column + 4),
    }
}

fn finding(rule: &str, level: Level) -> Finding {
    Finding {
        rule: rule.to_owned(),
        level,
        message: "the site `seuol` is not declared".to_owned(),
        effects: Vec::new(),
        hint: Some("did you mean `seoul`?".to_owned()),
        place: Some(place("dr/plan one.yaml", 7, 12)),
        related: Vec::new(),
        object: Some("RecoveryPlan shop/shop".to_owned()),
        field: Some("spec.sites.primary".to_owned()),
    }
}

fn no_meaning(_: &str) -> Option<String> {
    None
}

#[test]
fn code_scanning_reads_where_and_what() {
    let log = sarif(&[finding("unknown-site", Level::Error)], |rule| {
        meaning(rule).map(str::to_owned)
    })
    .log;
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "unknown-site");
    assert_eq!(
        run["tool"]["driver"]["rules"][0]["shortDescription"]["text"],
        "a site is named that no `Site` declares"
    );
    let result = &run["results"][0];
    assert_eq!(result["level"], "error");
    assert_eq!(
        result["locations"][0]["physicalLocation"],
        json!({
            "artifactLocation": { "uri": "dr/plan%20one.yaml", "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": 7, "startColumn": 12, "endLine": 7, "endColumn": 16 },
        })
    );
}

#[test]
fn a_file_of_results_keeps_within_what_a_forge_takes_and_the_worst_come_first() {
    // given more findings than a forge takes, the worst of them last
    let mut findings = vec![finding("minor", Level::Warning); sarif::MOST_RESULTS + 7];
    findings.push(finding("bad", Level::Error));
    // when
    let made = sarif(&findings, no_meaning);
    // then
    let run = &made.log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), sarif::MOST_RESULTS);
    assert_eq!(results[0]["ruleId"], "bad");
    assert_eq!(results[1]["ruleIndex"], 1);
    assert_eq!((made.left_out, made.not_shown), (8, 20_000));
    let told = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(
        told.as_str().unwrap().starts_with("8 more results"),
        "{told}"
    );
    assert_eq!(made.limits().len(), 2);
}

#[test]
fn a_result_is_the_same_one_when_lines_move() {
    let one = finding("unknown-site", Level::Error);
    let mut moved = one.clone();
    moved.place = Some(place("dr/plan one.yaml", 70, 12));
    let mut other = one.clone();
    other.field = Some("spec.sites.secondary".to_owned());
    let print = |finding: Finding| {
        let log = sarif(&[finding], no_meaning).log;
        log["runs"][0]["results"][0]["partialFingerprints"].to_string()
    };
    assert_eq!(print(one.clone()), print(moved));
    assert_ne!(print(one), print(other));
}

#[test]
fn a_path_is_a_reference() {
    let uri = |path: &str| {
        let mut finding = finding("x", Level::Warning);
        finding.place = Some(place(path, 1, 1));
        let log = sarif(&[finding], no_meaning).log;
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        (
            place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .to_owned(),
            place["artifactLocation"]["uriBaseId"].is_string(),
        )
    };
    assert_eq!(uri("./a/b#c.yaml"), ("a/b%23c.yaml".to_owned(), true));
    assert_eq!(uri("/srv/a.yaml"), ("file:///srv/a.yaml".to_owned(), false));
    assert_eq!(uri("<stdin>"), ("%3Cstdin%3E".to_owned(), true));
}

#[test]
fn an_annotation_cannot_end_early() {
    let mut odd = finding("unknown-site", Level::Warning);
    odd.message = "50% of a, b: c".to_owned();
    odd.place = Some(place("a,b:c.yaml", 3, 1));
    assert_eq!(
        annotations(&[odd]),
        "::warning file=a%2Cb%3Ac.yaml,line=3,endLine=3,col=1,endColumn=5,\
         title=unknown-site (RecoveryPlan shop/shop)::50%25 of a, b: c%0Ahint: did you mean `seoul`?\n"
    );
}

#[test]
fn what_is_in_order_passes_and_a_warning_fails_only_where_it_should() {
    let case = |name: &str, findings: Vec<Finding>| Case {
        suite: "plan.yaml".to_owned(),
        name: name.to_owned(),
        findings,
    };
    let cases = [
        case("Site seoul", Vec::new()),
        case("RecoveryPlan <a>", vec![finding("x", Level::Warning)]),
    ];
    let lenient = junit("drover validate", &cases, Level::Error);
    assert!(lenient.contains("tests=\"2\" failures=\"0\""), "{lenient}");
    assert!(lenient.contains("<system-out>"), "{lenient}");
    let strict = junit("drover validate", &cases, Level::Warning);
    assert!(strict.contains("tests=\"2\" failures=\"1\""), "{strict}");
    assert!(
        strict.contains("name=\"RecoveryPlan &lt;a&gt;\""),
        "{strict}"
    );
}
