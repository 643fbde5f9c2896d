//! Says what serves, to people and to those who wait for it.

use serde_json::json;

use super::announced::Announced;
use super::args::ServeArgs;
use super::serving::Serving;
use crate::broker::Role;
use crate::cli::brokers::Brokers;
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::running::{Kept, Process, Prover, Runtime, RuntimeFile, Secret};
use crate::cli::services::REPLICAS;
use crate::cli::shell::word;
use crate::mono::{Connection, JetStreamApi, Target, without_secrets};
use crate::provision::Version;
use crate::wire::context::NatsContext;

/// Of NATS contexts, for whoever lists them.
pub(super) const DESCRIPTION: &str = "mono-demo serve";

/// What commands find a `serve` by: it has the secret of its runtime file.
pub(super) struct Listed {
    secret: Secret,
    prover: Prover,
}

impl Listed {
    /// From here on whoever asks for the proof has it; `None` for a `serve` that is not to be found.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) async fn begin(
        args: &ServeArgs,
        connection: &Connection,
    ) -> Result<Option<Self>, CliError> {
        if args.unlisted {
            return Ok(None);
        }
        let secret = Secret::draw().map_err(|e| CliError::infrastructure("draw a secret", e))?;
        let prover = Prover::start(connection, secret.clone()).await;
        Ok(Some(Self { secret, prover }))
    }
}

/// Prints what serves and writes the files that others wait for and find it by; they go when serving
/// ends.
pub(super) async fn announce(
    args: &ServeArgs,
    serving: &Serving,
    listed: Option<Listed>,
    target: &Target,
    context: &Context,
    output: &Output,
) -> Result<Announced, CliError> {
    let url = without_secrets(&target.url);
    for registered in serving.running.registered() {
        output.line(registered);
    }
    output.line("Starting Mono application...");
    let server = serving.connection.client().server_info();
    match &serving.broker {
        Some(broker) => {
            let kept =
                if args.store_dir.is_some() { "kept, synced on every write" } else { "temporary" };
            let store = broker.store_dir().display();
            let version = &server.version;
            match broker.nodes() {
                [_] => output.line(format!("nats-server {version} on {url}, store {store} ({kept})")),
                nodes => output.line(format!(
                    "cluster of {} nats-servers {version}, {REPLICAS} copies of each stream, on {url}, \
                     stores in {store} ({kept})",
                    nodes.len()
                )),
            }
        }
        None => {
            output.line(format!("existing NATS system {url}, nats-server {}", server.version));
            if let Some(warning) = too_old(&server.version) {
                output.note(format!("warning: {warning}"));
            }
        }
    }
    output.line(format!(
        "journals of the simulated gateway and mailer: {}",
        serving.journals.folder.display()
    ));
    let guarded = serving.broker.as_ref().filter(|_| args.auth || args.tls_cert.is_some());
    let contexts = guarded.map(|broker| {
        contexts::write_for_roles(broker.run_dir(), DESCRIPTION, |role| broker.target(role))
    });
    let contexts = contexts.transpose()?;
    if let Some(folder) = &contexts {
        for (broker, name) in
            serving.broker.iter().flat_map(|b| args.client.iter().map(move |c| (b, c)))
        {
            let path = folder.join(name).with_extension("json");
            contexts::save(&path, DESCRIPTION, &broker.target_of(name))?;
        }
        let client = contexts::of_role(folder, Role::Client);
        output.line(format!(
            "credentials: {} (as in `mono-demo --context FILE`, `nats --context FILE`)",
            client.display()
        ));
        output.line(format!("export NATS_CONTEXT={}", word(client.display())));
    } else if needs_only_its_url(target) {
        output.line(format!("export NATS_URL={url}"));
    }

    let mut runtime = Runtime {
        url: url.clone(),
        process: Process::this(),
        since_ms: Runtime::now_ms(),
        name: serving.broker.as_ref().map_or(server.server_name, Brokers::names),
        runs_broker: serving.broker.is_some(),
        modules: serving.running.registered().iter().map(|one| one.module.to_string()).collect(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        broker_version: Some(server.version),
        broker_log: serving.broker.as_ref().map(|broker| broker.nodes()[0].log_path().to_owned()),
        store: serving.broker.as_ref().map(|broker| Kept {
            folder: broker.store_dir().to_owned(),
            kept: args.store_dir.is_some(),
        }),
        journals: serving.journals.folder.clone(),
        contexts,
        login: None,
        secret: None,
    };
    let mut files = Vec::new();
    let mut prover = None;
    if let Some(listed) = listed {
        prover = Some(listed.prover);
        runtime.secret = Some(listed.secret);
        runtime.login = joined_as(serving, target, output);
        let (context, whole) = (context.clone(), runtime.clone());
        files.push(written(move || RuntimeFile::publish(&context, &whole)).await?);
        (runtime.secret, runtime.login) = (None, None);
    }
    if let Some(path) = &args.ready_file {
        let (path, runtime) = (context.absolute(path), runtime.clone());
        files.push(written(move || RuntimeFile::write(path, &runtime)).await?);
    }
    if let Some(name) = &args.save_context {
        let path = contexts::path(name, context)?;
        let client = serving.broker.as_ref().map(|broker| broker.target(Role::Client));
        contexts::save(&path, DESCRIPTION, client.as_ref().unwrap_or(target))?;
        output.line(format!("NATS context {name}: {}", path.display()));
    }
    output.line(format!("Ready: {url}"));
    output.object(&json!({
        "ok": true,
        "url": url,
        "pid": runtime.process.pid,
        "name": runtime.name,
        "services": serving.running.registered().iter()
            .map(|r| (r.module.clone(), json!(r.subjects)))
            .collect::<serde_json::Map<_, _>>(),
    }));
    Ok(Announced { _files: files, prover })
}

/// What is to be said of a server of this version.
fn too_old(version: &str) -> Option<String> {
    let is_old = version.parse::<Version>().is_ok_and(|found| !found.is_at_least(&Version::OLDEST));
    is_old.then(|| {
        let oldest = Version::OLDEST;
        format!("nats-server {version} is older than {oldest}, and older ones have known holes")
    })
}

/// Whether who knows the URL is let in, and finds all there. Who joined a system otherwise has said how.
fn needs_only_its_url(target: &Target) -> bool {
    let Target { url, auth, tls, jetstream, .. } = target;
    auth.is_none()
        && without_secrets(url) == *url
        && tls.ca.is_none()
        && tls.client.is_none()
        && *jetstream == JetStreamApi::Here
}

/// Everything serves already: not on the runtime's thread.
async fn written(
    write: impl FnOnce() -> Result<RuntimeFile, String> + Send + 'static,
) -> Result<RuntimeFile, CliError> {
    let written = tokio::task::spawn_blocking(write).await;
    let written = written.unwrap_or_else(|_| Err("write the runtime file: no thread".to_owned()));
    written.map_err(|e| CliError::new(Exit::Infrastructure, e))
}

/// How this user was let into an existing system: what commands show it too.
fn joined_as(serving: &Serving, target: &Target, output: &Output) -> Option<NatsContext> {
    if serving.broker.is_some() {
        return None;
    }
    let login = contexts::of_target(DESCRIPTION, target);
    if login.is_none() {
        output.note(
            "note: the seed of a key is not written down, so commands must name this server and the \
             key themselves",
        );
    }
    login
}

#[cfg(test)]
mod tests {
    use super::too_old;

    #[test]
    fn an_old_server_is_told() {
        for version in ["2.10.29", "2.13.9", "1.4.1"] {
            let told = too_old(version).unwrap();
            assert!(told.contains(&format!("nats-server {version} is older than 2.14")), "{told}");
        }
        for version in ["2.14.0", "2.15.1", "3.0.0", "unknown"] {
            assert_eq!(too_old(version), None, "{version}");
        }
    }
}
