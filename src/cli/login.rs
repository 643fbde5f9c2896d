//! The login of a connection, and its other settings from flags, a context and the environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::context::Context;
use super::contexts;
use super::exit::CliError;
use super::global::ConnectionArgs;
use super::reference::Field;
use crate::given::read_given_text;
use crate::mono::{Auth, JetStreamApi, Target, Tls, without_secrets};
use crate::wire::context::NatsContext;

/// The server that flags, a context or the environment name, if any does.
///
/// For the login, flags come before the user or token in a URL, that before a context's fields, and
/// those before the environment.
pub fn named_target(args: &ConnectionArgs, context: &Context) -> Result<Option<Target>, CliError> {
    readable(context)?;
    let named = args.context.clone().or_else(|| match args.server {
        Some(_) => None,
        None => context.var("NATS_CONTEXT"),
    });
    let (named, file) = match named {
        Some(name) => {
            let by_flag = args.context.is_some();
            let read = contexts::read(&name, context);
            (true, read.map_err(|error| if by_flag { error } else { of_the_variable(error) })?)
        }
        None => (false, NatsContext::default()),
    };
    let of_context = (!file.url.is_empty()).then(|| ("the NATS context's `url`", file.url.clone()));
    let url = (args.server.clone().map(|url| ("--server", url)))
        .or(of_context)
        .or_else(|| context.var("NATS_URL").map(|url| ("NATS_URL", url)));
    let Some((by, url)) = url else {
        if named {
            return Err(CliError::usage("the NATS context names no server (`url`)")
                .hint("name one with --server or NATS_URL, or give the context a `url`"));
        }
        return match credentials_without_server(args) {
            Some(flag) => Err(CliError::usage(format!(
                "{flag} needs a server: name one with --server, --context or NATS_URL"
            ))),
            None => Ok(None),
        };
    };
    if url.split(',').all(|server| server.trim().is_empty()) {
        let form = "expected nats://HOST:PORT, or several with commas between them";
        return Err(CliError::usage(format!("{by} names no server: {form}")));
    }
    let by_flag = by_flag(args, context)?;
    let url = if by_flag.is_some() { without_secrets(&url) } else { url };
    let auth = match by_flag {
        Some(auth) => auth,
        None => match by_context(&file, context)? {
            Some(auth) => auth,
            None => by_environment(context)?,
        },
    };
    let path = |flag: &Option<PathBuf>, name: &'static str, value: &str, variable| {
        let named = match (flag, value) {
            (Some(path), _) => Some(context.expanded(path)),
            (None, "") => context.path_var(variable).map(|path| context.expanded(&path)),
            (None, value) => Some(Field { name, value, context }.file()?),
        };
        Ok::<_, CliError>(named)
    };
    let cert = path(&args.tlscert, "cert", &file.cert, "NATS_CERT")?;
    let client = match (cert, path(&args.tlskey, "key", &file.key, "NATS_KEY")?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(half("a client certificate", "its key (--tlskey, NATS_KEY, `key`)"));
        }
        (None, Some(_)) => {
            return Err(half("a client key", "its certificate (--tlscert, NATS_CERT, `cert`)"));
        }
    };
    let jetstream = match (file.jetstream_api_prefix, file.jetstream_domain) {
        (prefix, _) if !prefix.is_empty() => JetStreamApi::Prefix(prefix),
        (_, domain) if !domain.is_empty() => JetStreamApi::Domain(domain),
        _ => JetStreamApi::Here,
    };
    let ca = path(&args.tlsca, "ca", &file.ca, "NATS_CA")?;
    Ok(Some(Target {
        url,
        auth,
        tls: Tls { ca, client, first: args.tlsfirst || file.tls_first },
        jetstream,
        inbox_prefix: (!file.inbox_prefix.is_empty()).then_some(file.inbox_prefix),
        ..Target::default()
    }))
}

/// What a connection shows: nothing that is told may have it in it.
pub fn secrets(target: &Target) -> Vec<String> {
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect();
    let of_login: Vec<String> = match &target.auth {
        Auth::None => Vec::new(),
        Auth::User(_, secret) | Auth::Token(secret) | Auth::Bearer(secret) | Auth::Nkey(secret) => {
            vec![secret.clone()]
        }
        Auth::Jwt(text) => lines(text),
        // A pipe had what it had to say when it was shown, and would not say it again.
        Auth::Creds(path) if path.is_file() => lines(&read_given_text(path).unwrap_or_default()),
        Auth::Creds(_) => Vec::new(),
    };
    let of_urls = target.url.split(',').filter_map(|url| {
        let (login, _) = url.split_once("://")?.1.rsplit_once('@')?;
        Some(login.split_once(':').map_or(login, |(_, password)| password).to_owned())
    });
    of_urls.chain(of_login).filter(|secret| !secret.starts_with("---")).collect()
}

/// A `serve` prints an `export` of the variable, and takes the file along when it ends.
fn of_the_variable(error: CliError) -> CliError {
    let hint = error.hint.clone().map_or(String::new(), |hint| format!("; {hint}"));
    error
        .hint(format!("NATS_CONTEXT names it: `unset NATS_CONTEXT` if its `serve` has ended{hint}"))
}

/// A variable that is set and cannot be read must not count as unset.
fn readable(context: &Context) -> Result<(), CliError> {
    let names = ["NATS_CONTEXT", "NATS_URL", "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN"];
    let unreadable = |name: &&str| context.os(name).is_some_and(|value| value.to_str().is_none());
    match names.into_iter().find(unreadable) {
        Some(name) => Err(CliError::usage(format!("the variable {name} is not UTF-8"))),
        None => Ok(()),
    }
}

fn half(there: &str, missing: &str) -> CliError {
    CliError::usage(format!("{there} was named without {missing}"))
}

fn credentials_without_server(args: &ConnectionArgs) -> Option<&'static str> {
    args.given().find(|flag| !["--server", "--context", "--timeout"].contains(flag))
}

/// Refuses several logins: only one could be used, and nobody would know which.
fn one_of(given: impl IntoIterator<Item = &'static str>, remedy: &str) -> Result<(), CliError> {
    let mut given = given.into_iter();
    match (given.next(), given.next()) {
        (Some(one), Some(two)) => {
            Err(CliError::usage(format!("{one} and {two} are two logins: {remedy}")))
        }
        _ => Ok(()),
    }
}

fn by_flag(args: &ConnectionArgs, context: &Context) -> Result<Option<Auth>, CliError> {
    let logins = ["--user", "--token", "--creds", "--nkey"];
    one_of(args.given().filter(|flag| logins.contains(flag)), "give one of them")?;
    if args.password.is_some() && args.user.is_none() {
        return Err(half("--password", "the connection's --user"));
    }
    if let Some(user) = &args.user {
        let password = args.password.clone().or_else(|| context.var("NATS_PASSWORD"));
        return Ok(Some(Auth::User(user.clone(), password.unwrap_or_default())));
    }
    if let Some(token) = &args.token {
        return Ok(Some(Auth::Token(token.clone())));
    }
    if let Some(path) = &args.creds {
        return creds(&context.expanded(path)).map(Some);
    }
    args.nkey.as_ref().map(|path| nkey(&context.expanded(path))).transpose()
}

/// In natscli's order. Further logins after the first are not used, which is logged.
fn by_context(file: &NatsContext, context: &Context) -> Result<Option<Auth>, CliError> {
    let field = |name, value| Field { name, value, context };
    let logins = [
        ("user", &file.user),
        ("creds", &file.creds),
        ("nkey", &file.nkey),
        ("user_jwt", &file.user_jwt),
        ("token", &file.token),
    ];
    let whole = [
        ("password", &file.password, "user", &file.user),
        ("user_seed", &file.user_seed, "user_jwt", &file.user_jwt),
    ];
    for (name, value, other, missing) in whole {
        if !value.is_empty() && missing.is_empty() {
            return Err(half(&format!("the NATS context's `{name}`"), &format!("its `{other}`")));
        }
    }
    let mut named = logins.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
    let first = named.next();
    // natscli sends a token beside any other login: which of them counts is the server's to say.
    if !file.token.is_empty() && first != Some("token") {
        let first = first.unwrap_or_default();
        return Err(CliError::usage(format!(
            "the NATS context's `{first}` and its `token` are two logins: leave one of them out"
        )));
    }
    for other in named.filter(|other| (first, *other) != (Some("nkey"), "user_jwt")) {
        let first = first.unwrap_or_default();
        tracing::warn!("the NATS context's `{other}` is not used: its `{first}` comes first");
    }
    Ok(Some(match first {
        Some("user") => Auth::User(file.user.clone(), field("password", &file.password).text()?),
        Some("creds") => match field("creds", &file.creds).file_or_text()? {
            Ok(path) => creds(&path)?,
            Err(text) => Auth::Jwt(text),
        },
        Some("nkey") => {
            let seed = match field("nkey", &file.nkey).file_or_text()? {
                Ok(path) => seed_in(&path)?,
                Err(text) => seed("the NATS context's `nkey`", &text)?,
            };
            match file.user_jwt.is_empty() {
                true => Auth::Nkey(seed),
                false => proven(&field("user_jwt", &file.user_jwt).text()?, &seed),
            }
        }
        Some("user_jwt") => {
            let jwt = field("user_jwt", &file.user_jwt).text()?;
            match file.user_seed.is_empty() {
                true => Auth::Bearer(bearer(jwt)?),
                false => {
                    let text = field("user_seed", &file.user_seed).text()?;
                    proven(&jwt, &seed("the NATS context's `user_seed`", &text)?)
                }
            }
        }
        Some(_) => Auth::Token(field("token", &file.token).text()?),
        None => return Ok(None),
    }))
}

/// A JWT and the seed that proves it.
fn proven(jwt: &str, seed: &str) -> Auth {
    Auth::Jwt(format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n",
        jwt.trim()
    ))
}

/// A JWT that needs no proof, because its account says that whoever has it is the user.
fn bearer(jwt: String) -> Result<String, CliError> {
    let claims = jwt.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    if claims.is_some_and(|claims| claims["nats"]["bearer_token"] == true) {
        return Ok(jwt);
    }
    Err(CliError::usage(
        "the NATS context's `user_jwt` proves nothing without the seed of its key: it is no bearer \
         token",
    )
    .hint("name the seed as `user_seed`, or a creds file, which has both, as `creds`"))
}

fn by_environment(context: &Context) -> Result<Auth, CliError> {
    let logins = ["NATS_USER", "NATS_TOKEN", "NATS_CREDS", "NATS_NKEY"];
    one_of(logins.into_iter().filter(|name| context.os(name).is_some()), "unset one of them")?;
    if context.os("NATS_PASSWORD").is_some() && logins.iter().all(|name| context.os(name).is_none())
    {
        return Err(half("NATS_PASSWORD", "NATS_USER"));
    }
    if let Some(user) = context.var("NATS_USER") {
        return Ok(Auth::User(user, context.var("NATS_PASSWORD").unwrap_or_default()));
    }
    if let Some(token) = context.var("NATS_TOKEN") {
        return Ok(Auth::Token(token));
    }
    if let Some(path) = context.path_var("NATS_CREDS") {
        return creds(&context.expanded(&path));
    }
    let path = context.path_var("NATS_NKEY");
    path.map_or(Ok(Auth::None), |path| nkey(&context.expanded(&path)))
}

/// The file is read again for each connection: it may be renewed.
fn creds(path: &Path) -> Result<Auth, CliError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(Auth::Creds(path.to_owned())),
        Err(e) => Err(no_file("creds", path, &e)),
    }
}

fn nkey(path: &Path) -> Result<Auth, CliError> {
    seed_in(path).map(Auth::Nkey)
}

fn seed_in(path: &Path) -> Result<String, CliError> {
    let text = read_given_text(path).map_err(|e| no_file("nkey", path, &e))?;
    seed(&format!("nkey file {}", path.display()), &text)
}

/// Does not show a file name that is itself a secret: others may read the output.
fn no_file(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if is_seed(name) {
        return CliError::usage(format!("{what}: a seed stands where the name of a file belongs"))
            .hint("write it to a file that only you can read, and name that");
    }
    CliError::usage(format!("{what} file {}: {error}", path.display()))
}

fn is_seed(text: &str) -> bool {
    text.len() >= 50
        && text.starts_with('S')
        && text.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7'))
}

/// The seed in a text: alone, or between the lines of `nsc` and `nk`, which say what it is.
fn seed(name: &str, text: &str) -> Result<String, CliError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.find(|line| is_seed(line)).map(str::to_owned).ok_or_else(|| {
        CliError::usage(format!(
            "{name}: no seed is in it: a line of letters and digits that begins with SU"
        ))
    })
}
