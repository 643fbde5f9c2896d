//! Developer tasks: `cargo xtask ci` runs every check there is, on a clean clone too.
//!
//! It runs cargo and the built binary, and imports no project code.

mod asyncapi;
mod bench;
mod crates;
mod dist;
mod instructions;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const HELP: &str = "\
usage: cargo xtask ci     crates, format, lints, tests, types, scenarios, docs; the clients in
                          Node and Go where those are, and with `--require node,go` it is red
                          where they are not; so with `chromium` and `root`, which some tests want,
                          and with `valgrind`
       cargo xtask dist   wheel, npm packages, crates, .deb, tarball and clients, into `target/dist`;
                          `--wheel FILE` takes a wheel that was made before
       cargo xtask dist check   installs each of them without a network or cargo, and uses it
       cargo xtask bench  runs every section of `mono-demo bench`, and writes docs/benchmarks.md;
                          `--binary FILE` measures a program that was built before, and what
                          comes after it are flags of `mono-demo bench`, as `--quick`
       cargo xtask features   each feature alone, and a crate from outside that wants a broker only
       cargo xtask instructions   counts those of pure hot paths, and holds each below its bound
       cargo xtask judge  how long the judge takes for 10^5 and 10^6 events, and how much memory
       cargo xtask proxy  what a proxy costs, with rules about messages and without
       cargo xtask soak   the long forms of the soak scenarios, in `xtask/soak`, and of the
                          tests; histories are kept in `target/histories`";

/// How many tests run at once on each core.
const TESTS_PER_CORE: usize = 4;

/// Suites of services that know nothing of this program.
const SUITES: [&str; 4] = ["shop", "dispatch", "checkout", "profiles"];

/// What may be required, by those of `--require`: what runs here and there, and tests are left out for.
const WANTED: [&str; 5] = ["node", "go", "chromium", "root", "valgrind"];

/// Where tests look for what is required (`tests/support/expected.rs`).
const REQUIRED: &str = "MONO_DEMO_REQUIRE";

/// Where the program is that `ci` tries.
const BUILT: &str = "debug";

/// What a crate may want of this one; the program is all of it.
const FEATURES: [&str; 4] = ["broker", "mono", "schema", "e2e"];

/// A step: its name, and what runs.
struct Step {
    name: &'static str,
    command: Command,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ci"] => ci(&[]),
        ["ci", "--require", wanted] => match required(wanted) {
            Ok(wanted) => ci(&wanted),
            Err(error) => {
                eprintln!("xtask ci: {error}");
                ExitCode::from(2)
            }
        },
        ["bench"] => told("bench", bench::run(None, &[])),
        ["bench", "--binary", program, flags @ ..] => {
            told("bench", bench::run(Some(Path::new(program)), flags))
        }
        ["features"] => features(),
        ["instructions"] => told("instructions", counts(&["valgrind"])),
        ["dist"] => told("dist", dist::make(None)),
        ["dist", "--wheel", wheel] => told("dist", dist::make(Some(Path::new(wheel)))),
        ["dist", "check"] => told("dist check", dist::check()),
        ["soak"] => soak(),
        [bench @ ("judge" | "proxy")] => figures(bench),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn told(task: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {task}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What `--require` says; nothing that nobody looks for.
fn required(wanted: &str) -> Result<Vec<&str>, String> {
    let wanted: Vec<&str> = wanted.split(',').collect();
    match wanted.iter().find(|word| !WANTED.contains(word)) {
        Some(word) => Err(format!("--require {word}: it is one of {}", WANTED.join(", "))),
        None => Ok(wanted),
    }
}

fn ci(required: &[&str]) -> ExitCode {
    let started = Instant::now();
    let mut times = Vec::new();
    let mut steps = || -> Result<(), String> {
        println!("\n== crates");
        crates::check(cargo(&[])).map_err(|e| format!("crates: {e}"))?;
        for step in rust_checks(required) {
            run(step, &mut times)?;
        }
        let began = Instant::now();
        counts(required)?;
        times.push(("instructions", began.elapsed()));
        let binary = binary(BUILT);
        provision(&binary)?;
        let python = dist::python_with("python", "tests/python/requirements.txt")?;
        for step in checks_of_the_built_binary(&binary, &python) {
            run(step, &mut times)?;
        }
        for step in checks_of_other_clients(required)? {
            run(step, &mut times)?;
        }
        if let Some(step) = asyncapi::step()? {
            run(step, &mut times)?;
        }
        Ok(())
    };
    let result = steps();
    println!();
    for (name, took) in &times {
        println!("{:>7.1} s  {name}", took.as_secs_f64());
    }
    println!("{:>7.1} s  in all", started.elapsed().as_secs_f64());
    told("ci", result)
}

/// The lints of each, and a test of another crate: `ci` has time only to see that each compiles.
fn features() -> ExitCode {
    let mut times = Vec::new();
    told("features", feature_checks().into_iter().try_for_each(|step| run(step, &mut times)))
}

/// Instructions of hot paths, where they can be counted.
fn counts(required: &[&str]) -> Result<(), String> {
    println!("\n== instructions");
    if instructions::check(cargo)? {
        return Ok(());
    }
    if required.contains(&"valgrind") {
        return Err("valgrind is required, and is not on the PATH".to_owned());
    }
    println!("left out: valgrind, which counts them, is not on the PATH");
    Ok(())
}

/// Figures for people: nothing is held, since what else runs decides them.
fn figures(bench: &str) -> ExitCode {
    let command = cargo(&["bench", "--bench", bench]);
    let step = Step { name: "figures", command };
    told(bench, run(step, &mut Vec::new()))
}

/// Thousands of payments under kills; `fixtures/soak` has the short forms, which CI runs.
fn soak() -> ExitCode {
    let mut scenarios = at_root(&binary("release"));
    scenarios.args(["e2e", "--fixtures", "xtask/soak", "--client", "rust", "--jobs", "1"]);
    scenarios.args(["--history", "target/histories"]);
    // Tests whose long form is ignored by `cargo test`.
    let tests = ["test", "--release", "--test", "all", "--"];
    let tests =
        [&tests[..], &["kills::", "electing::", "dlq::", "history::", "--ignored", "--nocapture"]]
            .concat();
    let mut times = Vec::new();
    let steps = [
        Step { name: "build", command: cargo(&["build", "--release"]) },
        Step { name: "soak", command: scenarios },
        Step { name: "kills, elections, dead letters and histories", command: cargo(&tests) },
    ];
    told("soak", steps.into_iter().try_for_each(|step| run(step, &mut times)))
}

fn rust_checks(required: &[&str]) -> Vec<Step> {
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    // Most of a test's time is waiting, for a process or a broker.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tests.env("RUST_TEST_THREADS", (cores * TESTS_PER_CORE).to_string());
    tests.env(REQUIRED, required.join(","));
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let mut steps = vec![
        Step {
            name: "format",
            command: cargo(&["fmt", "-p", "mono-demo", "-p", "xtask", "--check"]),
        },
        Step { name: "clippy", command: cargo(&clippy) },
    ];
    steps.extend(FEATURES.map(compiles_alone));
    steps.extend([
        Step { name: "docs", command: docs },
        Step { name: "rust tests", command: tests },
        // Not the release: that takes as long as all tests, and is tried by `dist check`.
        Step { name: "build", command: cargo(&["build"]) },
    ]);
    steps
}

/// That the library with this feature and no other compiles, without a warning; no code is made.
fn compiles_alone(feature: &'static str) -> Step {
    let library = ["rustc", "--profile", "check", "--lib", "--no-default-features", "--features"];
    let command = cargo(&[&library[..], &[feature, "--", "-D", "warnings"]].concat());
    Step { name: feature, command }
}

/// What each feature alone compiles, and a crate that depends on one from outside.
fn feature_checks() -> Vec<Step> {
    let mut steps: Vec<Step> = FEATURES
        .into_iter()
        .chain(["cli"])
        .map(|name| {
            let alone = ["clippy", "--no-default-features", "--features", name];
            Step { name, command: cargo(&[&alone[..], &["--", "-D", "warnings"]].concat()) }
        })
        .collect();
    // Beside the rest, so that the crates that both need are compiled once.
    let outside =
        ["--manifest-path", "examples/broker-in-a-test/Cargo.toml", "--target-dir", "target"];
    let command = cargo(&[&["test", "--locked"], &outside[..]].concat());
    steps.push(Step { name: "a broker in a test of another crate", command });
    steps
}

/// Those whose tools are here; the scenarios have run with each of these clients already.
fn checks_of_other_clients(required: &[&str]) -> Result<Vec<Step>, String> {
    let inside = |program: &str, folder: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(root().join(folder));
        command
    };
    let has = |program: &str, args: &[&str]| {
        let found = inside(program, ".", args).output();
        found.is_ok_and(|output| output.status.success())
    };
    let mut steps = Vec::new();
    if has("node", &["--version"]) {
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        steps.push(Step { name: "node packages", command: inside("npm", "client/node", &install) });
        let mut tests = inside("node", "client/node", &["--test"]);
        tests.args(tests_in("client/node/test", ".test.mjs")?);
        steps.push(Step { name: "node tests", command: tests });
        let mut tests = inside("node", ".", &["--test"]);
        tests.args(tests_in("tests/node", ".test.mjs")?).env("MONO_DEMO_BIN", binary(BUILT));
        steps.push(Step { name: "helper of tests in node", command: tests });
        let mut shop = at_root(&binary(BUILT));
        shop.args(["e2e", "examples/shop"]);
        steps.push(Step { name: "a suite in Python and Node", command: shop });
    }
    if root().join("client/node/node_modules/typescript").is_dir() {
        let types = ["node_modules/typescript/bin/tsc", "-p", "."];
        steps.push(Step { name: "node types", command: inside("node", "client/node", &types) });
    }
    for (program, args) in [("node", "--version"), ("go", "version")] {
        if !has(program, &[args]) {
            // Whoever runs this where it is expected says so: then it is a failure.
            if required.contains(&program) {
                return Err(format!("{program} is required, and is not on the PATH"));
            }
            println!(
                "\n== left out: the checks of the client in {program}, which is not on the PATH"
            );
        }
    }
    if has("go", &["version"]) {
        steps.push(Step { name: "go vet", command: inside("go", "client/go", &["vet", "./..."]) });
        steps.push(Step {
            name: "go tests",
            // What lies outside of the module, as the vectors, does not count for its cache.
            command: inside("go", "client/go", &["test", "-count=1", "./..."]),
        });
        let mut tests = inside("go", "packaging/go", &["test", "-count=1", "-vet=all", "./..."]);
        tests.env("MONO_DEMO_BIN", binary(BUILT));
        steps.push(Step { name: "helper of tests in go", command: tests });
    }
    Ok(steps)
}

/// All files of tests in a folder, in the order of their names.
fn tests_in(folder: &str, ending: &str) -> Result<Vec<PathBuf>, String> {
    let folder = root().join(folder);
    let failed = |e: std::io::Error| format!("read {}: {e}", folder.display());
    let entries = std::fs::read_dir(&folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed));
    let mut tests = paths.collect::<Result<Vec<_>, _>>()?;
    tests.retain(|path| path.to_string_lossy().ends_with(ending));
    tests.sort();
    match tests.is_empty() {
        true => Err(format!("{} has no test", folder.display())),
        false => Ok(tests),
    }
}

fn checks_of_the_built_binary(binary: &Path, python: &Path) -> [Step; 4] {
    let mut types = at_root(python);
    types.args(["-m", "mypy"]);
    let mut tests = at_root(python);
    tests.args(["-m", "pytest", "tests/", "-v"]).env("MONO_DEMO_BIN", binary);
    let mut form = at_root(binary);
    form.args(["e2e", "fmt", "--check", "fixtures", "xtask/soak"]);
    form.args(SUITES.map(|suite| format!("examples/{suite}/scenarios")));
    let mut scenarios = at_root(binary);
    scenarios.args(["e2e", "--require", "rust,python"]);
    [
        Step { name: "python types", command: types },
        Step { name: "python tests", command: tests },
        Step { name: "form of fixtures", command: form },
        Step { name: "scenarios", command: scenarios },
    ]
}

/// Lets the binary bring what it needs.
fn provision(binary: &Path) -> Result<(), String> {
    let command = at_root(binary);
    let mut step = Step { name: "provision", command };
    step.command.args(["doctor", "--fix"]);
    run(step, &mut Vec::new())
}

fn run(mut step: Step, times: &mut Vec<(&'static str, Duration)>) -> Result<(), String> {
    println!("\n== {}", step.name);
    let started = Instant::now();
    let status = step.command.status().map_err(|e| format!("{}: start: {e}", step.name))?;
    times.push((step.name, started.elapsed()));
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", step.name)) }
}

fn cargo(args: &[&str]) -> Command {
    let mut command =
        at_root(Path::new(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())));
    // `cargo run` tells us what package we are. Where cargo inherits that, the build scripts of some
    // crates (ring) count as changed, and all that needs them is compiled again, here and next time
    // out there.
    for (name, _) in std::env::vars_os() {
        if is_of_a_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

fn is_of_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|beginning| variable.starts_with(beginning))
}

fn at_root(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// What `cargo build` makes: in `debug`, or in `release`.
fn binary(profile: &str) -> PathBuf {
    root().join("target").join(profile).join(format!("mono-demo{}", std::env::consts::EXE_SUFFIX))
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_nobody_looks_for_cannot_be_required() {
        assert_eq!(super::required("node,root"), Ok(vec!["node", "root"]));
        let told = super::required("go,nod").unwrap_err();
        assert_eq!(told, "--require nod: it is one of node, go, chromium, root, valgrind");
    }

    /// Run by cargo, as `cargo xtask` is: so there is something to take away.
    #[test]
    fn cargo_is_not_told_what_package_runs_it() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let command = super::cargo(&["version"]);
        let removed =
            |name: &str| command.get_envs().any(|(key, value)| key == name && value.is_none());
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"), "{command:?}");
        assert!(!removed("CARGO_TARGET_DIR") && !removed("CARGO_HOME") && !removed("PATH"));
    }
}
