//! Which login goes to which server: that of its URL, else the connection's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{ConnectOptions, ReconnectToServer, ServerAddr};

use super::address::{Login, Server};
use super::target::Auth;
use crate::given::{in_background, read_given_text};

/// The logins that URLs carry.
#[derive(Clone)]
pub(super) struct Logins {
    of_url: Arc<Vec<(ServerAddr, Option<Login>)>>,
    base: Option<Login>,
    /// What is in the credentials file, if one is named. It is read once for all servers, for a pipe
    /// is empty after that, and again for the next connection, for a file may be renewed.
    creds: Option<String>,
}

impl Logins {
    /// # Errors
    /// A mixture of logins in URLs and a key that only the connection as a whole can have.
    /// A credentials file that cannot be read.
    pub(super) async fn new(servers: &[Server], auth: &Auth) -> Result<Self, String> {
        let base = match auth {
            Auth::User(user, password) => Some(Login::User(user.clone(), password.clone())),
            Auth::Token(token) => Some(Login::Token(token.clone())),
            _ => None,
        };
        let some = servers.iter().any(|server| server.login.is_some());
        let all = servers.iter().all(|server| server.login.is_some());
        if some && !all && is_key(auth) {
            return Err("some servers have a user in their URL and others are to get a key: \
                        give a user to each, or to none"
                .to_owned());
        }
        let of_url = servers.iter().map(|s| (s.addr.clone(), s.login.clone())).collect();
        let creds = match auth {
            Auth::Creds(path) => {
                let text = in_background(path, read_given_text).await;
                Some(text.map_err(|e| format!("credentials file {}: {e}", path.display()))?)
            }
            _ => None,
        };
        Ok(Self { of_url: Arc::new(of_url), base, creds })
    }

    /// The same, with the n-th before all others: one server may be named with several logins.
    pub(super) fn beginning_with(&self, n: usize) -> Self {
        let mut of_url = (*self.of_url).clone();
        of_url.rotate_left(n);
        Self { of_url: Arc::new(of_url), ..self.clone() }
    }

    /// The login for this server; a server that the cluster announced gets the login of a URL
    /// in the list, as in nats.go.
    fn of(&self, addr: &ServerAddr) -> Option<Login> {
        let named = self.of_url.iter().find(|(named, _)| named == addr);
        match named {
            Some((_, login)) => login.clone(),
            None => self.of_url.iter().find_map(|(_, login)| login.clone()),
        }
        .or_else(|| self.base.clone())
    }

    /// Options that connect to `first`, and later to the server that failed least, with its login.
    pub(super) fn options(&self, auth: &Auth, first: ServerAddr) -> Result<ConnectOptions, String> {
        if !self.of_url.iter().any(|(_, login)| login.is_some()) {
            return Ok(choosing(self.with_auth(auth)?, first, |_| {}));
        }
        // The login is asked for without the server's name: the one that was chosen is remembered.
        let chosen = Arc::new(Mutex::new(self.of(&first)));
        let (asked, logins) = (Arc::clone(&chosen), self.clone());
        let options = ConnectOptions::with_auth_callback(move |_| {
            let login = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move {
                let mut auth = async_nats::Auth::new();
                match login {
                    Some(Login::User(user, password)) => {
                        (auth.username, auth.password) = (Some(user), Some(password));
                    }
                    Some(Login::Token(token)) => auth.token = Some(token),
                    None => {}
                }
                Ok(auth)
            }
        });
        Ok(choosing(options, first, move |addr| {
            *chosen.lock().unwrap_or_else(PoisonError::into_inner) = logins.of(addr);
        }))
    }

    fn with_auth(&self, auth: &Auth) -> Result<ConnectOptions, String> {
        let options = ConnectOptions::new();
        Ok(match auth {
            Auth::None => options,
            Auth::User(user, password) => options.user_and_password(user.clone(), password.clone()),
            Auth::Token(token) => options.token(token.clone()),
            Auth::Nkey(seed) => options.nkey(seed.clone()),
            Auth::Jwt(text) => {
                options.credentials(&whole(text)).map_err(|e| format!("user JWT: {e}"))?
            }
            Auth::Bearer(jwt) => {
                let jwt = jwt.clone();
                ConnectOptions::with_auth_callback(move |_| {
                    let mut auth = async_nats::Auth::new();
                    auth.jwt = Some(jwt.clone());
                    std::future::ready(Ok(auth))
                })
            }
            Auth::Creds(path) => options
                .credentials(&whole(self.creds.as_deref().unwrap_or_default()))
                .map_err(|e| format!("credentials file {}: {e}", path.display()))?,
        })
    }
}

/// `first` until there was a connection; from then on the server that failed least, after 0, 20, 40
/// … at most 500 ms.
fn choosing(
    options: ConnectOptions,
    first: ServerAddr,
    chosen: impl Fn(&ServerAddr) + Send + Sync + 'static,
) -> ConnectOptions {
    options.reconnect_to_server_callback(move |servers, _| {
        let next = match servers.iter().any(|server| server.did_connect) {
            false => Some((first.clone(), 0)),
            true => servers
                .iter()
                .min_by_key(|server| server.failed_attempts)
                .map(|server| (server.addr.clone(), server.failed_attempts)),
        };
        let next = next.map(|(addr, failed)| {
            chosen(&addr);
            let wait = 20 * u64::try_from(failed).unwrap_or(u64::MAX).min(25);
            ReconnectToServer { addr, delay: Some(Duration::from_millis(wait)) }
        });
        async move { next }
    })
}

/// Whether it is one that only the connection as a whole can have.
fn is_key(auth: &Auth) -> bool {
    matches!(auth, Auth::Creds(_) | Auth::Jwt(_) | Auth::Bearer(_) | Auth::Nkey(_))
}

/// The client library wants an end to the last line, which an editor may have left out.
fn whole(text: &str) -> String {
    format!("{}\n", text.trim_end())
}
