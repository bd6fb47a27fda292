//! SPEC BI-1: arbitrary bytes and mutated manifests never panic, and every place lies in its source.

use std::sync::LazyLock;

use drover_api::Object;
use drover_manifest::{
    FieldPath, Loaded, Locator, Options, Registry, Renderer, Source, Target, drover_kinds, load,
};
use proptest::prelude::*;

const PLAN: &str = "\
apiVersion: drover.dev/v1alpha1
kind: RecoveryPlan
metadata: { name: shop, namespace: shop }
spec:
  sites: { primary: seoul, secondary: busan }
  activeSite: primary   # 여기
  objectives: { rto: 15m, rpo: \"5m\" }
  groups:
    - name: data
      protectionGroups: [shop-data]
      after:
        - name: answers
          http: { machine: db-1, port: 8008, path: /health, expectStatus: 200 }
    - name: web
      dependsOn: [data]
      protectionGroups: &all [shop-web]
---
apiVersion: drover.dev/v1alpha1
kind: Site
metadata:
  name: seoul
spec:
  fabric:
    simulator: {}
  timeZone: 'Asia/Seoul'
";

static KINDS: LazyLock<Registry<Object>> = LazyLock::new(drover_kinds);

fn check(text: &[u8]) -> Loaded<Object> {
    let source = Source { name: "x", text };
    let loaded = load(&[source], &KINDS, &Options::default());
    let lines = text.len() + 1;
    for diagnostic in &loaded.diagnostics {
        let places = diagnostic
            .notes
            .iter()
            .map(|note| &note.place)
            .chain(&diagnostic.place);
        for place in places {
            let (start, end) = (place.start, place.end);
            assert!(
                start.offset <= end.offset && end.offset as usize <= text.len(),
                "{place:?}"
            );
            assert!(start.line >= 1 && start.column >= 1 && start.line as usize <= lines);
        }
        let shown = Renderer::plain().width(60).render(diagnostic, &[source]);
        assert!(shown.contains(&*diagnostic.code));
        assert!(serde_json::to_string(diagnostic).is_ok());
    }
    let mut locator = Locator::new(&[source]);
    for declared in &loaded.objects {
        for path in [
            "",
            "spec",
            "spec.groups[1].dependsOn[0]",
            "spec.nothing",
            "metadata.name",
        ] {
            let path: FieldPath = path.parse().unwrap_or_default();
            let place = locator.locate(declared.origin, &path, Target::Value);
            assert!(place.is_some_and(|place| place.end.offset as usize <= text.len()));
        }
    }
    loaded
}

/// Pieces that mean something to YAML, so that chance gets deeper than the first character.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "a", "b: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ": ", "? ", "&x ", "*x",
            "<<: ", "!!str ", "!t ", "|\n", ">-\n", "\"", "'", "\\", "#", " #", "---\n", "...\n", "%YAML 1.2\n",
            "\t", "\r\n", "\u{FEFF}", "~", "null", "010", "1e3", "한", "😀", "\0", "\u{85}", "|2\n", "@", "`",
            "kind: Site\n", "apiVersion: drover.dev/v1alpha1\n", "metadata: {name: a}\n", "spec:\n",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&text);
    }

    #[test]
    fn arbitrary_yaml(pieces in proptest::collection::vec(piece(), 0..60)) {
        check(pieces.concat().as_bytes());
    }

    #[test]
    fn mutated_manifests(
        edits in proptest::collection::vec((0..PLAN.len(), 0..30_usize, piece()), 1..6),
    ) {
        let mut text = PLAN.to_owned();
        for (at, length, with) in edits {
            let near = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (start, end) = (near(at), near(at + length));
            text.replace_range(start..end, &with);
        }
        check(text.as_bytes());
    }

    #[test]
    fn cut_manifests(at in 0..PLAN.len()) {
        check(&PLAN.as_bytes()[..at]);
        check(&PLAN.as_bytes()[at..]);
    }

    #[test]
    fn documents_do_not_touch_each_other(pieces in proptest::collection::vec(piece(), 0..40)) {
        // Whatever stands before, the documents behind the next marker are read. The line before the
        // marker is content: comments alone would belong to the document that the marker begins.
        let text = format!("{}\nz\n---\n{PLAN}", pieces.concat());
        let loaded = check(text.as_bytes());
        let refused = loaded.diagnostics.iter().any(|each| each.message.contains("UTF-16"));
        for id in ["RecoveryPlan shop/shop", "Site seoul"] {
            let read = loaded.objects.iter().any(|each| each.id.to_string() == id);
            prop_assert!(read || refused, "{:?}", loaded.diagnostics);
        }
    }
}

#[test]
fn the_manifest_itself_is_fine() {
    let loaded = check(PLAN.as_bytes());
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.objects.len(), 2);
}
