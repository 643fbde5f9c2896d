//! `e2e --no-capture`: what services and programs print is shown while they print it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::program::Home;

/// A service that says its password, in colours, and is then ready; a program that waits for a file.
fn suite(home: &Home) {
    let root = home.path().join("shop");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    let service = r#"
[services.worker]
run = ["sh", "-c", "printf '\\033[31mred\\033[0m\\n'; echo \"pw=$NATS_PASSWORD\" >&2; echo ready >&2; exec sleep 60"]
ready = { line = "ready" }
"#;
    std::fs::write(root.join("suite.toml"), service).unwrap();
    let go = home.path().join("go");
    let waits = format!(
        "echo begins; while ! test -e {}; do sleep 0.01; done; echo ends >&2",
        go.display()
    );
    let scenario =
        format!("description = \"d\"\n\n[[step]]\nrun = [\"sh\", \"-c\", \"{waits}\"]\n");
    std::fs::write(root.join("scenarios/a.toml"), scenario).unwrap();
}

#[test]
fn what_is_printed_is_shown_while_it_is_printed() {
    let home = Home::new();
    suite(&home);
    let run = ["e2e", "shop", "--no-capture", "--update"];
    let mut command = home.command(run);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        let begins = line == "sh | begins";
        said.push(line);
        if begins {
            break;
        }
    }
    // It waits for this, and so what was said until now was said meanwhile.
    std::fs::write(home.path().join("go"), "").unwrap();
    said.extend(lines);
    assert!(child.wait().unwrap().success(), "{said:#?}");
    for line in ["worker | red", "worker | pw=<password>", "worker | ready", "sh | ends"] {
        assert!(said.iter().any(|it| it == line), "{line}: {said:#?}");
    }
    let at = |needle: &str| said.iter().position(|line| line.starts_with(needle)).unwrap();
    assert!(at("sh | ends") < at("new  a [rust]"), "{said:#?}");
    // Of several runs at a time each line says whose it is; without the flag nothing is shown.
    let repeated = home.run(&["e2e", "shop", "--no-capture", "--repeat", "2"]).ok();
    assert!(repeated.contains("\na [rust] #1 worker | red\n"), "{repeated}");
    assert!(!repeated.lines().any(|line| line.starts_with("worker |")), "{repeated}");
    let alone = home.run(&["e2e", "shop", "--no-capture", "--repeat", "2", "--jobs", "1"]).ok();
    assert_eq!(alone.lines().filter(|line| *line == "worker | red").count(), 2, "{alone}");
    let quiet = home.run(&["e2e", "shop"]).ok();
    assert!(!quiet.contains("worker |"), "{quiet}");
    // Beside the result for machines: on stderr.
    let json = home.run(&["e2e", "shop", "--no-capture", "--json"]);
    for line in ["worker | red", "worker | pw=<password>", "worker | ready", "sh | ends"] {
        assert!(json.stderr.lines().any(|it| it == line), "{line}: {}", json.stderr);
    }
    let json = json.ok();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    let captured = home.run(&["e2e", "shop", "--json"]);
    assert!(!captured.stderr.contains("worker |"), "{}", captured.stderr);
}
