//! Checks the crates of the program: their number, licences, sources and versions.
//!
//! Advisories are not looked up: their database is no crate, and nothing else is fetched here.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What the answer has of each crate, by cargo's own resolver: `serde v1.0.229|MIT OR Apache-2.0`.
/// What only builds or tests the program is not asked for, and no other system's crates: those may
/// not have been fetched.
const QUESTION: [&str; 10] = [
    "tree",
    "--locked",
    "--package",
    "mono-demo",
    "--edges",
    "normal",
    "--prefix",
    "none",
    "--format",
    "{p}|{l}",
];

/// The program is made of so many crates at most, itself included. More of them want a reason, and a
/// higher number here.
const MOST_CRATES: usize = 220;

/// Terms under which the program may be given away with no more than a notice.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates in two versions or more, since those who need them do not agree.
const DUPLICATES: [(&str, &str); 5] = [
    ("cpufeatures", "chacha20, and sha2 and curve25519-dalek"),
    ("getrandom", "rand in two versions, and ahash"),
    ("rand", "nkeys and async-nats"),
    ("rand_core", "nkeys and async-nats"),
    ("syn", "serde_derive and older macros"),
];

/// Asks cargo, as made by `cargo`, and says all that is wrong.
pub fn check(mut cargo: Command) -> Result<(), String> {
    let output = cargo.args(QUESTION).output().map_err(|e| format!("start {cargo:?}: {e}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{cargo:?}: {}: {told}", output.status));
    }
    match faults(&String::from_utf8_lossy(&output.stdout)).as_slice() {
        [] => Ok(()),
        faults => Err(faults.join("; ")),
    }
}

fn faults(tree: &str) -> Vec<String> {
    // What was told before has a star.
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    let crates: BTreeSet<_> = lines.filter_map(|line| line.rsplit_once('|')).collect();
    let mut faults = Vec::new();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for (package, licence) in &crates {
        let mut words = package.split(' ');
        *versions.entry(words.next().unwrap_or_default()).or_default() += 1;
        if !is_allowed(licence) {
            faults.push(format!("{package} has the licence {licence:?}"));
        }
        // A folder of ours is not foreign; anything else that is named is no registry.
        let foreign = |word: &str| word.starts_with('(') && word.contains("://");
        if words.any(foreign) {
            faults.push(format!("{package} comes from no registry"));
        }
    }
    let is_known = |name: &str| DUPLICATES.iter().any(|(known, _)| *known == name);
    let more = versions.iter().filter(|(name, count)| **count > 1 && !is_known(name));
    faults.extend(more.map(|(name, count)| format!("{name} is there in {count} versions")));
    let gone = DUPLICATES.iter().filter(|(name, _)| versions.get(name).is_none_or(|n| *n < 2));
    faults.extend(gone.map(|(name, _)| format!("{name} is not there twice: take it off the list")));
    if crates.len() > MOST_CRATES {
        faults.push(format!("there are {} crates, more than {MOST_CRATES}", crates.len()));
    }
    faults
}

/// One of several that may be chosen, or each of several that must be kept: `MIT OR Apache-2.0`,
/// `(MIT OR Apache-2.0) AND Unicode-3.0`; a slash is how `OR` was written once.
fn is_allowed(licence: &str) -> bool {
    let licence = licence.replace('/', " OR ");
    licence.split(" AND ").all(|part| {
        let choices = part.split(" OR ").map(|one| one.trim_matches(['(', ')', ' ']));
        choices.into_iter().any(|one| LICENCES.contains(&one))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known duplicates, and these.
    fn tree(lines: &[&str]) -> String {
        let twice = DUPLICATES.iter().map(|(name, _)| format!("{name} v1|MIT\n{name} v2|MIT\n"));
        twice.chain(lines.iter().map(|line| format!("{line}\n"))).collect()
    }

    #[test]
    fn the_crates_of_the_program_are_as_they_should_be() {
        check(crate::cargo(&[])).unwrap();
    }

    #[test]
    fn what_is_as_it_should_be_is_no_fault() {
        let good = tree(&[
            "a v1|(MIT OR GPL-3.0) AND Unicode-3.0",
            "a v1|(MIT OR GPL-3.0) AND Unicode-3.0 (*)",
            "",
            "b v1 (proc-macro)|Apache-2.0/MIT",
            "ours v1 (/some/folder)|Apache-2.0",
        ]);
        assert_eq!(faults(&good), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let bad = tree(&["a v1|MIT", "a v2|MIT AND GPL-3.0", "b v1 (https://x/b#1)|MIT", "c v1|"]);
        assert_eq!(
            faults(&bad),
            [
                "a v2 has the licence \"MIT AND GPL-3.0\"",
                "b v1 (https://x/b#1) comes from no registry",
                "c v1 has the licence \"\"",
                "a is there in 2 versions",
            ]
        );
    }

    #[test]
    fn a_crate_too_many_and_a_version_that_is_gone_are_faults() {
        let many: String = (0..MOST_CRATES).map(|n| format!("c{n} v1|MIT\n")).collect();
        assert_eq!(faults(&tree(&[&many])), ["there are 230 crates, more than 220"]);
        assert_eq!(faults("a v1|MIT").len(), DUPLICATES.len());
    }
}
