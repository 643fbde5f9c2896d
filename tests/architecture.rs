//! The house keeps its shape: who may import whom, who may print, who may read the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A room of ARCHITECTURE.md, and the rooms that it may import.
type Table = BTreeMap<String, Vec<String>>;

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap()
}

/// The names in backquotes.
fn named(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The cells of a table's rows that begin with a name.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

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

/// The second table: the rooms of `e2e`, each of which may import those before it.
fn rooms_of_e2e() -> Vec<String> {
    let text = document();
    let rooms = rows(&text).filter(|cells| cells.len() == 2);
    let rooms: Vec<String> = rooms
        .filter_map(|cells| Some(named(cells[0])[0].strip_prefix("e2e/")?.to_owned()))
        .collect();
    assert_eq!(rooms.len(), 8, "{rooms:?}");
    rooms
}

/// The Rust files below `src`, with their room and their code before their own tests.
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
                let code = text.split("\nmod tests {").next().unwrap().to_owned();
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

/// A file as a module: `["e2e", "run", "stage"]`.
type Module = Vec<String>;

/// The leaves of a `use`: each path from its first name on; `as` is left out.
fn leaves(tree: &str) -> Vec<Module> {
    fn group(rest: &mut &str, prefix: &[String], out: &mut Vec<Module>) {
        let mut path = prefix.to_vec();
        loop {
            *rest = rest.trim_start();
            let word: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
                .collect();
            if !word.is_empty() {
                *rest = &rest[word.len()..];
                if word == "as" {
                    let alias = rest.trim_start();
                    *rest = alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                } else if word != "self" || path.is_empty() {
                    path.push(word);
                }
            } else if let Some(after) = rest.strip_prefix("::") {
                *rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                *rest = after;
                loop {
                    group(rest, &path, out);
                    *rest = rest.trim_start();
                    match rest.chars().next() {
                        Some(',') => *rest = &rest[1..],
                        Some('}') => break,
                        other => panic!("{other:?} in a use"),
                    }
                    *rest = rest.trim_start();
                    if rest.starts_with('}') {
                        break;
                    }
                }
                *rest = &rest[1..];
                return;
            } else {
                break;
            }
        }
        out.push(path);
    }
    let (mut rest, mut out) = (tree, Vec::new());
    group(&mut rest, &[], &mut out);
    out
}

/// The statements that import, each with whether it hands on what it imports; and the other code.
fn uses(code: &str) -> (Vec<(bool, Vec<Module>)>, String) {
    let (mut found, mut other) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let at = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].lines().last().unwrap_or_default().trim();
            statement.ends_with(';') && (before.is_empty() || before.starts_with("pub"))
        });
        let Some(at) = at else {
            other.push_str(statement);
            continue;
        };
        let before = statement[..at].lines().last().unwrap_or_default();
        other.push_str(&statement[..at]);
        let tree = statement[at + "use ".len()..].trim_end_matches(';');
        found.push((before.trim().starts_with("pub"), leaves(tree)));
    }
    (found, other)
}

/// Which file uses which: through what a `mod.rs` hands on, as the file that defines it.
fn edges(files: &[(PathBuf, String, String)]) -> BTreeMap<Module, BTreeSet<Module>> {
    let without_comments = |code: &str| {
        code.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let code: BTreeMap<Module, String> = files
        .iter()
        .map(|(path, _, code)| {
            let name = path.with_extension("");
            let mut module: Module =
                name.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            module.pop_if(|last| last == "mod");
            (module, without_comments(code))
        })
        .collect();
    let absolute = |module: &Module, path: &Module| -> Option<Module> {
        let above = path.iter().take_while(|part| *part == "super").count();
        match path.first().map(String::as_str) {
            Some("crate") => Some(path[1..].to_vec()),
            Some("self") => Some([&module[..], &path[1..]].concat()),
            Some("super") => {
                Some([&module[..module.len().saturating_sub(above)], &path[above..]].concat())
            }
            Some(first) => {
                let child = [&module[..], &[first.to_owned()]].concat();
                code.contains_key(&child).then(|| [&module[..], &path[..]].concat())
            }
            None => None,
        }
    };
    let mut handed_on: BTreeMap<(Module, String), Module> = BTreeMap::new();
    for (module, code) in &code {
        for path in
            uses(code).0.into_iter().filter(|(public, _)| *public).flat_map(|(_, paths)| paths)
        {
            if let (Some(target), Some(name)) = (absolute(module, &path), path.last()) {
                handed_on.insert((module.clone(), name.clone()), target);
            }
        }
    }
    let defined_in = |mut path: Module| -> Option<Module> {
        for _ in 0..10 {
            let file = (1..=path.len())
                .rev()
                .map(|n| path[..n].to_vec())
                .find(|m| code.contains_key(m))?;
            let next =
                path.get(file.len()).and_then(|name| handed_on.get(&(file.clone(), name.clone())));
            match next {
                Some(target) => path = [&target[..], &path[file.len() + 1..]].concat(),
                None => return Some(file),
            }
        }
        None
    };
    let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, code) in &code {
        let (imported, other) = uses(code);
        let imported =
            imported.into_iter().filter(|(public, _)| !public).flat_map(|(_, paths)| paths);
        let inline = other.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let inline = inline.filter(|word| word.contains("::"));
        let inline = inline.map(|word| word.split("::").map(str::to_owned).collect());
        for path in imported.chain(inline) {
            let target = absolute(module, &path).and_then(defined_in);
            if let Some(target) = target.filter(|target| target != module) {
                edges.entry(module.clone()).or_default().insert(target);
            }
        }
    }
    edges
}

/// The files that use each other, over however many others: each circle once.
fn circles(edges: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<String>> {
    let reached = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> =
        edges.keys().map(|module| (module, reached(module))).collect();
    let circle = |module: &Module| -> Vec<String> {
        let back = |other: &&Module| all.get(other).is_some_and(|seen| seen.contains(module));
        all[module].iter().filter(back).map(|other| other.join("/")).collect()
    };
    edges.keys().filter(|module| all[module].contains(*module)).map(circle).collect()
}

#[test]
fn the_rooms_of_e2e_import_in_one_direction() {
    let order = rooms_of_e2e();
    let place = |module: &Module| {
        let room = module.get(1).filter(|_| module[0] == "e2e")?;
        Some(
            order
                .iter()
                .position(|name| name == room)
                .unwrap_or_else(|| panic!("{} is in no room of ARCHITECTURE.md", module.join("/"))),
        )
    };
    let mut seen = 0;
    for (module, targets) in edges(&files()) {
        for target in targets {
            if let (Some(from), Some(to)) = (place(&module), place(&target)) {
                assert!(from >= to, "{} imports {}", module.join("/"), target.join("/"));
                seen += 1;
            }
        }
    }
    assert!(seen > 300, "{seen} imports only");
}

#[test]
fn no_two_files_import_each_other() {
    let found = circles(&edges(&files()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_circle_of_files_is_found() {
    let file = |path: &str, code: &str| {
        let room = path.split('/').next().unwrap().to_owned();
        (PathBuf::from(path), room, code.to_owned())
    };
    let mut files = vec![
        file("a/mod.rs", "mod one;\nmod two;\npub use two::{Other as Two, Two};\n"),
        file("a/one.rs", "use crate::a::{Two, two::{self}};\nfn f() {}\n"),
        file("a/two.rs", "use std::fmt;\n"),
    ];
    assert!(circles(&edges(&files)).is_empty());
    for code in
        ["use super::one::f;\n", "fn g() { crate::a::one::f() }", "use crate::{\n    a::one,\n};"]
    {
        files[2].2 = code.to_owned();
        let circle = vec!["a/one".to_owned(), "a/two".to_owned()];
        assert_eq!(circles(&edges(&files)), BTreeSet::from([circle]), "{code}");
    }
}
