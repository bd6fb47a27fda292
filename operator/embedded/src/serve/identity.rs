//! Certificate and token: made once, kept for the owner of the data folder alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::ServeError;

const FILE: &str = "identity.json";
const NAMES: &[&str] = &["127.0.0.1", "::1", "localhost"];
/// A certificate lives for this many days, and a new one is made in good time before it ends.
const DAYS: i64 = 365;
const RENEW_DAYS: i64 = 30;

/// What the server shows and what it asks for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The certificate (PEM) that signed the server's. Its key was thrown away after that.
    pub authority: String,
    certificate: String,
    key: String,
    pub token: String,
    until: Timestamp,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// The identity kept in `folder`, a new one if there is none that is good for a while; without a
/// folder one for this process.
pub(super) async fn of(folder: Option<&Path>) -> Result<Identity, ServeError> {
    // Clients judge certificates by the real time, whatever clock the objects are written with.
    let now = Timestamp::now();
    let Some(folder) = folder.map(Path::to_owned) else {
        return make(now, None);
    };
    let done = spawn_blocking(move || {
        let path = folder.join(FILE);
        let refused = |source| ServeError::File {
            path: path.clone(),
            source,
        };
        let kept: Option<Identity> = match fs::read(&path) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).map_err(|error| refused(error.into()))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refused(error)),
        };
        match kept {
            Some(kept) if in_days(now, RENEW_DAYS) < kept.until => Ok(kept),
            // Whoever has the token keeps it when the certificate is renewed.
            kept => {
                let made = make(now, kept.map(|kept| kept.token))?;
                keep(&path, &made).map_err(refused)?;
                Ok(made)
            }
        }
    });
    done.await
        .map_err(|error| ServeError::Certificate(error.to_string()))?
}

fn in_days(now: Timestamp, days: i64) -> Timestamp {
    now.checked_add((days * 24).hours())
        .unwrap_or(Timestamp::MAX)
}

/// Readable by the owner alone from its first byte on, and never half written.
fn keep(path: &PathBuf, identity: &Identity) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

    let beside = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&serde_json::to_vec_pretty(identity)?)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

fn make(now: Timestamp, token: Option<String>) -> Result<Identity, ServeError> {
    let until = in_days(now, DAYS);
    let wrong = |error: rcgen::Error| ServeError::Certificate(error.to_string());
    let mut authority = CertificateParams::new(Vec::new()).map_err(wrong)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    authority
        .distinguished_name
        .push(DnType::CommonName, "drover");
    valid(&mut authority, now, until);
    let authority_key = KeyPair::generate().map_err(wrong)?;
    let authority_certificate = authority.self_signed(&authority_key).map_err(wrong)?;

    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let mut server = CertificateParams::new(names).map_err(wrong)?;
    server
        .distinguished_name
        .push(DnType::CommonName, "drover embedded API");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.use_authority_key_identifier_extension = true;
    valid(&mut server, now, until);
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = server
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .map_err(wrong)?;
    Ok(Identity {
        authority: authority_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        token: match token {
            Some(token) => token,
            None => self::token()?,
        },
        until,
    })
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

fn token() -> Result<String, ServeError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::Certificate(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Identity {
    pub fn server_config(&self) -> Result<ServerConfig, ServeError> {
        let wrong = |error: &dyn std::fmt::Display| ServeError::Certificate(error.to_string());
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(self.certificate.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&error))?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| wrong(&error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
