//! The shape of the image: it cannot be built where tests run, so its recipe is looked at.

use drover_tests::manifests;

fn read(name: &str) -> String {
    manifests::read(&manifests::repository().join(name)).unwrap()
}

/// The instructions, with their continued lines joined.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn of(what: &str) -> Vec<String> {
    let found = instructions().into_iter().filter_map(|line| {
        let rest = line.strip_prefix(what)?.strip_prefix(' ')?;
        Some(rest.to_owned())
    });
    found.collect()
}

#[test]
fn the_image_holds_one_program_and_no_root() {
    // SPEC: KU-3
    let all = instructions();
    let last = all
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    assert_eq!(all[last], "FROM scratch");
    let end = &all[last..];
    for wanted in [
        "COPY --from=build /image/ /",
        "USER 65532:65532",
        "ENTRYPOINT [\"/drover\"]",
        "CMD [\"run\"]",
    ] {
        assert!(end.iter().any(|line| line == wanted), "{wanted}: {end:#?}");
    }
    assert!(
        !end.iter()
            .any(|line| line.starts_with("RUN ") || line.starts_with("ADD "))
    );
    // The chart runs it as this user.
    assert!(read("charts/drover/templates/deployment.yaml").contains("runAsUser: 65532"));
}

#[test]
fn the_image_is_built_from_what_is_pinned() {
    let channel = read("rust-toolchain.toml");
    let channel = channel
        .lines()
        .find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.unwrap().trim_matches('"');
    assert!(
        of("ARG").contains(&format!("RUST={channel}-alpine")),
        "{:?}",
        of("ARG")
    );
    let builds = of("RUN").into_iter().filter(|line| line.contains("cargo "));
    for build in builds {
        for command in build.split("&&").filter(|part| part.contains("cargo ")) {
            assert!(command.contains("--locked"), "{command}");
            assert!(
                !command.contains("install") || command.contains("--version"),
                "{command}"
            );
        }
    }
    assert!(
        of("ARG")
            .iter()
            .any(|line| line.starts_with("SOURCE_DATE_EPOCH"))
    );
    assert!(of("ENV").concat().contains("--remap-path-prefix=/src=."));
}

#[test]
fn what_the_image_is_built_from_is_there_and_nothing_else_goes_along() {
    let sources = of("COPY")
        .into_iter()
        .filter(|line| !line.starts_with("--from"));
    let sources: Vec<String> = sources
        .flat_map(|line| {
            let mut parts: Vec<String> = line.split(' ').map(str::to_owned).collect();
            parts.pop();
            parts
        })
        .collect();
    let ignored = read(".dockerignore");
    let mut rules = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(
        rules.next(),
        Some("*"),
        "everything is left out but what is named"
    );
    let allowed: Vec<&str> = rules.map(|line| line.strip_prefix('!').unwrap()).collect();
    for source in &sources {
        assert!(manifests::repository().join(source).exists(), "{source}");
        let goes =
            |allowed: &&str| *allowed == source || allowed.starts_with(&format!("{source}/"));
        assert!(allowed.iter().any(goes), "{source} is left out");
    }
    for path in allowed {
        assert!(manifests::repository().join(path).exists(), "{path}");
    }
}
