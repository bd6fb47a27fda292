//! Who we are, and whom we believe.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What mutual TLS needs; every part in PEM. Nothing of it is ever printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The authorities that may have signed the other side's certificate.
    pub ca: Vec<u8>,
    /// Our certificate and those between it and its authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// The authorities, in the folders that Kubernetes and cert-manager fill.
    pub const CA: &str = "ca.crt";
    /// The certificate, in the same.
    pub const CERTIFICATE: &str = "tls.crt";
    /// The key, in the same.
    pub const KEY: &str = "tls.key";

    /// Reads the three files of a folder.
    ///
    /// # Errors
    /// When one of them cannot be read; the error names it.
    pub fn of_folder(folder: &Path) -> std::io::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            let named = |error: std::io::Error| {
                std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            std::fs::read(&path).map_err(named)
        };
        Ok(Self {
            ca: read(Self::CA)?,
            certificate: read(Self::CERTIFICATE)?,
            key: read(Self::KEY)?,
        })
    }

    /// The authorities as TLS takes them.
    ///
    /// # Errors
    /// In words, when there is none or the text is something else.
    pub fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.ca, "the authority's")? {
            let added = roots.add(authority);
            added.map_err(|error| format!("an authority's certificate is of no use: {error}"))?;
        }
        Ok(roots)
    }

    /// Our certificate and its key as TLS takes them.
    ///
    /// # Errors
    /// In words, when there is none or the text is something else.
    pub fn identity(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain = certificates(&self.certificate, "our own")?;
        // What the parser says may quote the text, and this one is secret.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| "the key is not one in PEM".to_owned())?;
        Ok((chain, key))
    }

    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let (chain, key) = self.identity()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("certificate and key do not fit: {error}"))?;
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{whose} certificate is not one in PEM: {error}"))?;
    if all.is_empty() {
        return Err(format!("there is no certificate where {whose} should be"));
    }
    Ok(all)
}
