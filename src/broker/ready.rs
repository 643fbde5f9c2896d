//! The observations that prove a server ready: it listens, it is ours, and JetStream answers.

use std::time::Duration;

use async_nats::{ConnectOptions, ReconnectToServer};

use super::settings::Auth;
use crate::process::Lines;

/// What the log said first that matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It listens on this port.
    Listening(u16),
    /// The port is another process's.
    AddressInUse,
    /// It ended without saying either.
    Silence,
}

/// Follows the log until the server listens or cannot.
pub(super) async fn listening(lines: &mut Lines) -> Heard {
    while let Some(line) = lines.next().await {
        if let Some(heard) = hear(&line) {
            return heard;
        }
    }
    Heard::Silence
}

fn hear(line: &str) -> Option<Heard> {
    if let Some((_, address)) = line.split_once("[INF] Listening for client connections on ") {
        let (_, port) = address.trim().rsplit_once(':')?;
        return Some(Heard::Listening(port.parse().ok()?));
    }
    // The monitoring port has a line of its own, but a fixed one is never asked for.
    let fatal = line.contains("[FTL]") && line.contains("address already in use");
    fatal.then_some(Heard::AddressInUse)
}

/// Connects, makes sure that the server is the one we named, and asks JetStream for its account.
///
/// Tries again until it succeeds; `waiting_for` always holds what is still missing.
pub(super) async fn answering(
    port: u16,
    name: &str,
    auth: Option<&Auth>,
    waiting_for: &mut String,
) {
    loop {
        *waiting_for = match attempt(port, name, auth).await {
            Ok(()) => return,
            Err(problem) => problem,
        };
        // A refused connection cannot be awaited; the first attempt nearly always succeeds.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn attempt(port: u16, name: &str, auth: Option<&Auth>) -> Result<(), String> {
    let client = options(auth)
        .connect(format!("nats://127.0.0.1:{port}"))
        .await
        .map_err(|e| format!("connecting to 127.0.0.1:{port} ({e})"))?;
    let found = client.server_info().server_name;
    if found != name {
        return Err(format!(
            "looking for server {name} on 127.0.0.1:{port}, where {found} answers"
        ));
    }
    async_nats::jetstream::new(client)
        .query_account()
        .await
        .map(|_| ())
        .map_err(|e| format!("asking JetStream for its account ({e})"))
}

fn options(auth: Option<&Auth>) -> ConnectOptions {
    let options = ConnectOptions::new()
        .name("mono-demo readiness")
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(Some(Duration::from_secs(2)))
        // Without it, the client sleeps a millisecond before it connects at all.
        .reconnect_to_server_callback(|servers, _| async move {
            let first = servers.first()?;
            Some(ReconnectToServer {
                addr: first.addr.clone(),
                delay: Some(match first.failed_attempts {
                    0 => Duration::ZERO,
                    _ => Duration::from_millis(5),
                }),
            })
        });
    match auth {
        None => options,
        Some(Auth::Token(token)) => options.token(token.clone()),
        Some(Auth::User { user, password }) => {
            options.user_and_password(user.clone(), password.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_matter_are_heard() {
        let line = "[11624] 2026/11/23 12:27:12.146699 [INF] Listening for client connections on 127.0.0.1:33031";
        assert_eq!(hear(line), Some(Heard::Listening(33031)));
        let line = "[11682] 2026/11/23 12:27:13.750002 [FTL] Error listening on port: 127.0.0.1:45678, \"listen tcp 127.0.0.1:45678: bind: address already in use\"";
        assert_eq!(hear(line), Some(Heard::AddressInUse));
        assert_eq!(hear("[11682] [INF] Server is ready"), None);
    }
}
