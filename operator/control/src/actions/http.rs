//! A call over HTTP, from this process: of any URL, or of a machine at the address that is seen there.
//!
//! It is made once for each attempt, follows no redirect, and of the answer only the status counts. What is
//! told of a call names neither credentials nor the query, where people keep tokens (BI-3).

use std::time::Duration;

use bytes::Bytes;
use drover_api::{HttpAction, HttpMethod};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::TokioExecutor;

use super::Errand;
use crate::context::Context;
use crate::feed::Chain;

/// How long a connection may take to come about; the action's own limit is over the whole call.
const CONNECT: Duration = Duration::from_secs(10);
/// By which whoever is called can tell a repetition.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Errand {
    pub(super) async fn real_http(
        &self,
        context: &Context,
        http: &HttpAction,
    ) -> Result<(), String> {
        let uri = match &http.url {
            Some(url) => parse(url)?,
            None => self.uri_of_machine(context, http)?,
        };
        let mut headers = self.headers(context, http).await?;
        let (method, body) = match http.method {
            HttpMethod::Get => (Method::GET, Bytes::new()),
            HttpMethod::Post => (Method::POST, self.body()),
            HttpMethod::Put => (Method::PUT, self.body()),
        };
        if method != Method::GET {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
        }
        let shown = shown(&uri);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Self::leads(context)?;
        let status = call(request)
            .await
            .map_err(|why| format!("{shown}: {why}"))?;
        expect(http, status).map_err(|why| format!("{shown}: {why}"))
    }

    fn body(&self) -> Bytes {
        self.about.to_string().into()
    }

    /// The machine at the address that is seen at the target.
    fn uri_of_machine(&self, context: &Context, http: &HttpAction) -> Result<Uri, String> {
        let Some(place) = &self.machine else {
            return Err("the machine is none of this run".into());
        };
        if self.drill {
            return Err(
                "a machine of a drill is on an isolated network, and its address may be production's too: call \
                 it from within, with a script there"
                    .into(),
            );
        }
        let address = self.address_of(context, place).ok_or(
            "no address of the machine is seen at the target, yet: are its guest tools running?",
        )?;
        let port = http.port.unwrap_or(80);
        let authority = std::net::SocketAddr::new(address, port).to_string();
        let path = http.path.as_deref().unwrap_or("/");
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(authority);
        let uri = uri.path_and_query(path).build();
        uri.map_err(|_| "its `path` is no path of a URL: write other characters as %xx".into())
    }

    /// What is sent along: who calls, the key, and what the secret has.
    async fn headers(&self, context: &Context, http: &HttpAction) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let agent = concat!("drover/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let key = HeaderValue::from_str(&self.key);
        headers.insert(IDEMPOTENCY_KEY, key.map_err(|error| error.to_string())?);
        let Some(reference) = &http.headers_secret_ref else {
            return Ok(headers);
        };
        let secret = self.secret(context, reference.name.as_str()).await?;
        for (name, value) in secret.data.unwrap_or_default() {
            let at = format!("entry `{name}` of secret {}", reference.name);
            let header = HeaderName::try_from(&name)
                .map_err(|_| format!("{at} is called like no header: rename it"))?;
            let mut value = HeaderValue::from_bytes(value.0.trim_ascii())
                .map_err(|_| format!("{at} has characters that no header has"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// Whether the answer is the one that counts as success.
pub(super) fn expect(http: &HttpAction, status: u16) -> Result<(), String> {
    if status == http.expect_status {
        return Ok(());
    }
    let moved = if (300..400).contains(&status) {
        "; redirects are not followed: write where it leads to, or expect this status"
    } else {
        ""
    };
    Err(format!(
        "it answered {status} and not {}{moved}",
        http.expect_status
    ))
}

/// Makes the call, on a connection of its own.
async fn call(request: Request<Full<Bytes>>) -> Result<u16, String> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT));
    let answer = if request.uri().scheme() == Some(&Scheme::HTTPS) {
        tcp.enforce_http(false);
        let trusted = HttpsConnectorBuilder::new().with_native_roots();
        let trusted = trusted.map_err(|error| {
            format!("no certificate authorities are installed here ({error}): set SSL_CERT_FILE")
        })?;
        let connector = trusted.https_only().enable_http1().wrap_connector(tcp);
        client().build(connector).request(request).await
    } else {
        client().build(tcp).request(request).await
    };
    let answer = answer.map_err(|error| format!("it could not be called: {}", Chain(&error)))?;
    Ok(answer.status().as_u16())
}

fn client() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    // An attempt is one call; the plan says how many attempts there are.
    builder
        .pool_max_idle_per_host(0)
        .retry_canceled_requests(false);
    builder
}

/// A URL of a manifest. Credentials have no place in it: a plan is read by many.
fn parse(url: &str) -> Result<Uri, String> {
    let plain = url.split('#').next().unwrap_or_default();
    let uri: Uri = plain
        .parse()
        .map_err(|error| format!("the url is none ({error}): write it as https://host/path"))?;
    if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
        let header = AUTHORIZATION;
        return Err(format!(
            "{} has credentials in it: keep them in a secret that `headersSecretRef` names, as its entry \
             `{header}`",
            shown(&uri)
        ));
    }
    Ok(uri)
}

/// A URL without what may be a secret.
fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!(
        "{}://{host}{}",
        uri.scheme_str().unwrap_or_default(),
        uri.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_url_has_no_secret() {
        // SPEC: BI-3
        let url = "https://hooks.example.com:8443/go?token=hunter2#there";
        assert_eq!(
            shown(&parse(url).unwrap()),
            "https://hooks.example.com:8443/go"
        );
        let why = parse("https://kim:hunter2@hooks.example.com/go?a=hunter2").unwrap_err();
        assert!(!why.contains("hunter2") && !why.contains("kim"), "{why}");
        assert!(why.contains("headersSecretRef"), "{why}");
        let why = parse("http://hunter2 there/").unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
