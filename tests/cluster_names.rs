//! The store of a cluster whose names or folders were lost, moved, copied or mixed with others: what a refusal
//! says to do, word by word, leads to a start with every payment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::copy;
use crate::support::program::{Home, Said};

/// What it is called, how often a start is refused after it, and how it is made.
type Change<'a> = (&'a str, usize, Box<dyn Fn() + 'a>);

const ARGS: [&str; 6] = ["--port", "0", "--cluster", "3", "--store-dir", "store"];
const PAID: usize = 5;

/// Each file below a folder, with what is in it.
fn below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.append(&mut below(&path)),
            false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    all
}

/// A store with payments, at rest.
fn made(home: &Home) -> PathBuf {
    let serve = home.serve(&ARGS);
    for n in 0..PAID {
        home.run(&["pay", &format!("p-{n}"), "1"]).ok();
    }
    serve.signal("TERM");
    serve.ended();
    home.path().join("store")
}

/// Does what the hint says: `move PATH away`.
fn follow(said: &Said) {
    let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: move ")).unwrap();
    let path = hint.split(" away: ").next().unwrap();
    fs::rename(path, format!("{path}.away")).unwrap();
}

#[test]
fn what_a_refusal_says_to_do_leads_to_a_start_with_every_payment() {
    let (home, other) = (Home::new(), Home::new());
    let (base, theirs) = (home.path().join("base"), made(&other));
    copy(&made(&home), &base);
    let store = home.path().join("store");
    let at = |node: usize| store.join(format!("node-{node}"));
    let own = |node: usize| at(node).join("node.names");
    let swap = |one: &Path, another: &Path| {
        fs::rename(one, store.join("between")).unwrap();
        fs::rename(another, one).unwrap();
        fs::rename(store.join("between"), another).unwrap();
    };
    let replace = |node: usize, by: &Path| {
        let by_copy = store.join("by");
        copy(by, &by_copy);
        fs::remove_dir_all(at(node)).unwrap();
        fs::rename(by_copy, at(node)).unwrap();
    };
    let names = store.join("cluster.names");
    let half = || {
        let text = fs::read(&names).unwrap();
        fs::write(&names, &text[..text.len() - 3]).unwrap();
    };
    let changes: Vec<Change<'_>> = vec![
        ("no list", 0, Box::new(|| fs::remove_file(&names).unwrap())),
        ("half a list", 0, Box::new(half)),
        (
            "no list, and a node is lost",
            0,
            Box::new(|| {
                fs::remove_file(&names).unwrap();
                fs::remove_dir_all(at(0)).unwrap();
            }),
        ),
        (
            "two nodes are lost",
            0,
            Box::new(|| (0..2).for_each(|node| fs::remove_dir_all(at(node)).unwrap())),
        ),
        (
            "no file of a node",
            0,
            Box::new(|| (0..3).for_each(|node| fs::remove_file(own(node)).unwrap())),
        ),
        ("folders are swapped", 0, Box::new(|| swap(&at(0), &at(1)))),
        ("files are swapped", 0, Box::new(|| swap(&own(0), &own(1)))),
        (
            "another cluster's list",
            1,
            Box::new(|| {
                let _ = fs::copy(theirs.join("cluster.names"), &names).unwrap();
            }),
        ),
        (
            "another cluster's file",
            1,
            Box::new(|| {
                let _ = fs::copy(theirs.join("node-1/node.names"), own(1)).unwrap();
            }),
        ),
        (
            "another cluster's files",
            3,
            Box::new(|| {
                (0..3).for_each(|node| {
                    let _ = fs::copy(theirs.join(format!("node-{node}/node.names")), own(node))
                        .unwrap();
                });
            }),
        ),
        ("another node's folder", 1, Box::new(|| replace(0, &at(1)))),
        ("another cluster's folder", 1, Box::new(|| replace(2, &theirs.join("node-2")))),
    ];
    for (what, refusals, change) in changes {
        println!("{what}");
        fs::remove_dir_all(&store).unwrap();
        copy(&base, &store);
        change();
        for _ in 0..refusals {
            let before = below(&store);
            // A single server has nothing else to say.
            let alone =
                home.try_serve(&ARGS[..2].iter().chain(&ARGS[4..]).copied().collect::<Vec<_>>());
            let alone = alone.err().expect("it is refused");
            let said =
                home.try_serve(&ARGS).err().expect("it is refused").failed(3, "cannot be used: ");
            assert_eq!(below(&store), before, "{}", said.stderr);
            assert!(alone.stderr.contains("cannot be used: "), "{}", alone.stderr);
            follow(&said);
        }
        home.run(&["audit", "--store-dir", "store"]).failed(2, "is the store of a cluster");
        let serve = home.serve(&ARGS);
        let audit = home.run(&["audit"]).ok();
        assert!(audit.contains(&format!("{PAID} completed")), "{what}: {audit}");
        assert!(audit.contains("consistent"), "{what}: {audit}");
        home.run(&["pay", "p-0", "1"]).ok();
        drop(serve);
    }
}
