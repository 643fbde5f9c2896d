//! Reads certificates and keys from PEM files, and reports what is wrong with them before they are
//! used.

use std::path::Path;

use async_nats::rustls::crypto::ring::default_provider;
use async_nats::rustls::pki_types::pem::{Error as PemError, PemObject};
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::sign::CertifiedKey;
use async_nats::rustls::{CertificateError, Error, InconsistentKeys};

/// The certificates in a file, the server's or client's own first.
///
/// # Errors
/// What is wrong with the file, and what to do about it.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(nothing(text, "PRIVATE KEY-----", "a key")),
        Err(error) => Err(damaged(&error)),
    }
}

/// The private key in the file at `path`.
///
/// # Errors
/// As [`certificates`]; or that it is encrypted: this program does not ask for its password.
pub fn key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // What stands outside of the PEM is a comment; OpenSSL's older form says it inside.
    let encrypted = |line: &str| {
        line == "-----BEGIN ENCRYPTED PRIVATE KEY-----" || line == "Proc-Type: 4,ENCRYPTED"
    };
    if String::from_utf8_lossy(text).lines().map(str::trim).any(encrypted) {
        return Err(format!(
            "it is encrypted; `openssl pkey -in {} -out KEY` writes one that is not",
            path.display()
        ));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        PemError::NoItemsFound => nothing(text, "CERTIFICATE-----", "a certificate"),
        error => damaged(&error),
    })
}

/// Whether the key belongs to the first certificate. An unknown kind of key is accepted: an error
/// then comes from its user.
///
/// # Errors
/// What is wrong with the certificate.
pub fn belong_together(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(), String> {
    match CertifiedKey::from_der(certificates, key, &default_provider()) {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(
            "its first certificate is of another key; one's own comes first, before that of its \
             authority"
                .to_owned(),
        ),
        Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            Err("its first certificate is damaged; copy it again".to_owned())
        }
        _ => Ok(()),
    }
}

fn nothing(text: &[u8], other: &str, name: &str) -> String {
    match String::from_utf8_lossy(text).contains(other) {
        true => format!("no PEM of one is in this file, but {name}: were two files swapped?"),
        false => "no PEM of one is in this file".to_owned(),
    }
}

fn damaged(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => {
            "its PEM has no end: a part of the file is missing; copy it again".to_owned()
        }
        error => format!("its PEM is damaged ({error}); copy it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_is_encrypted_is_told_to_be() {
        let plain = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let path = Path::new("key.pem");
        let commented = format!("# was ENCRYPTED, is not any more\n{plain}");
        assert!(key(path, commented.as_bytes()).is_ok());
        for begins in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\r\nAAAA\r\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n",
        ] {
            let why = key(path, begins.as_bytes()).unwrap_err();
            assert!(why.contains("it is encrypted"), "{why}");
        }
    }
}
