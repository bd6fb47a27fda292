//! Certificates that live as long as a test.

use std::path::Path;

use drover_libvirt::call::Credentials;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// What somebody of this name holds who believes this authority too.
    pub fn issue(&self, name: &str) -> Credentials {
        self.sign(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    /// The same, long expired.
    pub fn issue_expired(&self, name: &str) -> Credentials {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Credentials {
        // QEMU wants both.
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Credentials {
            ca: self.pem(),
            certificate: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
        }
    }
}

/// Puts them where a mover looks for them.
pub fn write(folder: &Path, credentials: &Credentials) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, content) in [
        (Credentials::CA, &credentials.ca),
        (Credentials::CERTIFICATE, &credentials.certificate),
        (Credentials::KEY, &credentials.key),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
}
