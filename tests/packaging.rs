//! The scripts of the GitHub action and the GitLab job run suites; what cannot be built here is read.

use std::path::Path;

use crate::support::program::{Home, Said};

fn packaging(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A home with a suite and, first on its PATH, the program.
fn with_suite() -> (Home, String) {
    let home = Home::new();
    Said::from(home.command(["e2e", "new", "my suite"]).output().unwrap()).ok();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = env!("CARGO_BIN_EXE_mono-demo");
    std::os::unix::fs::symlink(program, bin.join("mono-demo")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    (home, path)
}

/// The last script of the action, without the indentation of YAML.
fn script_of_the_action() -> String {
    let action = packaging("github-action/action.yml");
    let (_, script) = action.rsplit_once("run: |\n").expect("a script");
    script.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

#[test]
fn the_action_runs_the_suite_with_its_arguments() {
    let (home, path) = with_suite();
    let run = |suite: &str, arguments: &str| {
        let mut bash = home.shell("exec bash -eo pipefail script");
        std::fs::write(home.path().join("script"), script_of_the_action()).unwrap();
        bash.env("PATH", &path).env("SUITE", suite).env("ARGUMENTS", arguments);
        Said::from(bash.env("REPORT", "report.xml").output().unwrap())
    };
    let said = run("my suite", "--client\nrust\n").ok();
    assert!(said.contains("1 scenario, 1 run: 1 passed, 0 failed"), "{said}");
    assert!(home.path().join("report.xml").is_file());
    run("my suit", "").failed(2, "my suit");
}

#[test]
fn the_job_runs_the_suite() {
    let (home, path) = with_suite();
    let template = packaging("gitlab/mono-demo.yml");
    let script = template.split("- mono-demo e2e").nth(1).and_then(|rest| rest.lines().next());
    let line = format!("mono-demo e2e{}", script.expect("a script"));
    let run = |suite: &str| {
        let mut shell = home.shell(&line);
        Said::from(shell.env("PATH", &path).env("MONO_DEMO_SUITE", suite).output().unwrap())
    };
    let said = run("my suite").ok();
    assert!(said.contains("1 scenario, 1 run: 1 passed, 0 failed"), "{said}");
    assert!(home.path().join("report.xml").is_file());
    run("my suit").failed(2, "my suit");
}

#[test]
fn the_containers_name_what_there_is() {
    let dockerfile = packaging("docker/Dockerfile");
    let entry = dockerfile.lines().find_map(|line| line.strip_prefix("ENTRYPOINT "));
    let entry: Vec<String> = serde_json::from_str(entry.unwrap()).unwrap();
    assert_eq!(entry, ["mono-demo"]);
    let container: serde_json::Value =
        serde_json::from_str(&packaging("devcontainer/devcontainer.json")).unwrap();
    assert!(container["postCreateCommand"].as_str().unwrap().contains("pip install mono-demo"));
}
