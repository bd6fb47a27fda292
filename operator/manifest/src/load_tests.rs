use super::*;
use crate::limits::MAX_PROBLEMS_PER_SOURCE;
use crate::testing::{Object, known, load_bytes, load_one, plan, registry, shown};

const SITE: &str = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: {name: seoul}\nspec: {fabric: {simulator: {}}}\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n";

fn messages(text: &str) -> Vec<(u32, &'static str, String)> {
    let all = load_one(text).diagnostics.into_iter();
    all.map(|each| {
        (
            each.place.map_or(0, |place| place.start.line),
            known(&each.code),
            each.message,
        )
    })
    .collect()
}

fn codes(text: &str) -> Vec<(u32, &'static str)> {
    messages(text)
        .into_iter()
        .map(|(line, code, _)| (line, code))
        .collect()
}

#[test]
fn objects_come_in_order_with_their_places() {
    let text = format!(
        "# head\n{SITE}---\n# c\n{}",
        plan("  activeSite: primary\n")
    );
    let loaded = load_one(&text);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.documents, 2);
    let ids: Vec<_> = loaded
        .objects
        .iter()
        .map(|each| each.id.to_string())
        .collect();
    assert_eq!(ids, ["Site seoul", "RecoveryPlan default/shop"]);
    let origin = loaded.objects[1].origin;
    assert_eq!((origin.source, origin.line, origin.item), (0, 6, None));
    assert!(text[origin.document.range()].starts_with("---\n# c\n"));
    assert!(
        matches!(&loaded.objects[0].object, Object::Site(site) if site.spec.fabric["simulator"].is_object())
    );
    assert!(
        matches!(&loaded.objects[1].object, Object::Plan(plan) if plan.spec.active_site == "primary")
    );
}

#[test]
fn a_broken_document_spoils_only_itself() {
    let text = format!(
        "a: [\n---\n{SITE}---\nb: \"\n---\n{}",
        plan("  activeSite: primary\n")
    );
    let loaded = load_one(&text);
    assert_eq!(loaded.objects.len(), 2);
    assert_eq!(codes(&text), [(1, code::SYNTAX), (8, code::SYNTAX)]);
}

#[test]
fn other_peoples_documents_are_counted_and_left_alone() {
    let text = format!("{CONFIG}---\n{SITE}---\napiVersion: x.io/v1\nkind: Y\na: !Ref b\na: 1\n");
    let loaded = load_one(&text);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(
        (loaded.objects.len(), loaded.ignored, loaded.documents),
        (1, 2, 3)
    );
}

#[test]
fn files_of_something_else_are_ignored_whatever_they_hold() {
    for text in [
        "- a\n- b\n",
        "just text",
        "replicas: 3\nimage: {tag: 1}\n",
        "kind: Site\nname: x\n",
        "{}",
    ] {
        let loaded = load_one(text);
        assert_eq!(loaded.diagnostics, [], "{text}");
        assert_eq!(loaded.ignored, 1, "{text}");
    }
}

#[test]
fn among_our_objects_a_document_of_no_use_is_an_error() {
    assert_eq!(
        messages(&format!("{SITE}---\n- a\n")),
        [(
            6,
            code::NOT_AN_OBJECT,
            "expected an object, found a list".to_owned()
        )]
    );
    assert_eq!(
        codes(&format!("a: b\n---\n{SITE}")),
        [(1, code::NOT_AN_OBJECT)]
    );
    assert_eq!(
        codes(&format!("{SITE}---\nkind: Deployment\n")),
        [(6, code::MISSING_TYPE)]
    );
}

#[test]
fn empty_documents_are_skipped() {
    let loaded = load_one(&format!(
        "---\n---\n# nothing\n---\n{SITE}---\n...\n---\nnull\n"
    ));
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(
        (loaded.objects.len(), loaded.ignored, loaded.documents),
        (1, 0, 1)
    );
    assert_eq!(load_one("").documents, 0);
}

#[test]
fn wrong_types_of_ours_are_errors() {
    let said = |from: &str, to: &str| {
        let all = load_one(&SITE.replace(from, to)).diagnostics;
        assert_eq!(all.len(), 1, "{all:?}");
        (known(&all[0].code), all[0].hint.clone().unwrap_or_default())
    };
    assert_eq!(
        said("v1alpha1", "v1beta1"),
        (code::UNKNOWN_VERSION, "write `drover.dev/v1alpha1`".into())
    );
    assert_eq!(
        said("kind: Site", "kind: site"),
        (code::UNKNOWN_KIND, "did you mean `Site`?".into())
    );
    assert_eq!(said("kind: Site", "kind: Sites").1, "did you mean `Site`?");
    assert_eq!(
        said("kind: Site", "kind: Plan").1,
        "did you mean `RecoveryPlan`?"
    );
    assert_eq!(
        said("kind: Site", "kind: Zebra").1,
        "the kinds are `Site` and `RecoveryPlan`"
    );
    assert_eq!(said("kind: Site\n", "").0, code::MISSING_TYPE);
    assert_eq!(said("kind: Site", "kind: 1").0, code::MISSING_TYPE);
    let version = "apiVersion: drover.dev/v1alpha1\n";
    assert_eq!(
        said(version, ""),
        (
            code::MISSING_TYPE,
            "add `apiVersion: drover.dev/v1alpha1`".into()
        )
    );
    let lower = "apiversion: drover.dev/v1alpha1\n";
    assert_eq!(
        said(version, lower),
        (code::MISSING_TYPE, "did you mean `apiVersion`?".into())
    );
    let capital = SITE
        .replace("kind", "Kind")
        .replace("apiVersion", "ApiVersion");
    assert_eq!(codes(&capital), [(1, code::NOT_AN_OBJECT)]);
}

#[test]
fn a_misspelt_group_is_a_warning() {
    for group in [
        "drover.de/v1alpha1",
        "drover/v1alpha1",
        "drover.io/v1",
        "Drover.dev/v1alpha1",
        "drover.dev",
    ] {
        let loaded = load_one(&SITE.replace("drover.dev/v1alpha1", group));
        assert_eq!(loaded.diagnostics.len(), 1, "{group}");
        assert_eq!(loaded.diagnostics[0].code, code::MISSPELT_GROUP);
        assert_eq!((loaded.has_errors(), loaded.ignored), (false, 1));
    }
    let other = SITE.replace("drover.dev/v1alpha1", "example.com/v1");
    assert_eq!(load_one(&other).diagnostics, []);
}

#[test]
fn lists_are_unfolded() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  x: !a b\n- apiVersion: drover.dev/v1alpha1\n  kind: Site\n  metadata: {name: a}\n  spec: {fabric: {simulator: {}}}\n- apiVersion: drover.dev/v1alpha1\n  kind: Site\n  metadata: {name: b}\n  spec: {}\n";
    let loaded = load_one(text);
    assert_eq!((loaded.objects.len(), loaded.ignored), (1, 1));
    assert_eq!(loaded.objects[0].origin.item, Some(1));
    assert_eq!(codes(text), [(14, code::MISSING_FIELD)]);
    let typed = text.replace("v1\nkind: List", "drover.dev/v1alpha1\nkind: SiteList");
    assert_eq!(load_one(&typed).objects.len(), 1);
    assert_eq!(load_one("apiVersion: v1\nkind: List\n").diagnostics, []);
}

#[test]
fn a_list_in_a_list_is_told_among_our_objects() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n";
    assert_eq!(codes(list), []);
    assert_eq!(
        codes(&format!("{SITE}---\n{list}")),
        [(9, code::NOT_AN_OBJECT)]
    );
}

#[test]
fn the_json_form_of_a_diagnostic_is_stable() {
    let text = SITE.replace("simulator", "simulater");
    let one = &load_one(&text).diagnostics[0];
    assert_eq!(
        serde_json::to_value(one).unwrap(),
        serde_json::json!({
            "severity": "error",
            "code": "unknown-field",
            "message": "unknown field \"simulater\"",
            "place": {
                "source": 0,
                "file": "a.yaml",
                "start": { "line": 4, "column": 17, "offset": 83 },
                "end": { "line": 4, "column": 26, "offset": 92 },
            },
            "hint": "did you mean `simulator`?",
            "field": "spec.fabric.simulater",
            "object": "Site seoul",
        })
    );
}

#[test]
fn json_works() {
    let text = "{\"apiVersion\":\"drover.dev/v1alpha1\",\"kind\":\"Site\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"fabric\":{\"simulator\":{}}}}";
    assert_eq!(load_one(text).objects.len(), 1);
    assert_eq!(
        codes(&text.replace("simulator", "simulater")),
        [(1, code::UNKNOWN_FIELD)]
    );
}

#[test]
fn names_are_checked() {
    let named = |metadata: &str| codes(&SITE.replace("metadata: {name: seoul}\n", metadata));
    assert_eq!(named(""), [(2, code::MISSING_FIELD)]);
    assert_eq!(named("metadata: {}\n"), [(3, code::MISSING_FIELD)]);
    assert_eq!(
        named("metadata: {generateName: a-}\n"),
        [(3, code::MISSING_FIELD)]
    );
    assert_eq!(
        named("metadata: {name: Seoul}\n"),
        [(3, code::INVALID_NAME)]
    );
    assert_eq!(named("metadata: {name: 1}\n"), [(3, code::WRONG_TYPE)]);
    assert_eq!(
        named("metadata: {name: a, nmae: b}\n"),
        [(3, code::UNKNOWN_FIELD)]
    );
    assert_eq!(
        named("metadata: {name: a, namespace: b}\n"),
        [(3, code::UNEXPECTED_NAMESPACE)]
    );
    assert_eq!(
        named("metadata: {name: a, labels: {a: 1}}\n"),
        [(3, code::WRONG_TYPE)]
    );
    assert_eq!(
        named(&format!("metadata: {{name: {}}}\n", "a".repeat(254))),
        [(3, code::INVALID_NAME)]
    );
}

#[test]
fn an_object_is_declared_once() {
    let sources = [("a.yaml", SITE), ("b.yaml", SITE)].map(|(name, text)| Source {
        name,
        text: text.as_bytes(),
    });
    let loaded = load(&sources, &registry(), &Options::default());
    assert_eq!(loaded.objects.len(), 1);
    let double = &loaded.diagnostics[0];
    assert_eq!(
        (known(&double.code), double.message.as_str()),
        (code::DUPLICATE_OBJECT, "Site seoul is declared twice")
    );
    assert_eq!(double.place.as_ref().unwrap().file.as_ref(), "b.yaml");
    assert_eq!(double.notes[0].place.file.as_ref(), "a.yaml");

    let plan = plan("  activeSite: primary\n");
    let same = format!(
        "{plan}---\n{}",
        plan.replace("name: shop", "name: shop, namespace: default")
    );
    assert_eq!(codes(&same), [(9, code::DUPLICATE_OBJECT)]);
    let other = same.replace("namespace: default", "namespace: other");
    assert_eq!(codes(&other), []);
    let broken = format!("{}---\n{plan}", plan.replace("primary", "nowhere"));
    assert_eq!(
        codes(&broken),
        [(5, code::UNKNOWN_VALUE), (9, code::DUPLICATE_OBJECT)]
    );
}

#[test]
fn structure_is_judged_only_where_it_is_ours() {
    let text = SITE.replace("{simulator: {}}", "!x {simulator: {}, simulator: {}}");
    assert_eq!(codes(&text), [(4, code::TAG), (4, code::DUPLICATE_KEY)]);
}

#[test]
fn the_bytes_may_be_anything() {
    assert_eq!(
        load_bytes(b"\xFF\xFEa\0").diagnostics[0].message,
        "the text is UTF-16 (little endian)"
    );
    assert_eq!(
        load_bytes(b"a\0b\0").diagnostics[0].message,
        "the text is UTF-16 (little endian)"
    );
    let loaded = load_bytes(b"a: \xC3\x28\n---\nb: \xED\xA0\x80\n---\n c: \xF0\x9F");
    let said: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|each| {
            (
                each.place.as_ref().unwrap().start.line,
                each.message.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (1, "the byte 0xC3 is not valid UTF-8 here"),
            (3, "half of a surrogate pair is no character"),
            (5, "the byte 0xF0 is not valid UTF-8 here"),
        ]
    );
    assert_eq!(messages("a: b\0c")[0].2, "there is a NUL character here");
    assert_eq!(
        messages("a: \u{7}")[0].2,
        "the control character U+0007 is not allowed in YAML"
    );
}

#[test]
fn byte_order_marks_and_line_ends_do_not_matter() {
    let crlf = format!("\u{FEFF}{}", SITE.replace('\n', "\r\n"));
    assert_eq!(load_one(&crlf).objects.len(), 1);
    let wrong = crlf.replace("simulator", "simulater");
    let place = load_one(&wrong).diagnostics[0].place.clone().unwrap();
    assert_eq!((place.start.line, place.start.column), (4, 17));
    let first = load_one(&crlf.replace("v1alpha1", "v2")).diagnostics[0]
        .place
        .clone()
        .unwrap();
    assert_eq!((first.start.line, first.start.column), (1, 13));
}

#[test]
fn too_many_problems_are_counted() {
    let text = "---\na: [\n".repeat(MAX_PROBLEMS_PER_SOURCE + 5);
    let all = load_one(&text).diagnostics;
    assert_eq!(all.len(), MAX_PROBLEMS_PER_SOURCE + 1);
    assert_eq!(
        all.last().unwrap().message,
        "5 more problems in this file are not shown"
    );
    assert!(all.last().unwrap().is_error());
}

#[test]
fn a_secret_of_somebody_is_never_shown() {
    let text = "apiVersion: v1\nkind: Secret\nstringData:\n  password: hunter2\n  more: 'hunter3\n";
    let shown = shown(text);
    assert!(shown.contains("a.yaml:5:9"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn the_result_does_not_depend_on_batches() {
    let text: Vec<String> = (0..3000)
        .map(|index| {
            format!(
                "---\n{}",
                plan("  activeSite: primary\n").replace("shop", &format!("shop-{}", index % 2990))
            )
        })
        .collect();
    let text = text.concat();
    assert!(text.len() > 2 * BATCH_BYTES as usize);
    let loaded = load_one(&text);
    assert_eq!(loaded.objects.len(), 2990);
    let names: Vec<_> = loaded
        .objects
        .iter()
        .map(|each| each.id.name.clone())
        .collect();
    let expected: Vec<_> = (0..2990).map(|index| format!("shop-{index}")).collect();
    assert_eq!(names, expected);
    let lines: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|each| each.place.as_ref().unwrap().start.line)
        .collect();
    assert_eq!(
        lines,
        (2990..3000)
            .map(|index| index * 6 + 4)
            .collect::<Vec<u32>>()
    );
}

#[test]
fn what_the_last_map_could_not_take_in_is_told() {
    // SPEC: BI-1
    let site = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\n\
                spec:\n  fabric:\n    simulator: {}\n    <<: text\n";
    assert_eq!(codes(site), [(7, code::ALIAS)]);
    let item = |name: &str| {
        let site = site.replace("{name: a}", &format!("{{name: {name}}}"));
        format!("- {}", site.trim_end().replace('\n', "\n  ") + "\n")
    };
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}",
        item("a"),
        item("b")
    );
    assert_eq!(codes(&list), [(10, code::ALIAS), (17, code::ALIAS)]);
}

#[test]
fn files_joined_without_a_separator_are_one_problem_for_each_object() {
    // SPEC: BI-1
    let joined = format!("{SITE}{SITE}{SITE}");
    let found = load_one(&joined).diagnostics;
    let lines: Vec<u32> = found
        .iter()
        .filter_map(|each| Some(each.place.as_ref()?.start.line))
        .collect();
    assert_eq!(lines, [5, 9]);
    let hint = found[0].hint.as_deref();
    assert!(hint.is_some_and(|hint| hint.contains("`---`")), "{hint:?}");
}

#[test]
fn both_sides_are_read_as_each_is_alone() {
    // given sides that share texts at other positions, with what needs neighbours: objects declared twice,
    // documents that only theirs explain, a file that is broken
    let seoul = SITE.to_owned();
    let busan = SITE.replace("seoul", "busan");
    let stray = format!("{busan}---\nnothing: at all\n");
    let texts: [&[(&str, &str)]; 2] = [
        &[
            ("seoul.yaml", &seoul),
            ("gone.yaml", CONFIG),
            ("stray.yaml", &stray),
            ("again.yaml", &seoul),
            ("broken.yaml", "a: ["),
        ],
        &[
            ("new.yaml", &busan),
            ("stray.yaml", &stray),
            ("broken.yaml", "a: ["),
            ("seoul.yaml", CONFIG),
            ("again.yaml", &seoul),
        ],
    ];
    let [before, after] = texts.map(|side| {
        let sources = side.iter().map(|(name, text)| Source {
            name,
            text: text.as_bytes(),
        });
        sources.collect::<Vec<_>>()
    });
    // when
    let options = Options::default();
    let both = load_both(&before, &after, &registry(), &options);
    // then
    for (side, read) in [before, after].iter().zip(both) {
        let alone = load(side, &registry(), &options);
        assert!(!alone.diagnostics.is_empty());
        assert_eq!(format!("{read:#?}"), format!("{alone:#?}"));
    }
}
