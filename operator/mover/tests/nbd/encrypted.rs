//! Encrypted copies.

use drover_mover::nbd::{Client, Identity, NbdError, Refusal, Tls, Wishes};
use drover_mover::transfer::{Options, Transfer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::bench::{Bench, Server, text};

/// An authority, and what it signed.
struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str, purpose| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyEncipherment,
            ];
            params.extended_key_usages = vec![purpose];
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        Self {
            server: signed("site-b.example", ExtendedKeyUsagePurpose::ServerAuth),
            client: signed("site-a.example", ExtendedKeyUsagePurpose::ClientAuth),
            authority: authority.pem(),
        }
    }

    fn write(&self, bench: &Bench) -> String {
        let folder = bench.path("certificates");
        std::fs::create_dir(&folder).unwrap();
        let files = [
            ("ca-cert.pem", &self.authority),
            ("server-cert.pem", &self.server.0),
            ("server-key.pem", &self.server.1),
        ];
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
        }
        text(&folder).to_owned()
    }

    fn tls(&self, name: &str) -> Tls {
        let identity = Identity {
            certificate: &self.client.0,
            key: &self.client.1,
        };
        Tls::new(&self.authority, name, Some(identity)).unwrap()
    }
}

fn encrypted(tls: Tls) -> Wishes {
    Wishes::new("").tls(tls)
}

// SPEC: PR-8
#[tokio::test]
async fn a_copy_travels_encrypted_over_tcp() {
    let (bench, certificates) = (Bench::new(), Certificates::new());
    let folder = certificates.write(&bench);
    let image = bench.image("image", 16 << 20);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let credentials = format!("tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir={folder}");
    let (port_text, fixed) = (
        port.to_string(),
        ["-t", "-f", "qcow2", "-b", "127.0.0.1", "-p"],
    );
    let more = ["--object", &credentials, "--tls-creds", "tls", text(&image)];
    let arguments = [&fixed[..], &[&port_text], &more].concat();
    let server = Server::start_tcp("qemu-nbd", &arguments, port);

    let plain = Client::connect(&server.address, &Wishes::new("")).await;
    let reason = Refusal::TlsRequired;
    let error = plain.unwrap_err();
    assert!(
        matches!(error, NbdError::Refused { reason: r, .. } if r == reason),
        "{error:?}"
    );
    let stranger = encrypted(certificates.tls("elsewhere.example"));
    assert!(Client::connect(&server.address, &stranger).await.is_err());

    let wishes = encrypted(certificates.tls("site-b.example"));
    let target = Client::connect(&server.address, &wishes).await.unwrap();
    let source = bench.nbdkit("from", &["pattern", "16M"]);
    let source = source.client(&[]).await;
    let mover = Transfer::new(&source, &target, Options::default()).unwrap();
    mover.full().await.unwrap();
    assert_eq!(mover.compare().await.unwrap().differing, 0);
}

// SPEC: PR-8
#[tokio::test]
async fn a_client_without_a_certificate_is_not_served() {
    let (bench, certificates) = (Bench::new(), Certificates::new());
    let folder = format!("--tls-certificates={}", certificates.write(&bench));
    let arguments = [
        "--tls=require",
        "--tls-verify-peer",
        &folder,
        "memory",
        "1M",
    ];
    let server = bench.nbdkit("secret", &arguments);
    let nobody = Tls::new(&certificates.authority, "site-b.example", None).unwrap();
    let refused = Client::connect(&server.address, &encrypted(nobody)).await;
    assert!(refused.is_err());
    let known = encrypted(certificates.tls("site-b.example"));
    let client = Client::connect(&server.address, &known).await.unwrap();
    client.write(0, vec![5; 4096].into()).await.unwrap();
    client.flush().await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    let (bench, certificates) = (Bench::new(), Certificates::new());
    let server = bench.nbdkit("open", &["--tls=off", "memory", "1M"]);
    let wishes = encrypted(certificates.tls("site-b.example"));
    let refused = Client::connect(&server.address, &wishes).await.unwrap_err();
    assert!(matches!(refused, NbdError::Refused { .. }), "{refused:?}");
}
