use super::*;

fn fatal(text: &str) -> Problem {
    *compose(text, 0).unwrap_err()
}

fn problems(text: &str) -> Vec<String> {
    let composed = compose(text, 0).unwrap();
    composed
        .problems
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

/// The source text of the value at a path of keys.
fn text_at<'t>(text: &'t str, keys: &[&str]) -> &'t str {
    let root = tree(text);
    let node = keys.iter().fold(&root, |node, key| node.get(key).unwrap());
    &text[node.span.range()]
}

#[test]
fn every_value_knows_its_bytes() {
    let text = "a: 한글 값   # why\nb: \"x\\\"y\"  # it's \"so\"\nc: 'it''s' \nd: [1, 2] # e\ne:\n  f: 1\n  g: 2\nh: |\n  t\n  u\ni: {j: k}\n";
    assert_eq!(text_at(text, &["a"]), "한글 값");
    assert_eq!(text_at(text, &["b"]), "\"x\\\"y\"");
    assert_eq!(text_at(text, &["c"]), "'it''s'");
    assert_eq!(text_at(text, &["d"]), "[1, 2]");
    assert_eq!(text_at(text, &["e"]), "f: 1\n  g: 2");
    assert_eq!(text_at(text, &["i"]), "{j: k}");
    assert_eq!(text_at(text, &["i", "j"]), "k");
    assert_eq!(tree(text).get("h").unwrap().as_str(), Some("t\nu\n"));
}

#[test]
fn spans_count_from_the_start_of_the_source() {
    let composed = compose("a: b", 100).unwrap();
    let root = composed.root.unwrap();
    assert_eq!(root.span, Span::new(100, 104));
    assert_eq!(root.get("a").unwrap().span, Span::new(103, 104));
}

#[test]
fn json_is_yaml() {
    let root = tree("{\"a\":[1,true,null,\"x\"],\n\t\"b\":{\"c\":-1.5e3}}");
    assert_eq!(root.get("a").unwrap().items().len(), 4);
    assert_eq!(
        root.get("b").unwrap().get("c").unwrap().value,
        Value::Float(-1500.0)
    );
}

#[test]
fn documents_without_content_have_no_root() {
    assert!(compose("# nothing\n", 0).unwrap().root.is_none());
    assert!(compose("", 0).unwrap().root.is_none());
    assert!(compose("---\n", 0).unwrap().root.unwrap().is_null());
}

#[test]
fn aliases_copy_and_keep_the_place_of_the_original() {
    let text = "a: &x {k: v}\nb: *x\n";
    assert_eq!(text_at(text, &["b", "k"]), "v");
    assert_eq!(
        tree(text).get("b").unwrap().get("k").unwrap().span.start,
        10
    );
    assert_eq!(tree("&k key: *k").get("key").unwrap().as_str(), Some("key"));
}

#[test]
fn merge_keys_merge_as_kubectl_does() {
    let root = tree(
        "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none:\n  <<: *b\n  y: 9\nall:\n  <<: [*b, *m]\n",
    );
    let one = root.get("one").unwrap();
    assert_eq!(one.get("x").unwrap().value, Value::Int(1));
    assert_eq!(one.get("y").unwrap().value, Value::Int(9));
    let all = root.get("all").unwrap();
    assert_eq!(all.get("y").unwrap().value, Value::Int(2));
    assert_eq!(all.get("z").unwrap().value, Value::Int(4));
    assert_eq!(tree("\"<<\": 1").get("<<").unwrap().value, Value::Int(1));
    assert_eq!(
        problems("a: {<<: 1}"),
        ["`<<` merges a map, or a list of maps"]
    );
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb = format!("{bomb}a{level}: &a{level} [{before}]\n");
    }
    assert_eq!(fatal(&bomb).code, code::ALIAS);
    let merges = "a: &a {<<: [*a]}";
    assert_eq!(
        fatal(merges).message,
        "this alias stands inside the value that it names"
    );
    let text = format!(
        "a: &a {}\nb: [{}]",
        "x".repeat(500_000),
        "*a, ".repeat(1000)
    );
    assert_eq!(fatal(&text).code, code::ALIAS);
}

#[test]
fn aliases_cannot_nest_deeper_than_text_can() {
    let mut text = String::new();
    for level in 0..8 {
        let inner = if level == 0 {
            "x".to_owned()
        } else {
            format!("*a{}", level - 1)
        };
        let (open, close) = ("[".repeat(20), "]".repeat(20));
        text = format!("{text}a{level}: &a{level} {open}{inner}{close}\n");
    }
    assert_eq!(fatal(&text).message, "nested deeper than 64 levels");
}

#[test]
fn duplicate_keys_name_both_places() {
    let composed = compose("a: 1\nb: 2\na: 3\n", 0).unwrap();
    let problem = &composed.problems[0];
    assert_eq!(problem.code, code::DUPLICATE_KEY);
    assert_eq!(problem.span, Span::new(10, 11));
    assert_eq!(
        problem.notes,
        [(Span::new(0, 1), "first written here".to_owned())]
    );
    assert_eq!(
        composed.root.unwrap().get("a").unwrap().value,
        Value::Int(1)
    );
    let many: Vec<_> = (0..40).map(|key| format!("k{}: 1\n", key % 30)).collect();
    assert_eq!(problems(&many.concat()).len(), 10);
}

#[test]
fn keys_are_text() {
    let root = tree("1: a\ntrue: b\n1.0: c\n");
    assert_eq!(root.get("1").unwrap().as_str(), Some("a"));
    assert_eq!(root.get("true").unwrap().as_str(), Some("b"));
    assert_eq!(root.get("1.0").unwrap().as_str(), Some("c"));
    assert_eq!(problems("[a]: b"), ["a key must be text"]);
    assert_eq!(problems("{a: b}: c"), ["a key must be text"]);
    assert_eq!(problems(": b"), ["this key is empty"]);
    assert_eq!(problems("? \n: b"), ["this key is empty"]);
}

#[test]
fn tags_are_refused_unless_they_say_nothing_new() {
    assert_eq!(tree("a: !!str 1").get("a").unwrap().as_str(), Some("1"));
    assert_eq!(tree("a: ! 1").get("a").unwrap().as_str(), Some("1"));
    assert!(tree("!!map {a: !!seq [b]}").is_map());
    assert_eq!(
        problems("a: !!binary aGk="),
        ["the tag \"!!binary\" is not supported"]
    );
    assert_eq!(problems("a: !Ref x"), ["the tag \"!Ref\" is not supported"]);
    assert_eq!(problems("!x {a: 1}"), ["the tag \"!x\" is not supported"]);
    assert_eq!(problems("a: !<tag:x.org,2000:y> x").len(), 1);
}

#[test]
fn depth_is_bounded_in_every_form() {
    let flow = "[".repeat(10_000);
    assert!(compose(&flow, 0).is_err());
    let block = "- ".repeat(10_000);
    assert_eq!(fatal(&block).message, "nested deeper than 64 levels");
    let maps: String = (0..200).map(|level| " ".repeat(level) + "a:\n").collect();
    assert_eq!(fatal(&maps).message, "nested deeper than 64 levels");
    let fine = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert!(compose(&fine, 0).is_ok());
}

#[test]
fn size_is_bounded() {
    let text = format!("a: {}", "x".repeat(10_000_000));
    assert_eq!(fatal(&text).code, code::TOO_LARGE);
    let text = format!("a: \"{}\"", "x".repeat(1_500_000));
    assert_eq!(fatal(&text).message, "this text is longer than 1 MiB");
    let text = format!("a: |\n  {}", "x".repeat(10_000_000));
    assert_eq!(fatal(&text).code, code::TOO_LARGE);
    let commas = format!("- [[{}", ",".repeat(20_000_000));
    assert_eq!(fatal(&commas).code, code::TOO_LARGE);
    let nodes = format!("[{}]", "a,".repeat(MAX_NODES));
    assert_eq!(fatal(&nodes).code, code::TOO_LARGE);
}

#[test]
fn a_long_json_document_is_read_as_a_stream() {
    let item = "{\"name\": \"db\", \"nics\": [{\"network\": \"data\"}]}";
    let text = format!(
        "# c\n---\n{{\"items\": [\n{item}{}\n]}}",
        format!(",\n{item}").repeat(60_000)
    );
    assert!(text.len() > MAX_LOOKAHEAD_BYTES);
    let composed = compose(&text, 7).unwrap();
    let root = composed.root.unwrap();
    let items = root.get("items").unwrap().items();
    assert_eq!(items.len(), 60_001);
    let last = items[60_000].get("name").unwrap().span;
    assert_eq!(
        &text[last.start as usize - 7..last.end as usize - 7],
        "\"db\""
    );
    assert_eq!(&text[root.span.start as usize - 7..][..9], "{\"items\":");
}

#[test]
fn syntax_errors_say_what_to_do() {
    let said = |text: &str| {
        let problem = fatal(text);
        (
            problem.message,
            problem.span.start,
            problem.hint.unwrap_or_default(),
        )
    };
    let (message, at, _) = said("a: b: c\n");
    assert_eq!((message.as_str(), at), ("a `:` is not allowed here", 4));
    let (message, at, _) = said("a: \"x\nb: c\n");
    assert_eq!(
        (message.as_str(), at),
        (
            "the quote that opens here is not closed where its lines end",
            3
        )
    );
    let (message, at, _) = said("\"x\n\nb: c");
    assert_eq!(
        (message.as_str(), at),
        ("the quote that opens here is never closed", 0)
    );
    let (message, at, _) = said("a: [1, 2\n");
    assert_eq!((message.as_str(), at), ("this bracket is never closed", 3));
    assert_eq!(fatal("a: [1, 2\nb: 3\n").notes[0].0, Span::new(3, 4));
    let (message, ..) = said("a: b\n  c: d\n");
    assert_eq!(message, "this line is read as a part of the value above it");
    let (_, _, hint) = said("a:\n\tb: c\n");
    assert_eq!(hint, "this line is indented with a tab: use spaces");
    let (message, at, _) = said("a: *x\n");
    assert_eq!((message.contains("anchor"), at), (true, 3));
    let (message, at, _) = said("a: 1\n<<<<<<< HEAD\nb: 2\n=======\n");
    assert_eq!(
        (message.as_str(), at),
        ("a merge conflict is not resolved here", 5)
    );
    let (_, _, hint) = said("a: {{ .Values.x }}-y\n");
    assert!(hint.starts_with("this looks like a template"), "{hint}");
    let (message, ..) = said("a: \"\\ud800\"");
    assert_eq!(
        message,
        "this quoted text names a character that does not exist"
    );
}
