//! NATS contexts: the files that say where a server is and what to show it, found, read and written.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::exit::CliError;
use crate::broker::Role;
use crate::mono::{Auth, Target, Tls, without_secrets};
use crate::wire::context::NatsContext;

/// The file of a context; the name cannot leave the folder.
pub fn path(name: &str, context: &Context) -> Result<PathBuf, CliError> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(good) {
        return Err(CliError::usage(format!(
            "NATS context {name:?}: a context's name has letters, digits, - _ and . only"
        )));
    }
    Ok(context.nats_context_dir().join(format!("{name}.json")))
}

/// A context by its name, or by its file.
pub fn read(name: &str, context: &Context) -> Result<NatsContext, CliError> {
    // natscli's rule: a name that is a file is one.
    let file = Path::new(name).extension().is_some_and(|e| e == "json");
    let file = file.then(|| context.absolute(Path::new(name))).filter(|path| path.is_file());
    let path = file.map_or_else(|| self::path(name, context), Ok)?;
    let text = std::fs::read_to_string(&path).map_err(|e| {
        CliError::usage(format!("NATS context {name:?}: read {}: {e}", path.display()))
            .hint("`nats context ls` lists the contexts; `mono-demo serve --save-context NAME` writes one")
    })?;
    serde_json::from_str(&text)
        .map_err(|e| CliError::usage(format!("NATS context {name:?}: {}: {e}", path.display())))
}

/// The context that `nats context select` chose, if any: natscli keeps its name beside the contexts.
pub fn selected(context: &Context) -> Option<String> {
    let text = std::fs::read_to_string(context.nats_context_dir().with_extension("txt")).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// How to connect with one that `serve` wrote.
pub fn target(file: NatsContext) -> Target {
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    Target {
        auth: match file.user.is_empty() {
            true => Auth::None,
            false => Auth::User(file.user, file.password),
        },
        tls: Tls { ca: path(&file.ca), client: None },
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
    for role in [Role::Client, Role::Worker, Role::Harness] {
        save(&of_role(&folder, role), description, &target(role))?;
    }
    Ok(folder)
}

/// Saves how to connect, for this user only.
pub fn save(path: &Path, description: &str, target: &Target) -> Result<(), CliError> {
    let failed = |e| CliError::infrastructure(&format!("save NATS context {}", path.display()), e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let (user, password) = match &target.auth {
        Auth::User(user, password) => (user.clone(), password.clone()),
        _ => Default::default(),
    };
    let ca = target.tls.ca.as_ref().map(|ca| ca.display().to_string()).unwrap_or_default();
    let context = NatsContext {
        description: description.to_owned(),
        url: without_secrets(&target.url),
        inbox_prefix: target.inbox_prefix.clone().unwrap_or_default(),
        user,
        password,
        ca,
        ..NatsContext::default()
    };
    context.save(path).map_err(failed)
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
