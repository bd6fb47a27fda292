//! Pages and pictures in a real browser, without a window: what is where, and not which pixels.
//!
//! Every page that is kept in `tests/golden` is looked at, so that a new one is looked at without a word here;
//! rehearsals and pictures are made anew. `DROVER_UPDATE=1` keeps their outlines anew.
#![cfg(test)]

mod chromium;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chromium::{Measured, Page, WIDTHS, measure, print};
use drover_tests::manifests::repository;

#[test]
fn nothing_is_cut_off_and_no_word_lies_on_another() {
    // SPEC: RD-2, RD-4, RD-5
    let mut pages = kept();
    pages.extend(made());
    let measured = measure(&pages);
    assert_eq!(measured.len(), pages.len() * WIDTHS.len());
    let wrong: Vec<String> = measured.iter().flat_map(faults).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let wide = WIDTHS[0].to_string();
    let mut outlines = String::new();
    for page in measured.iter().filter(|page| page.at == wide) {
        let _ = writeln!(outlines, "== {}\n{}\n", page.page, page.outline.join("\n"));
    }
    compare(&outlines);
}

#[test]
fn each_sheet_of_paper_says_what_it_is_of() {
    // SPEC: RD-5
    let printed = ["planned", "drill", "period"];
    let pages = kept();
    for name in printed {
        let page = pages.iter().find(|page| page.name == name).unwrap();
        let (_, title) = page.html.split_once("<title>").unwrap();
        let (title, _) = title.split_once("</title>").unwrap();
        let (_, digest) = page.html.split_once("<dt>Facts</dt>").unwrap();
        let (digest, _) = digest.split_once("</code>").unwrap();
        let (_, digest) = digest.split_once("<code>").unwrap();
        let sheets = print(page);
        // A period has at least a sheet for itself and one for each run.
        let least = 1 + page.html.matches("class=\"inner\"").count();
        assert!(sheets.len() >= least, "{name}: {}", sheets.len());
        for (position, sheet) in sheets.iter().enumerate() {
            let number = format!("{} of {}", position + 1, sheets.len());
            for said in [title, digest, &number] {
                assert!(sheet.contains(said), "{name}: no {said} in\n{sheet}");
            }
        }
    }
}

#[test]
fn what_is_wrong_on_a_page_is_found() {
    let page = |name: &str, body: &str| Page {
        name: name.to_owned(),
        html: format!("<!doctype html><body style=\"margin:0\">{body}</body>"),
    };
    let absolute = "<p style=\"position:absolute;top:0\">";
    let pages = [
        page("wide", "<p style=\"width:3000px\">all of it</p>"),
        page(
            "cut",
            "<p style=\"width:20px;overflow:hidden;white-space:nowrap\">all of it</p>",
        ),
        page(
            "overlapping",
            &format!("{absolute}one</p>{absolute}other</p>"),
        ),
        page("small", "<p style=\"font-size:5px\">all of it</p>"),
        page("faint", "<p style=\"color:#ddd\">all of it</p>"),
    ];
    let measured = measure(&pages);
    let found = |page: &str| {
        let measured = measured.iter().find(|each| each.page == page);
        faults(measured.unwrap())
    };
    let wrong = [
        ("wide", "too wide"),
        ("wide", "beyond the edge"),
        ("cut", "is cut off"),
        ("overlapping", "lie on each other"),
        ("small", "is too small"),
        ("faint", "is too faint"),
    ];
    for (name, words) in wrong {
        let faults = found(name).join("\n");
        assert!(faults.contains(words), "{name}: no {words} in {faults}");
    }
}

/// Pages that are kept, and compared with what the code makes elsewhere.
fn kept() -> Vec<Page> {
    let mut pages = Vec::new();
    let mut folders = vec![repository().join("tests/golden")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "html")
            {
                pages.push(Page {
                    name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                    html: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(pages.len() >= 5);
    pages
}

/// Rehearsals and pictures of the examples.
fn made() -> Vec<Page> {
    let made = [
        (
            "rehearsal",
            "simulate examples/quickstart --format html --runs 50",
        ),
        (
            "rehearsal-lost",
            "simulate examples/quickstart --format html --runs 50 --type Unplanned --fault site-loss=seoul \
             --unfenced --fault failed-boot=10%",
        ),
        ("graph-quickstart", "graph examples/quickstart --format svg"),
        ("graph-libvirt", "graph examples/libvirt --format svg"),
        ("graph-large", "graph examples/large --format svg"),
    ];
    let made = made.into_iter().map(|(name, typed)| Page {
        name: name.to_owned(),
        html: drover(typed),
    });
    made.collect()
}

fn drover(typed: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(typed.split_whitespace())
        .args(["--as-of", "2026-11-20T12:00:00Z"])
        .current_dir(repository())
        .output()
        .unwrap();
    // Something to see is no error.
    let ended = matches!(output.status.code(), Some(0 | 2));
    assert!(ended, "{typed}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn faults(page: &Measured) -> Vec<String> {
    let what = format!("{} at {}", page.page, page.at);
    let mut faults = Vec::new();
    if page.width > 0.0 {
        faults.push(format!("{what} is {} too wide", page.width));
    }
    let lists = [
        ("lies beyond the edge", &page.beyond),
        ("is cut off", &page.clipped),
        ("lie on each other", &page.overlapping),
        ("is too small", &page.small),
        ("is too faint", &page.faint),
    ];
    for (wrong, list) in lists {
        faults.extend(list.iter().map(|each| format!("{what}: {each} {wrong}")));
    }
    faults
}

fn compare(outlines: &str) {
    let path: PathBuf = Path::new(repository()).join("tests/golden/outlines.txt");
    if std::env::var_os("DROVER_UPDATE").is_some() {
        fs::write(&path, outlines).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == outlines,
        "{} differs.\n--- kept\n{kept}\n--- now\n{outlines}\n---\n\
         if that is meant: DROVER_UPDATE=1 cargo test -p drover --test pages",
        path.display()
    );
}
