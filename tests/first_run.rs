//! A fresh machine: an empty home, an empty cache, and a PATH without nats-server.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use mono_demo::provision::{Settings, nats_server, python_env};

use crate::support::program::Said;
use crate::support::shared_cache;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mono-demo");

/// `mono-demo` in the checkout, knowing only this home; the PATH has no nats-server.
fn mono_demo(home: &Path, args: &[&str]) -> Command {
    at(Path::new(PROGRAM), home, args)
}

fn at(program: &Path, home: &Path, args: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap();
    let without = std::env::split_paths(&path).filter(|dir| !dir.join("nats-server").exists());
    let mut command = Command::new(program);
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

/// As pip installs it: the program, nats-server and a Python with nats-py in one environment.
#[tokio::test]
async fn what_a_package_brought_is_used_and_nothing_is_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("tmp")).unwrap();
    let venv = folder.path().join("venv");
    let bin = venv.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("mono-demo");
    // A link would lead to where the program was built.
    std::fs::hard_link(PROGRAM, &program)
        .or_else(|_| std::fs::copy(PROGRAM, &program).map(drop))
        .unwrap();
    let scenarios = ["math/operations", "--client", "rust", "--client", "python", "--offline"];
    let scenarios = [&["e2e"][..], &scenarios].concat();
    let run = |args: &[&str]| Said::from(at(&program, &home, args).output().unwrap());

    // Nothing is there yet, and nothing may be fetched.
    run(&scenarios).failed(3, "--offline");

    let mut shared = Settings::new(shared_cache());
    shared.path = std::env::var_os("PATH");
    let requirements = include_str!("../client/requirements.txt");
    let python = python_env(&shared, requirements, &|_| {}).await.unwrap().python;
    let made = python.parent().unwrap().parent().unwrap();
    symlink(made.join("lib"), venv.join("lib")).unwrap();
    symlink(python.canonicalize().unwrap(), bin.join("python3")).unwrap();
    std::fs::copy(made.join("pyvenv.cfg"), venv.join("pyvenv.cfg")).unwrap();
    run(&scenarios).failed(3, "nats-server");
    let server = nats_server(&shared, &|_| {}).await.unwrap().path;
    symlink(server, bin.join("nats-server")).unwrap();

    let said = run(&scenarios);
    assert_eq!(said.stderr, "", "nothing is installed");
    let stdout = said.ok();
    assert!(stdout.contains("1 scenario, 2 runs: 2 passed, 0 failed"), "{stdout}");
    let said = run(&["doctor", "--offline"]).ok();
    assert!(said.contains("installed with mono-demo"), "{said}");
    let cache = home.join(".cache/mono-demo");
    let names = cache.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let installed = |name: &std::ffi::OsString| {
        ["nats-server-", "python-"].iter().any(|it| name.to_string_lossy().starts_with(it))
    };
    assert_eq!(names.filter(installed).count(), 0);
}
