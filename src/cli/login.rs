//! Whom a connection shows itself as, and what else flags, a context and the environment say of it.

use std::path::{Path, PathBuf};

use super::args::ConnectionArgs;
use super::context::Context;
use super::contexts;
use super::exit::CliError;
use crate::mono::{Auth, JetStreamApi, Target, Tls, without_secrets};
use crate::wire::context::NatsContext;

/// The server that flags, a context or the environment name, if any does.
///
/// For the login, flags come before the user or token in a URL, that before a context's fields, and
/// those before the environment.
pub fn named_target(args: &ConnectionArgs, context: &Context) -> Result<Option<Target>, CliError> {
    let named = args.context.clone().or_else(|| match args.server {
        Some(_) => None,
        None => context.var("NATS_CONTEXT"),
    });
    let (named, file) = match named {
        Some(name) => (true, contexts::read(&name, context).map(|file| expanded(file, context))?),
        None => (false, NatsContext::default()),
    };
    let url = args
        .server
        .clone()
        .or_else(|| (!file.url.is_empty()).then(|| file.url.clone()))
        .or_else(|| context.var("NATS_URL"));
    let Some(url) = url else {
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
    let by_flag = by_flag(args, context)?;
    let url = if by_flag.is_some() { without_secrets(&url) } else { url };
    let auth = match by_flag {
        Some(auth) => auth,
        None => match by_context(&file, context)? {
            Some(auth) => auth,
            None => by_environment(context)?,
        },
    };
    let path = |flag: &Option<PathBuf>, file: &str, name| {
        let file = (!file.is_empty()).then(|| PathBuf::from(file));
        flag.clone().or(file).or_else(|| context.path_var(name)).map(|path| context.expanded(&path))
    };
    let cert = path(&args.tlscert, &file.cert, "NATS_CERT");
    let client = match (cert, path(&args.tlskey, &file.key, "NATS_KEY")) {
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
    let ca = path(&args.tlsca, &file.ca, "NATS_CA");
    Ok(Some(Target {
        url,
        auth,
        tls: Tls { ca, client, first: file.tls_first },
        jetstream,
        inbox_prefix: (!file.inbox_prefix.is_empty()).then_some(file.inbox_prefix),
        ..Target::default()
    }))
}

fn half(there: &str, missing: &str) -> CliError {
    CliError::usage(format!("{there} was named without {missing}"))
}

/// As natscli reads a context: variables in the path of a creds file.
fn expanded(mut file: NatsContext, context: &Context) -> NatsContext {
    file.creds = variables(&file.creds, context);
    file
}

/// `$NAME` and `${NAME}`; one that is not set is nothing.
fn variables(text: &str, context: &Context) -> String {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(braced) => braced,
            None => part.split_at(
                part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len()),
            ),
        };
        whole.push_str(&context.var(name).unwrap_or_default());
        whole.push_str(rest);
    }
    whole
}

fn credentials_without_server(args: &ConnectionArgs) -> Option<&'static str> {
    [
        ("--user", args.user.is_some()),
        ("--token", args.token.is_some()),
        ("--creds", args.creds.is_some()),
        ("--nkey", args.nkey.is_some()),
        ("--tlsca", args.tlsca.is_some()),
        ("--tlscert", args.tlscert.is_some()),
    ]
    .into_iter()
    .find_map(|(flag, given)| given.then_some(flag))
}

fn by_flag(args: &ConnectionArgs, context: &Context) -> Result<Option<Auth>, CliError> {
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

/// In natscli's order.
fn by_context(file: &NatsContext, context: &Context) -> Result<Option<Auth>, CliError> {
    let path = |text: &str| context.expanded(Path::new(text));
    if !file.user.is_empty() {
        return Ok(Some(Auth::User(file.user.clone(), file.password.clone())));
    }
    if file.creds.starts_with("op://") {
        return Err(CliError::usage(
            "the NATS context's `creds` is in 1Password, which is not asked",
        )
        .hint("write it to a file with `op read … > user.creds`, and name that with --creds"));
    }
    if !file.creds.is_empty() {
        return creds(&path(&file.creds)).map(Some);
    }
    match (file.user_jwt.is_empty(), file.nkey.is_empty()) {
        (false, false) => {
            let seed = seed(&path(&file.nkey))?;
            Ok(Some(Auth::Jwt(format!(
                "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\
                 -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n",
                file.user_jwt.trim()
            ))))
        }
        (false, true) => Err(CliError::usage(
            "the NATS context's `user_jwt` proves nothing without the seed of its key",
        )
        .hint("name the seed's file as `nkey`, or a creds file, which has both, as `creds`")),
        (true, false) => nkey(&path(&file.nkey)).map(Some),
        (true, true) => Ok((!file.token.is_empty()).then(|| Auth::Token(file.token.clone()))),
    }
}

fn by_environment(context: &Context) -> Result<Auth, CliError> {
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
        Err(e) => Err(CliError::usage(format!("creds file {}: {e}", path.display()))),
    }
}

fn nkey(path: &Path) -> Result<Auth, CliError> {
    seed(path).map(Auth::Nkey)
}

/// The seed in a file: alone, or between the lines of `nsc` and `nk`, which say what it is.
fn seed(path: &Path) -> Result<String, CliError> {
    let failed =
        |e: &dyn std::fmt::Display| CliError::usage(format!("nkey file {}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    let seed = |line: &&str| {
        line.len() >= 50
            && line.starts_with('S')
            && line.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7'))
    };
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .find(seed)
        .map(str::to_owned)
        .ok_or_else(|| {
            failed(&"no seed is in it: a line of letters and digits that begins with SU")
        })
}
