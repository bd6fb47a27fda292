//! Whatever is loaded: no panic, no hang, and every diagnostic can be shown.

#![no_main]

use std::sync::LazyLock;

use drover_manifest::{Options, Registry, Renderer, Source, drover_kinds, load};
use libfuzzer_sys::fuzz_target;

static KINDS: LazyLock<Registry<drover_manifest::Object>> = LazyLock::new(drover_kinds);

fuzz_target!(|text: &[u8]| {
    let source = Source { name: "fuzz.yaml", text };
    let loaded = load(&[source], &KINDS, &Options::default());
    for diagnostic in &loaded.diagnostics {
        let shown = Renderer::plain().render(diagnostic, &[source]);
        assert!(shown.contains(&*diagnostic.code));
    }
});
