//! The certificates of a mover, which may become others at any time.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use drover_libvirt::call::Credentials;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tracing::{info, warn};

use super::error::ServeError;

/// Mutual TLS with the files `ca.crt`, `tls.crt` and `tls.key` of a folder.
///
/// They are read again for each connection, so that a renewed certificate serves from then on and an authority
/// that was taken out lets nobody in any more. While they do not fit each other those before them serve.
/// Connections that stand are not touched.
#[derive(Clone)]
pub struct ServerTls {
    folder: Arc<PathBuf>,
    known: Arc<Mutex<Known>>,
}

struct Known {
    credentials: Credentials,
    /// Looked at and of no use: said once.
    useless: Option<Credentials>,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// With the certificates in this folder.
    ///
    /// # Errors
    /// When they cannot be read, or not be used.
    pub fn of_folder(folder: impl Into<PathBuf>) -> Result<Self, ServeError> {
        let folder = folder.into();
        let read = Credentials::of_folder(&folder).map_err(|error| error.to_string());
        let usable = read.and_then(|credentials| Ok((config(&credentials)?, credentials)));
        match usable {
            Ok((config, credentials)) => Ok(Self {
                folder: Arc::new(folder),
                known: Arc::new(Mutex::new(Known {
                    credentials,
                    useless: None,
                    config,
                })),
            }),
            Err(why) => Err(ServeError::Certificates { folder, why }),
        }
    }

    /// For the next connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let read = Credentials::of_folder(&self.folder);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(read) if read == known.credentials || known.useless.as_ref() == Some(&read) => {}
            Ok(read) => match config(&read) {
                Ok(config) => {
                    info!(folder = %self.folder.display(), "serves with other certificates now");
                    *known = Known {
                        credentials: read,
                        useless: None,
                        config,
                    };
                }
                // The key may be a moment late.
                Err(why) => {
                    warn!(%why, "new certificates are of no use, those before them serve");
                    known.useless = Some(read);
                }
            },
            Err(error) => warn!(%error, "no certificates can be read, those before serve"),
        }
        Arc::clone(&known.config)
    }
}

fn config(credentials: &Credentials) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(credentials.roots()?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| error.to_string())?;
    let (chain, key) = credentials.identity()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not fit: {error}"))?;
    // A resumed session shows no certificate: one that has expired since would pass.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
