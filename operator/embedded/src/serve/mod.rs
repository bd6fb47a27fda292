//! The API over HTTPS on loopback, for `kubectl` and everything else that is not in this process.
//!
//! `kubectl` sends no token over plain HTTP, so there is a certificate. It and the token are made at
//! the first start, kept in the data folder for nobody but its owner, and used again.

mod connection;
mod identity;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::Api;
use identity::Identity;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where; on loopback only. Port 0: any that is free.
    pub listen: SocketAddr,
    /// Connections at the same time; more wait to be accepted.
    pub connections: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            connections: 512,
        }
    }
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach it.
    #[error("{0} is not on loopback, and this API gives everything to whoever holds its token")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not there.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate and the token cannot be read or kept.
    #[error("the identity in {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate cannot be made or used.
    #[error("no certificate: {0}")]
    Certificate(String),
}

/// A server that runs until it is told to stop, or dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    identity: Identity,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Api {
    /// Serves the API over HTTPS on loopback, with a bearer token.
    ///
    /// # Errors
    ///
    /// If the address is not on loopback or cannot be listened on, or certificate and token can be
    /// neither read nor made.
    pub async fn serve(&self, options: ServeOptions) -> Result<Server, ServeError> {
        if !options.listen.ip().is_loopback() {
            return Err(ServeError::NotLoopback(options.listen));
        }
        let identity = identity::of(self.data.as_deref()).await?;
        let acceptor = TlsAcceptor::from(Arc::new(identity.server_config()?));
        let refused = |source| ServeError::Listen {
            listen: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (stop, stopped) = watch::channel(false);
        let shop = connection::Shop {
            service: self.service(),
            acceptor,
            token: identity.token.clone().into(),
            stopped,
        };
        let accepting = tokio::spawn(connection::accept(listener, shop, options.connections));
        Ok(Server {
            url: format!("https://{address}"),
            identity,
            stop,
            accepting,
        })
    }
}

impl Server {
    /// Where it is served, such as `https://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token; it opens everything.
    pub fn token(&self) -> &str {
        &self.identity.token
    }

    /// The certificate (PEM) that signed the server's.
    pub fn ca(&self) -> &str {
        &self.identity.authority
    }

    /// A kubeconfig with all of the above, in JSON, which is YAML as well.
    pub fn kubeconfig(&self) -> String {
        let name = "drover";
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": name,
                "cluster": { "server": self.url, "certificate-authority-data": STANDARD.encode(self.ca()) },
            }],
            "users": [{ "name": name, "user": { "token": self.token() } }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name, "namespace": "default" } }],
            "current-context": name,
        });
        format!("{config:#}\n")
    }

    /// Takes no more connections, lets requests end for a moment, and returns when all are gone.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // An error means that the task is gone already.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
