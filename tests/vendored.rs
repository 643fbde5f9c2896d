//! What is carried in `vendor` is the published crate and the patch beside it, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The files of async-nats 0.51.0 as published, of those that are carried.
const PUBLISHED: &str = "5af2b44ac7a0f0d0239fbfde859297be06824d3c6cad22e5b979e66bb69aa85a";
/// Added here, and no part of the crate.
const ADDED: [&str; 2] = ["LICENSE", "rustfmt.toml"];

type Files = BTreeMap<String, String>;

fn vendor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor")
}

fn carried() -> Files {
    let root = vendor().join("async-nats");
    let mut files = Files::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if !ADDED.contains(&name.as_str()) {
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// Takes a unified diff back: what it added must be there, and goes; what it removed comes again.
fn take_back(files: &mut Files, patch: &str) {
    let mut file = String::new();
    let mut edits: BTreeMap<String, (Vec<String>, usize, Vec<String>)> = BTreeMap::new();
    for line in patch.split_inclusive('\n') {
        if line.starts_with("--- ") {
            continue;
        }
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name.trim().to_owned();
            let text = files.get(&file).unwrap_or_else(|| panic!("{file} is not carried"));
            let lines = text.split_inclusive('\n').map(str::to_owned).collect();
            edits.insert(file.clone(), (lines, 0, Vec::new()));
            continue;
        }
        let (lines, at, before) = edits.get_mut(&file).expect("a file's name");
        if let Some(range) = line.strip_prefix("@@ ") {
            let there = range.split(' ').nth(1).unwrap().trim_start_matches('+');
            let start: usize = there.split(',').next().unwrap().parse().unwrap();
            before.extend(lines[*at..start - 1].iter().cloned());
            *at = start - 1;
            continue;
        }
        let (sign, text) = line.split_at(1);
        if sign != "-" {
            assert_eq!(lines.get(*at).map(String::as_str), Some(text), "{file}, line {}", *at + 1);
            *at += 1;
        }
        if sign != "+" {
            before.push(text.to_owned());
        }
    }
    for (file, (lines, at, mut before)) in edits {
        before.extend(lines[at..].iter().cloned());
        match before.is_empty() {
            true => files.remove(&file),
            false => files.insert(file, before.concat()),
        };
    }
}

fn hash(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        hash.update(format!("{name} {}\n{text}", text.len()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn async_nats_is_the_published_crate_and_the_patch() {
    let patch = std::fs::read_to_string(vendor().join("async-nats.patch")).unwrap();
    let mut files = carried();
    assert_ne!(hash(&files), PUBLISHED, "the patch is not applied");
    take_back(&mut files, &patch);
    assert_eq!(hash(&files), PUBLISHED, "{:?}", files.keys());
}

#[test]
#[should_panic(expected = "line 2")]
fn a_line_that_is_not_what_the_patch_made_it_is_found() {
    let mut files = Files::from([("f".to_owned(), "a\nc\n".to_owned())]);
    take_back(&mut files, "--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n a\n+b\n");
}
