//! SPEC BI-1: whatever the input, a precise answer, soon, and never a panic.
//!
//! No test here looks at a clock: what is not bounded does not end within the patience of a test run.

use std::sync::LazyLock;

use drover_api::Object;
use drover_manifest::{
    Loaded, Options, Registry, Renderer, Source, code, drover_kinds, limits, load,
};

const SITE: &str = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: {name: seoul}\n\
                    spec: {fabric: {simulator: {}}}\n";

static KINDS: LazyLock<Registry<Object>> = LazyLock::new(drover_kinds);

fn read(text: &[u8]) -> Loaded<Object> {
    let source = Source {
        name: "hostile.yaml",
        text,
    };
    let loaded = load(&[source], &KINDS, &Options::default());
    let shown = Renderer::plain().render_all(&loaded.diagnostics, &[source]);
    assert!(shown.len() < 4_000_000, "{} bytes shown", shown.len());
    loaded
}

fn codes(text: &[u8]) -> Vec<&'static str> {
    read(text)
        .diagnostics
        .iter()
        .filter_map(|each| {
            let known = code::ALL.iter().find(|known| known.code == each.code);
            known.map(|known| known.code)
        })
        .collect()
}

#[test]
fn nesting_of_ten_thousand_levels() {
    for text in [
        "[".repeat(10_000),
        "{a: ".repeat(10_000),
        "- ".repeat(10_000),
        "? ".repeat(10_000),
        "[".repeat(10_000) + &"]".repeat(10_000),
        "[{".repeat(100),
        (0..2_000).map(|level| " ".repeat(level) + "a:\n").collect(),
        "&a ".repeat(10_000),
        "!!seq ".repeat(10_000),
        "[? ".repeat(200),
    ] {
        let found = codes(text.as_bytes());
        assert!(
            matches!(found[..], [code::TOO_LARGE | code::SYNTAX]),
            "{found:?}"
        );
    }
}

#[test]
fn alias_bombs() {
    let mut laughs = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..60 {
        let before = vec![format!("*a{}", level - 1); 9].join(",");
        laughs = format!("{laughs}a{level}: &a{level} [{before}]\n");
    }
    assert_eq!(codes(laughs.as_bytes()), [code::ALIAS]);

    let anchors = (0..100_000)
        .map(|index| format!("&a{index} "))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(codes(format!("{anchors}x: *a0").as_bytes()), [code::SYNTAX]);

    let keys: Vec<_> = (0..20_000).map(|key| format!("  k{key}: 1\n")).collect();
    let merges = "  <<: *m\n".repeat(20_000);
    let text = format!("m: &m {{a: 1}}\nx:\n{}{merges}", keys.concat());
    assert!(codes(text.as_bytes()).is_empty());
}

#[test]
fn a_scalar_of_ten_megabytes() {
    let long = "x".repeat(10_000_000);
    for text in [
        format!("a: {long}"),
        format!("a: \"{long}\""),
        format!("a: |\n  {long}\n"),
        format!("a: >-\n{}", "  xx\n".repeat(2_000_000)),
        format!("{long}: a"),
        format!("a: !{long} b"),
        format!("a: &{long} b"),
        format!("a: \"{}\"", "\\n".repeat(5_000_000)),
        format!("a: '{}'", "''".repeat(5_000_000)),
    ] {
        let found = codes(text.as_bytes());
        assert!(
            matches!(found[..], [] | [code::TOO_LARGE | code::SYNTAX]),
            "{found:?}"
        );
    }
    let comment = format!("# {long}\n{SITE}# {long}\n");
    assert_eq!(read(comment.as_bytes()).objects.len(), 1);
}

#[test]
fn much_of_everything() {
    let documents = read("---\na: 1\n".repeat(100_000).as_bytes());
    assert_eq!((documents.documents, documents.ignored), (100_000, 100_000));
    let empty = "---\n".repeat(limits::MAX_DOCUMENTS + 1);
    assert_eq!(codes(empty.as_bytes()), [code::TOO_LARGE]);
    let ours = SITE.to_owned() + &"---\na: 1\n".repeat(20_000);
    let found = codes(ours.as_bytes());
    assert_eq!(found.len(), limits::MAX_PROBLEMS_PER_SOURCE + 1);
    let keys: Vec<String> = (0..100_000).map(|key| format!("k{key}: v\n")).collect();
    assert!(codes(keys.concat().as_bytes()).is_empty());
    let same = "k: v\n".repeat(100_000);
    assert!(codes(same.as_bytes()).is_empty());
    assert_eq!(codes(format!("{SITE}{same}").as_bytes()).len(), 100 + 1);
}

#[test]
fn long_runs_of_one_character() {
    for each in "[]{},:-?&*!|>'\"%@`#<~ \t\n\r.\u{FEFF}0é".chars() {
        for length in [1, 2, 3, 4, 5, 100, 300, 100_000] {
            let run: String = std::iter::repeat_n(each, length).collect();
            read(run.as_bytes());
            read(format!("a: {run}").as_bytes());
            read(format!("- {run}\n- b").as_bytes());
            read(format!("{SITE}x: {run}").as_bytes());
        }
    }
}

#[test]
fn odd_bytes() {
    for text in [
        &b"\xFF"[..],
        b"\xFF\xFE",
        b"\xFE\xFF\0a",
        b"\0",
        b"\0\0\0\0",
        b"a: \0",
        b"\xEF\xBB\xBF",
        b"\xEF\xBB\xBF\xEF\xBB\xBF",
        b"\xEF\xBB\xBFa: b\r\n\xEF\xBB\xBF---\r\n",
        b"a: \xED\xA0\x80",
        b"a: \"\\ud800\"",
        b"a: \"\\ud83d\\ude00\"",
        b"\xC3",
        b"---\n\xC3\x28\n---\n",
        b"\r\r\r---\r...\r",
        b"a\x85b\xE2\x80\xA8c",
        b"%YAML 1.2",
        b"%YAML 9.9\n---\na",
        b"%TAG ! tag:x,2000:\n---\n!y a",
        b"%\n---\n",
        b"...\n...\n---\n...",
        b"---a\n--- \n---\t\n",
    ] {
        read(text);
        let mut ours = SITE.as_bytes().to_vec();
        ours.extend_from_slice(text);
        read(&ours);
    }
}

#[test]
fn a_source_that_is_too_long() {
    let text = vec![b'#'; limits::MAX_SOURCE_BYTES + 1];
    assert_eq!(codes(&text), [code::TOO_LARGE]);
}
