//! `driver check`: the drivers of all languages pass, and each check finds the fault it is for.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use mono_demo::e2e::driver::conformance;
use serde_json::Value;

use crate::support::program::Home;
use crate::support::{drivers, root};

const BIN: &str = env!("CARGO_BIN_EXE_mono-demo");

/// What `driver check` says, and its exit status.
fn check(only: Option<&str>, driver: &[impl AsRef<OsStr>]) -> (Value, Option<i32>) {
    let mut command = Command::new(BIN);
    command.args(["--json", "driver", "check"]).current_dir(root());
    command.args(only.iter().flat_map(|name| ["--only", name]));
    command.arg("--").args(driver);
    let output = command.output().expect("the program starts");
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (said, output.status.code())
}

#[track_caller]
fn passes(driver: &[String]) {
    let (said, status) = check(None, driver);
    let checks = said["checks"].as_array().unwrap();
    let not_passed: Vec<_> = checks.iter().filter(|one| one["verdict"] != "passed").collect();
    assert!(not_passed.is_empty(), "{driver:?}: {not_passed:#?}");
    assert_eq!(checks.len(), conformance::names().count());
    assert_eq!(status, Some(0));
}

#[test]
fn the_rust_driver_passes() {
    passes(&drivers::rust());
}

#[tokio::test]
async fn the_python_driver_passes() {
    passes(&drivers::python().await);
}

#[test]
fn the_node_driver_passes() {
    if let Some(driver) = drivers::node() {
        passes(&driver);
    }
}

#[test]
fn the_go_driver_passes() {
    if let Some(driver) = drivers::go() {
        passes(&driver);
    }
}

/// Runs the one check against a driver with the fault of that name.
fn found(fault: &str, name: &str) -> Result<(), String> {
    let script = Path::new("tests/support/bad_driver.py");
    let driver = ["python3", script.to_str().unwrap(), fault, BIN, "driver", "rust"];
    let (said, status) = check(Some(name), &driver);
    let checks = said["checks"].as_array().unwrap();
    let one = checks.iter().find(|one| one["name"] == name).unwrap();
    let shows_exchange = one["exchange"]
        .as_array()
        .is_some_and(|lines| lines.iter().any(|line| line.as_str().unwrap().starts_with('→')));
    if one["verdict"] != "failed" || !shows_exchange || status != Some(1) {
        return Err(format!("{fault}: exit {status:?}, {one:#}"));
    }
    Ok(())
}

#[test]
fn each_check_finds_its_fault() {
    let names: Vec<&str> = conformance::names().collect();
    let left = Mutex::new(names.iter());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(name) = next else { break };
                    if let Err(why) = found(name, name) {
                        missed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_word_on_stdout_is_found_and_nothing_else_is_asked() {
    found("noise", "hello").unwrap();
    let driver = ["python3", "tests/support/bad_driver.py", "noise", BIN, "driver", "rust"];
    let (said, _) = check(None, &driver);
    let checks = said["checks"].as_array().unwrap();
    assert!(checks[0]["complaint"].as_str().unwrap().contains("logs belong on stderr"), "{said:#}");
    assert!(checks[1..].iter().all(|one| one["verdict"] == "skipped"), "{said:#}");
}

#[test]
fn a_program_that_is_not_there_is_one_error() {
    let home = Home::new();
    let said =
        home.run(&["driver", "check", "--", "./nope"]).failed(3, "could not start the driver");
    assert_eq!(said.stdout, "", "no check was done");
}

#[test]
fn the_documents_are_those_that_the_types_make() {
    for (command, path) in
        [("protocol", "docs/protocol.md"), ("schema", "docs/protocol.schema.json")]
    {
        let output = Command::new(BIN).args(["driver", command]).output().unwrap();
        let path = root().join(path);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &output.stdout).unwrap();
        }
        let committed = std::fs::read(&path).unwrap_or_default();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(committed == output.stdout, "{} is not this:\n{shown}", path.display());
    }
}
