//! The certificate of the webhook: made by Drover itself, kept in a secret that all its processes share,
//! renewed in good time, and told to the API server.
//!
//! An authority signs the server's certificate. Whoever trusts the authority need not be told when the
//! server's is renewed; when the authority itself is, both are trusted before the new one signs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;
use tracing::{info, warn};

use crate::cli::{AdmissionArguments, Service};

/// How long certificates are good for, and how long before their end they are renewed.
const AUTHORITY_DAYS: i64 = 5 * 365;
const AUTHORITY_RENEW_DAYS: i64 = 365;
const SERVER_DAYS: i64 = 90;
const SERVER_RENEW_DAYS: i64 = 30;

/// How often the secret is looked at: another process may have renewed it.
const LOOK: Duration = Duration::from_mins(1);
/// How soon after something failed.
const AGAIN: Duration = Duration::from_secs(2);

/// When they end, as the secret remembers it.
const AUTHORITY_UNTIL: &str = "drover.dev/authority-until";
const SERVER_UNTIL: &str = "drover.dev/certificate-until";

/// Names of entries, as cert-manager has them.
const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// A certificate with its chain, and its key (PEM).
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// Why a certificate could not be kept.
#[derive(Debug, Error)]
enum Error {
    #[error("a certificate could not be made")]
    Make(#[from] rcgen::Error),
    #[error("the API refused, or was not reached")]
    Api(#[from] kube::Error),
    #[error("the secret {0} holds no certificate")]
    Content(String),
}

/// What keeps the certificate.
pub struct Keeper {
    secrets: Api<Secret>,
    configurations: Api<ValidatingWebhookConfiguration>,
    secret: String,
    namespace: String,
    service: Option<Service>,
    configuration: Option<String>,
}

impl Keeper {
    /// A keeper for what the command line says.
    pub fn new(client: Client, arguments: &AdmissionArguments, namespace: &str) -> Self {
        let service = arguments.webhook_service.clone();
        let (namespace, name) = match &service {
            Some(service) => (service.namespace.as_str(), service.name.as_str()),
            None => (namespace, "drover-webhook"),
        };
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            configurations: Api::all(client),
            secret: format!("{name}-tls"),
            namespace: namespace.to_owned(),
            service,
            configuration: arguments.webhook_config.clone(),
        }
    }

    /// The names that the server is reached by.
    fn names(&self) -> Vec<String> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if let Some(Service { namespace, name }) = &self.service {
            names.push(format!("{name}.{namespace}.svc"));
            names.push(format!("{name}.{namespace}.svc.cluster.local"));
        }
        names
    }

    /// Brings the secret up to date; the pair to serve with, and whom to trust.
    async fn pass(&self) -> Result<(Pair, String), Error> {
        let now = Timestamp::now();
        let found = self.secrets.get_opt(&self.secret).await?;
        let secret = match found {
            None => self.create(now).await?,
            Some(secret) => self.renew(secret, now).await?,
        };
        let entry = |name: &str| {
            let data = secret.data.as_ref().and_then(|data| data.get(name));
            let text = data.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
            text.ok_or_else(|| Error::Content(self.secret.clone()))
        };
        let pair = Pair {
            certificate: entry(CERTIFICATE)?,
            key: entry(KEY)?,
        };
        Ok((pair, entry(AUTHORITY)?))
    }

    async fn create(&self, now: Timestamp) -> Result<Secret, Error> {
        let made = self.make(now)?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.secret.clone()),
                namespace: Some(self.namespace.clone()),
                annotations: Some(made.annotations),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(made.data),
            ..Secret::default()
        };
        match self.secrets.create(&PostParams::default(), &secret).await {
            // Another process was quicker: then its certificate is as good.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Ok(self.secrets.get(&self.secret).await?)
            }
            created => {
                info!(secret = self.secret, "made a certificate for the webhook");
                Ok(created?)
            }
        }
    }

    async fn renew(&self, secret: Secret, now: Timestamp) -> Result<Secret, Error> {
        let until = |name: &str| {
            let annotations = secret.metadata.annotations.as_ref();
            let text = annotations.and_then(|annotations| annotations.get(name));
            text.and_then(|text| text.parse::<Timestamp>().ok())
        };
        let ends = |name: &str, days| until(name).is_none_or(|until| until <= in_days(now, days));
        let mut next = secret.clone();
        let data = next.data.get_or_insert_default();
        let annotations = next.metadata.annotations.get_or_insert_default();
        let text = |data: &BTreeMap<String, ByteString>, name: &str| {
            let bytes = data.get(name).map(|bytes| bytes.0.clone());
            bytes.and_then(|bytes| String::from_utf8(bytes).ok())
        };
        let key = text(data, AUTHORITY_KEY).and_then(|key| KeyPair::from_pem(&key).ok());
        let complete = [AUTHORITY, CERTIFICATE, KEY]
            .iter()
            .all(|name| data.contains_key(*name));
        if let (Some(key), true, false) =
            (key, complete, ends(AUTHORITY_UNTIL, AUTHORITY_RENEW_DAYS))
        {
            if !ends(SERVER_UNTIL, SERVER_RENEW_DAYS) {
                return Ok(secret);
            }
            let server = Server::new(&Issuer::new(authority(now)?, key), self.names(), now)?;
            server.put(data, annotations);
        } else {
            // The server's stays until the next pass: until then everybody may learn of the authority.
            let former = text(data, AUTHORITY);
            let made = self.make(now)?;
            let keeps = complete && !ends(SERVER_UNTIL, 0);
            for (name, value) in made.data {
                if !(keeps && [CERTIFICATE, KEY].contains(&name.as_str())) {
                    data.insert(name, value);
                }
            }
            annotations.extend(made.annotations);
            if keeps {
                annotations.insert(SERVER_UNTIL.to_owned(), now.to_string());
            }
            if let (Some(former), Some(fresh)) = (former, text(data, AUTHORITY)) {
                let both = format!("{fresh}{}", first(&former));
                data.insert(AUTHORITY.to_owned(), ByteString(both.into_bytes()));
            }
        }
        match self
            .secrets
            .replace(&self.secret, &PostParams::default(), &next)
            .await
        {
            // Another process was quicker.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Ok(self.secrets.get(&self.secret).await?)
            }
            renewed => {
                info!(
                    secret = self.secret,
                    "renewed the certificate of the webhook"
                );
                Ok(renewed?)
            }
        }
    }

    fn make(&self, now: Timestamp) -> Result<Made, Error> {
        let mut made = Made::default();
        let key = KeyPair::generate()?;
        let authority = authority(now)?;
        let certificate = authority.self_signed(&key)?;
        let put = |data: &mut BTreeMap<_, _>, name: &str, text: String| {
            data.insert(name.to_owned(), ByteString(text.into_bytes()));
        };
        put(&mut made.data, AUTHORITY, certificate.pem());
        put(&mut made.data, AUTHORITY_KEY, key.serialize_pem());
        let until = in_days(now, AUTHORITY_DAYS).to_string();
        made.annotations.insert(AUTHORITY_UNTIL.to_owned(), until);
        let server = Server::new(&Issuer::new(authority, key), self.names(), now)?;
        server.put(&mut made.data, &mut made.annotations);
        Ok(made)
    }

    /// Tells the API server whom to trust.
    async fn trust(&self, authority: &str) -> Result<(), Error> {
        let Some(name) = &self.configuration else {
            return Ok(());
        };
        let mut configuration = self.configurations.get(name).await?;
        let bundle = ByteString(authority.as_bytes().to_vec());
        let mut changed = false;
        for webhook in configuration.webhooks.iter_mut().flatten() {
            let told = &mut webhook.client_config.ca_bundle;
            if told.as_ref() != Some(&bundle) {
                *told = Some(bundle.clone());
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
        let params = PostParams::default();
        match self
            .configurations
            .replace(name, &params, &configuration)
            .await
        {
            // Somebody changed it meanwhile; the next pass looks again.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            replaced => {
                info!(configuration = name, "the API server trusts the webhook");
                Ok(replaced.map(|_| ())?)
            }
        }
    }
}

/// What a new secret holds.
#[derive(Default)]
struct Made {
    data: BTreeMap<String, ByteString>,
    annotations: BTreeMap<String, String>,
}

/// A server's certificate.
struct Server {
    certificate: String,
    key: String,
    until: Timestamp,
}

impl Server {
    fn new(
        issuer: &Issuer<'_, KeyPair>,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<Self, rcgen::Error> {
        let until = in_days(now, SERVER_DAYS);
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "drover webhook");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, until);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            until,
        })
    }

    fn put(
        self,
        data: &mut BTreeMap<String, ByteString>,
        annotations: &mut BTreeMap<String, String>,
    ) {
        let certificate = ByteString(self.certificate.into_bytes());
        data.insert(CERTIFICATE.to_owned(), certificate);
        data.insert(KEY.to_owned(), ByteString(self.key.into_bytes()));
        annotations.insert(SERVER_UNTIL.to_owned(), self.until.to_string());
    }
}

fn authority(now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
        .distinguished_name
        .push(DnType::CommonName, "drover webhook authority");
    valid(&mut params, now, in_days(now, AUTHORITY_DAYS));
    Ok(params)
}

fn in_days(now: Timestamp, days: i64) -> Timestamp {
    now.checked_add((days * 24).hours())
        .unwrap_or(Timestamp::MAX)
}

fn valid(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let day = |at: Timestamp| {
        let date = at.to_zoned(TimeZone::UTC).date();
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    // A clock that is behind a little must not make the certificate one of the future.
    params.not_before = day(in_days(now, -1));
    params.not_after = day(until);
}

/// The first certificate of a bundle.
fn first(bundle: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----\n";
    let end = bundle.find(END).map(|at| at + END.len());
    end.map_or(bundle, |end| &bundle[..end])
}

/// Keeps the certificate for as long as the process lives; each one that is to be served is told.
pub async fn keep(keeper: Keeper, mut tell: impl FnMut(&Pair) + Send) {
    let mut served: Option<Pair> = None;
    loop {
        let passed = match keeper.pass().await {
            Ok((pair, authority)) => {
                if served.as_ref() != Some(&pair) {
                    tell(&pair);
                    served = Some(pair);
                }
                keeper.trust(&authority).await
            }
            Err(error) => Err(error),
        };
        let pause = match passed {
            Ok(()) => LOOK,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%error, cause, "the certificate of the webhook is not in order");
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_bundle_the_first_is_the_newest() {
        let one = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n";
        let two = "-----BEGIN CERTIFICATE-----\nB\n-----END CERTIFICATE-----\n";
        assert_eq!(first(&format!("{one}{two}")), one);
        assert_eq!(first(one), one);
    }
}
