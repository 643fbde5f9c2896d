//! From the files of running `serve` processes to one connection.

use super::file::{Runtime, living};
use super::proof::proves;
use crate::broker::Role;
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::output::Output;
use crate::mono::{Connection, Target};

/// A connection to the newest `serve` of this user that proves itself, in this role, where it has
/// roles; says so where there are several, and which is passed over and why.
pub async fn find(role: Role, context: &Context, output: &Output) -> Option<Connection> {
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
                return Some(connection);
            }
            Err(why) => output.note(format!(
                "note: the `serve` at {} (pid {}) is not used: {why}",
                runtime.url, runtime.process.pid
            )),
        }
    }
    None
}

async fn open(runtime: &Runtime, role: Role) -> Result<Connection, String> {
    let secret = runtime.secret.as_ref().ok_or("its file has no secret to prove")?;
    let target = match &runtime.contexts {
        None => Target { url: runtime.url.clone(), ..Target::default() },
        Some(folder) => {
            let path = contexts::of_role(folder, role);
            let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
            contexts::target(serde_json::from_str(&text).map_err(|e| failed(&e))?)
        }
    };
    let connection = Connection::open(&target, "mono-demo").await.map_err(|e| e.to_string())?;
    match proves(&connection, secret).await {
        Ok(()) => Ok(connection),
        Err(why) => {
            connection.close(std::time::Duration::from_secs(1)).await;
            Err(why)
        }
    }
}
