//! The house keeps its shape: who may import whom, who may print, who may read the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// DESIGN.md's table. `cli` may import all; `lib` and `main` are the doors.
const MAY_IMPORT: [(&str, &[&str]); 12] = [
    ("wire", &[]),
    ("process", &[]),
    ("tls", &[]),
    ("private", &[]),
    ("whole", &[]),
    ("provision", &["process", "private", "whole"]),
    ("broker", &["process", "provision", "tls", "private", "whole"]),
    ("mono", &["wire", "tls"]),
    ("modules", &["mono", "wire", "whole"]),
    ("e2e", &["wire", "process", "broker", "provision", "mono", "whole"]),
    ("bench", &["wire", "mono"]),
    (
        "cli",
        &[
            "wire",
            "process",
            "provision",
            "broker",
            "mono",
            "modules",
            "e2e",
            "bench",
            "tls",
            "private",
            "whole",
        ],
    ),
];

/// The Rust files below `src`, with their room and their code before any `#[cfg(test)]`.
fn files() -> Vec<(PathBuf, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&src).unwrap().to_owned();
                let room = inside.iter().next().unwrap().to_string_lossy().replace(".rs", "");
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((inside, room, code));
            }
        }
    }
    assert!(found.len() > 50, "the scan found {} files only", found.len());
    found
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
    let table: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    let mut found = Vec::new();
    for (path, room, code) in files {
        let Some(allowed) = table.get(room.as_str()) else { continue };
        for (n, name) in imports(code) {
            if table.contains_key(name.as_str())
                && name != *room
                && !allowed.contains(&name.as_str())
            {
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
    let map =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    for (path, room, _) in files() {
        let known = MAY_IMPORT.iter().any(|(name, _)| *name == room);
        assert!(
            known || ["lib", "main"].contains(&room.as_str()),
            "{} is in no room",
            path.display()
        );
        assert!(map.contains(&format!("`{room}")), "ARCHITECTURE.md does not show {room}");
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
    // A driver's stdout is its protocol, and so is the reaper's stderr its only voice.
    let allowed = ["cli/driver.rs", "process/reaper.rs"];
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

#[test]
fn fixtures_are_read_without_io() {
    for (path, _, code) in files() {
        if path.starts_with("e2e/fixture") {
            for word in ["std::fs", "tokio", "async fn", "File::"] {
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
