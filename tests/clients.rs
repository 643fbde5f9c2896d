//! The clients in other languages: what the binary carries is what the folders have, and their
//! tables agree.

use crate::support;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What describes the packages, and is no part of what runs.
const ONLY_PACKED: [&str; 3] = ["README.md", "tsconfig.json", "tsconfig.types.json"];

/// Files below `folder`, without what is installed there and what only tests use.
fn files(folder: &Path, below: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["node_modules", "test"].contains(&name.as_str()) {
                files(&path, below, into);
            }
        } else if !ONLY_PACKED.contains(&name.as_str()) && !name.ends_with("_test.go") {
            into.insert(path.strip_prefix(below).unwrap().display().to_string());
        }
    }
}

#[test]
fn the_binary_carries_every_file_of_the_node_and_go_clients() {
    let listed = text("src/cli/clients.rs");
    for client in ["node", "go"] {
        let (_, list) = listed.split_once(&format!("sources!(\"{client}\"")).unwrap();
        let list = list.split_once("\n}\n").unwrap().0;
        let carried: BTreeSet<String> =
            list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        let folder = root().join("client").join(client);
        let mut there = BTreeSet::new();
        files(&folder, &folder, &mut there);
        assert_eq!(carried, there, "client/{client}");
    }
}

#[test]
fn the_binary_carries_every_file_of_the_python_client() {
    let listed = text("src/cli/suite.rs");
    let (_, list) = listed.split_once("= beside!(").unwrap();
    let list = list.split_once(");").unwrap().0;
    let carried: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let mut there = BTreeSet::new();
    files(&root().join("client"), &root(), &mut there);
    there.retain(|path| path.ends_with(".py"));
    there.insert("demo.py".to_owned());
    assert!(there.iter().all(|path| carried.contains(path.as_str())), "{there:?} {carried:?}");
    assert_eq!(carried.len(), there.len());
}

#[test]
fn the_built_in_suite_runs_from_any_folder_and_writes_nothing_there() {
    let empty = tempfile::tempdir().unwrap();
    let e2e = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mono-demo"));
        // There is no suite, which CI does not take for the built-in one.
        command.arg("e2e").args(args).current_dir(empty.path()).env_remove("CI");
        command.env("XDG_CACHE_HOME", support::shared_cache().join("xdg"));
        command.output().unwrap()
    };
    let said = e2e(&["math/operations", "payment/happy-path", "--client", "rust"]);
    let shown = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{shown}{}", String::from_utf8_lossy(&said.stderr));
    assert!(shown.contains("2 scenarios, 2 runs: 2 passed"), "{shown}");
    let said = e2e(&["--update"]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert_eq!(empty.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_client_that_is_required_and_not_there_is_a_failure() {
    let empty = tempfile::tempdir().unwrap();
    let e2e = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mono-demo"));
        command.arg("e2e").args(args).current_dir(root()).env("XDG_CACHE_HOME", empty.path());
        // The broker is there, and nothing may be fetched.
        let broker = std::env::var_os("MONO_DEMO_NATS_SERVER");
        command.env("MONO_DEMO_NATS_SERVER", broker.unwrap_or_else(|| server().into()));
        command.args(["--offline", "math/overflow", "--client", "rust"]);
        command.output().unwrap()
    };
    let said = e2e(&[]);
    assert!(said.status.success(), "{said:?}");
    for client in ["node", "go"] {
        let said = e2e(&["--require", client]);
        let shown = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(3), "{shown}");
        assert!(shown.contains(&format!("error: the {client} client: ")), "{shown}");
        assert!(shown.contains("hint: "), "{shown}");
    }
}

fn server() -> PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(support::nats_server()).path
}

#[test]
fn the_lock_file_pins_every_package_and_names_no_registry() {
    let lock: serde_json::Value =
        serde_json::from_str(&text("client/node/package-lock.json")).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        assert!(package["integrity"].is_string(), "{path} has no hash");
        assert!(package["resolved"].is_null(), "{path} names where it came from");
    }
    for (name, version) in packages[""]["dependencies"].as_object().unwrap() {
        let version = version.as_str().unwrap();
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{name} {version}");
    }
}

/// Codes and their decimals, from a table of lists of codes: `[2, "AED …"]`, `{2, "AED …"}`.
fn minor_units(table: &str) -> BTreeMap<String, u32> {
    let mut units = BTreeMap::new();
    let mut decimals = None;
    for word in table.split(|c: char| c.is_whitespace() || "\"`,[]{}".contains(c)) {
        decimals = word.parse::<u32>().ok().or(decimals);
        let is_code = word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase());
        if let Some(decimals) = decimals.filter(|_| is_code) {
            units.insert(word.to_owned(), decimals);
        }
    }
    units
}

#[test]
fn node_and_go_know_the_decimals_that_the_service_knows() {
    let between = |path: &str, start: &str, end: &str| {
        let source = text(path);
        let table = source.split_once(start).expect(start).1.split_once(end).expect(end).0;
        minor_units(table)
    };
    let node = between("client/node/money.mjs", "const CODES = [", "];");
    let go = between("client/go/currencies.go", "range []struct", "} {");
    assert!(node.len() > 160, "{node:?}");
    assert_eq!(node, go);
    for (code, decimals) in &node {
        let currency = iso_currency::Currency::from_code(code);
        let known = currency.and_then(|currency| currency.exponent()).map(u32::from);
        assert_eq!(known, Some(*decimals), "{code}");
    }
}
