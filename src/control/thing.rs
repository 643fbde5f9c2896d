//! Something that a session has started.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_nats::ConnectOptions;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;

use super::refused::{failed, no_such};
use crate::broker::{Auth, Broker, Cluster, Credentials, Proxy, Settings};
use crate::e2e::run::OpenHistory;
use crate::process::{Child, Spawn};
use crate::wire::control::{ControlError, Ready};

/// Something that a session has started. What it holds is taken out when it is stopped.
pub(super) struct Thing {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where clients connect, where they can.
    pub(super) address: Option<Address>,
}

/// What it is. Whoever works on a broker has it alone: faults of one come one after the other.
pub(super) enum Kind {
    Broker(Box<Mutex<Divisible>>),
    Cluster(Mutex<Option<Cluster>>),
    /// Of this broker.
    Account {
        broker: Arc<Thing>,
        login: Credentials,
    },
    Service(Mutex<Running>),
    History {
        open: Arc<OpenHistory>,
        /// Where what was promised is looked for.
        broker: Arc<Thing>,
        /// Or it is being judged.
        is_judged: AtomicBool,
    },
    /// In front of a broker, a cluster, or an account's broker.
    Proxy {
        before: Arc<Thing>,
        proxies: Mutex<Vec<Proxy>>,
    },
}

/// A broker, and accounts that wait for somebody to want one.
#[derive(Default)]
pub(super) struct Divisible {
    pub(super) broker: Option<Broker>,
    pub(super) spares: VecDeque<Credentials>,
    /// How many were made to wait.
    pub(super) made: u32,
}

/// A program, how it was started, and what its last process said.
pub(super) struct Running {
    pub(super) child: Option<Child>,
    pub(super) spawn: Spawn,
    pub(super) ready: Waiting,
    pub(super) stop_within: Duration,
    pub(super) said: Vec<String>,
}

/// How a program is seen to be ready, also when it is started again.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) ready: Option<Ready>,
    pub(super) within: Duration,
    pub(super) address: Option<Address>,
}

/// Where clients connect, and as whom.
#[derive(Clone, Default)]
pub(super) struct Address {
    /// Of one server or several.
    pub(super) ports: Vec<u16>,
    pub(super) login: Option<Login>,
    /// The authority of the servers' certificate.
    pub(super) ca: Option<PathBuf>,
    pub(super) tls: bool,
}

#[derive(Clone)]
pub(super) enum Login {
    User(Credentials),
    Token(String),
}

impl Kind {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Broker(_) => "broker",
            Self::Cluster(_) => "cluster",
            Self::Account { .. } => "account",
            Self::Service(_) => "service",
            Self::Proxy { .. } => "proxy",
            Self::History { .. } => "history",
        }
    }
}

impl Thing {
    /// Where clients connect.
    pub(super) fn address(&self) -> Result<&Address, ControlError> {
        self.address.as_ref().ok_or_else(|| self.is_no("broker, cluster, account or proxy"))
    }

    /// The broker or cluster behind it.
    pub(super) fn broker(self: &Arc<Self>) -> Arc<Self> {
        match &self.kind {
            Kind::Account { broker, .. } => broker.clone(),
            Kind::Proxy { before, .. } => before.clone(),
            _ => self.clone(),
        }
    }

    /// It is of another sort than is wanted.
    pub(super) fn is_no(&self, wanted: &str) -> ControlError {
        no_such(format!("of: {} is a {}, and not a {wanted}", self.name, self.kind.word()))
    }

    /// It was stopped while somebody waited for it.
    pub(super) fn is_gone(&self) -> ControlError {
        no_such(format!("of: {} was stopped", self.name))
    }
}

impl Address {
    /// How clients connect to brokers with these settings; `own` is a login that was drawn.
    pub(super) fn of(ports: Vec<u16>, settings: &Settings, own: Option<&Credentials>) -> Self {
        let login = match &settings.auth {
            None => own.cloned().map(Login::User),
            Some(Auth::User { user, password }) => {
                Some(Login::User(Credentials { user: user.clone(), password: password.clone() }))
            }
            Some(Auth::Token(token)) => Some(Login::Token(token.clone())),
            _ => None,
        };
        let ca = settings.tls.as_ref().and_then(|tls| tls.ca.clone());
        Self { ports, login, ca, tls: settings.tls.is_some() }
    }

    /// The user that clients must show, if there is one.
    pub(super) fn user(&self) -> Option<String> {
        self.as_one().map(|login| login.user.clone())
    }

    /// The user's password.
    pub(super) fn password(&self) -> Option<String> {
        self.as_one().map(|login| login.password.clone())
    }

    fn as_one(&self) -> Option<&Credentials> {
        match &self.login {
            Some(Login::User(login)) => Some(login),
            _ => None,
        }
    }

    /// The same servers, as somebody else.
    pub(super) fn as_user(&self, login: &Credentials) -> Self {
        Self { login: Some(Login::User(login.clone())), ..self.clone() }
    }

    /// The same login, elsewhere.
    pub(super) fn at(&self, ports: Vec<u16>) -> Self {
        Self { ports, ..self.clone() }
    }

    /// As clients take it: comma separated, with the login.
    pub(super) fn url(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let login = match &self.login {
            None => String::new(),
            Some(Login::User(Credentials { user, password })) => {
                format!("{}:{}@", as_it_is_if_plain(user, encoded), encoded(password))
            }
            Some(Login::Token(token)) => format!("{}@", encoded(token)),
        };
        let scheme = if self.tls { "tls" } else { "nats" };
        let url = |port: &u16| format!("{scheme}://{login}127.0.0.1:{port}");
        self.ports.iter().map(url).collect::<Vec<_>>().join(",")
    }

    /// Connects to any of them.
    pub(super) async fn connect(&self) -> Result<async_nats::Client, ControlError> {
        let mut options = ConnectOptions::new().name("mono-demo control");
        options = match self.login.clone() {
            None => options,
            Some(Login::User(Credentials { user, password })) => {
                options.user_and_password(user, password)
            }
            Some(Login::Token(token)) => options.token(token),
        };
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        let servers: Vec<String> =
            self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let connected = options.require_tls(self.tls).connect(servers).await;
        connected.map_err(|error| failed(format!("connect to the broker: {error}")))
    }
}

/// Some clients do not decode a user's name, so what needs no code is left alone.
fn as_it_is_if_plain(text: &str, encoded: impl Fn(&str) -> String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { encoded(text) }
}
