//! Certificates made for a test, with what can be wrong about them.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};

/// An authority, whose certificate is a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub pem: PathBuf,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pem = folder.join(format!("{name}.pem"));
        std::fs::write(&pem, issuer.pem()).unwrap();
        Self { issuer, pem }
    }

    /// Another one of the same name: only its key tells.
    pub fn renewed(&self, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let name = self.pem.file_stem().unwrap().to_str().unwrap();
        Self::new(folder, name)
    }

    /// Signs one for 127.0.0.1, as `change` wants it.
    pub fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let at = |kind: &str| self.pem.with_file_name(format!("{name}-{kind}.pem"));
        std::fs::write(at("cert"), certificate.pem()).unwrap();
        std::fs::write(at("key"), key.serialize_pem()).unwrap();
        Certificate { cert: at("cert"), key: at("key") }
    }
}

impl Certificate {
    /// The block `tls` of nats-server's configuration.
    pub fn tls(&self, more: &str) -> String {
        let (cert, key) = (self.cert.display().to_string(), self.key.display().to_string());
        format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, {more} }}")
    }
}

pub fn expired(params: &mut CertificateParams) {
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
}

pub fn not_yet_valid(params: &mut CertificateParams) {
    (params.not_before, params.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
}

pub fn for_a_client(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

pub fn for_a_server(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}

pub fn for_another_host(params: &mut CertificateParams) {
    *params = CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
}

pub fn for_no_host(params: &mut CertificateParams) {
    *params = CertificateParams::new(Vec::new()).unwrap();
}

pub fn an_authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}
