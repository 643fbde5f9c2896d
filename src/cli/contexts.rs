//! NATS contexts: finds, reads and writes the files with a server's address and login.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::exit::CliError;
use crate::broker::Role;
use crate::given::{read_file, read_file_text};
use crate::mono::{Auth, JetStreamApi, Target, Tls, without_secrets};
use crate::whole;
use crate::wire::context::NatsContext;

/// The file of a context, by natscli's rule: the name cannot leave the folder.
pub fn path(name: &str, context: &Context) -> Result<PathBuf, CliError> {
    let bad = |c: char| c.is_control() || std::path::is_separator(c);
    if name.is_empty() || name.contains("..") || name.chars().any(bad) {
        return Err(CliError::usage(format!(
            "NATS context {name:?}: a context's name has no `..`, no separator and no control \
             character in it, and there is no such file"
        )));
    }
    Ok(context.nats_context_dir().join(format!("{name}.json")))
}

/// A context by its name, or by its file.
pub fn read(name: &str, context: &Context) -> Result<NatsContext, CliError> {
    // natscli's rule: a name that is a file is one.
    let is_file_name = Path::new(name).extension().is_some_and(|e| e == "json");
    let file =
        is_file_name.then(|| context.absolute(Path::new(name))).filter(|path| path.is_file());
    let path = file.map_or_else(|| self::path(name, context), Ok)?;
    let failed = |e: &dyn std::fmt::Display| {
        CliError::usage(format!("NATS context {name:?}: {}: {e}", path.display()))
    };
    let text = read_file(&path).map_err(|e| {
        let error = match e.kind() {
            ErrorKind::NotFound if is_file_name => CliError::usage(format!(
                "there is no file {name}, and no NATS context of that name"
            )),
            ErrorKind::NotFound => CliError::usage(format!(
                "there is no NATS context {name:?}: looked for {}",
                path.display()
            )),
            _ => failed(&e),
        };
        error.hint(others(name, context))
    })?;
    let (read, unknown) = NatsContext::parse(&text).map_err(|e| failed(&e))?;
    if !unknown.is_empty() {
        tracing::warn!(context = name, fields = unknown.join(", "), "unknown fields are ignored");
    }
    Ok(read)
}

/// The names of all contexts that are there, in order.
pub fn names(context: &Context) -> Vec<String> {
    let entries = std::fs::read_dir(context.nats_context_dir()).into_iter().flatten();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Some(entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.to_owned())
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

/// Existing contexts to suggest for a missing one; the most similar first.
fn others(name: &str, context: &Context) -> String {
    let mut names = names(context);
    if names.is_empty() {
        return "there is no context yet: `mono-demo serve --save-context NAME` writes one"
            .to_owned();
    }
    let unlike = |other: &String| {
        let alike = similar::TextDiff::from_chars(name, other.as_str()).ratio();
        (((1.0 - alike) * 1000.0) as u32, other.clone())
    };
    names.sort_by_cached_key(unlike);
    names.truncate(5);
    format!("there are {}; `nats context ls` lists all", names.join(", "))
}

/// The context that `nats context select` chose, if any: natscli keeps its name beside the contexts.
/// A chosen context that cannot be read is an error: otherwise the command would use another
/// server.
pub fn selected(context: &Context) -> Result<Option<String>, CliError> {
    let path = context.nats_context_dir().with_extension("txt");
    match read_file_text(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(CliError::usage(format!(
            "the name of the selected NATS context, {}: {e}",
            path.display()
        ))
        .hint("choose one with `nats context select`, or name a server with --server")),
    }
}

/// How to connect with one that `serve` wrote.
pub fn target(file: NatsContext) -> Target {
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let auth = match (path(&file.creds), file.user.is_empty(), file.token.is_empty()) {
        (Some(creds), ..) => Auth::Creds(creds),
        (None, false, _) => Auth::User(file.user, file.password),
        (None, true, false) => Auth::Token(file.token),
        (None, true, true) => Auth::None,
    };
    let jetstream = match (file.jetstream_api_prefix, file.jetstream_domain) {
        (prefix, _) if !prefix.is_empty() => JetStreamApi::Prefix(prefix),
        (_, domain) if !domain.is_empty() => JetStreamApi::Domain(domain),
        _ => JetStreamApi::Here,
    };
    Target {
        auth,
        tls: Tls {
            ca: path(&file.ca),
            client: path(&file.cert).zip(path(&file.key)),
            first: file.tls_first,
        },
        jetstream,
        inbox_prefix: (!file.inbox_prefix.is_empty()).then_some(file.inbox_prefix),
        url: file.url,
        ..Target::default()
    }
}

/// That of a role, in the folder of [`write_for_roles`].
pub fn of_role(folder: &Path, role: Role) -> PathBuf {
    folder.join(role.user()).with_extension("json")
}

/// A context for each role, in the private folder of a run.
pub fn write_for_roles(
    run_dir: &Path,
    description: &str,
    target: impl Fn(Role) -> Target,
) -> Result<PathBuf, CliError> {
    let folder = run_dir.join("contexts");
    let failed = |e| CliError::infrastructure(&format!("make {}", folder.display()), e);
    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
    for role in [Role::Client, Role::Worker, Role::Harness, Role::Finder] {
        save(&of_role(&folder, role), description, &target(role))?;
    }
    Ok(folder)
}

/// Whether a context of this name may be written: there is none, or one that was written with the same
/// description.
///
/// # Errors
/// It is somebody else's, or cannot be read.
pub fn may_be_saved(name: &str, description: &str, context: &Context) -> Result<(), CliError> {
    let path = path(name, context)?;
    let text = match read_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read,
    };
    let theirs = |why: String| {
        CliError::usage(format!("save NATS context {name:?}: {} {why}", path.display()))
            .hint("name another one, or remove it")
            .about(&["save-context"])
    };
    let text = text.map_err(|error| theirs(format!("is there, and cannot be read: {error}")))?;
    match NatsContext::parse(&text) {
        Ok((found, _)) if found.description == description => Ok(()),
        _ => Err(theirs("is there already, and `serve` did not write it".to_owned())),
    }
}

/// Saves how to connect, for this user only.
pub fn save(path: &Path, description: &str, target: &Target) -> Result<(), CliError> {
    let failed = |e| CliError::infrastructure(&format!("save NATS context {}", path.display()), e);
    if let Some(folder) = path.parent() {
        crate::private::folder(folder).map_err(failed)?;
    }
    let context = of_target(description, target).ok_or_else(|| {
        CliError::usage(format!(
            "save NATS context {}: a seed is not written into it; use a creds file",
            path.display()
        ))
    })?;
    whole::write(path, context.text()).map_err(failed)
}

/// The context with the same content; `None` if that would write the seed of a key to a file.
pub fn of_target(description: &str, target: &Target) -> Option<NatsContext> {
    // Who reads it is in another folder.
    let text =
        |path: &PathBuf| std::path::absolute(path).as_ref().unwrap_or(path).display().to_string();
    let mut context = NatsContext {
        description: description.to_owned(),
        // With the user or token that is in it: the file is as private as the fields for them.
        url: target.url.clone(),
        inbox_prefix: target.inbox_prefix.clone().unwrap_or_default(),
        ca: target.tls.ca.as_ref().map(text).unwrap_or_default(),
        tls_first: target.tls.first,
        ..NatsContext::default()
    };
    if let Some((cert, key)) = &target.tls.client {
        (context.cert, context.key) = (text(cert), text(key));
    }
    match &target.jetstream {
        JetStreamApi::Here => {}
        JetStreamApi::Domain(domain) => context.jetstream_domain = domain.clone(),
        JetStreamApi::Prefix(prefix) => context.jetstream_api_prefix = prefix.clone(),
    }
    match &target.auth {
        Auth::None => {}
        Auth::User(user, password) => {
            (context.user, context.password) = (user.clone(), password.clone());
        }
        Auth::Token(token) => context.token = token.clone(),
        Auth::Creds(path) => context.creds = text(path),
        Auth::Nkey(_) | Auth::Jwt(_) | Auth::Bearer(_) => return None,
    }
    Some(context)
}

/// Saves the same for a shell, for this user only: a program that takes its server and its login from
/// the environment gets both by `. FILE`.
pub fn save_environment(path: &Path, target: &Target) -> Result<(), CliError> {
    let failed = |e| CliError::infrastructure(&format!("save {}", path.display()), e);
    // Of a cluster the first: not every client takes several, and it learns of the others.
    let url = without_secrets(&target.url);
    let mut text = format!("export NATS_URL={}\n", url.split(',').next().unwrap_or_default());
    if let Auth::User(user, password) = &target.auth {
        // Both are letters and digits: see `broker::Credentials`.
        text.push_str(&format!("export NATS_USER={user} NATS_PASSWORD={password}\n"));
    }
    let file = File::options().create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
