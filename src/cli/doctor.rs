//! `doctor`: shows the tools found on this machine, and how to install what is missing.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;

use super::clients::{go_sources, node_sources};
use super::connect::provision_settings;
use super::context::Context;
use super::diagnosis::{Diagnosis, lines};
use super::exit::{CliError, Exit};
use super::folders;
use super::global::Global;
use super::output::Output;
use super::python;
use super::reachable::server;
use crate::provision;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Install missing tools in the cache folder.
    #[arg(long)]
    fix: bool,
}

/// Whether missing tools can be installed.
#[derive(Clone, Copy)]
struct Makes {
    offline: bool,
    cache_takes_it: bool,
}

pub async fn run(
    args: DoctorArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let settings = provision_settings(&global.tools, context);
    let progress = |line: &str| output.note(line);
    if args.fix {
        provision::nats_server(&settings, &progress).await?;
        provision::python_env(&settings, python::REQUIREMENTS, &progress).await?;
        // These two are for whoever has their tools.
        for prepared in [
            provision::node_client(&settings, &node_sources(), &progress).await.map(drop),
            provision::go_client(&settings, &go_sources(), &progress).await.map(drop),
        ] {
            match prepared {
                Err(provision::ProvisionError::NoTool { .. }) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let cache = folders::cache(settings.cache_dir.clone()).await;
    // What is not there yet cannot be made elsewhere.
    let makes = Makes { offline: settings.offline, cache_takes_it: cache.ok };
    // Side by side, each told as soon as it and those before it are known: a tool may hang.
    let mut looks: FuturesOrdered<LocalBoxFuture<'_, Diagnosis>> = FuturesOrdered::new();
    looks.push_back(broker(&settings, makes).boxed_local());
    looks.push_back(python_env(&settings, makes).boxed_local());
    looks.push_back(node(&settings, makes).boxed_local());
    looks.push_back(go(&settings, makes).boxed_local());
    looks.push_back(server(global, context).boxed_local());
    looks.push_back(std::future::ready(cache).boxed_local());
    looks.push_back(folders::temporary(context).boxed_local());
    looks.push_back(folders::runtime(context).boxed_local());
    let mut findings = Vec::new();
    while let Some(finding) = looks.next().await {
        output.line(format!("{}  {:<12} {}", finding.mark(), finding.name, finding.text));
        findings.push(finding);
    }
    let healthy = findings.iter().all(|finding| finding.ok);
    let details: serde_json::Map<_, _> = findings.into_iter().map(Diagnosis::object).collect();
    output.object(&json!({ "ok": healthy, "findings": details }));
    Ok(if healthy { Exit::Success } else { Exit::Infrastructure })
}

async fn broker(settings: &provision::Settings, makes: Makes) -> Diagnosis {
    let name = "nats-server";
    let (server, notes) = match provision::find_nats_server(settings).await {
        Ok(provision::Found { server, notes }) => (server, notes),
        Err(error) => return missing(name, &error),
    };
    if let Some(server) = server {
        if let Err(error) = provision::server_runs(&server).await {
            return missing(name, &error);
        }
        let found = format!("{} at {} ({})", server.version, server.path.display(), server.source);
        let text = lines(std::iter::once(found).chain(notes));
        let detail = json!({
            "path": server.path,
            "version": server.version.to_string(),
            "source": server.source.to_string(),
        });
        return Diagnosis { name, ok: true, text, detail };
    }
    let version = provision::MANAGED_VERSION;
    let (ok, text) = if makes.offline {
        let text = format!(
            "none found, and --offline forbids installing {version}: run once without \
             --offline, or name one with --nats-server"
        );
        (false, text)
    } else if !makes.cache_takes_it {
        let text = format!(
            "none found, and {version} cannot be installed: the cache folder does not take it; see \
             `cache` below, or name one with --nats-server"
        );
        (false, text)
    } else if let Err(error) = provision::find_python(settings, provision::Makes::Server).await {
        // It is installed by pip.
        let hint = error.hint().unwrap_or_default();
        let cannot = format!("none found, and {version} cannot be installed: {error}");
        let hint = format!("hint: {hint}; or name a nats-server with --nats-server");
        (false, lines([cannot, hint]))
    } else {
        let text = format!(
            "none yet: {version} is installed at the first use, or now by `mono-demo doctor --fix`"
        );
        (true, text)
    };
    let detail = json!({ "path": null, "notes": notes });
    Diagnosis { name, ok, text: lines(std::iter::once(text).chain(notes)), detail }
}

async fn python_env(settings: &provision::Settings, makes: Makes) -> Diagnosis {
    let mut found = provision::find_python_env(settings, python::REQUIREMENTS).await;
    let mut made_of = None;
    match &found {
        Ok(Some(env)) => {
            if let Err(error) = provision::python_env_runs(env).await {
                return missing("python", &error);
            }
        }
        // A Python that was named must do.
        Ok(None) => match provision::find_python(settings, provision::Makes::Environment).await {
            Err(error) if settings.python.is_some() => return missing("python", &error),
            Err(error) => found = Err(error),
            Ok(python) => made_of = Some(python),
        },
        Err(error) if settings.python.is_some() => return missing("python", error),
        Err(_) => {}
    }
    let mut told = optional("python", makes, found, |env| {
        let path = env.python.display();
        let text = format!("{} with nats-py {} at {path}", env.version, env.nats_py);
        (text, json!({ "path": env.python, "version": env.version, "nats_py": env.nats_py }))
    });
    let is_used = told.ok && told.detail.get("left_out").is_none();
    if let Some(python) = made_of.filter(|_| is_used) {
        let path = python.program.display();
        told.text = format!("Python {} at {path}: {}", python.version, told.text);
        told.detail["made_of"] = json!({ "path": python.program, "version": python.version });
    }
    told
}

async fn node(settings: &provision::Settings, makes: Makes) -> Diagnosis {
    let found = provision::find_node_client(settings, &node_sources()).await;
    optional("node", makes, found, |client| {
        let path = client.driver();
        let text = format!("{}, its client at {}", client.version, path.display());
        (text, json!({ "path": path, "version": client.version }))
    })
}

async fn go(settings: &provision::Settings, makes: Makes) -> Diagnosis {
    let found = provision::find_go_client(settings, &go_sources()).await;
    optional("go", makes, found, |client| {
        let text = format!("{} built its client, {}", client.built_with, client.driver.display());
        (text, json!({ "path": client.driver, "built_with": client.built_with }))
    })
}

/// A client that `e2e` leaves out if its tools are missing.
fn optional<T>(
    name: &'static str,
    makes: Makes,
    found: Result<Option<T>, provision::ProvisionError>,
    shown: impl FnOnce(T) -> (String, serde_json::Value),
) -> Diagnosis {
    use provision::ProvisionError::{NoPython, NoTool};

    let text = match found {
        Ok(Some(client)) => {
            let (text, detail) = shown(client);
            return Diagnosis { name, ok: true, text, detail };
        }
        Ok(None) if makes.offline => "--offline forbids preparing it".to_owned(),
        Ok(None) if !makes.cache_takes_it => "it cannot be prepared: see `cache` below".to_owned(),
        Ok(None) => {
            let text =
                "its client is prepared at the first use, or now by `mono-demo doctor --fix`";
            return Diagnosis {
                name,
                ok: true,
                text: text.to_owned(),
                detail: json!({ "path": null }),
            };
        }
        Err(error @ (NoTool { .. } | NoPython { .. })) => missing(name, &error).text,
        // What is there and is not what was prepared is not run, and not left out in silence.
        Err(error) => return missing(name, &error),
    };
    let text = format!("optional: `e2e` leaves this client out; {text}");
    Diagnosis { name, ok: true, text, detail: json!({ "path": null, "left_out": true }) }
}

fn missing(name: &'static str, error: &provision::ProvisionError) -> Diagnosis {
    let text = match error.hint() {
        Some(hint) => lines([error.to_string(), format!("hint: {hint}")]),
        None => error.to_string(),
    };
    Diagnosis { name, ok: false, text, detail: json!({ "path": null, "error": error.to_string() }) }
}
