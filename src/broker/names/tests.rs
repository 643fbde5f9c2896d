//! What is refused is left as it is, and what a refusal says to do, word by word, leads to a start.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::found::{NAMES, OWN};
use super::kept::{is_of_cluster, kept_in, refuse_cluster};
use super::said::{ClusterNames, Own, id, ids_in};
use crate::whole;

const WHOLE: &str = "cluster\none\ntwo\nthree\n";
const NODES: [&str; 3] = ["one", "two", "three"];

fn kept(folder: &Path, nodes: usize) -> Result<ClusterNames, String> {
    kept_in(folder, nodes).map(|(names, _)| names).map_err(|error| {
        let hint = error.hint().unwrap_or_default();
        format!("{error}; hint: {hint}")
    })
}

/// As nats-server writes it.
fn peers(names: &[&str]) -> Vec<u8> {
    let count = u32::try_from(names.len()).unwrap().to_le_bytes();
    let ids = names.iter().flat_map(|name| id(name).into_bytes());
    [count, count].concat().into_iter().chain(ids).chain([0, 0]).collect()
}

/// Streams of the node of this name among these.
fn streams(folder: &Path, node: &str, names: &[&str]) {
    let meta = folder.join("jetstream/$SYS/_js_/_meta_");
    fs::create_dir_all(&meta).unwrap();
    fs::write(meta.join("peers.idx"), peers(names)).unwrap();
    fs::write(folder.join("jetstream/who"), node).unwrap();
}

/// A store folder whose nodes have streams, and no names yet.
fn unnamed(nodes: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for node in 0..nodes {
        fs::create_dir_all(folder.path().join(format!("node-{node}/jetstream/$SYS/_js_"))).unwrap();
    }
    folder
}

/// The same, made by a cluster of these names.
fn store(cluster: &str, names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAMES), format!("{cluster}\n{}\n", names.join("\n"))).unwrap();
    kept(folder.path(), names.len()).unwrap();
    for (at, name) in names.iter().enumerate() {
        streams(&folder.path().join(format!("node-{at}")), name, names);
    }
    folder
}

fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    whole::rename(from.as_ref(), to.as_ref()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn remove(path: &Path) {
    match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    }
}

/// Each file below a folder, with what is in it.
fn below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.append(&mut below(&path));
        }
        // Reading a pipe would wait for ever.
        let text = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        all.insert(path, text);
    }
    all
}

/// Does what a remedy says, to the letter; false where it needs a copy of the store, and there is none.
fn follow(remedy: &str, store: &Path, backup: Option<&Path>) -> bool {
    let words: Vec<&str> = remedy.split(' ').collect();
    let path = |word: &str| PathBuf::from(word.trim_end_matches([',', ':', ';']));
    let mut moved = 0;
    let mut away = |from: &Path| {
        moved += 1;
        rename(from, format!("{}.away-{moved}", from.display()));
    };
    if words[0] == "put"
        && let Some(backup) = backup
    {
        match words[1] {
            "the" => {
                for node in 0..3 {
                    let own = store.join(format!("node-{node}"));
                    if own.exists() {
                        remove(&own);
                    }
                    copy(&backup.join(format!("node-{node}")), &own);
                }
            }
            file => {
                let file = path(file);
                if file.exists() {
                    away(&file);
                }
                copy(&backup.join(file.strip_prefix(store).unwrap()), &file);
            }
        }
        return true;
    }
    let Some(at) = words.iter().position(|word| ["move", "rename"].contains(word)) else {
        return false;
    };
    for at in at..words.len() {
        match (words[at], words.get(at + 2)) {
            ("move", _) => away(&path(words[at + 1])),
            ("rename", Some(&"to")) => rename(path(words[at + 1]), path(words[at + 3])),
            _ => {}
        }
    }
    true
}

/// What is done to the names of a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Done {
    Nothing,
    Missing,
    Torn,
    Empty,
    NoText,
    Folder,
    Pipe,
    /// Another cluster's.
    Foreign,
    /// Another node's of this cluster; of all names: in another order.
    Swapped,
}

const ALL: [Done; 9] = [
    Done::Nothing,
    Done::Missing,
    Done::Torn,
    Done::Empty,
    Done::NoText,
    Done::Folder,
    Done::Pipe,
    Done::Foreign,
    Done::Swapped,
];

fn spoil(file: &Path, done: Done, foreign: &Path, swapped: &[u8]) {
    let text = fs::read(file).unwrap();
    let after = match done {
        Done::Nothing => return,
        Done::Missing | Done::Folder | Done::Pipe => None,
        Done::Torn => Some(text[..text.len() - 4].to_vec()),
        Done::Empty => Some(Vec::new()),
        Done::NoText => Some(b"cluster\n\xff\n".to_vec()),
        Done::Foreign => Some(fs::read(foreign).unwrap()),
        Done::Swapped => Some(swapped.to_vec()),
    };
    fs::remove_file(file).unwrap();
    match (done, after) {
        (_, Some(after)) => fs::write(file, after).unwrap(),
        (Done::Folder, _) => fs::create_dir(file).unwrap(),
        (Done::Pipe, _) => {
            assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
        }
        _ => {}
    }
}

/// Starts until it is not refused any more; each refusal leaves everything as it is. Says whether a copy of the
/// store was needed.
fn started(case: &str, store: &Path, backup: &Path) -> (ClusterNames, bool) {
    let mut needed = false;
    for _ in 0..8 {
        let before = below(store);
        // Also where a single server is asked for.
        assert!(refuse_cluster(store).is_err(), "{case}");
        let error = match kept_in(store, 3) {
            Ok((names, _)) => return (names, needed),
            Err(error) => error,
        };
        assert_eq!(below(store), before, "{case}: {error}");
        let hint = error.hint().unwrap_or_else(|| panic!("{case}: {error}"));
        needed |= hint.starts_with("put ");
        assert!(follow(&hint, store, Some(backup)), "{case}: {error}; {hint}");
    }
    panic!("{case}: it goes in a circle");
}

/// Who was in each folder is served there by its own name; an empty one may have any that is left.
fn is_whole(case: &str, store: &Path, names: &ClusterNames, swapped: bool) {
    assert_eq!(names.cluster, "cluster", "{case}");
    let mut sorted = names.nodes.clone();
    sorted.sort();
    assert_eq!(sorted, ["one", "three", "two"], "{case}");
    let mut with_streams = 0;
    for (at, name) in names.nodes.iter().enumerate() {
        let folder = store.join(format!("node-{at}"));
        if let Ok(who) = fs::read_to_string(folder.join("jetstream/who")) {
            with_streams += 1;
            assert!(who == *name || swapped, "{case}: {who} is called {name}");
        }
    }
    assert!(with_streams >= 2, "{case}: {with_streams} nodes have streams");
    // Then all is written, and the next start has nothing to do.
    let after = below(store);
    assert_eq!(kept(store, 3).unwrap(), *names, "{case}");
    assert_eq!(below(store), after, "{case}");
    for (at, name) in names.nodes.iter().enumerate() {
        let own = fs::read(store.join(format!("node-{at}/{OWN}"))).unwrap();
        let own = Own::parse(&own).unwrap();
        assert_eq!((own.node, own.nodes.len()), (name.clone(), 3), "{case}");
    }
}

/// Every way to spoil the list and the files of one or all nodes, with all nodes there and with one lost.
#[test]
fn each_remedy_for_names_leads_to_a_start_that_keeps_the_streams() {
    let (foreign, backup) = (store("other", &["four", "five", "six"]), store("cluster", &NODES));
    for list in ALL {
        for own in ALL {
            for all in [false, true] {
                for lost in [None, Some(0), Some(2)] {
                    let case = format!("list {list:?}, own {own:?}, all {all}, lost {lost:?}");
                    let store = tempfile::tempdir().unwrap();
                    copy(backup.path(), store.path());
                    let at = |node: usize| store.path().join(format!("node-{node}"));
                    let others = [1, 0, 2].map(|node| fs::read(at(node).join(OWN)).unwrap());
                    let spoiled = if all { vec![0, 1, 2] } else { vec![1] };
                    for node in spoiled {
                        let file = at(node).join(OWN);
                        let theirs = foreign.path().join(format!("node-{node}/{OWN}"));
                        spoil(&file, own, &theirs, &others[node]);
                    }
                    let names = store.path().join(NAMES);
                    spoil(&names, list, &foreign.path().join(NAMES), b"cluster\ntwo\none\nthree\n");
                    if let Some(lost) = lost {
                        remove(&at(lost));
                    }
                    let (found, needed) = started(&case, store.path(), backup.path());
                    // Files that were swapped alone look as if the folders were. By a list in another order the
                    // places are not known.
                    let unknown = own == Done::Swapped || list == Done::Swapped;
                    is_whole(&case, store.path(), &found, unknown);
                    // What one file still says needs no copy.
                    let is_said = [Done::Nothing, Done::Swapped].contains(&own) || !all;
                    assert!(!needed || !is_said || own == Done::Swapped, "{case}");
                }
            }
        }
    }
}

/// The folders themselves: swapped, copied, of another cluster, lost, under another number.
#[test]
fn each_remedy_for_folders_leads_to_a_start_that_keeps_the_streams() {
    let foreign = store("other", &["four", "five", "six"]);
    let theirs = |node: usize| foreign.path().join(format!("node-{node}"));
    type Change<'a> = Box<dyn Fn(&Path) + 'a>;
    let at = |store: &Path, node: usize| store.join(format!("node-{node}"));
    let swap = move |store: &Path, one: usize, other: usize| {
        rename(at(store, one), store.join("between"));
        rename(at(store, other), at(store, one));
        rename(store.join("between"), at(store, other));
    };
    let replace = move |store: &Path, node: usize, by: &Path| {
        let own = store.join("by");
        copy(by, &own);
        remove(&at(store, node));
        rename(own, at(store, node));
    };
    let changes: Vec<(&str, Change)> = vec![
        ("two swapped", Box::new(move |store| swap(store, 0, 1))),
        (
            "all swapped",
            Box::new(move |store| {
                swap(store, 0, 1);
                swap(store, 1, 2);
            }),
        ),
        ("one copied", Box::new(move |store| replace(store, 0, &at(store, 1)))),
        (
            "swapped and copied",
            Box::new(move |store| {
                swap(store, 0, 2);
                replace(store, 0, &at(store, 1));
            }),
        ),
        ("one of another cluster", Box::new(|store| replace(store, 1, &theirs(1)))),
        (
            "one of another cluster, unnamed",
            Box::new(|store| {
                replace(store, 1, &theirs(1));
                fs::remove_file(at(store, 1).join(OWN)).unwrap();
            }),
        ),
        ("one under another number", Box::new(move |store| rename(at(store, 1), at(store, 7)))),
        (
            "the same, and an empty one in its place",
            Box::new(move |store| {
                rename(at(store, 1), at(store, 7));
                fs::create_dir(at(store, 1)).unwrap();
            }),
        ),
        ("one more, of another cluster", Box::new(|store| copy(&theirs(1), &at(store, 7)))),
        ("one more, a copy", Box::new(move |store| copy(&at(store, 0), &at(store, 3)))),
        ("one lost", Box::new(move |store| remove(&at(store, 1)))),
        (
            "all copies of one",
            Box::new(move |store| {
                replace(store, 0, &at(store, 1));
                replace(store, 2, &at(store, 1));
            }),
        ),
        (
            "all of another cluster",
            Box::new(|store| (0..3).for_each(|node| replace(store, node, &theirs(node)))),
        ),
    ];
    for (what, change) in changes {
        for list in ALL {
            let case = format!("{what}, list {list:?}");
            let (store, backup) = (store("cluster", &NODES), tempfile::tempdir().unwrap());
            copy(store.path(), backup.path());
            change(store.path());
            let names = store.path().join(NAMES);
            spoil(&names, list, &foreign.path().join(NAMES), b"cluster\ntwo\none\nthree\n");
            if what == "all of another cluster" {
                // Which is another one, if not that which its own list names?
                let is_theirs = ![Done::Nothing, Done::Swapped].contains(&list);
                let first = kept(store.path(), 3);
                assert_eq!(
                    first.as_ref().is_ok_and(|names| names.cluster == "other"),
                    is_theirs && first.is_ok(),
                    "{case}"
                );
                continue;
            }
            let (found, _) = started(&case, store.path(), backup.path());
            is_whole(&case, store.path(), &found, false);
        }
    }
}

#[test]
fn names_that_cannot_be_those_of_the_nodes_are_refused_by_name() {
    for (text, why) in [
        ("", "its last line has no end"),
        ("cluster\none\ntwo\nthr", "its last line has no end"),
        ("cluster\none\ntwo", "its last line has no end"),
        ("cluster\n", "no list of names"),
        ("\n\n\n\n", "no list of names"),
        ("cluster\none\n\nthree\n", "no list of names"),
        ("cluster\none\ntwo\ntwo\n", "no list of names"),
        ("cluster\none\ntwo\nthr\0\0\n", "no list of names"),
        ("cluster\none\ntwo\n", "it has the names of 2, and there are streams of 3"),
        ("cluster\none\ntwo\nthree\nfour\nfive\n", "a cluster of 5 nodes, not of 3"),
    ] {
        let folder = unnamed(3);
        fs::write(folder.path().join(NAMES), text).unwrap();
        let error = kept(folder.path(), 3).unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
    let folder = unnamed(3);
    fs::write(folder.path().join(NAMES), b"cluster\none\ntwo\nth\xff\n").unwrap();
    assert!(kept(folder.path(), 3).unwrap_err().contains("it is not text in UTF-8"));
    fs::remove_file(folder.path().join(NAMES)).unwrap();
    fs::create_dir(folder.path().join(NAMES)).unwrap();
    assert!(kept(folder.path(), 3).unwrap_err().contains("it is not a file"));
    fs::remove_dir(folder.path().join(NAMES)).unwrap();
    let error = kept(folder.path(), 3).unwrap_err();
    assert!(error.contains("cluster.names cannot be used: it is missing, and"), "{error}");
    assert!(
        error.contains("back from a copy of the store, for no node says all of them"),
        "{error}"
    );
}

/// They had the cluster's name and the node's own.
#[test]
fn what_older_versions_wrote_is_read_and_says_more_afterwards() {
    for list in [true, false] {
        let folder = unnamed(3);
        for (at, name) in NODES.iter().enumerate() {
            let text = format!("cluster\n{name}\n");
            fs::write(folder.path().join(format!("node-{at}/{OWN}")), text).unwrap();
        }
        if list {
            fs::write(folder.path().join(NAMES), WHOLE).unwrap();
        }
        assert_eq!(kept(folder.path(), 3).unwrap().nodes, NODES);
        assert_eq!(fs::read_to_string(folder.path().join(NAMES)).unwrap(), WHOLE);
        fs::remove_dir_all(folder.path().join("node-0")).unwrap();
        fs::remove_file(folder.path().join(NAMES)).unwrap();
        assert_eq!(kept(folder.path(), 3).unwrap().nodes, NODES);
    }
}

/// Of one node of five, each file that ends early says nothing.
#[test]
fn half_a_file_of_a_node_is_none() {
    let nodes = ["one", "two", "three", "four", "five"].map(str::to_owned).to_vec();
    let own = Own { cluster: "cluster".into(), node: "four".into(), nodes };
    let text = own.text();
    assert_eq!(Own::parse(text.as_bytes()), Some(own));
    for end in 0..text.len() - 1 {
        assert_eq!(Own::parse(&text.as_bytes()[..end]), None, "{end}");
    }
}

#[test]
fn the_ids_of_nodes_are_read_as_the_server_writes_them() {
    let written = peers(&NODES);
    assert_eq!(ids_in(&written), NODES.iter().map(|name| id(name)).collect());
    for other in [&written[..written.len() - 4], &written[..7], &[0xff; 40][..], &[]] {
        assert!(ids_in(other).is_empty(), "{other:?}");
    }
}

#[test]
fn a_folder_that_is_in_use_is_refused_before_its_names_are_written() {
    let folder = store("cluster", &NODES);
    let held = kept_in(folder.path(), 3).unwrap();
    fs::remove_file(folder.path().join(NAMES)).unwrap();
    let error = kept(folder.path(), 3).unwrap_err();
    assert!(error.contains("is in use by process"), "{error}");
    assert!(!folder.path().join(NAMES).exists());
    drop(held);
    kept(folder.path(), 3).unwrap();
}

#[test]
fn a_cluster_inside_the_store_of_a_single_server_makes_it_no_cluster() {
    let folder = unnamed(3);
    fs::create_dir(folder.path().join("jetstream")).unwrap();
    refuse_cluster(folder.path()).unwrap();
    assert!(!is_of_cluster(folder.path()).unwrap());
    assert!(kept(folder.path(), 3).unwrap_err().contains("is that of a single server"));
    // Nor do names alone.
    let named = tempfile::tempdir().unwrap();
    fs::create_dir(named.path().join("jetstream")).unwrap();
    fs::write(named.path().join(NAMES), WHOLE).unwrap();
    refuse_cluster(named.path()).unwrap();
    assert!(kept(named.path(), 3).unwrap_err().contains("is that of a single server"));
    // One in a folder of its own there is one.
    let inner = folder.path().join("inner");
    kept(&inner, 3).unwrap();
    fs::create_dir_all(inner.join("node-2/jetstream/$SYS/_js_")).unwrap();
    assert!(refuse_cluster(&inner).is_err() && is_of_cluster(&inner).unwrap());
    kept(&inner, 3).unwrap();
}

#[test]
fn a_single_server_may_keep_its_streams_in_a_folder_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["node-1", "node-2"] {
        let store = folder.path().join(name);
        fs::create_dir_all(store.join("jetstream/$G/streams/S")).unwrap();
        refuse_cluster(&store).unwrap();
    }
    refuse_cluster(folder.path()).unwrap();
    assert!(!is_of_cluster(folder.path()).unwrap());
    assert!(!is_of_cluster(&folder.path().join("node-1")).unwrap());
}

#[test]
fn what_cannot_be_seen_is_not_new() {
    // A link in a circle hides what it leads to from everybody, also from root.
    let hidden = |at: PathBuf| std::os::unix::fs::symlink(&at, &at).unwrap();
    for at in ["jetstream", "node-1/jetstream", "node-1"] {
        let folder = tempfile::tempdir().unwrap();
        if at.contains('/') {
            fs::create_dir(folder.path().join("node-1")).unwrap();
        }
        hidden(folder.path().join(at));
        let error = kept(folder.path(), 3).unwrap_err();
        assert!(error.contains("streams") && error.contains(at), "{at}: {error}");
        assert!(!folder.path().join(NAMES).exists(), "{at}: names were written");
        let alone = refuse_cluster(folder.path()).unwrap_err().to_string();
        assert!(alone.contains(at), "{alone}");
        assert!(is_of_cluster(folder.path()).is_err(), "{at}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(!is_of_cluster(file.path()).unwrap(), "a file has none");
    assert!(!is_of_cluster(&file.path().with_extension("missing")).unwrap());
    // What is no folder cannot become one.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("node-1"), "").unwrap();
    assert!(kept(folder.path(), 3).unwrap_err().contains("node-1: not a directory"));
    assert_eq!(below(folder.path()).len(), 1);
}

#[test]
fn a_folder_without_streams_of_nodes_is_new() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("node-0")).unwrap();
    let made = kept(folder.path(), 3).unwrap();
    assert_eq!(kept(folder.path(), 3).unwrap().nodes, made.nodes);
    // What names there are then bind nobody.
    fs::write(folder.path().join(NAMES), WHOLE).unwrap();
    assert_eq!(kept(folder.path(), 3).unwrap().nodes, NODES);
    fs::remove_file(folder.path().join(NAMES)).unwrap();
    assert_ne!(kept(folder.path(), 3).unwrap().nodes, NODES);
    refuse_cluster(&tempfile::tempdir().unwrap().path().join("node-0")).unwrap();
}
