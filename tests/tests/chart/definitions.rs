//! The definitions of the kinds in the chart: the same as in `crds/`, upgraded with it, and never deleted.

use std::{collections::BTreeMap, env, fs};

use drover_tests::{chart, manifests};

const CRD: &str = "CustomResourceDefinition";

#[test]
fn the_chart_packages_the_definitions() {
    // SPEC: KU-1
    // A copy, not a link: what packs a chart for a GitOps tool passes links over.
    let read = |folder: &str| -> BTreeMap<String, String> {
        let files = manifests::files(&manifests::repository().join(folder)).unwrap();
        let named = files.iter().map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, manifests::read(path).unwrap())
        });
        named.collect()
    };
    let made = read("crds");
    if env::var_os("DROVER_UPDATE").is_some() {
        for (name, text) in &made {
            fs::write(chart::folder().join("files/crds").join(name), text).unwrap();
        }
    }
    let packaged = read("charts/drover/files/crds");
    assert!(packaged.keys().eq(made.keys()), "one file for each kind");
    for (name, text) in &made {
        assert!(
            packaged[name] == *text,
            "charts/drover/files/crds/{name} is not crds/{name}: run \
             `DROVER_UPDATE=1 cargo test -p drover-tests --test chart`"
        );
    }
}

#[test]
fn a_definition_stays_when_the_chart_goes_and_is_otherwise_as_it_was() {
    // SPEC: KU-2
    let rendered = chart::render("").unwrap();
    let mut seen = 0;
    for mut document in rendered {
        if document.kind() != CRD {
            continue;
        }
        seen += 1;
        let annotations = document.value["metadata"]["annotations"].take();
        assert_eq!(annotations["helm.sh/resource-policy"], "keep");
        let metadata = document.value["metadata"].as_object_mut().unwrap();
        metadata.remove("annotations");
        let (plural, _) = document.name().split_once('.').unwrap();
        let path = manifests::repository().join(format!("crds/{plural}.yaml"));
        let text = manifests::read(&path).unwrap();
        let made = manifests::documents(&text).unwrap().remove(0);
        assert!(document.value == made.value, "{plural}");
    }
    assert_eq!(seen, drover_api::KINDS.len());
    assert!(
        !chart::render_text("crds: { install: false }")
            .unwrap()
            .contains(CRD)
    );
}
