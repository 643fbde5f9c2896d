//! The servers that a target names, and the login in each URL.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use async_nats::ServerAddr;
use regex_lite::Regex;

/// What to do about a URL that cannot be read because of what its user or password contains.
const ENCODE: &str = "a special character in a user name, password or token is percent-encoded: \
                      @ is %40, / is %2F, : is %3A, # is %23, ? is %3F, % is %25, a comma is %2C";

/// `nats://` is assumed where none is written.
const SCHEMES: [&str; 4] = ["nats://", "tls://", "ws://", "wss://"];

/// Blanks that may surround a URL, written out because languages differ in what they call blank.
const BLANKS: [char; 6] = ['\t', '\n', '\x0b', '\x0c', '\r', ' '];

/// What a query or a fragment begins with.
const QUERY: [char; 2] = ['?', '#'];

/// A host, perhaps with a port and a path; what is not ASCII is encoded, as are % and a comma.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    let host =
        r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?([/?#]([!-$&-+\--~]|%[0-9A-Fa-f]{2})*)?$";
    Regex::new(host).expect("it is written above")
});

/// A server, without its user; and the login that its URL carries.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) addr: ServerAddr,
    pub(super) login: Option<Login>,
}

/// Of a URL: `user:password@` or `token@`.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    User(String, String),
    Token(String),
}

/// Reads a comma-separated list. The text of an error has nothing of the URL in it.
///
/// All clients read it alike: `tests/vectors/logins.json`.
pub(super) fn servers(list: &str) -> Result<Vec<Server>, String> {
    let servers: Vec<Server> =
        items(list).iter().map(|one| server(one)).collect::<Result<_, _>>()?;
    match servers.is_empty() {
        true => Err("no server is named".to_owned()),
        false => Ok(servers),
    }
}

/// The URL of one server, without the login that it carries; and that login: a user, which a token does not
/// have, and a secret.
///
/// # Errors
/// What is wrong with the URL, or that there are several; the text has nothing of the URL in it.
///
/// ```
/// # use mono_demo::mono::one_server;
/// let (url, login) = one_server("nats://u:p%40@h:1").unwrap();
/// assert_eq!((url.as_str(), login), ("nats://h:1", Some((Some("u".into()), "p@".into()))));
/// ```
#[expect(clippy::type_complexity, reason = "a URL and what it carries, taken apart at once")]
pub fn one_server(url: &str) -> Result<(String, Option<(Option<String>, String)>), String> {
    let mut servers = servers(url)?;
    let Some(Server { login, .. }) = servers.pop().filter(|_| servers.is_empty()) else {
        return Err("several servers are named, and it has to be one".to_owned());
    };
    let login = login.map(|login| match login {
        Login::User(user, password) => (Some(user), password),
        Login::Token(token) => (None, token),
    });
    let url =
        items(url).iter().map(|item| parts(item)).map(|(s, _, h)| format!("{s}{h}")).collect();
    Ok((url, login))
}

/// The URLs without user, password, token and query, for messages, logs and `export`. If the text in the
/// place of the host cannot be a host, it may be a password, or the end of a query with an `@`: from there on
/// nothing is shown.
///
/// ```
/// # use mono_demo::mono::without_secrets;
/// assert_eq!(without_secrets("nats://u:p@h:1,tls://token@g"), "nats://h:1,tls://g");
/// ```
pub fn without_secrets(url: &str) -> String {
    let mut shown = Vec::new();
    for item in items(url) {
        let (scheme, info, host) = parts(&item);
        if info.is_some_and(has_query) || !HOST.is_match(host) {
            shown.push("…".to_owned());
            break;
        }
        // What stands behind it may be a secret too, as a gateway's.
        shown.push(match host.split_once(QUERY) {
            Some((host, _)) => format!("{scheme}{host}?…"),
            None => format!("{scheme}{host}"),
        });
    }
    shown.join(",")
}

/// The servers of a list, in one form however their URLs are spelled, and without secrets: to tell whether
/// two lists have one in common. The loopback and unspecified addresses
/// and `localhost` are one, this machine; what a URL leaves out is written out.
/// What cannot be read is left out.
///
/// ```
/// # use mono_demo::mono::places;
/// assert_eq!(places("LOCALHOST/, tls://u:p@[::1]:4222"), places("nats://127.0.0.1"));
/// assert_eq!(places("ws://h.,h:80").len(), 1);
/// ```
pub fn places(list: &str) -> BTreeSet<String> {
    items(list).iter().filter_map(|item| place(item)).collect()
}

fn place(item: &str) -> Option<String> {
    let (scheme, info, host) = parts(item);
    if info.is_some_and(has_query) || !HOST.is_match(host) {
        return None;
    }
    let shown = host.split(QUERY).next()?;
    let (server, path) = shown.split_once('/').unwrap_or((shown, ""));
    let (name, port) = match server.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (server, default_port(scheme)),
    };
    let name = name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let name = match name.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST || ip.is_unspecified() => {
            "localhost".to_owned()
        }
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Err(_) => name,
    };
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    Some(format!("{name}:{port}{path}"))
}

fn default_port(scheme: &str) -> u16 {
    match scheme {
        "ws://" => 80,
        "wss://" => 443,
        _ => 4222,
    }
}

/// The URLs of a list. A comma in a login that is not percent-encoded must not cut the login in
/// two: an `@` without a scheme belongs to the text before it, up to a scheme or the end of another
/// login without a scheme. Nor must one cut a query in two: what has no scheme and follows one belongs to it.
fn items(list: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for piece in
        list.split(',').map(|piece| piece.trim_matches(BLANKS)).filter(|piece| !piece.is_empty())
    {
        let mut item = piece.to_owned();
        if scheme(&item).is_empty()
            && let Some(before) = items.pop_if(|before| has_query(before))
        {
            item = format!("{before},{item}");
        }
        while item.contains('@') && scheme(&item).is_empty() {
            let Some(before) = items.pop_if(|before| may_be_cut(before)) else { break };
            item = format!("{before},{item}");
        }
        items.push(item);
    }
    items
}

fn has_query(text: &str) -> bool {
    text.contains(QUERY)
}

/// Whether what follows a comma may belong to its login.
fn may_be_cut(item: &str) -> bool {
    !item.contains('@') || !scheme(item).is_empty()
}

/// The scheme in lower case, the login as it is written, and the host with all that follows it. A
/// password may have an `@` that is not encoded: the last one counts.
fn parts(item: &str) -> (&'static str, Option<&str>, &str) {
    let scheme = scheme(item);
    let rest = &item[scheme.len()..];
    match rest.rsplit_once('@') {
        Some((login, host)) => (scheme, Some(login), host),
        None => (scheme, None, rest),
    }
}

/// Empty where there is none that NATS has.
fn scheme(item: &str) -> &'static str {
    let begins = |scheme: &&str| {
        item.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    SCHEMES.into_iter().find(begins).unwrap_or_default()
}

fn server(item: &str) -> Result<Server, String> {
    let unreadable = |why: String| format!("not a NATS URL: {why}; {ENCODE}");
    let (scheme, info, host) = parts(item);
    let in_a_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let other = item.split_once("://").is_some_and(|(other, _)| other.chars().all(in_a_scheme));
    if scheme.is_empty() && other {
        // Nothing else of it: what cannot be read may be a password.
        let web = ["http", "https"].into_iter().find(|web| item.starts_with(&format!("{web}://")));
        let web =
            web.map(|web| format!("{web}:// is that of a web server, and ")).unwrap_or_default();
        let why = format!("{web}its scheme is none of {}", SCHEMES.join(", "));
        return Err(match info {
            Some(_) => unreadable(why),
            None => format!("not a NATS URL: {why}"),
        });
    }
    if let Some(found) = info.and_then(|info| info.matches([',', '/', '?', '#']).next()) {
        let why = match found {
            "," => "a comma in a login, or a list in which a login has no scheme before it",
            _ => "what is no part of a login stands before its @",
        };
        return Err(unreadable(why.to_owned()));
    }
    let misplaced = |why: &str| format!("not a NATS URL: {why}; expected nats://HOST:PORT");
    if has_query(host) && host.contains(',') {
        return Err(unreadable("a comma in what follows the host".to_owned()));
    }
    if !HOST.is_match(host) {
        let name = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let why = match name {
            "" => "it has no host",
            _ => "what follows the host is no port, or the host has a blank in it",
        };
        // A part of a login may stand there, unless only the port is wrong.
        return Err(match info {
            Some(_) if !HOST.is_match(name) => unreadable(why.to_owned()),
            _ => misplaced(why),
        });
    }
    let scheme = if scheme.is_empty() { SCHEMES[0] } else { scheme };
    let addr = format!("{scheme}{host}").parse();
    // What it is no URL of is said before it.
    let why = |e: io::Error| {
        let said = e.to_string();
        said.strip_prefix("NATS server URL is invalid: ").unwrap_or(&said).to_owned()
    };
    let addr = addr.map_err(|e| misplaced(&why(e)))?;
    Ok(Server { addr, login: info.map(login).transpose()?.flatten() })
}

fn login(info: &str) -> Result<Option<Login>, String> {
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| format!("the user, password or token in its URL is not UTF-8; {ENCODE}"))
    };
    Ok(match info.split_once(':') {
        None if info.is_empty() => None,
        None => Some(Login::Token(decoded(info)?)),
        Some(("", "")) => None,
        Some((user, password)) => Some(Login::User(decoded(user)?, decoded(password)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn vectors(file: &str) -> Value {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
    }

    /// What is found of its URL, or the row itself where that is what it says.
    fn found(row: &Value) -> Value {
        let url = row["url"].as_str().unwrap();
        let shown = without_secrets(url);
        let servers = match servers(url) {
            Ok(servers) => servers,
            Err(error) => {
                assert!(!error.contains("secret") && !error.contains("more"), "{url}: {error}");
                return json!({"url": url, "refused": true, "shown": shown});
            }
        };
        let server = |(server, row): (Server, &Value)| {
            assert!(!format!("{:?}", server.addr).contains('@'), "{url}");
            let addr: Option<ServerAddr> = row["url"].as_str().and_then(|url| url.parse().ok());
            let mut found = match server.login {
                Some(Login::User(user, password)) => json!({"user": user, "password": password}),
                Some(Login::Token(token)) => json!({"token": token}),
                None => json!({}),
            };
            found["url"] = match addr.as_ref() == Some(&server.addr) {
                true => row["url"].clone(),
                false => json!(server.addr.clone().into_inner().as_str()),
            };
            found
        };
        let rows =
            row["servers"].as_array().into_iter().flatten().chain(std::iter::repeat(&Value::Null));
        let servers: Vec<Value> = servers.into_iter().zip(rows).map(server).collect();
        json!({"url": url, "servers": servers, "shown": shown})
    }

    /// All languages read the same rows.
    #[test]
    fn the_logins_of_a_list_are_those_of_the_vectors() {
        for row in vectors("logins.json")["rows"].as_array().unwrap() {
            assert_eq!(found(row), *row);
        }
    }

    #[test]
    fn a_doctored_row_is_told() {
        let changes = &vectors("doctored.json")["changes"];
        let change =
            changes.as_array().unwrap().iter().find(|c| c["file"] == "logins.json").unwrap();
        let mut doctored = vectors("logins.json");
        let mut at = &mut doctored;
        for step in change["at"].as_array().unwrap() {
            at = match step {
                Value::Number(n) => &mut at[usize::try_from(n.as_u64().unwrap()).unwrap()],
                name => &mut at[name.as_str().unwrap()],
            };
        }
        *at = change["value"].clone();
        let rows = doctored["rows"].as_array().unwrap();
        assert!(rows.iter().any(|row| found(row) != *row));
    }

    #[test]
    fn a_server_has_one_place_however_its_url_is_spelled() {
        let here = [
            "localhost",
            "nats://localhost",
            "LocalHost:4222",
            "127.0.0.1",
            "[::1]",
            "nats://[::1]:4222/",
            "tls://127.0.0.1:04222",
            "NATS://u:p@localhost.:4222",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "[::]:4222",
            "ws://localhost:4222",
            "localhost?key=secret",
            "localhost:4222,127.0.0.1:4222",
        ];
        for list in here {
            assert_eq!(places(list), BTreeSet::from(["localhost:4222".to_owned()]), "{list}");
        }
        for (list, place) in [
            ("H.Example", "h.example:4222"),
            ("ws://h", "h:80"),
            ("wss://h/a/?key=secret", "h:443/a"),
            ("[2001:DB8::0:1]", "[2001:db8::1]:4222"),
            ("127.0.0.2", "127.0.0.2:4222"),
            ("localhost:4223", "localhost:4223"),
        ] {
            assert_eq!(places(list), BTreeSet::from([place.to_owned()]), "{list}");
            assert_eq!(places(place), places(list), "what is written down is read again");
        }
        for unreadable in ["", "nats://u:secret", "ws://h?a=secret@b", "h:99999", "nats://u:p@"] {
            assert!(places(unreadable).is_empty(), "{unreadable}");
        }
    }

    #[test]
    fn an_unreadable_url_says_what_to_do() {
        for (url, hint) in [
            ("nats://u:se#cret@h", "# is %23"),
            ("nats://u:se,cret@h", "a comma in a login"),
            ("wss://h?key=se,cret", "a comma in what follows the host"),
            ("h:1,u:p@g:1", "no scheme before it"),
            ("http://u:p@h", "its scheme is none of nats://"),
            ("nats://u:p@", "no host"),
            ("http://h", "none of nats://, tls://, ws://, wss://"),
            ("http://", "none of nats://"),
            ("nats://", "no host; expected nats://HOST:PORT"),
            ("h:port", "is no port, or"),
            ("nats://h:99999", "invalid port number"),
            (" , ", "no server is named"),
        ] {
            let Err(error) = servers(url) else { panic!("{url} is read") };
            assert!(error.contains(hint), "{url}: {error}");
        }
    }
}
