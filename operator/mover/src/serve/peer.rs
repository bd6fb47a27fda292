//! Who calls.

use std::fmt;
use std::net::SocketAddr;

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Who calls, as the connection proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over a unix socket: whoever may open it.
    Local,
    /// Over TLS.
    Remote {
        /// The names in its certificate: subject alternative names that are host names or URIs.
        names: Vec<String>,
        /// Where it calls from.
        address: SocketAddr,
    },
}

impl Peer {
    /// Of a certificate that was verified.
    pub(super) fn of(certificate: Option<&CertificateDer<'_>>, address: SocketAddr) -> Self {
        let parsed = certificate.and_then(|der| EndEntityCert::try_from(der).ok());
        let names = parsed.map(|parsed| {
            let all = parsed.valid_dns_names().chain(parsed.valid_uri_names());
            all.map(str::to_owned).collect()
        });
        Self::Remote {
            names: names.unwrap_or_default(),
            address,
        }
    }

    /// Whether it has this name. Capitals count in URIs, not in the names of hosts.
    pub fn is(&self, name: &str) -> bool {
        let is = |known: &String| {
            known == name || (!name.contains(':') && known.eq_ignore_ascii_case(name))
        };
        match self {
            Self::Local => false,
            Self::Remote { names, .. } => names.iter().any(is),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Remote { names, address } if names.is_empty() => {
                write!(f, "somebody without a name at {address}")
            }
            Self::Remote { names, address } => write!(f, "{} at {address}", names.join(", ")),
        }
    }
}
