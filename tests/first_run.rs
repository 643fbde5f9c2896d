//! A fresh machine: an empty home, an empty cache, and a PATH without nats-server.

use std::path::Path;
use std::process::Command;

use crate::support::program::Said;

/// `mono-demo` in the checkout, knowing only this home; the PATH has no nats-server.
fn mono_demo(home: &Path, args: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap();
    let without = std::env::split_paths(&path).filter(|dir| !dir.join("nats-server").exists());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mono-demo"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("PATH", std::env::join_paths(without).unwrap());
    command.env("HOME", home).env("TMPDIR", home.join("tmp"));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let ours = ["XDG_", "NATS_", "MONO_DEMO_", "VIRTUAL_ENV"];
        if ours.iter().any(|prefix| name_text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

fn run(home: &Path, args: &[&str]) -> Said {
    Said::from(mono_demo(home, args).output().expect("the program starts"))
}

#[test]
fn the_first_run_brings_what_it_needs_and_the_second_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::create_dir(home.join("tmp")).unwrap();
    // The clients that need no tools beside Python: npm and go would use caches of their own.
    let clients = ["--client", "rust", "--client", "python"];
    let scenarios =
        [&["e2e", "math/operations", "payment/happy-path", "demo/tour"][..], &clients].concat();
    let offline = |args: &[&str]| run(home, &[args, &["--offline"]].concat());

    // Nothing is there, and nothing may be fetched: that is said, with what to do.
    let said = offline(&scenarios).failed(3, "--offline");
    assert!(said.stderr.contains("hint:"), "{}", said.stderr);

    let first = run(home, &scenarios);
    assert!(first.stderr.contains("installing nats-server 2.15.1"), "{}", first.stderr);
    let stderr = first.stderr.clone();
    let stdout = first.ok();
    assert!(stdout.contains("3 scenarios, 5 runs: 5 passed, 0 failed"), "{stdout}\n{stderr}");

    let second = offline(&scenarios);
    assert_eq!(second.stderr, "", "the second run installs nothing");
    second.ok();

    let left: Vec<_> =
        home.join("tmp").read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    let mut top: Vec<_> = home.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    top.sort();
    assert_eq!(top, [".cache", "tmp"], "only the cache folder is written");
}
