//! From the files of running `serve` processes to one connection.

use std::path::Path;
use std::time::Duration;

use super::file::{Runtime, living, of_server};
use super::proof::proves;
use crate::broker::Role;
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::given::read_private;
use crate::mono::{Connection, Target};

/// How long a connection that is not needed any more may take to close.
pub const CLOSES: Duration = Duration::from_secs(1);

const NO_SECRET: &str = "its file has no secret to prove";

/// A connection to the newest `serve` of this user that proves itself, in this role, where it has
/// roles; says so where there are several, and which is passed over and why. `None` where none lives.
///
/// # Errors
/// One lives, paused or cut off as it may be, and none can be used: nothing else takes its place, for
/// what it would do is lost to it.
pub async fn find(
    role: Role,
    context: &Context,
    output: &Output,
) -> Result<Option<Connection>, CliError> {
    let living = living(context);
    for runtime in &living {
        match open(runtime, role).await {
            Ok(connection) => {
                let others = living.iter().filter(|other| other.url != runtime.url).count();
                if others > 0 {
                    output.note(format!(
                        "note: {} `serve` are running; this uses the newest, {} (pid {}): name \
                         another with --server",
                        others + 1,
                        runtime.url,
                        runtime.process.pid
                    ));
                }
                return Ok(Some(connection));
            }
            Err(why) => output.note(format!(
                "note: the `serve` at {} (pid {}) is not used: {why}",
                runtime.url, runtime.process.pid
            )),
        }
    }
    if living.is_empty() {
        return Ok(None);
    }
    let message = "a `serve` of yours is running, and cannot be used";
    let hint =
        "name a server with --server, or end that `serve`: nothing else is done in its place";
    Err(CliError::new(Exit::Connection, message).hint(hint))
}

/// A connection to this one, in this role, once it has proved itself. No password of a broker of ours is
/// shown to a server that has not; a `serve` that joined a system says with which login.
///
/// # Errors
/// Why it is not used.
pub async fn open(runtime: &Runtime, role: Role) -> Result<Connection, String> {
    let Some(folder) = &runtime.contexts else {
        return proved(&target(runtime), runtime, "").await;
    };
    let (finder, target) = (read(folder, Role::Finder)?, read(folder, role)?);
    let mut why = "it has no server".to_owned();
    // One server after the other: what one of them proved says nothing of another one's port.
    for (url, name) in runtime.url.split(',').zip(runtime.name.split(',')) {
        let at = |target: &Target| Target { url: url.to_owned(), ..target.clone() };
        // Whom a broker without passwords does not know, it tells nothing of.
        let name = if finder.auth.is_none() { "" } else { name };
        let found = match proved(&at(&finder), runtime, name).await {
            Ok(found) => found,
            Err(error) => {
                why = error;
                continue;
            }
        };
        // While the one connection lasts, nobody else can have taken the port for the other.
        let connection = proved(&at(&target), runtime, "").await;
        found.close(CLOSES).await;
        match connection {
            Ok(connection) => return Ok(connection),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// What the `serve` of this user says that runs the broker at the other end of this connection, if one
/// does; it has not proved that yet.
pub async fn runner(connection: &Connection, context: &Context) -> Option<Runtime> {
    let (name, context) = (connection.client().server_info().server_name, context.clone());
    // Files are read: not on the runtime's thread.
    let found = tokio::task::spawn_blocking(move || of_server(&name, &context)).await;
    found.ok().flatten().filter(|runtime| runtime.runs_broker)
}

/// Makes sure that this `serve` runs the broker at the other end of this connection.
///
/// # Errors
/// Why that is not known, as while it is paused.
pub async fn runs(runtime: &Runtime, connection: &Connection) -> Result<(), String> {
    match (&runtime.contexts, &runtime.secret) {
        // There a worker may not ask: a client asks the server of that name, where the file says it is.
        (Some(_), _) => {
            open(runtime, Role::Client).await?.close(CLOSES).await;
            Ok(())
        }
        (None, Some(secret)) => proves(connection, secret, "").await.map_err(|why| why.to_string()),
        (None, None) => Err(NO_SECRET.to_owned()),
    }
}

/// Where a `serve` without contexts is, and as whom it is there.
pub(super) fn target(runtime: &Runtime) -> Target {
    match runtime.login.clone() {
        Some(login) => contexts::target(login),
        None => Target { url: runtime.url.clone(), ..Target::default() },
    }
}

/// A connection to a server that proves itself under this name.
async fn proved(target: &Target, runtime: &Runtime, name: &str) -> Result<Connection, String> {
    let secret = runtime.secret.as_ref().ok_or(NO_SECRET)?;
    let connection = Connection::open(target, "mono-demo").await.map_err(|e| e.to_string())?;
    match proves(&connection, secret, name).await {
        Ok(()) => Ok(connection),
        Err(why) => {
            connection.close(CLOSES).await;
            Err(why.to_string())
        }
    }
}

/// How to connect in a role.
fn read(folder: &Path, role: Role) -> Result<Target, String> {
    let path = contexts::of_role(folder, role);
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = read_private(&path).map_err(|e| failed(&e))?;
    Ok(contexts::target(serde_json::from_slice(&text).map_err(|e| failed(&e))?))
}
