//! `doctor`: what was found on this machine, and what to do about what is missing.

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::clients::{go_sources, node_sources};
use super::connect::provision_settings;
use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::python;
use super::reachable::server;
use crate::provision;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Install what is missing, into the cache folder.
    #[arg(long)]
    fix: bool,
}

/// One finding; `ok` is true where nothing has to be done.
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    pub(super) text: String,
    pub(super) detail: serde_json::Value,
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
    let findings = [
        broker(&settings).await,
        python_env(&settings).await,
        node(&settings).await,
        go(&settings).await,
        server(global, context).await,
        cache(&settings.cache_dir),
    ];
    for finding in &findings {
        let mark = if finding.ok { "ok" } else { "--" };
        output.line(format!("{mark}  {:<12} {}", finding.name, finding.text));
    }
    let healthy = findings.iter().all(|finding| finding.ok);
    let details: serde_json::Map<_, _> =
        findings.iter().map(|f| (f.name.to_owned(), f.detail.clone())).collect();
    output.object(&json!({ "ok": healthy, "findings": details }));
    Ok(if healthy { Exit::Success } else { Exit::Infrastructure })
}

async fn broker(settings: &provision::Settings) -> Finding {
    let name = "nats-server";
    match provision::find_nats_server(settings).await {
        Ok(provision::Found { server: Some(server), notes }) => Finding {
            name,
            ok: true,
            text: [format!("{} at {} ({})", server.version, server.path.display(), server.source)]
                .into_iter()
                .chain(notes)
                .collect::<Vec<_>>()
                .join("\n                 "),
            detail: json!({ "path": server.path, "version": server.version.to_string(), "source": server.source.to_string() }),
        },
        Ok(provision::Found { server: None, notes }) => {
            let version = provision::MANAGED_VERSION;
            // It is installed by pip.
            let python = provision::find_python(settings);
            let text = if settings.offline {
                format!(
                    "none found, and --offline forbids installing {version}: run once without \
                     --offline, or name one with --nats-server"
                )
            } else if let Err(error) = &python {
                let hint = error.hint().unwrap_or_default();
                format!(
                    "none found, and {version} cannot be installed: {error}\n                 \
                     hint: {hint}; or name a nats-server with --nats-server"
                )
            } else {
                format!(
                    "none yet: {version} is installed at the first use, or now by `mono-demo doctor --fix`"
                )
            };
            Finding {
                name,
                ok: !settings.offline && python.is_ok(),
                text,
                detail: json!({ "path": null, "notes": notes }),
            }
        }
        Err(error) => missing(name, &error),
    }
}

async fn python_env(settings: &provision::Settings) -> Finding {
    let name = "python";
    match provision::find_python_env(settings, python::REQUIREMENTS).await {
        Ok(Some(env)) => Finding {
            name,
            ok: true,
            text: format!("{} with nats-py {} at {}", env.version, env.nats_py, env.python.display()),
            detail: json!({ "path": env.python, "version": env.version, "nats_py": env.nats_py }),
        },
        Ok(None) if settings.offline => Finding {
            name,
            ok: true,
            text: "optional: `e2e` leaves this client out; --offline forbids making its environment"
                .to_owned(),
            detail: json!({ "path": null }),
        },
        Ok(None) if let Err(error) = provision::find_python(settings) => {
            let missing = missing(name, &error);
            let text = format!("optional: `e2e` leaves this client out; {}", missing.text);
            Finding { ok: true, text, ..missing }
        }
        Ok(None) => Finding {
            name,
            ok: true,
            text: "no environment yet: it is made at the first use, or now by `mono-demo doctor --fix`".to_owned(),
            detail: json!({ "path": null }),
        },
        Err(error) => missing(name, &error),
    }
}

async fn node(settings: &provision::Settings) -> Finding {
    let found = provision::find_node_client(settings, &node_sources()).await;
    optional("node", settings.offline, found, |client| {
        let path = client.driver();
        let text = format!("{}, its client at {}", client.version, path.display());
        (text, json!({ "path": path, "version": client.version }))
    })
}

async fn go(settings: &provision::Settings) -> Finding {
    let found = provision::find_go_client(settings, &go_sources()).await;
    optional("go", settings.offline, found, |client| {
        let text = format!("{} built its client, {}", client.built_with, client.driver.display());
        (text, json!({ "path": client.driver, "built_with": client.built_with }))
    })
}

/// A client that `e2e` does without where its tools are missing.
fn optional<T>(
    name: &'static str,
    offline: bool,
    found: Result<Option<T>, provision::ProvisionError>,
    shown: impl FnOnce(T) -> (String, serde_json::Value),
) -> Finding {
    match found {
        Ok(Some(client)) => {
            let (text, detail) = shown(client);
            Finding { name, ok: true, text, detail }
        }
        Ok(None) if offline => Finding {
            name,
            ok: true,
            text: "optional: `e2e` leaves this client out; --offline forbids preparing it"
                .to_owned(),
            detail: json!({ "path": null }),
        },
        Ok(None) => Finding {
            name,
            ok: true,
            text: "its client is prepared at the first use, or now by `mono-demo doctor --fix`"
                .to_owned(),
            detail: json!({ "path": null }),
        },
        // What is there and is not what was prepared is not run, and not left out in silence.
        Err(error) if !matches!(error, provision::ProvisionError::NoTool { .. }) => {
            missing(name, &error)
        }
        Err(error) => {
            let text = "optional: `e2e` leaves this client out";
            let missing = missing(name, &error);
            Finding { ok: true, text: format!("{text}; {}", missing.text), ..missing }
        }
    }
}

fn missing(name: &'static str, error: &provision::ProvisionError) -> Finding {
    let text = match error.hint() {
        Some(hint) => format!("{error}\n                 hint: {hint}"),
        None => error.to_string(),
    };
    Finding { name, ok: false, text, detail: json!({ "path": null, "error": error.to_string() }) }
}

/// The cache folder, which must take what is installed; where it is not there yet, that above it.
fn cache(path: &std::path::Path) -> Finding {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    let trusted = if path.exists() { crate::private::check(path) } else { Ok(()) };
    let written = trusted.and_then(|()| {
        // A page, so that a full disk is found too.
        let mut file = tempfile::NamedTempFile::new_in(there)?;
        std::io::Write::write_all(&mut file, &[b'x'; 4096])?;
        file.as_file().sync_all()
    });
    let (ok, text) = match &written {
        Ok(()) => (true, path.display().to_string()),
        Err(error) => (
            false,
            format!(
                "{}: nothing can be written there: {error}\n                 hint: make it \
                 writable for you, free space on its disk, or set XDG_CACHE_HOME to another folder",
                path.display()
            ),
        ),
    };
    Finding { name: "cache", ok, text, detail: json!(path) }
}
