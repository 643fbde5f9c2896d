//! The cause of a failed TLS handshake, and what to do about it.

use std::error::Error;

use async_nats::rustls::{self, AlertDescription, CertificateError};

pub mod pem;

/// Why the TLS handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The cause, in words.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// How to make an authority and a certificate that it signs: the server's certificate must not be
/// an authority's own.
const PROPER: &str = "a server's certificate must not be an authority (CA:FALSE): make an authority, \
     sign a certificate for the server with it (`openssl req -x509 … -addext basicConstraints=CA:FALSE \
     -addext subjectAltName=IP:127.0.0.1 -CA ca.pem -CAkey ca-key.pem`, or `mkcert 127.0.0.1`), and \
     give the authority to clients (`--tls-ca` of serve, `--tlsca` of other commands)";

/// Finds the TLS error in the chain of causes, if there is one.
#[must_use]
pub fn trouble(error: &(dyn Error + 'static)) -> Option<Trouble> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(explain(found));
        }
        // An I/O error hides what it was made from: its `source` is that one's source.
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

fn explain(error: &rustls::Error) -> Trouble {
    let (cause, remedy) = match error {
        rustls::Error::InvalidCertificate(problem) => return certificate(problem),
        rustls::Error::InvalidMessage(_) => (
            "what answers there does not speak TLS from the first byte".to_owned(),
            "leave out --tlsfirst (`tls_first` in a context), which few servers want; if it does not \
             speak TLS at all, use nats:// rather than tls://, or ws:// rather than wss://, and leave \
             out --tlsca and --tlscert too",
        ),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => (
                "the server wants a certificate of the client".to_owned(),
                "name one with --tlscert and its key with --tlskey",
            ),
            // Of TLS 1.2 also that of a server that misses the client's certificate.
            AlertDescription::HandshakeFailure => (
                "the server wants a certificate of the client, or has no algorithm in common with \
                 this program"
                    .to_owned(),
                "name a certificate with --tlscert and its key with --tlskey; or give the server an \
                 RSA key of 2048 bits or more, or an ECDSA key on P-256 or P-384 (P-521 is not taken)",
            ),
            // nats-server says "expired" of one that is not valid yet, too.
            AlertDescription::CertificateExpired => (
                format!("the server refused the client's certificate ({alert:?})"),
                "see with `openssl x509 -noout -dates -in FILE` from when and until when it is \
                 valid, and renew it, or set the clocks",
            ),
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate => (
                format!("the server refused the client's certificate ({alert:?})"),
                "name one that the server's authority has signed, and for clients \
                 (extendedKeyUsage=clientAuth), with --tlscert and --tlskey",
            ),
            _ => (
                format!("the server ended the TLS handshake ({alert:?})"),
                "see the server's log for its reason",
            ),
        },
        rustls::Error::PeerIncompatible(_) => {
            (error.to_string(), "the server must speak TLS 1.2 or 1.3")
        }
        _ => (error.to_string(), "see the server's log for its side of it"),
    };
    Trouble { cause, remedy: remedy.to_owned() }
}

fn certificate(problem: &CertificateError) -> Trouble {
    let (cause, remedy) = match problem {
        CertificateError::UnknownIssuer => (
            "no authority that is trusted here has signed the server's certificate".to_owned(),
            "name the authority that signed it with --tlsca (or NATS_CA, or `ca` in a context); for \
             a `serve` of your own with --tls-ca of serve",
        ),
        // Of an authority with the same name: made anew, as a rule, since its file was given away.
        // A key that is too short cannot sign either.
        CertificateError::BadSignature => (
            "an authority of the same name as the trusted one, but another one, has signed the \
             server's certificate, or an RSA key in it or above it has fewer than 2048 bits"
                .to_owned(),
            "name the authority that signed it with --tlsca (or NATS_CA, or `ca` in a context); \
             `openssl x509 -noout -text -in FILE` shows how long its key is",
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "the server's certificate is signed with an algorithm that is not taken, as SHA-1 is not"
                .to_owned(),
            "sign it again with SHA-256 or better",
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            format!("the server's certificate is not for servers ({problem})"),
            "make one with extendedKeyUsage=serverAuth, or with no such limit",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("the server's certificate is not for the name it was asked by ({problem})"),
            "use a name or address in the URL that the certificate has as subject alternative name, \
             or make one with it (for a `serve`: IP:127.0.0.1)",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            format!("the server's certificate has expired ({problem})"),
            "renew it, or set this machine's clock",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            format!("the server's certificate is not valid yet ({problem})"),
            "set this machine's clock, or wait",
        ),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "the server's certificate is that of an authority itself (CA:TRUE), and such a one \
             proves no server"
                .to_owned(),
            PROPER,
        ),
        other => (
            format!("the server's certificate cannot be used ({other})"),
            "make a new one: X.509 version 3 with a subject alternative name, an ECDSA, Ed25519 or \
             RSA key of 2048 bits or more",
        ),
    };
    Trouble { cause, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: rustls::Error) -> String {
        let Trouble { cause, remedy } = explain(&error);
        assert!(cause.len() < 200 && !cause.contains('\n'), "{cause}");
        format!("{cause}; {remedy}")
    }

    #[test]
    fn a_cause_that_is_one_of_two_is_told_as_both() {
        let failure = told(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure));
        assert!(failure.contains("certificate of the client, or has no algorithm"), "{failure}");
        assert!(failure.contains("P-521"), "{failure}");
        let short = told(rustls::Error::InvalidCertificate(CertificateError::BadSignature));
        assert!(short.contains("another one") && short.contains("fewer than 2048 bits"), "{short}");
    }

    #[test]
    fn an_old_algorithm_is_named_in_a_line_and_not_by_its_numbers() {
        let old = CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![42; 9],
            supported_algorithms: Vec::new(),
        };
        let old = told(rustls::Error::InvalidCertificate(old));
        assert!(old.contains("SHA-1") && !old.contains("42"), "{old}");
    }
}
