//! Calls.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::Address;
use super::credentials::Credentials;
use super::deflate::{DEFLATE, Inflate};
use super::error::CallError;
use super::failure::Failure;
use super::line::{Body, Line, Way, unprotected};

const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer; what a mover knows of thousands of machines is a few megabytes.
const LONGEST: usize = 64 << 20;
/// Connections that rest: as many as calls at a time are usual.
const RESTING: usize = 8;
/// How long they rest. The mover hangs up after 30 s.
const REST: Duration = Duration::from_secs(15);

/// A call that became a stream of bytes.
pub type Stream = Inflate<TokioIo<Upgraded>>;

/// Calls one mover. Clones share their connections.
#[derive(Clone)]
pub struct Caller {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    address: Address,
    way: Way,
    host: HeaderValue,
    resting: Mutex<Vec<(Instant, Line)>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("address", &self.shared.address)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// Calls the mover at this address, with ten seconds of patience. Nothing is connected yet.
    ///
    /// # Errors
    /// When credentials are of no use, or there are none for TCP.
    pub fn new(address: Address, credentials: Option<&Credentials>) -> Result<Self, CallError> {
        let way = match (&address, credentials) {
            (Address::Unix(_), _) => Way::Plain,
            (Address::Tcp { .. }, None) => return Err(unprotected(&address)),
            (Address::Tcp { host, .. }, Some(credentials)) => {
                let refused = |why: String| CallError::Refused {
                    address: address.clone(),
                    why,
                    hint: "look at `ca.crt`, `tls.crt` and `tls.key`",
                };
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|error| refused(error.to_string()))?;
                Way::Encrypted(credentials.client().map_err(refused)?, name)
            }
        };
        let host = match &address {
            Address::Unix(_) => "localhost".to_owned(),
            Address::Tcp { .. } => address.to_string(),
        };
        let host = HeaderValue::try_from(host);
        let host = host.map_err(|error| CallError::broken(&address, error.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                address,
                way,
                host,
                resting: Mutex::default(),
            }),
            patience: PATIENCE,
        })
    }

    /// With another patience, for the whole of a call, or until a stream of bytes is there.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Who is called.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Asks, with POST. A question may arrive twice: when a resting connection turns out to be dead it is asked
    /// again over a fresh one. When the future is dropped nothing more comes of it, but it may have been heard.
    ///
    /// # Errors
    /// When the mover cannot be reached, is not the one, answers with an error or with what is no `A`.
    pub async fn call<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, CallError> {
        let body = serde_json::to_vec(question);
        let body = body.map_err(|error| self.broken(format!("it cannot be asked: {error}")))?;
        let answer = self.within(self.ask(path, body.into())).await?;
        let answer = serde_json::from_slice(&answer);
        answer.map_err(|error| self.broken(format!("the answer to {path}: {error}")))
    }

    /// Asks for a stream of bytes in both directions. It ends when it is dropped.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn stream(&self, path: &str) -> Result<Stream, CallError> {
        self.enter(path, false).await
    }

    /// As [`stream`](Self::stream); what comes from there is compressed on its way, if the mover can.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn compressed_stream(&self, path: &str) -> Result<Stream, CallError> {
        self.enter(path, true).await
    }

    async fn enter(&self, path: &str, compressed: bool) -> Result<Stream, CallError> {
        let asked = async {
            let mut line = self.open().await?;
            let mut request = self.request(path, Bytes::new(), true)?;
            if compressed {
                let deflate = HeaderValue::from_static(DEFLATE);
                request
                    .headers_mut()
                    .insert(header::ACCEPT_ENCODING, deflate);
            }
            let answer = self.send(&mut line, request).await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                self.content(answer).await?;
                return Err(self.broken(format!("{path} is no stream of bytes")));
            }
            let encoding = answer.headers().get(header::CONTENT_ENCODING);
            let compressed = encoding.is_some_and(|name| name == DEFLATE);
            let upgraded = hyper::upgrade::on(answer).await;
            let upgraded = upgraded.map_err(|error| self.lost(&error))?;
            Ok(Inflate::new(TokioIo::new(upgraded), compressed))
        };
        self.within(asked).await
    }

    async fn within<T>(
        &self,
        asked: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let ended = tokio::time::timeout(self.patience, asked).await;
        ended.unwrap_or_else(|_| Err(CallError::silent(&self.shared.address, self.patience)))
    }

    async fn ask(&self, path: &str, body: Bytes) -> Result<Bytes, CallError> {
        if let Some(mut line) = self.shared.rested() {
            let request = self.request(path, body.clone(), false)?;
            if let Ok(answer) = self.send(&mut line, request).await {
                return self.finish(line, answer).await;
            }
        }
        let mut line = self.open().await?;
        let request = self.request(path, body, false)?;
        let answer = self.send(&mut line, request).await?;
        self.finish(line, answer).await
    }

    async fn open(&self) -> Result<Line, CallError> {
        Line::open(&self.shared.address, &self.shared.way).await
    }

    fn request(&self, path: &str, body: Bytes, stream: bool) -> Result<Request<Body>, CallError> {
        let mut request = Request::builder().uri(path);
        request = request.header(header::HOST, self.shared.host.clone());
        request = if stream {
            let request = request.method(Method::GET);
            let request = request.header(header::CONNECTION, "upgrade");
            request.header(header::UPGRADE, super::STREAM)
        } else {
            let request = request.method(Method::POST);
            request.header(header::CONTENT_TYPE, "application/json")
        };
        let request = request.body(Body::new(body));
        request.map_err(|error| self.broken(format!("{path:?} cannot be asked for: {error}")))
    }

    async fn send(
        &self,
        line: &mut Line,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, CallError> {
        let ready = line.sender.ready().await;
        ready.map_err(|error| self.lost(&error))?;
        let answer = line.sender.send_request(request).await;
        answer.map_err(|error| self.lost(&error))
    }

    /// Reads the answer; the connection may rest only when there is nothing left to read.
    async fn finish(&self, line: Line, answer: Response<Incoming>) -> Result<Bytes, CallError> {
        let (content, whole) = match self.content(answer).await {
            Ok(content) => (Ok(content), true),
            Err(error @ CallError::Answered(_)) => (Err(error), true),
            Err(error) => (Err(error), false),
        };
        if whole {
            self.shared.rest(line);
        }
        content
    }

    async fn content(&self, answer: Response<Incoming>) -> Result<Bytes, CallError> {
        let (head, body) = answer.into_parts();
        let content = match Limited::new(body, LONGEST).collect().await {
            Ok(content) => content.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(self.broken("it is longer than 64 MiB"));
            }
            Err(error) => {
                let address = &self.shared.address;
                return Err(CallError::lost(address, "hearing the answer", &*error));
            }
        };
        if head.status.is_success() {
            return Ok(content);
        }
        match serde_json::from_slice::<Failure>(&content) {
            Ok(failure) => Err(CallError::Answered(failure.into())),
            Err(_) if not_now(head.status) => Err(CallError::Unreachable {
                address: self.shared.address.clone(),
                why: format!("the status is {}", head.status),
            }),
            Err(_) => Err(self.broken(format!("the status is {}", head.status))),
        }
    }

    fn lost(&self, error: &hyper::Error) -> CallError {
        CallError::of(&self.shared.address, "asking", error)
    }

    fn broken(&self, why: impl Into<String>) -> CallError {
        CallError::broken(&self.shared.address, why)
    }
}

impl Shared {
    fn resting(&self) -> MutexGuard<'_, Vec<(Instant, Line)>> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(since, line)| since.elapsed() < REST && !line.sender.is_closed());
        resting
    }

    fn rested(&self) -> Option<Line> {
        self.resting().pop().map(|(_, line)| line)
    }

    fn rest(&self, line: Line) {
        let mut resting = self.resting();
        if resting.len() < RESTING {
            resting.push((Instant::now(), line));
        }
    }
}

/// What stands in between says that the mover is not there just now, as while it is started anew.
fn not_now(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}
