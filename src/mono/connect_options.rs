//! The client library's options for a target: login, certificates, limits.

use std::path::Path;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};

use super::logins::Logins;
use super::target::Target;
use crate::given::{in_background, no_byte_order_mark, read_given};
use crate::tls::pem;

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
        // A connection that dies silently is noticed only by pings without an answer: within 15 s
        // here.
        // The default interval of one minute would make it three minutes.
        .ping_interval(Duration::from_secs(5));
    if let Some(prefix) = &target.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(ca) = &target.tls.ca {
        usable("the root certificate", ca, certificates).await?;
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let Some((cert, key)) = &target.tls.client {
        usable("the client's certificate", cert, certificates).await?;
        usable("the client's key", key, self::key).await?;
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    if target.tls.first {
        options = options.tls_first();
    }
    Ok(options)
}

/// Checks the files first: otherwise a bad file shows only as a failed handshake.
async fn usable(
    what: &str,
    path: &Path,
    read: fn(&Path, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let named = |why: &dyn std::fmt::Display| format!("{what} {}: {why}", path.display());
    if tokio::fs::metadata(path).await.is_ok_and(|found| !found.is_file()) {
        return Err(named(&"it is not a file: it is read again for each connection"));
    }
    let text = in_background(path, read_given).await.map_err(|e| named(&e))?;
    no_byte_order_mark(&text).map_err(|e| named(&e))?;
    read(path, &text).map_err(|e| named(&e))
}

fn certificates(_: &Path, text: &[u8]) -> Result<(), String> {
    pem::certificates(text).map(drop)
}

fn key(path: &Path, text: &[u8]) -> Result<(), String> {
    pem::key(path, text).map(drop)
}
