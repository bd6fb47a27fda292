#![cfg(test)]

use drover_api::Object;
use drover_engine::drift::{Objects, Report};
use drover_manifest::{Options, Source, drover_kinds, load};

use super::{markdown, page, text};
use crate::reports::fixtures::golden;
use crate::text::Style;

/// A shop with a difference of each kind, in a cluster.
fn found() -> Report {
    let source = Source {
        name: "drift.yaml",
        text: include_str!("../reports/fixtures/drift.yaml").as_bytes(),
    };
    let loaded = load(&[source], &drover_kinds(), &Options::default());
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    let (mut sites, mut machines, mut plans, mut drills) = (vec![], vec![], vec![], vec![]);
    for declared in loaded.objects {
        match declared.object {
            Object::Site(site) => sites.push(*site),
            Object::ProtectedMachine(machine) => machines.push(*machine),
            Object::RecoveryPlan(plan) => plans.push(*plan),
            Object::RecoveryDrill(drill) => drills.push(*drill),
            other => panic!("{}", other.kind()),
        }
    }
    let objects = Objects {
        sites: &sites,
        machines: &machines,
        plans: &plans,
        drills: &drills,
    };
    Report::of(&objects, "2026-11-20T12:00:00Z".parse().unwrap())
}

/// Nothing differs.
fn nothing() -> Report {
    let objects = Objects::default();
    Report::of(&objects, "2026-11-20T12:00:00Z".parse().unwrap())
}

/// The same machines again and again.
fn many() -> Report {
    let mut report = found();
    let plan = &mut report.plans[1];
    let more = plan.findings.clone();
    plan.findings = more
        .iter()
        .flat_map(|each| std::iter::repeat_n(each.clone(), 2_000))
        .collect();
    for number in 0..500 {
        let mut more = report.plans[0].clone();
        more.plan.name = format!("plan-{number}").parse().unwrap();
        report.plans.push(more);
    }
    report
}

#[test]
fn all_forms_say_what_they_said() {
    // SPEC: RD-2
    let report = found();
    golden(
        "drift.txt",
        &text::render(&report, false, Style::new(false, 100)),
    );
    golden("drift.md", &markdown::render(&report));
    golden("drift.html", &page::page(&report));
    let json = serde_json::to_string_pretty(&crate::report::Report::new("DriftReport", &report));
    golden("drift-json.txt", &(json.unwrap() + "\n"));
}

#[test]
fn every_kind_is_in_every_form() {
    // SPEC: RD-2
    let report = found();
    let forms = [
        text::render(&report, false, Style::new(false, 100)),
        markdown::render(&report),
        page::page(&report),
    ];
    let kinds: std::collections::BTreeSet<_> = report.findings().map(|each| each.kind).collect();
    assert_eq!(kinds.len(), 16, "the fixture has one of each: {kinds:?}");
    for form in forms {
        for finding in report.findings() {
            let kind = format!("{:?}", finding.kind);
            assert!(form.contains(&kind), "{kind}\n{form}");
            assert!(
                form.contains(finding.subject.shown()),
                "{finding:?}\n{form}"
            );
        }
        assert!(form.contains(&report.digest), "{form}");
        assert!(form.contains("2026-11-20 12:00:00"), "{form}");
    }
}

#[test]
fn where_nothing_differs_that_is_said() {
    // SPEC: RD-2
    let report = nothing();
    let shown = text::render(&report, false, Style::new(false, 80));
    assert!(
        shown.starts_with("Drift: no drift (0 machines, 0 plans, 0 sites)\n"),
        "{shown}"
    );
    assert!(markdown::render(&report).contains("### Drift: no drift\n"));
    assert!(page::page(&report).contains("<h1>Drift: no drift</h1>"));
}

#[test]
fn thousands_of_machines_fit_where_they_are_shown() {
    // SPEC: RD-2
    let report = many();
    assert!(markdown::render(&report).len() < 65_535);
    let shown = text::render(&report, false, Style::new(false, 80));
    assert!(shown.contains("… 1,990 more: --full shows all"), "{shown}");
    let all = text::render(&report, true, Style::new(false, 80));
    assert!(!all.contains("--full"), "all were asked for");
}

#[test]
fn text_of_people_is_no_markup() {
    // SPEC: BI-1
    let mut report = found();
    report.plans[1].findings[0].message = "<script>|@all".into();
    let shown = markdown::render(&report);
    assert!(
        !shown.contains("<script>") && !shown.contains("@all"),
        "{shown}"
    );
    assert!(!page::page(&report).contains("<script>"));
}
