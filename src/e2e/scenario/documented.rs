//! Holds `docs/scenarios.md` and `docs/promises.md` to what the reader knows: every word is there, and
//! the tables have no other.

use std::collections::BTreeSet;

use super::ast::hazard::HazardKind;
use super::{faults, keys, verbs};
use crate::broker::What;
use crate::e2e::text::matcher::{MATCHERS, OF_ARRAYS};

const SCENARIOS: &str = include_str!("../../../docs/scenarios.md");
const PROMISES: &str = include_str!("../../../docs/promises.md");
const HAZARDS: &str = include_str!("../../../docs/hazards.md");

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['_', '-', '#'].contains(&c)
}

/// With which word each code begins, quoted or not: `nodes` of `nodes = 1`.
fn words(cell: &str) -> BTreeSet<&str> {
    let begins = code(cell).filter_map(|code| {
        let code = code.trim_start_matches(['{', ' ', '"']);
        code.split(|c| !of_a_word(c)).next()
    });
    begins.filter(|word| !word.is_empty()).collect()
}

/// The rows of all tables below a heading, up to the next section; each cell by itself.
pub(crate) fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let begin = page.split_once(heading).unwrap_or_else(|| panic!("no heading {heading:?}")).1;
    let below = begin.split("\n## ").next().unwrap_or_default();
    let rows = below.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").map(str::trim).collect()).collect();
    let is_rule = |at: usize| rows.get(at).is_some_and(|row| row[0] == "---");
    let body = (0..rows.len()).filter(|&at| !is_rule(at) && !is_rule(at + 1));
    let body: Vec<Vec<&str>> = body.map(|at| rows[at].clone()).collect();
    assert!(!body.is_empty(), "no table below {heading:?}");
    body
}

/// The words of a column.
pub(crate) fn column<'a>(page: &'a str, heading: &str, column: usize) -> BTreeSet<&'a str> {
    rows(page, heading).into_iter().flat_map(|row| words(row[column])).collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    words.into_iter().collect()
}

#[test]
fn the_pages_have_every_word_that_the_reader_knows() {
    let code = [SCENARIOS, PROMISES].into_iter().flat_map(code);
    let documented: BTreeSet<&str> = code.flat_map(|code| code.split(|c| !of_a_word(c))).collect();
    let known = keys::tests::SHEETS.into_iter().flat_map(keys::words);
    let known = known
        .chain(verbs::fault_words())
        .chain(verbs::ERROR_KINDS)
        .chain(MATCHERS.map(|word| word.trim_end_matches(':')))
        .chain(OF_ARRAYS);
    let missing: Vec<&str> = known.filter(|word| !documented.contains(word)).collect();
    assert!(missing.is_empty(), "docs/scenarios.md and promises.md do not speak of {missing:?}");
}

#[test]
fn the_table_of_hazards_says_what_the_program_says() {
    let known: Vec<Vec<String>> = HazardKind::ALL
        .map(|kind| vec![format!("`{}`", kind.about().name), kind.about().leads_to.to_owned()])
        .into();
    let told: Vec<Vec<String>> = rows(HAZARDS, "# Hazards")
        .iter()
        .map(|row| vec![row[0].to_owned(), row[2].to_owned()])
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_tables_have_the_words_that_the_reader_knows_and_no_other() {
    let verb = |word: &str| verbs::VERBS.iter().find(|verb| verb.word == word).unwrap();
    let all = verb("submit");
    let load = all.inputs.iter().filter(|key| !verb("request").inputs.contains(key));
    // Text that begins with `#` is no matcher.
    let matchers = MATCHERS.map(|word| word.trim_end_matches(':')).into_iter().chain(OF_ARRAYS);
    for (page, heading, known) in [
        (SCENARIOS, "## The top of a fixture", set(keys::words(keys::TOP))),
        (
            SCENARIOS,
            "## Verbs",
            set(verbs::verb_words().into_iter().chain(all.common.iter().copied())),
        ),
        (SCENARIOS, "## Loads", set(load.copied())),
        (SCENARIOS, "## Faults", set(verbs::fault_words())),
        (SCENARIOS, "## Matchers", set(matchers.chain(["##x"]))),
    ] {
        assert_eq!(column(page, heading, 0), known, "{heading}");
    }
    let promise = set([keys::PROMISE, keys::EFFECT].into_iter().flat_map(keys::words));
    assert_eq!(column(PROMISES, "# Promises", 0), set(promise.into_iter()));
}

#[test]
fn the_table_of_faults_says_what_goes_with_each() {
    for row in rows(SCENARIOS, "## Faults") {
        let faults = words(row[0]).into_iter().map(|word| What::named(word).unwrap());
        // Which of the suite's services, is said below the table.
        let takes = faults.flat_map(faults::takes).filter(|key| *key != "service");
        let said = words(row[1]).into_iter().filter(|word| !word.ends_with('-'));
        assert_eq!(set(said), set(takes), "{row:?}");
    }
}
