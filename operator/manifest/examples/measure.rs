//! Generates the manifests of a large estate and measures how long they take to load.
//!
//! `cargo run --release -p drover-manifest --example measure -- 50000`

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

use std::fmt::Write as _;
use std::time::Instant;

use drover_manifest::{Options, Renderer, Source, drover_kinds, load};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [path] = arguments.as_slice()
        && let Ok(text) = std::fs::read(path)
    {
        return show(path, &text);
    }
    let machines: usize = arguments
        .first()
        .and_then(|each| each.parse().ok())
        .unwrap_or(50_000);
    let per_group = arguments
        .get(1)
        .and_then(|each| each.parse().ok())
        .unwrap_or(10);
    let text = estate(machines, per_group);
    let source = Source {
        name: "estate.yaml",
        text: text.as_bytes(),
    };
    if let Some(path) = std::env::var_os("ESTATE") {
        let _ = std::fs::write(path, &text);
    }
    let registry = drover_kinds();
    for _ in 0..5 {
        let start = Instant::now();
        let loaded = load(&[source], &registry, &Options::default());
        println!(
            "{machines} machines, {} bytes, {} documents, {} objects, {} diagnostics: {:?}",
            text.len(),
            loaded.documents,
            loaded.objects.len(),
            loaded.diagnostics.len(),
            start.elapsed(),
        );
        if let Some(first) = loaded.diagnostics.first() {
            println!("{}", Renderer::plain().render(first, &[source]));
        }
    }
}

fn show(path: &str, text: &[u8]) {
    let source = Source { name: path, text };
    let loaded = load(&[source], &drover_kinds(), &Options::default());
    print!(
        "{}",
        Renderer::plain().render_all(&loaded.diagnostics, &[source])
    );
    println!(
        "{} objects, {} ignored",
        loaded.objects.len(),
        loaded.ignored
    );
}

fn estate(machines: usize, per_group: usize) -> String {
    let mut text = String::new();
    for group in 0..machines / per_group {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: drover.dev/v1alpha1\nkind: ProtectionGroup\nmetadata:\n  \
             name: group-{group}\n  namespace: shop\n  labels:\n    app.kubernetes.io/part-of: shop\n\
             spec:\n  sites: {{ primary: seoul, secondary: busan }}\n  policyRef:\n    name: gold\n  \
             networkMappingRef:\n    name: seoul-busan\n  consistency: Group\n  machines:\n"
        );
        for index in 0..per_group {
            let machine = group * per_group + index;
            let (c, d) = (machine / 250 % 250, machine % 250);
            let _ = write!(
                text,
                "    - name: machine-{machine}   # one of many\n      nics:\n        - network: data\n          \
                 addresses:\n            primary: [10.20.{c}.{d}]\n            secondary: [10.120.{c}.{d}]\n"
            );
        }
    }
    text
}
