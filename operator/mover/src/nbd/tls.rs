//! Encrypted connections: whom a server must be, and who we are.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::Stream;
use super::error::NbdError;

/// How a connection is encrypted (PR-8). A server that does not agree is not spoken to.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Who we are, to a server that asks.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate and those between it and the authority, in PEM.
    pub certificate: &'a str,
    /// Its key, in PEM.
    pub key: &'a str,
}

impl Tls {
    /// The server must show a certificate for `name` that one of these authorities, in PEM, signed.
    ///
    /// # Errors
    /// When one of the texts is not what it should be.
    pub fn new(
        authorities: &str,
        name: &str,
        identity: Option<Identity<'_>>,
    ) -> Result<Self, NbdError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities)? {
            roots.add(authority).map_err(wrong)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(wrong)?;
                config
                    .with_client_auth_cert(certificates(identity.certificate)?, key)
                    .map_err(wrong)?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(name.to_owned()).map_err(wrong)?,
        })
    }

    pub(crate) async fn wrap(&self, plain: Box<dyn Stream>) -> Result<Box<dyn Stream>, NbdError> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), plain).await;
        Ok(Box::new(stream.map_err(NbdError::io("starting TLS"))?))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, NbdError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if all.is_empty() {
        return Err(NbdError::Tls("there is no certificate".to_owned()));
    }
    Ok(all)
}

fn wrong(error: impl fmt::Display) -> NbdError {
    NbdError::Tls(error.to_string())
}
