//! What a shell completes: by the program's own answer, and through the script of bash.

use crate::support::program::{Home, Said};

/// The values that the program offers after these words.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let said = Said::from(home.command([&["complete", "--"], words].concat()).output().unwrap());
    let stdout = said.ok();
    stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// A home with a suite of one tagged scenario, and a NATS context.
fn home() -> Home {
    let home = Home::new();
    let scenarios = home.path().join("scenarios/greeting");
    std::fs::create_dir_all(&scenarios).unwrap();
    std::fs::write(home.path().join("suite.toml"), "[services]\n").unwrap();
    let scenario = "description = \"d\"\ntags = [\"slow\", \"network\"]\n";
    std::fs::write(scenarios.join("polite.toml"), scenario).unwrap();
    let contexts = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&contexts).unwrap();
    std::fs::write(contexts.join("staging.json"), "{}").unwrap();
    home
}

#[test]
fn what_is_here_is_offered() {
    let home = home();
    assert_eq!(offered(&home, &["call", "m"]), ["math"]);
    assert_eq!(offered(&home, &["call", "math", "s"]), ["subtract", "sqrt"]);
    assert_eq!(offered(&home, &["publish", ""]), ["notification"]);
    assert_eq!(offered(&home, &["e2e", "gree"]), ["greeting/polite"]);
    assert_eq!(offered(&home, &["e2e", "--tag", ""]), ["network", "slow"]);
    assert_eq!(offered(&home, &["e2e", "--client", "p"]), ["python"]);
    assert_eq!(offered(&home, &["call", "--context", ""]), ["staging"]);
    // Nothing, so that the shell offers files.
    assert!(offered(&home, &["serve", "--creds", ""]).is_empty());
    assert!(offered(&Home::new(), &["e2e", "--tag", ""]).is_empty(), "no suite is here");
}

#[test]
fn a_flag_that_would_be_refused_is_not_offered() {
    let home = home();
    for command in ["stop", "status", "logs", "e2e", "version"] {
        assert!(offered(&home, &[command, "--server"]).is_empty(), "{command}");
        home.run(&[command, "--server", "x"]).failed(2, "--server does nothing here");
    }
    assert_eq!(offered(&home, &["stop", "--time"]), ["--timeout"]);
    assert_eq!(offered(&home, &["call", "--serv"]), ["--server"]);
}

#[test]
fn what_a_suite_has_is_offered_after_its_name() {
    let home = home();
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("scenarios/shared/paid.steps.toml", "[[step]]\nsettle = true\n");
    let service = "[services.worker]\nrun = [\"true\"]\nready = { connected = 1 }\n";
    write("my-suite/suite.toml", service);
    write("my-suite/scenarios/starts.toml", "description = \"d\"\ntags = [\"mine\"]\n");
    // Steps that scenarios share are none.
    let here = offered(&home, &["e2e", ""]);
    assert!(here.contains(&"greeting/polite".to_owned()), "{here:?}");
    assert!(!here.iter().any(|name| name.contains("steps")), "{here:?}");
    assert_eq!(offered(&home, &["e2e", "my-suite", ""]), ["starts"]);
    assert_eq!(offered(&home, &["e2e", "my-suite", "--tag", ""]), ["mine"]);
    assert_eq!(offered(&home, &["e2e", "explore", "my-suite", ""]), ["starts"]);
    assert_eq!(offered(&home, &["e2e", "explore", "my-suite", "--service", ""]), ["worker"]);
    let built_in = Home::new();
    assert_eq!(offered(&built_in, &["e2e", "explore", "x", "--service", ""]), ["services"]);
    assert_eq!(offered(&home, &["man", "ser"]), ["serve"]);
    assert_eq!(offered(&home, &["man", "e2e", "ex"]), ["explore"]);
}

#[test]
fn bash_completes_with_the_script() {
    let home = home();
    let script = Said::from(home.command(["completions", "bash"]).output().unwrap()).ok();
    std::fs::write(home.path().join("script"), script).unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mono-demo"), bin.join("mono-demo")).unwrap();
    let completed = |line: &str, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let text = format!(
            "source ./script; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; \
             COMP_POINT=${{#COMP_LINE}}; _mono_demo; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
        );
        let mut bash = home.shell("exec bash -c \"$TEXT\"");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Said::from(bash.env("TEXT", text).env("PATH", path).output().unwrap()).ok()
    };
    assert_eq!(completed("mono-demo call math sq", &["mono-demo", "call", "math", "sq"]), "sqrt\n");
    assert_eq!(completed("mono-demo ", &["mono-demo", ""]).lines().next(), Some("serve"));
    // bash splits at `=`: only what follows is put in.
    let words = ["mono-demo", "e2e", "--tag", "=", "sl"];
    assert_eq!(completed("mono-demo e2e --tag=sl", &words), "slow\n");
}

#[test]
fn pages_and_versions_are_printed() {
    let home = Home::new();
    let page = Said::from(home.command(["man", "e2e", "new"]).output().unwrap()).ok();
    assert!(page.starts_with(".TH MONO\\-DEMO\\-E2E\\-NEW 1 \"November 2026\""), "{page}");
    assert!(page.contains(".SH EXAMPLES\n.nf\n  mono\\-demo e2e new e2e\n"), "{page}");
    let whole = Said::from(home.command(["man"]).output().unwrap()).ok();
    assert!(whole.contains(".SH EXIT STATUS\n.nf\n  0    success\n"), "{whole}");
    assert!(!whole.contains(".SH NOTES"), "{whole}");
    let told = Said::from(home.command(["man", "e2w"]).output().unwrap());
    told.failed(2, "there is no command `e2w`");
    let said = Said::from(home.command(["version"]).output().unwrap()).ok();
    for name in ["mono-demo ", "nats-server ", "async-nats ", "nats-py ", "nats.js ", "nats.go "] {
        assert!(said.lines().any(|line| line.starts_with(name)), "{name}: {said}");
    }
    assert!(!said.contains("unknown"), "{said}");
}
