//! The client library's options for a target: login, certificates, limits.

use std::path::Path;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};

use super::logins::Logins;
use super::target::Target;
use crate::given::{in_background, no_byte_order_mark, read_given};

/// Those that connect to `first`.
pub(super) async fn options(
    target: &Target,
    name: &str,
    logins: &Logins,
    first: ServerAddr,
) -> Result<ConnectOptions, String> {
    let mut options = logins
        .options(&target.auth, first)?
        .name(name)
        // The default of 65,536 silently drops messages of a burst.
        .subscription_capacity(1_048_576)
        .connection_timeout(Duration::from_secs(5))
        // Where nothing arrives any more and nobody says so, only a ping without an answer tells:
        // noticed within 15 s. The default of a minute would make it three.
        .ping_interval(Duration::from_secs(5));
    if let Some(prefix) = &target.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(ca) = &target.tls.ca {
        pem("the root certificate", ca, "CERTIFICATE-----").await?;
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let Some((cert, key)) = &target.tls.client {
        pem("the client's certificate", cert, "CERTIFICATE-----").await?;
        pem("the client's key", key, "PRIVATE KEY-----").await?;
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    if target.tls.first {
        options = options.tls_first();
    }
    Ok(options)
}

/// A file with nothing of use in it would only be told as a handshake that fails.
async fn pem(what: &str, path: &Path, holds: &str) -> Result<(), String> {
    let name = format!("{what} {}", path.display());
    if tokio::fs::metadata(path).await.is_ok_and(|found| !found.is_file()) {
        return Err(format!("{name}: it is not a file: it is read again for each connection"));
    }
    let text = in_background(path, read_given).await.map_err(|e| format!("{name}: {e}"))?;
    no_byte_order_mark(&text).map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8_lossy(&text);
    if text.contains("ENCRYPTED") {
        return Err(format!(
            "{name}: it is encrypted; `openssl pkey -in {} -out KEY` writes one that is not",
            path.display()
        ));
    }
    match text.contains(holds) {
        true => Ok(()),
        false => Err(format!("{name}: no PEM of one is in this file")),
    }
}
