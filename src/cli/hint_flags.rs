//! Every flag that a message names exists.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;

/// Flags of the programs that this one runs, and of its own reaper, which no person starts.
const OF_OTHERS: &[&str] = &[
    "--cwd",
    "--find-links",
    "--hash",
    "--ignore-scripts",
    "--lock",
    "--loglevel",
    "--no-audit",
    "--no-deps",
    "--no-fund",
    "--no-index",
    "--no-update-notifier",
    "--omit",
    "--only-binary",
    "--quiet",
    "--remove",
    "--require-hashes",
    "--socket",
    "--become",
    "--version",
    "--help",
    "--config",
    "--abbrev-ref",
    "--signal",
];

fn flags_of(command: &clap::Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|a| Some(format!("--{}", a.get_long()?))));
    for sub in command.get_subcommands() {
        flags_of(sub, found);
    }
}

/// The `--flags` in the texts of a source file, without its comments and tests.
fn named_in(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("--") {
            let before = line[..at].chars().next_back();
            let flag: String = line[at + 2..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
                .collect();
            let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '<');
            if begins && flag.starts_with(|c: char| c.is_ascii_lowercase()) && !flag.ends_with('-')
            {
                found.insert(format!("--{flag}"));
            }
        }
    }
    found
}

#[test]
fn every_flag_that_a_message_names_exists() {
    let mut known = BTreeSet::new();
    flags_of(&super::args::Cli::command(), &mut known);
    assert!(known.contains("--nats-server") && !known.contains("--python"));
    known.extend(OF_OTHERS.iter().map(|&flag| flag.to_owned()));
    let mut unknown = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !path.ends_with("hint_flags.rs")
            {
                let named = named_in(&std::fs::read_to_string(&path).unwrap());
                unknown.extend(
                    named.difference(&known).map(|flag| format!("{}: {flag}", path.display())),
                );
            }
        }
    }
    assert!(unknown.is_empty(), "no command has:\n{}", unknown.join("\n"));
}

#[test]
fn a_flag_that_no_command_has_is_found() {
    let found = named_in("hint(\"correct --python, or `--tls-ca FILE`\"); // --not\n// --nor");
    assert!(found.contains("--python") && found.contains("--tls-ca"), "{found:?}");
}
