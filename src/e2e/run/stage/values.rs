//! What `{{name}}` stands for in one run: its broker, a login, its folder, its ports.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::broker::Credentials;
use crate::e2e::scenario::ast::of_run;
use crate::e2e::text::template::{PORT, Variables};

/// Ports that the system gives to nobody by itself, so that nobody has one between the moment in which
/// it is seen to be free and the moment in which a service listens on it.
const FROM: u16 = 20_000;
const HOW_MANY: u16 = 10_000;

/// Free ports of 127.0.0.1, one for each name.
pub(in crate::e2e) type Ports = BTreeMap<String, u16>;

/// Draws a port for each name.
///
/// # Errors
/// None is free.
pub(in crate::e2e) fn draw(names: &BTreeSet<String>) -> io::Result<Ports> {
    names.iter().map(|name| Ok((name.clone(), free_port()?))).collect()
}

/// The next that nobody listens on: no run of this process has the same, and two processes begin at
/// different ones.
fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % u32::from(HOW_MANY)).unwrap_or_default();
    for _ in 0..HOW_MANY {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % HOW_MANY;
        // 7 is prime to 10,000: processes that were started one after the other are far apart.
        let port = FROM + (begin.wrapping_mul(7) % HOW_MANY + number) % HOW_MANY;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    let last = FROM + HOW_MANY - 1;
    Err(io::Error::other(format!("no port from {FROM} to {last} is free")))
}

/// What the names stand for, for whoever connects with this URL and login.
pub(in crate::e2e) fn of_run(
    url: &str,
    login: Option<&Credentials>,
    dir: &Path,
    ports: &Ports,
) -> Variables {
    let (user, password) = login.map_or(("", ""), |login| (&login.user, &login.password));
    let texts = [
        (of_run::NATS_USER, user.to_owned()),
        (of_run::NATS_PASSWORD, password.to_owned()),
        (of_run::DIR, dir.display().to_string()),
    ];
    let texts = texts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text)));
    let ports = ports.iter().map(|(name, port)| (format!("{PORT}{name}"), Value::from(*port)));
    texts.chain(ports).chain(of_url(url, login)).collect()
}

/// Those of them that say where to connect: a service that is behind a network of its own has others. Of
/// several servers the first is told, from which the others are learned.
pub(in crate::e2e) fn of_url(url: &str, login: Option<&Credentials>) -> [(String, Value); 2] {
    let first = url.split(',').next().unwrap_or_default();
    let with_credentials = match login {
        Some(Credentials { user, password }) => {
            first.replacen("://", &format!("://{user}:{password}@"), 1)
        }
        None => first.to_owned(),
    };
    [(of_run::NATS_URL, first.to_owned()), (of_run::URL_WITH_CREDENTIALS, with_credentials)]
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
}

/// The same, each standing for itself: what is shown of a run is the same for every run.
pub(in crate::e2e) fn as_written(variables: &Variables) -> Variables {
    let own = |name: &str| of_run::NAMES.contains(&name) || name.starts_with(PORT);
    let mut shown = variables.clone();
    for (name, value) in &mut shown {
        if own(name) {
            *value = Value::from(format!("{{{{{name}}}}}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_port_of_its_own_that_is_free() {
        let names = ["http", "admin"].map(str::to_owned).into();
        let (a, b) = (draw(&names).unwrap(), draw(&names).unwrap());
        let all: BTreeSet<u16> = a.values().chain(b.values()).copied().collect();
        assert_eq!(all.len(), 4, "{a:?} {b:?}");
        for port in all {
            assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "{port}");
        }
    }

    #[test]
    fn a_url_has_the_login_in_it_and_is_shown_without() {
        let login = Credentials { user: "worker".to_owned(), password: "s3cret".to_owned() };
        let ports = Ports::from([("http".to_owned(), 20_001)]);
        let of = of_run("nats://127.0.0.1:4222", Some(&login), Path::new("/d"), &ports);
        assert_eq!(of["url_with_credentials"], "nats://worker:s3cret@127.0.0.1:4222");
        assert_eq!((&of["dir"], &of["port:http"]), (&Value::from("/d"), &Value::from(20_001)));
        assert!(!format!("{:?}", as_written(&of)).contains("s3cret"));
    }
}
