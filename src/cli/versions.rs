//! `version`: this program's, and those of the broker and the client libraries that it uses here.

use serde_json::{Value, json};

use super::clients::{go_sources, node_sources};
use super::connect::provision_settings;
use super::context::Context;
use super::exit::Exit;
use super::global::Global;
use super::output::Output;
use super::python;
use crate::provision;

/// The version of the patched library, `vendor/async-nats`.
const ASYNC_NATS: &str = "0.51.0";

/// Looks, installs nothing and runs no client.
pub async fn run(global: &Global, context: &Context, output: &Output) -> Exit {
    let settings = provision_settings(&global.tools, context);
    let server = provision::find_nats_server(&settings).await.ok().and_then(|found| found.server);
    let (server, from) = match server {
        Some(server) => (server.version.to_string(), server.source.to_string()),
        None => (provision::MANAGED_VERSION.to_owned(), "not installed yet".to_owned()),
    };
    let python = provision::find_python_env(&settings, python::REQUIREMENTS).await.ok().flatten();
    let nats_py = match python {
        Some(env) => env.nats_py,
        None => pinned(python::REQUIREMENTS, "nats-py==", ' '),
    };
    let nats_js =
        pinned(text_of(&node_sources(), "package.json"), "\"@nats-io/transport-node\": \"", '"');
    let nats_go = pinned(text_of(&go_sources(), "go.mod"), "nats-io/nats.go v", '\n');
    let rows = [
        ("mono-demo", env!("CARGO_PKG_VERSION").to_owned(), String::new()),
        ("nats-server", server, from),
        ("async-nats", ASYNC_NATS.to_owned(), "client in Rust, patched".to_owned()),
        ("nats-py", nats_py, "client in Python".to_owned()),
        ("nats.js", nats_js, "client in Node".to_owned()),
        ("nats.go", nats_go, "client in Go".to_owned()),
    ];
    for (name, version, note) in &rows {
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        output.line(format!("{name:<12} {version}{note}"));
    }
    let versions = rows.map(|(name, version, _)| (name.to_owned(), Value::from(version)));
    output.object(&json!({ "versions": Value::Object(versions.into_iter().collect()) }));
    Exit::Success
}

fn text_of(sources: &provision::Sources, file: &str) -> &'static str {
    let found = sources.files.iter().find(|(path, _)| path == file);
    found.map(|(_, text)| *text).unwrap_or_default()
}

/// What stands behind this, up to a character.
fn pinned(text: &str, before: &str, end: char) -> String {
    let found = text.split(before).nth(1).and_then(|rest| rest.split(end).next());
    found.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_manifests() {
        let manifest = include_str!("../../Cargo.toml");
        let library = manifest.lines().find(|line| line.starts_with("async-nats = ")).unwrap();
        assert!(library.contains(&format!("version = \"{ASYNC_NATS}\"")), "{library}");
        assert_eq!(pinned(python::REQUIREMENTS, "nats-py==", ' ').split('.').count(), 3);
        let package = text_of(&node_sources(), "package.json");
        let nats_js = pinned(package, "\"@nats-io/transport-node\": \"", '"');
        assert_eq!(nats_js.split('.').count(), 3);
        let nats_go = pinned(text_of(&go_sources(), "go.mod"), "nats-io/nats.go v", '\n');
        assert_eq!(nats_go.split('.').count(), 3, "{nats_go}");
    }
}
