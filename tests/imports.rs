//! Which file imports which: there is no cycle of files, and the modules of `e2e` import in one
//! direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::support::source::{document, files, named, rows};

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
