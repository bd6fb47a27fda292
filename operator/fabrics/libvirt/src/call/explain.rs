//! Why TLS was refused, for a person who holds the certificates.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Why the two sides do not believe each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is wrong, with "it" for the other side.
    pub why: String,
    /// What a person can do.
    pub hint: &'static str,
}

const AUTHORITY: &str = "`ca.crt` must hold the authority that signed the other side's `tls.crt`, on both sides; after a new \
     authority keep the old one beside it until both certificates are renewed";
const RENEW: &str =
    "renew the certificate (`tls.crt`, `tls.key`), and compare the clocks of both hosts";
const PURPOSE: &str = "a mover is server and client: its certificate needs both extended key usages, serverAuth and clientAuth";
const NAME: &str =
    "the certificate must name the host as the address does, as a subject alternative name";
const SHOW: &str =
    "who calls over TCP must show a certificate that the other side's `ca.crt` signed";
const PORT: &str = "is it the port of a mover, and nothing in between that speaks for it?";
const LOOK: &str = "compare the certificates of both sides";

impl Explanation {
    /// Where an error, or one that caused it, is that TLS was refused.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<TlsError>() {
                return tls(error);
            }
            // The source of an input/output error leaves out the error that it wraps.
            let wrapped = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            next = match wrapped {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

fn tls(error: &TlsError) -> Option<Explanation> {
    let said = |why: &str, hint| {
        let why = why.to_owned();
        Some(Explanation { why, hint })
    };
    match error {
        TlsError::InvalidCertificate(error) => Some(certificate(error)),
        TlsError::NoCertificatesPresented => said("it shows no certificate", SHOW),
        TlsError::AlertReceived(alert) => self::alert(*alert),
        TlsError::InvalidMessage(_) => said("it does not speak TLS", PORT),
        TlsError::PeerIncompatible(_) | TlsError::PeerMisbehaved(_) => {
            said(&format!("no agreement about TLS: {error}"), PORT)
        }
        _ => None,
    }
}

fn certificate(error: &CertificateError) -> Explanation {
    let (why, hint) = match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "its certificate was not signed by an authority that is trusted here".to_owned(),
            AUTHORITY,
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), RENEW)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), RENEW)
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            "its certificate is not for this purpose".to_owned(),
            PURPOSE,
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (format!("it is somebody else: {error}"), NAME)
        }
        other => (format!("its certificate is not accepted: {other}"), LOOK),
    };
    Explanation { why, hint }
}

fn alert(alert: AlertDescription) -> Option<Explanation> {
    let (why, hint) = match alert {
        AlertDescription::UnknownCA => (
            "it does not trust the authority that signed our certificate".to_owned(),
            AUTHORITY,
        ),
        AlertDescription::CertificateExpired => {
            ("it says that our certificate is expired".to_owned(), RENEW)
        }
        AlertDescription::CertificateRequired => {
            ("it wants a certificate and was shown none".to_owned(), SHOW)
        }
        AlertDescription::UnsupportedCertificate => (
            "our certificate is not for this purpose to it".to_owned(),
            PURPOSE,
        ),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => (
            format!("it does not accept our certificate ({alert:?})"),
            LOOK,
        ),
        _ => return None,
    };
    Some(Explanation { why, hint })
}

/// An error and what caused it, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            // Writing to a text cannot fail.
            let _ = write!(text, ": {said}");
        }
        next = cause.source();
    }
    text
}
