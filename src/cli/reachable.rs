//! `doctor`'s finding on the server that commands would use, found as they would find it.

use std::time::Duration;

use serde_json::json;

use super::connect::named_target;
use super::context::Context;
use super::diagnosis::Diagnosis;
use super::exit::CliError;
use super::global::{ConnectionArgs, Global};
use super::refused::not_let_in;
use super::{contexts, running};
use crate::broker::Role;
use crate::mono::{Connection, Target, without_secrets};
use crate::provision::Version;

const NAME: &str = "server";

/// The server that is named, else a running `serve` that proves itself, else that of the selected
/// context.
pub(super) async fn server(global: &Global, context: &Context) -> Diagnosis {
    match named_target(&global.connection, context) {
        Ok(Some(target)) => return connected(&target, "named", context).await,
        Ok(None) => {}
        Err(error) => return unusable(&error),
    }
    let mut passed_over = Vec::new();
    for runtime in running::living(context) {
        match running::open(&runtime, Role::Client).await {
            Ok(connection) => return there(&runtime.url, "a running serve", connection).await,
            Err(why) => passed_over.push(format!(
                "the `serve` at {} (pid {}) is not used: {why}",
                runtime.url, runtime.process.pid
            )),
        }
    }
    let selected = match contexts::selected(context) {
        Ok(selected) => selected,
        Err(error) => return unusable(&error),
    };
    if let Some(name) = selected {
        let args = ConnectionArgs { context: Some(name), ..global.connection.clone() };
        match named_target(&args, context) {
            Ok(Some(target)) => return connected(&target, "the selected context", context).await,
            Ok(None) => {}
            Err(error) => return unusable(&error),
        }
    }
    if passed_over.is_empty() {
        let text = "none named and none running: each command starts its own broker".to_owned();
        return Diagnosis { name: NAME, ok: true, text, detail: json!({ "url": null }) };
    }
    let text = passed_over.join("; ");
    let detail = json!({ "url": null, "error": text });
    let text = with_hint(&text, "stop it, or name a server with --server, --context or NATS_URL");
    Diagnosis { name: NAME, ok: false, text, detail }
}

async fn connected(target: &Target, how: &str, context: &Context) -> Diagnosis {
    let url = without_secrets(&target.url);
    match Connection::open(target, "mono-demo doctor").await {
        Ok(connection) => there(&url, how, connection).await,
        Err(error) => {
            let other = "start it, or name another one with --server, --context or NATS_URL";
            let CliError { message, hint, .. } = not_let_in(error, target, Role::Client, context);
            let text = with_hint(&format!("{message} ({how})"), hint.as_deref().unwrap_or(other));
            let detail = json!({ "url": url, "error": message });
            Diagnosis { name: NAME, ok: false, text, detail }
        }
    }
}

async fn there(url: &str, how: &str, connection: Connection) -> Diagnosis {
    let version = connection.client().server_info().version;
    connection.close(Duration::from_secs(2)).await;
    let old =
        version.parse::<Version>().is_ok_and(|version| !version.is_at_least(&Version::OLDEST));
    let advice = match old {
        true => format!("; older than {}, and older ones have known holes", Version::OLDEST),
        false => String::new(),
    };
    let text = format!("{url} ({how}), nats-server {version}{advice}");
    let detail = json!({ "url": url, "version": version, "old": old });
    Diagnosis { name: NAME, ok: true, text, detail }
}

fn unusable(error: &CliError) -> Diagnosis {
    let text = match &error.hint {
        Some(hint) => with_hint(&error.message, hint),
        None => error.message.clone(),
    };
    let detail = json!({ "url": null, "error": error.message });
    Diagnosis { name: NAME, ok: false, text, detail }
}

fn with_hint(text: &str, hint: &str) -> String {
    format!("{text}\n                 hint: {hint}")
}
