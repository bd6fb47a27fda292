//! What may be written for the operator in a cluster: `run`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SimulatorLatency;

const RUN: &str = "\
Examples:
  drover run                                    in a pod, as the Helm chart does it
  drover run --kubeconfig admin.conf --no-webhook --lease-namespace default
  curl http://localhost:8080/metrics

Several can run: one leads, the others stand by. One that is told to end (SIGTERM) brings what it has in
hand to its end and gives the lease back, so that another leads within seconds; a second signal ends it
at once.

Over HTTP: /livez fails when it should be restarted, /readyz when it does not do its part (a standby
does), /metrics is OpenMetrics. The webhook is /validate, over TLS.

Exit codes:
  0  it was told to end
  1  it could not begin, or was ended at once";

/// Run the operator for a cluster
///
/// Carries out what is declared in a Kubernetes cluster: the one of a kubeconfig, or the one that it runs
/// in. It leads by a lease, whose end it checks before every write and every request to a driver.
#[derive(Debug, Args)]
#[command(after_long_help = RUN)]
pub struct Run {
    /// The kubeconfig [default: what KUBECONFIG names, else ~/.kube/config, else the cluster that drover
    /// runs in]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of the lease [default: `$POD_NAMESPACE`, else drover-system]
    #[arg(long, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// How scripts of plans run: as Jobs in the namespaces of their plans, or not at all
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub scripts: RunScripts,
    /// What is logged, on standard error
    #[command(flatten)]
    pub log: Log,
    /// Send a trace of each run to this collector (OTLP over HTTP), such as
    /// `http://collector:4318`
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// The webhook
    #[command(flatten)]
    pub admission: AdmissionArguments,
    /// Keep the world of simulated sites in this folder, which all processes share; without it each
    /// process has a world of its own, which ends with it
    #[arg(long, value_name = "FOLDER", help_heading = "For trying out")]
    pub simulator_data: Option<PathBuf>,
    /// How long simulated things take
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        help_heading = "For trying out"
    )]
    pub simulator_latency: SimulatorLatency,
}

/// How scripts of plans run in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunScripts {
    /// Not at all; their actions fail
    #[default]
    None,
    /// As Jobs; whoever may write a plan can then run containers in its namespace
    Jobs,
}

/// What is logged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub struct Log {
    /// How a line of the log is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What is logged, unless `RUST_LOG` says it: off, error, warn, info, debug, trace, or a filter such as
    /// `drover_control=debug,warn`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs: an object on each line
    Json,
}

/// The validating webhook.
#[derive(Debug, Args)]
#[command(next_help_heading = "Validating webhook")]
pub struct AdmissionArguments {
    /// Where /validate is served, over TLS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    pub webhook_listen: SocketAddr,
    /// Serve no webhook; what is wrong is then told in conditions alone
    #[arg(long, conflicts_with_all = ["webhook_config", "webhook_service", "webhook_cert_dir"])]
    pub no_webhook: bool,
    /// The `ValidatingWebhookConfiguration` that is told which certificates to trust
    #[arg(long, value_name = "NAME", conflicts_with = "webhook_cert_dir")]
    pub webhook_config: Option<String>,
    /// The service that the webhook is reached by; its certificate is made out to it, and kept in the
    /// secret NAME-tls beside it [default: none, the certificate is for localhost]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service, conflicts_with = "webhook_cert_dir")]
    pub webhook_service: Option<Service>,
    /// A folder with tls.crt and tls.key that somebody else keeps fresh, such as cert-manager
    #[arg(long, value_name = "FOLDER")]
    pub webhook_cert_dir: Option<PathBuf>,
}

/// A service in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

fn service(text: &str) -> Result<Service, String> {
    let plain = |part: &str| {
        let fits = |each: char| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '-';
        !part.is_empty() && part.len() < 64 && part.chars().all(fits)
    };
    match text.split_once('/') {
        Some((namespace, name)) if plain(namespace) && plain(name) => Ok(Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }),
        _ => Err("write it as namespace/name, such as drover-system/drover".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_its_namespace() {
        assert_eq!(service("drover-system/drover").unwrap().name, "drover");
        for bad in ["", "drover", "a/", "/b", "a/b/c", "A/b"] {
            assert!(service(bad).is_err(), "{bad}");
        }
    }
}
