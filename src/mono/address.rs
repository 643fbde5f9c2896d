//! The servers that a target names, and what each URL says about who connects.

use async_nats::ServerAddr;

/// What to do about a URL that cannot be read because of what its user or password contains.
const ENCODE: &str = "a special character in a user name, password or token is percent-encoded: \
                      @ is %40, / is %2F, : is %3A, # is %23, ? is %3F, % is %25, a comma is %2C";

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
pub(super) fn servers(list: &str) -> Result<Vec<Server>, String> {
    let servers: Vec<Server> = list
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(server)
        .collect::<Result<_, _>>()?;
    match servers.is_empty() {
        true => Err("no server is named".to_owned()),
        false => Ok(servers),
    }
}

fn server(text: &str) -> Result<Server, String> {
    let unreadable = |why: String| format!("{why}; {ENCODE}");
    let addr: ServerAddr = text.parse().map_err(|e| unreadable(format!("not a NATS URL: {e}")))?;
    let mut url = addr.into_inner();
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| format!("the user, password or token in its URL is not UTF-8; {ENCODE}"))
    };
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) => Some(Login::User(decoded(user)?, decoded(password)?)),
        // The parser takes an empty password for none.
        (user, None) if user_info(text).is_some_and(|(from, to)| text[from..to].contains(':')) => {
            Some(Login::User(decoded(user)?, String::new()))
        }
        (token, None) => Some(Login::Token(decoded(token)?)),
    };
    // From here on nothing that logs or shows an address can show a secret.
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    if login.is_some() && stripped.is_err() {
        return Err(unreadable("not a NATS URL: a user without a host".to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(unreadable("not a NATS URL: it has no host".to_owned()));
    }
    let addr = ServerAddr::from_url(url).map_err(|e| unreadable(format!("not a NATS URL: {e}")))?;
    Ok(Server { addr, login })
}

/// Where the user information of a URL begins and ends, also of one that is no proper URL: up to the
/// last `@`, since a password may have one that is not encoded.
fn user_info(one: &str) -> Option<(usize, usize)> {
    let from = one.find("://").map_or(0, |at| at + "://".len());
    one[from..].rfind('@').map(|at| (from, from + at + 1))
}

/// The URLs without user, password and token: fit for messages, logs and `export`.
///
/// ```
/// # use mono_demo::mono::without_secrets;
/// assert_eq!(without_secrets("nats://u:p@h:1,tls://token@g"), "nats://h:1,tls://g");
/// ```
pub fn without_secrets(url: &str) -> String {
    let bare = |one: &str| match user_info(one) {
        Some((from, to)) => format!("{}{}", &one[..from], &one[to..]),
        None => one.to_owned(),
    };
    let mut shown: Vec<String> = Vec::new();
    let mut piece = String::new();
    for one in url.split(',') {
        // A comma that should have been encoded cuts a password in two: what stands before it has a
        // scheme and no `@`, and looks like no host and port.
        piece = if piece.is_empty() { one.to_owned() } else { format!("{piece},{one}") };
        if user_info(&piece).is_some() || is_host(&piece) {
            shown.push(bare(&std::mem::take(&mut piece)));
        }
    }
    if !piece.is_empty() {
        // No host and no user: what it is, nobody knows.
        shown.push(if is_harmless(&piece) { piece } else { "…".to_owned() });
    }
    shown.join(",")
}

fn is_host(one: &str) -> bool {
    let rest = one.find("://").map_or(one, |at| &one[at + "://".len()..]).trim();
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port),
        _ => (rest, ""),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    !host.is_empty()
        && port.trim_end_matches('/').chars().all(|c| c.is_ascii_digit())
        && host
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%' | '/'))
}

/// No colon behind the scheme: there is no password in it.
fn is_harmless(one: &str) -> bool {
    !one.find("://").map_or(one, |at| &one[at + "://".len()..]).contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> Option<(String, Option<String>)> {
        let servers = servers(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        servers.into_iter().next_back().unwrap().login.map(|login| match login {
            Login::User(user, password) => (user, Some(password)),
            Login::Token(token) => (token, None),
        })
    }

    #[test]
    fn a_url_carries_a_user_or_a_token_percent_encoded() {
        let user = |user: &str, password: &str| Some((user.into(), Some(password.into())));
        for (url, expected) in [
            ("nats://h:4222", None),
            ("h", None),
            ("nats://u:p@h", user("u", "p")),
            ("u:p@h:1", user("u", "p")),
            ("nats://tok@h", Some(("tok".into(), None))),
            ("nats://a,nats://b%40c:p%3Aq%2C%25@h:1", user("b@c", "p:q,%")),
            ("ws://u:p@h:80", user("u", "p")),
            ("wss://tok@h", Some(("tok".into(), None))),
            ("tls://u:@h", user("u", "")),
            ("nats://u:p@ss@h", user("u", "p@ss")),
            ("nats://u:p@[::1]:4222", user("u", "p")),
            (" nats://h , nats://u:p%20w@g ,", user("u", "p w")),
        ] {
            assert_eq!(login(url), expected, "{url}");
            for server in servers(url).unwrap() {
                assert!(!format!("{:?}", server.addr).contains('@'), "{url}");
            }
        }
    }

    #[test]
    fn an_unreadable_url_says_what_to_do_and_shows_nothing_of_itself() {
        for url in [
            "nats://u:secret#1@h",
            "nats://u:sec/ret@h",
            "nats://u:secret?@h:4222",
            "nats://u:secret,more@h",
            "nats://u:secret@",
            "http://u:secret@h",
            "nats://u:%ff@h",
            "nats://u:secret@h:port",
            "",
            ",",
        ] {
            let Err(error) = servers(url) else { panic!("{url:?} is read") };
            assert!(!error.contains("secret") && !error.contains("more"), "{error}");
        }
        let Err(error) = servers("nats://u:se#cret@h") else { panic!("it is read") };
        assert!(error.contains("%23"), "{error}");
    }

    #[test]
    fn no_secret_is_shown() {
        for (url, shown) in [
            ("nats://u:p@h:1", "nats://h:1"),
            ("nats://h:1,nats://tok@g", "nats://h:1,nats://g"),
            ("u:p@h", "h"),
            ("nats://u:se@cret@h", "nats://h"),
            ("nats://u:sec,ret@h", "nats://h"),
            ("nats://u:se,c,ret@h,nats://g", "nats://h,nats://g"),
            ("nats://u:secret", "…"),
            ("nats://u:sec,ret", "…"),
            ("nats://[::1]:4222,g:1", "nats://[::1]:4222,g:1"),
            ("nats://sec/ret@h", "nats://h"),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }

    /// All languages read the same rows.
    #[test]
    fn the_logins_of_a_list_are_those_of_the_vectors() {
        let text = include_str!("../../tests/vectors/logins.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        for row in vectors["rows"].as_array().unwrap() {
            let url = row["url"].as_str().unwrap();
            let found = servers(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            let found: Vec<_> = found
                .into_iter()
                .map(|server| match server.login {
                    Some(Login::User(user, password)) => [Some(user), Some(password), None],
                    Some(Login::Token(token)) => [None, None, Some(token)],
                    None => [None, None, None],
                })
                .collect();
            let text =
                |server: &serde_json::Value, key: &str| server[key].as_str().map(str::to_owned);
            let expected = row["servers"].as_array().unwrap().iter();
            let expected: Vec<_> = expected
                .map(|server| ["user", "password", "token"].map(|key| text(server, key)))
                .collect();
            assert_eq!(found, expected, "{url}");
        }
    }
}
