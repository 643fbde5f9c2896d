//! Files that the user names: what has no end is refused by name, a pipe is read.
#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use support::program::{Home, Said};

/// Runs it in a shell, where it may take 2 GB of memory: a file without end takes all there is.
fn run(home: &Home, script: &str) -> Said {
    let program = home.command([] as [&str; 0]);
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("ulimit -v 2000000; exec timeout 60 \"$0\" {script}")]);
    shell.arg(program.get_program()).current_dir(home.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Said::from(shell.output().unwrap())
}

#[test]
fn a_file_without_an_end_is_refused_by_name() {
    let home = Home::new();
    let there = "-s nats://127.0.0.1:1 call math add 1 2";
    for (script, named) in [
        ("serve --settings /dev/zero".to_owned(), "--settings /dev/zero: it is larger than"),
        (
            "serve --tls-cert /dev/zero --tls-key /dev/zero".to_owned(),
            "--tls-cert /dev/zero: it is not a file",
        ),
        (format!("--nkey /dev/zero {there}"), "nkey file /dev/zero: it is larger than"),
        (format!("--creds /dev/zero {there}"), "credentials file /dev/zero: it is larger than"),
        (format!("--tlsca /dev/zero {there}"), "certificate /dev/zero: it is not a file"),
        (
            format!("--tlscert /dev/zero --tlskey /dev/zero {there}"),
            "certificate /dev/zero: it is not a file",
        ),
    ] {
        println!("{script}");
        run(&home, &script).failed(2, named);
    }
    let context = r#"{"url":"nats://127.0.0.1:1","token":"file:///dev/zero"}"#;
    std::fs::write(home.path().join("c.json"), context).unwrap();
    run(&home, "--context c.json call math add 1 2").failed(2, "/dev/zero: it is larger than");
    std::fs::write(home.path().join("bom.pem"), "\u{feff}-----BEGIN CERTIFICATE-----\n").unwrap();
    for script in [
        format!("--tlsca bom.pem {there}"),
        "serve --tls-cert bom.pem --tls-key bom.pem".to_owned(),
    ] {
        run(&home, &script).failed(2, "bom.pem: it begins with a byte order mark");
    }
}

#[test]
fn what_a_pipe_holds_is_read() {
    let home = Home::new();
    let settings = "serve --port 0 --settings <(printf '[payment]\\nworkers = \"many\"\\n')";
    run(&home, settings).failed(2, "line 2");
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let nkey = format!("--nkey <(echo {seed}) -s nats://127.0.0.1:1 call math add 1 2");
    // It gets as far as a server that is not there.
    run(&home, &nkey).failed(8, "127.0.0.1:1");
}
