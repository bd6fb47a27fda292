//! What may be written for the commands that bring their own API: `up` and `demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

const UP: &str = "\
Examples:
  drover up manifests/                    apply what a folder says, now and whenever it changes
  drover up                               an empty API, for kubectl apply
  export KUBECONFIG=$PWD/.drover/kubeconfig; kubectl get recoveryplans -A

What is in a folder is applied when its content changes, object by object, as `kubectl apply` does it: a
change that somebody makes with kubectl stays until the manifest itself is changed. Manifests with errors
are not applied; what was applied last stays.

Exit codes:
  0  it was told to end
  1  it could not begin, or something could not be kept";

/// Run Drover here: an API for kubectl, the operator, and a live view
///
/// Serves the Kubernetes API for Drover's kinds on this machine, without a cluster, and carries out what
/// is declared there, until it is interrupted. Everything is kept in the data folder: after a stop, or a
/// crash, the next start carries on. Sites are simulated, as yet.
#[derive(Debug, Args)]
#[command(after_long_help = UP)]
pub struct Up {
    /// Files and folders with manifests, to be applied now and whenever they change
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The folder that everything is kept in; nobody else may read it
    #[arg(long, value_name = "FOLDER", default_value = ".drover")]
    pub data: PathBuf,
    /// Where the API is served, on loopback only: an address and a port, or a port; 0 is any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6790", value_parser = listen)]
    pub listen: SocketAddr,
    /// Delete what was applied from these paths and is in them no longer, instead of reporting it
    #[arg(long, requires = "paths")]
    pub prune: bool,
    /// How long simulated things take
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub simulator_latency: SimulatorLatency,
    /// What is logged, unless `RUST_LOG` says it: off, error, warn, info, debug, trace, or a filter such as
    /// `drover_control=debug`
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub log: String,
}

/// How long simulated things take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SimulatorLatency {
    /// As long as machines declare, and as in a real site where they do not
    #[default]
    Realistic,
    /// No time at all
    Zero,
}

/// An address and a port, or a port on loopback.
fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write it as 127.0.0.1:6790, or as a port".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(
            "others could reach it there, and this API gives everything to whoever holds its token"
                .to_owned(),
        )
    }
}

const DEMO: &str = "\
Examples:
  drover demo                             with progress, in about twenty seconds
  drover demo --fast | tail -n 20         what each run reached
  sudo drover demo --fabric libvirt       the same on real guests, in some minutes

Exit codes:
  0  all went as it must
  1  it did not";

/// Play the whole life of a shop of twelve machines, in about twenty seconds
///
/// Protects the machines, rehearses a failover, fails over and back, then loses a site and fails over
/// without it. Sites and time are simulated, nothing outside this process is touched and nothing is left.
/// It ends with what each run reached, against its forecast. `--fabric libvirt` plays it as root on two
/// libvirt sites that it starts on this machine, with small guests that count what they write; they end
/// with it, however it ends.
#[derive(Debug, Args)]
#[command(after_long_help = DEMO)]
pub struct Demo {
    /// What the sites are made of
    #[arg(long, value_name = "FABRIC", value_enum, default_value_t)]
    pub fabric: DemoFabric,
    /// Simulated seconds in a second [default: about twenty seconds for all of it on a terminal, else
    /// as fast as possible]
    #[arg(long, value_name = "NUMBER", conflicts_with = "fast", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pace: Option<u32>,
    /// As fast as possible
    #[arg(long)]
    pub fast: bool,
}

/// What the sites of a demonstration are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DemoFabric {
    /// Twelve simulated machines, on simulated time
    #[default]
    Simulator,
    /// Two real guests at two libvirt sites on this machine, as root
    Libvirt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_on_loopback() {
        assert_eq!(listen("0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(listen("[::1]:80").unwrap().to_string(), "[::1]:80");
        for bad in ["", "localhost", "0.0.0.0:80", "70000", "127.0.0.1"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}

const EXPLAIN: &str = "\
Examples:
  drover explain RecoveryPlan                 its parts
  drover explain plan.spec.request            one field, and what is in it
  drover explain plan.spec --recursive        all fields below, a line each

Exit codes:
  0  it was explained
  1  there is no such kind or field";

/// Say what a kind or a field means, and what it may be
///
/// Needs no cluster: it reads the definitions that are built in. Short names such as rp and plurals are
/// understood; what a list holds needs no index.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLAIN)]
pub struct Explain {
    /// A kind, and after dots the fields that lead to what is meant
    #[arg(value_name = "KIND[.FIELD[.FIELD]]")]
    pub path: String,
    /// All fields below it, a line each
    #[arg(short, long)]
    pub recursive: bool,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: ExplainFormat,
}

/// How fields are explained.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ExplainFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `FieldReport`
    Json,
}
