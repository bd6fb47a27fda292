//! The Helm chart, and the programs that look at it.
//!
//! `helm` and `kubeconform` come from the folder in `DROVER_CHART_TOOLS`, else from the one that
//! `tests/controlplane/tools/build` prints.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use crate::manifests::{self, Document};

/// The namespace that tests install into.
pub const NAMESPACE: &str = "drover-system";

/// Why the chart could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program or a file could not be had.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// There are no programs.
    #[error(
        "tests/controlplane/tools/build gave no folder with helm and kubeconform; it says why on stderr"
    )]
    Tools,
    /// A program refused.
    #[error("{program} refused: {said}")]
    Refused {
        /// Which one.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// What was printed are no manifests.
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
}

/// The chart.
pub fn folder() -> PathBuf {
    manifests::repository().join("charts/drover")
}

/// What the chart makes of values, written as YAML.
///
/// # Errors
///
/// [`Error::Refused`] where helm does not take the values.
pub fn render(values: &str) -> Result<Vec<Document>, Error> {
    let text = render_text(values)?;
    Ok(manifests::documents(&text)?)
}

/// As [`render`], as it is printed.
///
/// # Errors
///
/// As [`render`].
pub fn render_text(values: &str) -> Result<String, Error> {
    let file = values_file(values)?;
    let chart = folder();
    let args = [
        "template",
        "drover",
        text(&chart),
        "--namespace",
        NAMESPACE,
        "--values",
        text(file.path()),
    ];
    let output = helm(&args, None)?;
    if !output.status.success() {
        return Err(Error::Refused {
            program: "helm",
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A file with values.
///
/// # Errors
///
/// [`Error::Io`].
pub fn values_file(values: &str) -> Result<tempfile::NamedTempFile, Error> {
    let doing = |source| Error::Io {
        doing: "write a file of values".to_owned(),
        source,
    };
    let file = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .map_err(doing)?;
    fs::write(file.path(), values).map_err(doing)?;
    Ok(file)
}

/// Runs helm, with the cluster of a kubeconfig or without one.
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Tools`]; what helm refuses is part of the answer.
pub fn helm(args: &[&str], kubeconfig: Option<&Path>) -> Result<Output, Error> {
    // What whoever runs the tests has set up for helm changes nothing here.
    let home = tempfile::tempdir().map_err(|source| Error::Io {
        doing: "make a temporary folder".to_owned(),
        source,
    })?;
    let mut command = Command::new(tools()?.join("helm"));
    command
        .args(args)
        .env("HELM_CACHE_HOME", home.path().join("cache"))
        .env("HELM_CONFIG_HOME", home.path().join("config"))
        .env("HELM_DATA_HOME", home.path().join("data"))
        .env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/dev/null")))
        .stdin(Stdio::null());
    command.output().map_err(|source| Error::Io {
        doing: "run helm".to_owned(),
        source,
    })
}

/// Runs kubeconform.
///
/// # Errors
///
/// As [`helm`].
pub fn kubeconform(args: &[&str]) -> Result<Output, Error> {
    let mut command = Command::new(tools()?.join("kubeconform"));
    command.args(args).stdin(Stdio::null());
    command.output().map_err(|source| Error::Io {
        doing: "run kubeconform".to_owned(),
        source,
    })
}

/// The folder of programs.
fn tools() -> Result<&'static Path, Error> {
    static TOOLS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = TOOLS.get_or_init(|| {
        if let Some(folder) = env::var_os("DROVER_CHART_TOOLS") {
            return Some(folder.into());
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/tools/build");
        // stderr is inherited: a first build takes minutes and says so.
        let output = Command::new(script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .ok()?;
        let path = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| path.trim_end().into())
    });
    found.as_deref().ok_or(Error::Tools)
}

/// A path as an argument; those of tests are plain text.
fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
