//! `e2e fmt` gives every fixture one form, and never changes what it says.

use std::path::{Path, PathBuf};

use mono_demo::e2e::scenario::format;
use mono_demo::e2e::text::Source;
use mono_demo::proof::CHECKS;
use proptest::prelude::*;
use proptest::sample::Index;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every fixture of the repository, the broken ones among them.
fn fixtures() -> Vec<(PathBuf, String)> {
    let mut folders =
        vec![root().join("fixtures"), root().join("xtask/soak"), root().join("tests/broken")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).expect("a text");
                found.push((path, text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "{}", found.len());
    found
}

/// What it says: TOML's own data model, in which the order of keys says nothing.
fn meaning(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

/// The words of all comments; a `#` in a string is none, and there is no string in these.
fn comments(text: &str) -> Vec<String> {
    let document: Result<toml_edit::DocumentMut, _> = text.parse();
    let Ok(mut document) = document else { return Vec::new() };
    // Strings are taken out, so that what is left of each line after `#` is a comment.
    blank(document.as_table_mut());
    let text = document.to_string();
    // What is left of a string is a key between quotes.
    let comment = |line: &str| {
        let mut places = line.match_indices('#').map(|(at, _)| at);
        let at = places.find(|at| !line[..*at].ends_with(['"', '#']))?;
        Some(line[at + 1..].trim().to_owned())
    };
    let mut found: Vec<String> = text.lines().filter_map(comment).collect();
    found.sort();
    found
}

fn blank(table: &mut dyn toml_edit::TableLike) {
    for (_, item) in table.iter_mut() {
        match item {
            toml_edit::Item::Value(value) => blank_value(value),
            toml_edit::Item::Table(table) => blank(table),
            toml_edit::Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|t| blank(t)),
            toml_edit::Item::None => {}
        }
    }
}

fn blank_value(value: &mut toml_edit::Value) {
    match value {
        toml_edit::Value::String(_) => {
            let decor = value.decor().clone();
            *value = toml_edit::Value::from("");
            *value.decor_mut() = decor;
        }
        toml_edit::Value::Array(array) => array.iter_mut().for_each(blank_value),
        toml_edit::Value::InlineTable(table) => blank(table),
        _ => {}
    }
}

fn formatted(text: &str) -> Option<String> {
    format(&Source::new("a.toml", text), CHECKS).ok()
}

fn holds(text: &str) {
    let Some(meaning_before) = meaning(text) else {
        return;
    };
    let once = formatted(text).unwrap_or_else(|| panic!("not formatted:\n{text}"));
    assert_eq!(meaning(&once), Some(meaning_before), "its meaning changed:\n{text}\n---\n{once}");
    assert_eq!(comments(&once), comments(text), "its comments changed:\n{text}\n---\n{once}");
    let twice = formatted(&once).expect("formatted once");
    assert_eq!(twice, once, "not the same when formatted again:\n{text}");
}

#[test]
fn no_fixture_of_the_repository_changes_what_it_says() {
    for (_, text) in fixtures() {
        holds(&text);
    }
}

#[test]
fn every_scenario_of_the_repository_is_in_form() {
    for (path, text) in fixtures() {
        if !path.starts_with(root().join("tests")) {
            assert_eq!(formatted(&text), Some(text), "{}: run `mono-demo e2e fmt`", path.display());
        }
    }
}

const FORM: &str = r##"#:schema ../docs/scenario.schema.json
# Who wrote this, and when.

# About the description.
description = "d"
tags = ["a", 'b']     # for filters

[broker]
max_payload = 65_536

[services.payment]
workers = 2
gateway = [
    { id = "x", outcome = "decline" },
    { id = "y" },
]

# The first step.
# It has two lines.
[[step]] # here
call = "math.add"
args = [
    1, # one
    2, # two
    # three is not there
]

# Why it is expected.
reply = { b = 1, a = [1, 2] }
within = "5s"

[[step]]
expect_message = { subject = "s", none = true }
error = { kind = "timeout", definite = true }

[[check]]
charged_once = "p" # once
amount = "1.50"
# the end
"##;

#[test]
fn the_form() {
    let text = r##"#:schema ../docs/scenario.schema.json
# Who wrote this, and when.

tags=["a" ,'b']     # for filters
# About the description.
description = "d"

[[check]]
amount = "1.50"
charged_once="p" # once

# The first step.
# It has two lines.
[[step]] # here
within = "5s"

# Why it is expected.
reply = {b=1,a=[ 1,2 ,]}
call="math.add"
args = [1, # one
  2, # two
  # three is not there
]

[services.payment]
workers = 2
gateway = [
  {id="x",outcome="decline"}, {id="y"}]
[broker]
max_payload = 65_536
[[step]]
error={definite=true,kind="timeout"}
expect_message = {none=true,subject="s"}
# the end
"##;
    assert_eq!(formatted(text).expect("TOML"), FORM);
}

/// What stands between tokens, and what people put there.
const BETWEEN: [&str; 8] =
    ["\n", " ", "\t", "\n\n\n", " # a remark\n", "\n# above\n", "\r\n", "\n    # in between\n\n"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_between_the_lines_never_changes_what_it_says(
        of in any::<Index>(),
        edits in prop::collection::vec((any::<Index>(), 0..BETWEEN.len()), 1..12),
    ) {
        let fixtures = fixtures();
        let mut text = of.get(&fixtures).1.clone();
        for (at, what) in edits {
            // Where a line, an element or a bracket ends, so that most of what comes out is TOML.
            let places: Vec<usize> = text
                .char_indices()
                .filter(|(_, c)| [',', '[', ']', '{', '}', '\n', '='].contains(c))
                .map(|(at, _)| at + 1)
                .collect();
            if !places.is_empty() {
                text.insert_str(*at.get(&places), BETWEEN[what]);
            }
        }
        holds(&text);
    }

    #[test]
    fn the_order_of_lines_never_changes_what_it_says(of in any::<Index>(), seed in any::<u64>()) {
        let fixtures = fixtures();
        let mut blocks: Vec<String> = of.get(&fixtures).1.split("\n\n").map(str::to_owned).collect();
        let mut state = seed | 1;
        for at in (1..blocks.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            blocks.swap(at, state as usize % (at + 1));
        }
        holds(&blocks.join("\n\n"));
    }
}
