//! Hints for a refused login or operation: which role may, and how to connect as it.

use std::path::PathBuf;

use async_nats::ServerAddr;

use super::context::Context;
use super::contexts;
use super::exit::{CliError, Exit};
use super::running::{self, Runtime};
use super::shell::word;
use crate::broker::Role;
use crate::mono::{ConnectError, Connection, Target, remedy};

/// The hint for a refused login: if the server is a `serve` of this user, which context to use.
pub fn not_let_in(error: ConnectError, target: &Target, role: Role, context: &Context) -> CliError {
    let credentials = matches!(error, ConnectError::Refused { .. } | ConnectError::Tls { .. });
    let error = CliError::from(error);
    let there = addresses(&target.url);
    let is_there = |runtime: &Runtime| addresses(&runtime.url).iter().any(|a| there.contains(a));
    let found = running::living(context).into_iter().filter(|_| credentials).find(is_there);
    let Some((pid, file)) = found.and_then(|runtime| {
        Some((runtime.process.pid, contexts::of_role(runtime.contexts.as_deref()?, role)))
    }) else {
        return error;
    };
    let file = word(file.display());
    error.hint(match role {
        Role::Worker => format!("it is your `serve` (pid {pid}): join it by `--context {file}`"),
        _ => format!(
            "it is your `serve` (pid {pid}): without --server and NATS_URL it is found, and you are let \
             in; or `export NATS_CONTEXT={file}`"
        ),
    })
}

/// The hint for a refused operation, from the server's words.
pub fn not_let_do(
    operation: &str,
    words: &str,
    may: Role,
    connection: &Connection,
    context: &Context,
) -> CliError {
    let server = connection.client().server_info().server_name;
    let folder = running::of_server(&server, context).and_then(|runtime| runtime.contexts);
    let hint = remedy(words, None).map_or_else(|| who(may, folder), str::to_owned);
    CliError::new(Exit::Connection, format!("{operation}: {words}")).hint(hint)
}

/// Who may.
pub fn who(may: Role, contexts: Option<PathBuf>) -> String {
    let role = may.user();
    match contexts.map(|folder| contexts::of_role(&folder, may)) {
        Some(file) => format!("the role `{role}` may: --context {}", word(file.display())),
        None => format!(
            "connect as a user who may: of `serve --auth` and `spec --accounts` that is `{role}`"
        ),
    }
}

/// Where a list of URLs leads.
fn addresses(urls: &str) -> Vec<(String, u16)> {
    let address = |url: &str| url.trim().parse::<ServerAddr>().ok();
    let name = |host: &str| host.replace("localhost", "127.0.0.1");
    urls.split(',').filter_map(address).map(|a| (name(a.host()), a.port())).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_server_is_named_in_many_ways() {
        let wanted = [("127.0.0.1".to_owned(), 4222)];
        for url in ["localhost", "nats://127.0.0.1:4222", "nats://u:p@localhost:4222", "127.0.0.1"]
        {
            assert_eq!(super::addresses(url), wanted, "{url}");
        }
        assert_eq!(super::addresses("nats://a:1, tls://b").len(), 2);
    }
}
