//! The architecture holds: which module may import which, print, or read the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::source::{document, files, named, rows};

/// A room of ARCHITECTURE.md, and the rooms that it may import.
type Table = BTreeMap<String, Vec<String>>;

/// The first table: each room with what it may import; "all" is every room.
fn rooms() -> Table {
    let text = document();
    let mut table: Table = rows(&text)
        .filter(|cells| cells.len() == 3)
        .map(|cells| (named(cells[0]).remove(0), named(cells[2])))
        .collect();
    let all: Vec<String> = table.keys().cloned().collect();
    for line in text.lines().filter(|line| line.ends_with("| all |")) {
        table.insert(named(line).remove(0), all.clone());
    }
    assert!(table.len() > 8, "{table:?}");
    table
}

/// The lines of code, without comments.
fn lines(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The rooms that a file names: `crate::room` in a line, and `crate::{a, b::…}` over several.
fn imports(code: &str) -> Vec<(usize, String)> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut found = Vec::new();
    for (n, line) in lines(code) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if !rest.starts_with('{') {
                found.push((n, word(rest)));
                continue;
            }
            // A group: the names at its first level.
            let from = code.lines().skip(n - 1).collect::<Vec<_>>().join("\n");
            let group = &from[from.find("crate::{").unwrap() + "crate::{".len()..];
            let (mut depth, mut fresh) = (1, true);
            for (i, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' => fresh = depth == 1,
                    c if c.is_alphabetic() && fresh && depth == 1 => {
                        found.push((n, word(&group[i..])));
                        fresh = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    found
}

fn offences(files: &[(PathBuf, String, String)]) -> Vec<String> {
    let table = rooms();
    let mut found = Vec::new();
    for (path, room, code) in files {
        let Some(allowed) = table.get(room) else { continue };
        for (n, name) in imports(code) {
            if table.contains_key(&name) && name != *room && !allowed.contains(&name) {
                found.push(format!("{}:{n} imports {name}", path.display()));
            }
        }
    }
    found
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let offences = offences(&files());
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn a_forbidden_import_is_found() {
    for code in [
        "use crate::broker::Broker;",
        "use crate::{\n    wire,\n    broker::Broker,\n};",
        "fn f() { crate::broker::go() }",
    ] {
        let file = (PathBuf::from("mono/x.rs"), "mono".to_owned(), code.to_owned());
        assert_eq!(offences(&[file]).len(), 1, "{code}");
    }
}

#[test]
fn every_room_is_in_the_table_and_on_the_map() {
    let table = rooms();
    for (path, room, _) in files() {
        let known = table.contains_key(&room);
        assert!(
            known || ["lib", "main"].contains(&room.as_str()),
            "{} is in no room",
            path.display()
        );
    }
}

#[test]
fn nothing_outside_output_prints_and_nothing_outside_context_reads_the_environment() {
    let printing =
        ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout()", "io::stderr()", "dbg!"];
    let reading =
        ["env::var", "env::vars", "env::current_dir", "env::current_exe", "env::temp_dir"];
    let mut found = Vec::new();
    for (path, _, code) in files() {
        let name = path.to_string_lossy().into_owned();
        for (n, line) in lines(&code) {
            if name != "cli/output.rs" && name != "cli/context.rs" {
                let word = printing.iter().chain(&reading).find(|word| line.contains(**word));
                found.extend(word.map(|word| format!("{name}:{n} {word}")));
            }
        }
    }
    // The stdout of a driver and of `control` is their protocol, and the reaper's stderr its only voice.
    let allowed = ["cli/driver.rs", "cli/control.rs", "process/reaper.rs"];
    found.retain(|offence| !allowed.iter().any(|name| offence.starts_with(name)));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn files_are_written_whole_in_one_place() {
    for (path, _, code) in files() {
        for (n, line) in lines(&code).filter(|_| path != Path::new("whole.rs")) {
            let renames = [".persist(", ".persist_noclobber(", "fs::rename("];
            let word = renames.iter().find(|word| line.contains(**word));
            assert_eq!(word, None, "{}:{n}: that is for crate::whole", path.display());
        }
    }
}

#[test]
fn services_know_no_nats_no_clock_and_no_runtime() {
    for (path, _, code) in files() {
        if path.starts_with("modules") && path.ends_with("service.rs") {
            for word in
                ["async_nats", "tokio", "Timestamp::now", "SystemTime", "Instant", "async fn"]
            {
                assert!(!code.contains(word), "{} knows {word}", path.display());
            }
        }
    }
}

/// Names of the built-in services and of what they promise.
const OF_MODULES: [&str; 10] = [
    "payment",
    "email",
    "notification",
    "math",
    "ledger",
    "mailer",
    "gateway",
    "charge",
    "dead letter",
    "dead_letter",
];

/// Where a text of the engine names a service.
fn named_in(code: &str) -> Vec<(usize, String)> {
    let lines = code.lines().enumerate();
    let named = lines.filter(|(_, line)| {
        let line = line.to_lowercase();
        OF_MODULES.iter().any(|name| line.contains(name))
    });
    named.map(|(at, line)| (at + 1, line.trim().to_owned())).collect()
}

#[test]
fn the_engine_names_no_service_and_no_promise_of_one() {
    let mut wrong = Vec::new();
    for (path, room, code) in files() {
        if room == "e2e" {
            let place = |(at, line)| format!("{}:{at}: {line}", path.display());
            wrong.extend(named_in(&code).into_iter().map(place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for names in ["use crate::wire::subjects::PAYMENT_STATUS;", "let text = \"charged\";"] {
        assert_eq!(named_in(names).len(), 1, "{names}");
    }
}

#[test]
fn scenarios_are_read_and_judged_without_io() {
    for (path, _, code) in files() {
        if path.starts_with("e2e/scenario") || path.starts_with("e2e/verdict") {
            for word in ["std::fs", "tokio", "async fn", "File::", "async_nats"] {
                assert!(!code.contains(word), "{} knows {word}", path.display());
            }
        }
    }
}

#[test]
fn every_proof_that_the_guarantees_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/guarantees.md")).unwrap();
    let folders = ["payment/", "math/", "notification/", "soak/", "cluster/"];
    let mut named = 0;
    for word in text.split('`').skip(1).step_by(2) {
        let path = if folders.iter().any(|folder| word.starts_with(folder)) && !word.contains('…')
        {
            root.join("fixtures").join(format!("{word}.toml"))
        } else if word.starts_with("tests/") {
            root.join(word)
        } else {
            continue;
        };
        assert!(
            path.exists(),
            "docs/guarantees.md names {word}, and {} is not there",
            path.display()
        );
        named += 1;
    }
    assert!(named > 20, "{named}");
}

#[test]
fn every_file_of_tests_is_in_the_program_of_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    let mut files = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let tests = path.extension().is_some_and(|e| e == "rs") || path.join("mod.rs").exists();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if tests && name != "main" {
            assert!(main.contains(&format!("mod {name};\n")), "tests/main.rs leaves out {name}");
            files += 1;
        }
    }
    assert!(files > 60, "{files}");
}
