use proptest::prelude::*;

use super::*;
use crate::{Options, Source, drover_kinds, load};

/// Where keys of a plan are best written, for these tests.
fn before(key: &str) -> &'static [&'static str] {
    match key {
        "activeSite" => &["sites"],
        "failover" => &["activeSite", "sites"],
        "request" => &["failover", "activeSite", "sites"],
        "toPrimary" => &["toSecondary"],
        _ => &[],
    }
}

const HEAD: &str =
    "apiVersion: drover.dev/v1alpha1\nkind: RecoveryPlan\nmetadata: { name: shop }\n";
const GROUPS: &str = "  groups: [{ name: a, machines: [{ protectionGroup: g, name: m }] }]\n";

fn plan(spec: &str) -> String {
    format!("{HEAD}spec:\n{spec}{GROUPS}")
}

fn origin(text: &str) -> Origin {
    let source = Source {
        name: "plan.yaml",
        text: text.as_bytes(),
    };
    let loaded = load(&[source], &drover_kinds(), &Options::default());
    let plans = loaded.objects.iter();
    let mut plans = plans.filter(|declared| declared.object.kind() == "RecoveryPlan");
    let found = plans.next();
    found
        .unwrap_or_else(|| panic!("{:?}\n{text}", loaded.diagnostics))
        .origin
}

fn edited(text: &str, settings: &[Setting]) -> Result<String, CannotEdit> {
    let edited = set(text.as_bytes(), origin(text), settings, before)?;
    Ok(String::from_utf8(edited.text).unwrap())
}

fn to_secondary(text: &str) -> Result<String, CannotEdit> {
    edited(text, &[Setting::text(&["spec", "activeSite"], "secondary")])
}

/// Given a plan with this in its spec, when it is sent to the secondary site, then that is in its spec.
fn becomes(spec: &str, expected: &str) {
    let (text, expected) = (plan(spec), plan(expected));
    assert_eq!(to_secondary(&text).unwrap(), expected);
}

#[test]
fn a_value_keeps_its_quotes_and_its_comment() {
    let sites = "  sites: { primary: seoul, secondary: busan }\n";
    for (old, new) in [
        ("primary", "secondary"),
        ("'primary'", "'secondary'"),
        ("\"primary\"", "\"secondary\""),
        ("   primary", "   secondary"),
        ("\n    primary", "\n    secondary"),
        ("&here primary", "&here secondary"),
        ("!!str primary", "!!str secondary"),
    ] {
        becomes(
            &format!("{sites}  activeSite: {old}   # the one line\n"),
            &format!("{sites}  activeSite: {new}   # the one line\n"),
        );
    }
}

#[test]
fn what_says_so_already_is_left_alone() {
    let text = plan("  sites: { primary: seoul, secondary: busan }\n  activeSite: \"secondary\"\n");
    assert_eq!(to_secondary(&text).unwrap(), text);
}

#[test]
fn a_missing_field_stands_where_a_person_would_write_it() {
    becomes(
        "  sites:\n    primary: seoul\n    secondary: busan # of the south\n    # more of sites\n  # of groups\n",
        "  sites:\n    primary: seoul\n    secondary: busan # of the south\n    # more of sites\n  activeSite: secondary\n  # of groups\n",
    );
    becomes(
        "  sites: { primary: seoul, secondary: busan }\r\n",
        "  sites: { primary: seoul, secondary: busan }\r\n  activeSite: secondary\r\n",
    );
}

#[test]
fn the_last_line_of_a_text_need_not_end() {
    let text = format!("{HEAD}spec:\n{GROUPS}  sites: {{ primary: seoul, secondary: busan }}");
    let expected = format!("{text}\n  activeSite: secondary");
    assert_eq!(to_secondary(&text).unwrap(), expected);
}

#[test]
fn braces_and_json_stay_what_they_are() {
    let flow = format!(
        "{HEAD}spec: {{ sites: {{ primary: seoul, secondary: busan }}, {} }}\n",
        GROUPS.trim()
    );
    let expected = flow.replace("busan }, ", "busan }, activeSite: secondary, ");
    assert_eq!(to_secondary(&flow).unwrap(), expected);

    let json = "{\n  \"apiVersion\": \"drover.dev/v1alpha1\", \"kind\": \"RecoveryPlan\",\n  \
        \"metadata\": {\"name\": \"shop\"},\n  \"spec\": {\n    \
        \"sites\": {\"primary\": \"seoul\", \"secondary\": \"busan\"},\n    \
        \"groups\": [{\"name\": \"a\", \"machines\": [{\"protectionGroup\": \"g\", \"name\": \"m\"}]}]\n  }\n}\n";
    let expected = json.replace(
        "\"busan\"},\n",
        "\"busan\"},\n    \"activeSite\": \"secondary\",\n",
    );
    assert_eq!(to_secondary(json).unwrap(), expected);
}

#[test]
fn one_document_of_many_is_edited() {
    let other = "apiVersion: v1\nkind: ConfigMap\ndata: { activeSite: primary }\n";
    let own = plan("  sites: { primary: seoul, secondary: busan }\n  activeSite: primary\n");
    let text = format!("{other}---\n# ours\n{own}---\n{other}");
    let expected = format!(
        "{other}---\n# ours\n{}---\n{other}",
        own.replace("activeSite: primary", "activeSite: secondary")
    );
    assert_eq!(to_secondary(&text).unwrap(), expected);
}

#[test]
fn an_item_of_a_list_is_edited() {
    let own = plan("  sites: { primary: seoul, secondary: busan }\n");
    let item = own.replace('\n', "\n    ");
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n  - {}\n",
        item.trim_end()
    );
    let expected = text.replace("busan }\n", "busan }\n      activeSite: secondary\n");
    assert_eq!(to_secondary(&text).unwrap(), expected);
}

#[test]
fn a_map_is_written_below_its_key_and_replaced_as_a_whole() {
    let request = |id: &str| Setting {
        path: vec!["spec".to_owned(), "request".to_owned()],
        value: Written::Map(vec![
            ("id".to_owned(), Written::Text(id.to_owned())),
            (
                "expires".to_owned(),
                Written::Text("2026-11-30T00:00:00Z".to_owned()),
            ),
            ("type".to_owned(), Written::Text("Unplanned".to_owned())),
        ]),
    };
    let sites = "  sites: { primary: seoul, secondary: busan }\n  activeSite: primary\n";
    let text = plan(sites);
    let asked = edited(&text, &[request("a1")]).unwrap();
    let lines = "  request:\n    id: a1\n    expires: 2026-11-30T00:00:00Z\n    type: Unplanned\n";
    assert_eq!(asked, plan(&format!("{sites}{lines}")));
    let again = edited(&asked, &[request("off")]).unwrap();
    assert_eq!(again, asked.replace("id: a1", "id: \"off\""));
    let braces = plan(&format!(
        "{sites}  request: {{ id: a, expires: 2026-11-01T00:00:00Z, type: Planned }} # x\n"
    ));
    let again = edited(&braces, &[request("b")]).unwrap();
    let expected = format!(
        "{sites}  request: {{ id: b, expires: 2026-11-30T00:00:00Z, type: Unplanned }} # x\n"
    );
    assert_eq!(again, plan(&expected));
}

#[test]
fn a_field_of_a_map_that_is_missing_brings_the_map() {
    let sites = "  sites: { primary: seoul, secondary: busan }\n";
    let rule = [Setting::text(
        &["spec", "failover", "toPrimary", "type"],
        "Unplanned",
    )];
    assert_eq!(
        edited(&plan(sites), &rule).unwrap(),
        plan(&format!(
            "{sites}  failover:\n    toPrimary:\n      type: Unplanned\n"
        ))
    );
    for (old, new) in [
        (
            "{ toSecondary: { type: Planned } }",
            "{ toSecondary: { type: Planned }, toPrimary: { type: Unplanned } }",
        ),
        ("{}", "{ toPrimary: { type: Unplanned } }"),
        (
            "\n      toSecondary: { type: Planned }",
            "\n      toSecondary: { type: Planned }\n      toPrimary:\n          type: Unplanned",
        ),
    ] {
        let text = plan(&format!("{sites}  failover: {old}\n"));
        let expected = plan(&format!("{sites}  failover: {new}\n"));
        assert_eq!(edited(&text, &rule).unwrap(), expected);
    }
}

#[test]
fn what_is_shared_or_brought_in_is_refused() {
    // given a value that an alias copies, a map that a merge brings, and a block of text
    let sites = "  sites: { primary: seoul, secondary: busan }\n";
    let alias = plan(&format!("{sites}  activeSite: *side\n"))
        .replace("name: shop", "name: shop, labels: { side: &side primary }");
    let shared = plan(&format!(
        "{sites}  activeSite: &side primary\n  overrides: [{{ machine: m, activeSite: *side }}]\n"
    ));
    let merged =
        plan("  <<: *all\n").replace("name: shop", "name: shop, annotations: { x: &x seoul }");
    let merged = merged.replace(
        "spec:\n  <<: *all",
        "spec:\n  <<: &all { sites: { primary: seoul, secondary: busan }, activeSite: primary }",
    );
    let block = plan(&format!("{sites}  activeSite: >-\n    primary\n"));
    // when
    let refused = |text: &str| to_secondary(text).unwrap_err();
    // then
    assert!(refused(&alias).what.contains("is written elsewhere"));
    assert_eq!(refused(&alias).hint, SHARED);
    assert!(
        refused(&shared)
            .what
            .contains("more than this field would change")
    );
    assert!(refused(&block).what.contains("block of text"));
    // A merge of a map that is written right there is this map's own.
    assert_eq!(
        to_secondary(&merged).unwrap(),
        merged.replace("activeSite: primary", "activeSite: secondary")
    );
}

/// A plan as some person would write it.
fn manifest() -> impl Strategy<Value = String> {
    let style = prop_oneof![Just(0_u8), Just(1), Just(2)];
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let comment = prop_oneof![Just(""), Just(" # why & how: *x {y}"), Just("   # 한글")];
    let active = prop_oneof![Just(None), Just(Some("primary")), Just(Some("secondary"))];
    let request = prop_oneof![
        Just(""),
        Just("id: a, expires: 2026-11-20T12:00:00Z, type: Unplanned")
    ];
    let around = (0_usize..3, 0_usize..3, any::<bool>(), any::<bool>());
    (
        style,
        quote,
        end,
        comment,
        1_usize..6,
        active,
        request,
        around,
    )
        .prop_map(
            |(
                style,
                quote,
                end,
                comment,
                step,
                active,
                request,
                (front, back, sites_last, ended),
            )| {
                let indent = " ".repeat(step);
                let mut fields = vec![format!("sites: {{ primary: seoul, secondary: busan }}")];
                fields.extend(active.map(|side| format!("activeSite: {quote}{side}{quote}")));
                if !request.is_empty() {
                    fields.push(format!("request: {{ {request} }}"));
                }
                fields.push(GROUPS.trim().to_owned());
                if sites_last {
                    fields.rotate_left(1);
                }
                let spec = match style {
                    0 => fields
                        .iter()
                        .fold(format!("spec:{comment}"), |text, field| {
                            format!(
                                "{text}\n{indent}{field}{comment}\n{indent} # deeper\n# shallow"
                            )
                        }),
                    1 => format!("spec: {{ {} }}{comment}", fields.join(", ")),
                    _ => format!(
                        "spec: {{{comment}\n{indent}{}\n}}",
                        fields.join(&format!(",{comment}\n{indent}"))
                    ),
                };
                let other =
                    "---\napiVersion: v1\nkind: Other\ndata: { activeSite: primary } # theirs\n";
                let tail = if ended { "\n" } else { "" };
                let mut text = other.repeat(front);
                text.extend(["---\n", HEAD, &spec, tail]);
                if back > 0 {
                    text.push('\n');
                    text.push_str(&other.repeat(back));
                }
                text.replace('\n', end)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_edit_changes_only_its_field(text in manifest(), side in prop_oneof![Just("primary"), Just("secondary")]) {
        // given any plan, when its side is set
        let setting = Setting::text(&["spec", "activeSite"], side);
        let new = edited(&text, std::slice::from_ref(&setting)).unwrap();
        // then what people and other tools wrote around it is there, byte for byte
        let (mut front, mut back) = (0, 0);
        while front < text.len() && text.as_bytes().get(front) == new.as_bytes().get(front) {
            front += 1;
        }
        while back < text.len() - front && back < new.len() - front
            && text.as_bytes()[text.len() - 1 - back] == new.as_bytes()[new.len() - 1 - back]
        {
            back += 1;
        }
        prop_assert!(text.len() - front - back <= "secondary".len(), "{text}\n=>\n{new}");
        prop_assert!(new.len() - front - back <= "activeSite: secondary,\r\n".len() + 8, "{text}\n=>\n{new}");
        // and the objects are those that were declared, but for the one field
        let objects = |text: &str| {
            let source = Source { name: "a", text: text.as_bytes() };
            let loaded = load(&[source], &drover_kinds(), &Options::default());
            prop_assert!(!loaded.has_errors(), "{:?}\n{text}", loaded.diagnostics);
            Ok((loaded.objects, loaded.ignored))
        };
        let ((before, ignored), (after, still)) = (objects(&text)?, objects(&new)?);
        prop_assert_eq!(ignored, still);
        prop_assert_eq!(before.len(), after.len());
        for (old, new) in before.into_iter().zip(after) {
            let (drover_api::Object::RecoveryPlan(mut old), drover_api::Object::RecoveryPlan(new)) = (old.object, new.object) else {
                return Err(TestCaseError::fail("another kind"));
            };
            old.spec.active_site = new.spec.active_site;
            prop_assert_eq!(new.spec.active_site.map(drover_api::common::SiteRole::as_str), Some(side));
            prop_assert_eq!(old, new);
        }
        // and to set it once more changes nothing
        prop_assert_eq!(&edited(&new, &[setting]).unwrap(), &new);
    }
}
