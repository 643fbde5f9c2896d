//! `e2e --nats-server-version`: the same scenarios on several versions of nats-server.

use std::fs;

use serde_json::Value;

use crate::support::program::Home;

/// One that the newest installs, and one that other commands refuse.
const BOTH: &str = "2.11,2.15";

#[test]
fn a_table_says_what_came_of_each_version() {
    let home = Home::new();
    let args = ["e2e", "--builtin", "--client", "rust", "--nats-server-version", BOTH];
    let chosen = ["--report", "json=runs.json", "demo/contract", "math/division-by-zero"];
    let said = home.run(&[&args[..], &chosen[..]].concat()).ok();
    let rows: Vec<&str> =
        said.lines().skip_while(|line| !line.starts_with("nats-server ")).collect();
    let [head, old, new, differs] = rows[..] else { panic!("{said}") };
    assert!(differs.starts_with("demo/contract [rust]: skipped on 2.11."), "{differs}");
    assert!(said.contains("does not trace what it says itself"), "{said}");
    let words = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(head), ["nats-server", "runs", "passed", "failed", "skipped", "broken"]);
    // What the first lacks is told, and no reason to fail.
    for (row, line, passed, skipped) in [(old, "2.11.", "1", "1"), (new, "2.15.", "2", "0")] {
        let words = words(row);
        assert!(words[0].starts_with(line), "{said}");
        assert_eq!(words[1..], ["2", passed, "0", skipped, "0"], "{said}");
        let written = home.path().join(format!("runs-{}.json", words[0]));
        let text = fs::read_to_string(written).unwrap();
        // What the broker itself said of its version.
        assert!(text.contains(&format!("nats-server {}", words[0])), "{text}");
    }
}

#[test]
fn one_json_object_has_all_of_them() {
    let home = Home::new();
    let args = ["--json", "e2e", "--builtin", "--client", "rust", "--nats-server-version", BOTH];
    let said = home.run(&[&args[..], &["math/division-by-zero"]].concat()).ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(object["ok"], true, "{said}");
    let versions = object["versions"].as_array().unwrap();
    assert!(
        versions.iter().all(|it| it["summary"]["passed"] == 1) && versions.len() == 2,
        "{said}"
    );
}

#[test]
fn an_error_in_a_later_version_keeps_what_the_earlier_came_to() {
    let home = Home::new();
    let args = ["--json", "e2e", "--builtin", "--client", "rust", "--nats-server-version", BOTH];
    // The file of its report cannot be written: that is seen when its turn comes.
    let newest = home.run(&["version", "--json"]).ok();
    let newest: Value = serde_json::from_str(&newest).unwrap();
    let version = newest["versions"]["nats-server"].as_str().unwrap();
    fs::create_dir(home.path().join(format!("r-{version}.json"))).unwrap();
    let report = ["math/division-by-zero", "--report", "json=r.json"];
    let said = home.run(&[&args[..], &report[..]].concat()).failed(2, &format!("r-{version}.json"));
    let object: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&object["ok"], &object["error"]["kind"]), (&false.into(), &"usage".into()));
    assert_eq!(object["versions"][0]["summary"]["passed"], 1, "{object}");
    assert_eq!(object["versions"][1]["summary"], Value::Null, "{object}");
}

#[test]
fn what_is_about_one_server_or_none_is_refused() {
    let home = Home::new();
    for (args, told) in [
        (&["--nats-server-version", "2.13"][..], "mono-demo installs 2.11 (2.11."),
        (&["--nats-server-version", "2.15,2.15"], "2.15.1 is there twice"),
        (&["--nats-server-version", BOTH, "--keep"], "--keep wants one version, not several"),
        (&["--nats-server-version", "2.15", "--nats-server", "/x"], "cannot be used with"),
    ] {
        home.run(&[&["e2e", "--builtin"], args].concat()).failed(2, told);
    }
}

/// With `--offline` nothing is installed: a version that is not there ends all before a run.
#[test]
fn a_version_that_cannot_be_had_is_told_before_anything_runs() {
    let home = Home::new();
    let cache = home.path().join("empty");
    let mut command =
        home.command(["e2e", "--builtin", "--offline", "--nats-server-version", "2.12,2.14"]);
    command.env("XDG_CACHE_HOME", &cache);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("no nats-server 2.12."), "{stderr}");
    assert!(output.stdout.is_empty(), "nothing ran");
}
