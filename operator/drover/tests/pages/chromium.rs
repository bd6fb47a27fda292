//! A real browser without a window.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

/// How wide screens are: that of a desk, and that of a hand.
pub const WIDTHS: [u32; 2] = [1280, 400];

/// A page, and what it is called.
pub struct Page {
    pub name: String,
    pub html: String,
}

/// What is where on a page.
#[derive(Debug, Deserialize)]
pub struct Measured {
    pub page: String,
    pub at: String,
    /// How far it must be scrolled to the side.
    pub width: f64,
    /// What lies beyond its edge.
    pub beyond: Vec<String>,
    /// What is cut off.
    pub clipped: Vec<String>,
    /// Words that lie on others.
    pub overlapping: Vec<String>,
    /// Words that are too small.
    pub small: Vec<String>,
    /// Words that are hardly told from what is behind them.
    pub faint: Vec<String>,
    /// Headings, tables and pictures, from above.
    pub outline: Vec<String>,
}

/// Measures pages at all widths. One browser does it for all of them: starting it takes longest.
pub fn measure(pages: &[Page]) -> Vec<Measured> {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = String::from("<!doctype html><meta charset=\"utf-8\"><body>");
    for page in pages {
        for width in WIDTHS {
            let _ = write!(
                harness,
                "<iframe name=\"{}\" width=\"{width}\" height=\"800\" style=\"border:0\" srcdoc=\"{}\"></iframe>",
                page.name,
                page.html.replace('&', "&amp;").replace('"', "&quot;")
            );
        }
    }
    let _ = write!(
        harness,
        "<script>{}</script></body>",
        include_str!("measure.js")
    );
    let path = folder.path().join("harness.html");
    fs::write(&path, harness).unwrap();
    let dom = run(&folder, &["--dump-dom", "--window-size=1400,900"], &path);
    let (_, json) = dom.split_once("id=\"measured\">").expect(&dom);
    let (json, _) = json.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// What a page is on paper: the words of each sheet.
pub fn print(page: &Page) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let pdf = folder.path().join("page.pdf");
    fs::write(&path, &page.html).unwrap();
    let print = format!("--print-to-pdf={}", pdf.display());
    run(&folder, &[&print, "--no-pdf-header-footer"], &path);
    let text = Command::new("pdftotext")
        .arg("-layout")
        .args([&pdf, &PathBuf::from("-")])
        .output()
        .expect("pdftotext, from Debian's package poppler-utils");
    assert!(text.status.success(), "{text:?}");
    let text = String::from_utf8(text.stdout).unwrap();
    // Each sheet ends with a form feed.
    let sheets = text.split_terminator('\u{c}').map(str::to_owned);
    sheets.collect()
}

fn run(folder: &TempDir, arguments: &[&str], page: &Path) -> String {
    let profile = format!(
        "--user-data-dir={}",
        folder.path().join("profile").display()
    );
    let output = Command::new("chromium")
        // Tests may run as root, and the pages are ours.
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--hide-scrollbars"])
        .args(["--virtual-time-budget=5000", &profile])
        .args(arguments)
        .arg(page)
        .stdin(Stdio::null())
        .output()
        .expect("chromium, from Debian's package of that name");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
