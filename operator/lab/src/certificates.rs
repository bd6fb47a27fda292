//! Certificates that live as long as a lab.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::error::{Doing as _, Error};

/// Somebody whom all in a lab believe.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new()).map_err(Error::Certificate)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(Error::Certificate)?;
        Ok(Self(issuer))
    }

    /// Writes what whoever has these names needs, under the names that a Kubernetes secret gives them.
    pub(super) fn issue(&self, names: [&str; 2], folder: &Path) -> Result<(), Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let names = names.map(str::to_owned).to_vec();
        let params = CertificateParams::new(names).map_err(Error::Certificate)?;
        let own = params
            .signed_by(&key, &self.0)
            .map_err(Error::Certificate)?;
        fs::create_dir_all(folder).doing("make a folder for certificates")?;
        for (name, text) in [
            ("ca.crt", self.0.pem()),
            ("tls.crt", own.pem()),
            ("tls.key", key.serialize_pem()),
        ] {
            fs::write(folder.join(name), text).doing("write a certificate")?;
        }
        Ok(())
    }
}
