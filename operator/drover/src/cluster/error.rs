//! What a cluster answers when something cannot be done, in words for people.
//!
//! The errors of the client repeat their causes in their own text; here each thing is said once.

use std::error::Error;

use kube::config::KubeconfigError;

use crate::failure::{Failure, Why};

/// Turns what the client says into why something could not be done.
pub fn failed(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Failure {
    let doing = doing.into();
    move |error| Failure::Cluster {
        doing,
        why: Why(words(&error)),
        hint: hint(&error).map(str::to_owned),
    }
}

/// The answer of a cluster in one sentence.
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => {
            format!("the cluster answers {} {}", status.code, status.reason)
        }
        other => innermost(other),
    }
}

/// The kubeconfig cannot be used.
pub fn no_cluster(error: &KubeconfigError) -> Failure {
    let why = match error {
        KubeconfigError::FindPath => "there is no kubeconfig".to_owned(),
        KubeconfigError::CurrentContextNotSet => "the kubeconfig has no current context".to_owned(),
        KubeconfigError::ReadConfig(error, path) => {
            format!("cannot read {}: {}", path.display(), innermost(error))
        }
        KubeconfigError::LoadContext(name) => format!("the kubeconfig has no context {name}"),
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("the kubeconfig has no cluster {name}")
        }
        // The parser quotes the lines that it cannot read, and those may hold a secret (BI-3).
        KubeconfigError::Parse(_) => {
            "the kubeconfig is no YAML that could be understood".to_owned()
        }
        other => other.to_string(),
    };
    Failure::NoCluster(Why(why))
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    loop {
        // It repeats what the program that gives credentials wrote, which may be a secret (BI-3).
        if error.is::<kube::client::AuthError>() {
            return "the credentials that the kubeconfig names cannot be had".to_owned();
        }
        match error.source() {
            Some(cause) => error = cause,
            None => return error.to_string(),
        }
    }
}

fn hint(error: &kube::Error) -> Option<&'static str> {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            Some("the credentials of the kubeconfig are not accepted; log in again")
        }
        kube::Error::Api(status) if status.is_forbidden() => {
            Some("ask whoever runs the cluster for the right to do this")
        }
        kube::Error::Api(status) if is_unknown_kind(status) => Some(
            "is Drover installed there? `drover crd | kubectl apply --server-side -f -` adds its \
             kinds",
        ),
        kube::Error::HyperError(_) | kube::Error::Service(_) => {
            Some("is it running, and can it be reached from here? `drover up` starts one")
        }
        _ => None,
    }
}

/// A server that does not know the kind answers without naming an object.
fn is_unknown_kind(status: &kube::core::Status) -> bool {
    let names_one = status
        .details
        .as_ref()
        .is_some_and(|details| !details.name.is_empty());
    status.is_not_found() && !names_one
}
