//! Files that the user names: an endless one is refused by name, a pipe is read.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::support::program::{Home, Said};

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

/// Whoever looks there waited for a writer, and no signal ended it.
#[test]
fn a_pipe_in_the_place_of_a_file_that_nobody_named_is_refused_by_name() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("names")).unwrap();
    let names = home.path().join("names/cluster.names");
    std::fs::write(names, "cluster\none\ntwo\nthree\n").unwrap();
    let serve = "serve --port 0 --store-dir";
    for (place, script, code) in [
        ("store/journals/streams.json", format!("{serve} store"), 3),
        ("store/journals/streams.json", "audit --store-dir store".to_owned(), 3),
        ("roles/roles.json", format!("{serve} roles --auth"), 3),
        ("lock/broker.lock", format!("{serve} lock"), 3),
        ("server/server.lock", format!("{serve} server"), 3),
        ("names/cluster.names", format!("{serve} names --cluster 3"), 3),
        (".config/nats/context.txt", "call math add 1 2".to_owned(), 2),
        (".config/nats/context/c.json", "--context c call math add 1 2".to_owned(), 2),
    ] {
        let path = home.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = std::fs::read(&path).ok();
        let _ = std::fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        println!("{place}: {script}");
        let said = run(&home, &script).failed(code, "it is not a file");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(said.stderr.contains(name), "{}", said.stderr);
        std::fs::remove_file(&path).unwrap();
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
    }
}

#[test]
fn a_file_without_an_end_that_nobody_named_is_refused_by_name() {
    let home = Home::new();
    let contexts = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&contexts).unwrap();
    let name = contexts.with_extension("txt");
    let too_long = std::fs::File::create(&name).unwrap();
    too_long.set_len(1 << 40).unwrap();
    run(&home, "call math add 1 2").failed(2, "context.txt: it is larger than 4 MiB");
    std::fs::write(&name, "c").unwrap();
    std::fs::rename(&name, contexts.join("c.json")).unwrap();
    std::fs::File::create(contexts.join("c.json")).unwrap().set_len(1 << 40).unwrap();
    run(&home, "--context c call math add 1 2").failed(2, "c.json: it is larger than 4 MiB");
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
