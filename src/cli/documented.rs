//! Holds the tables of `docs/commands.md` to what the program knows, both ways.

use std::collections::BTreeSet;

use clap::{CommandFactory as _, ValueEnum as _};

use super::args::Cli;
use super::{bench, config, exit};
use crate::e2e::scenario::documented::{column, rows};
use crate::modules::payment::Sabotage;

const COMMANDS: &str = include_str!("../../docs/commands.md");

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let said: Vec<String> =
        rows(COMMANDS, "## Exit codes").iter().map(|row| row.join(" ")).collect();
    let help = exit::HELP.lines().skip(1);
    let help: Vec<String> =
        help.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(said, help);
}

#[test]
fn every_sabotage_is_in_the_table_and_no_other() {
    let known = Sabotage::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value);
    let known: Vec<_> = known.collect();
    let known: BTreeSet<&str> = known.iter().map(clap::builder::PossibleValue::get_name).collect();
    assert_eq!(column(COMMANDS, "### Sabotage", 0), known);
}

#[test]
fn the_table_of_e2e_names_flags_and_subcommands_that_are_there() {
    let cli = Cli::command();
    let e2e = cli.find_subcommand("e2e").unwrap();
    let flags = e2e.get_arguments().chain(cli.get_arguments()).filter_map(|flag| flag.get_long());
    let flags = flags.map(|long| format!("--{long}"));
    let short = e2e.get_arguments().filter_map(|flag| flag.get_short());
    let words = e2e.get_subcommands().map(|command| command.get_name().to_owned());
    let known: BTreeSet<String> =
        flags.chain(short.map(|short| format!("-{short}"))).chain(words).collect();
    let said = column(COMMANDS, "## e2e", 0);
    // Names of scenarios and folders.
    let said = said.into_iter().filter(|word| !["payment", "broker-killed"].contains(word));
    let strange: Vec<_> = said.filter(|word| !known.contains(*word)).collect();
    assert!(strange.is_empty(), "`mono-demo e2e` knows no {strange:?}");
}

#[test]
fn every_section_and_flag_of_bench_is_in_the_table_and_no_other() {
    let sections = bench::Chosen::value_variants().iter().map(|chosen| chosen.name());
    let cli = Cli::command();
    let bench = cli.find_subcommand("bench").unwrap();
    let shown = bench.get_arguments().filter(|flag| !flag.is_hide_set());
    let flags = shown.filter_map(|flag| flag.get_long()).map(|long| format!("--{long}"));
    let known: BTreeSet<String> = sections.chain(flags).collect();
    let said = column(COMMANDS, "## bench", 0).into_iter().map(str::to_owned);
    assert_eq!(said.collect::<BTreeSet<_>>(), known);
}

#[test]
fn every_default_of_a_file_is_a_flag_of_its_command_and_on_the_page() {
    let cli = Cli::command();
    for (table, keys) in config::TABLES {
        let command = match table {
            "" => &cli,
            table => cli.find_subcommand(table).unwrap(),
        };
        let is_flag = |key: &str| {
            let mut shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
            shown.any(|flag| flag.get_long() == Some(key))
        };
        for (key, _) in keys.iter().filter(|(key, _)| *key != config::SUITES) {
            assert!(is_flag(key), "{table}: {key}");
        }
    }
    let known = config::TABLES.iter().flat_map(|(_, keys)| keys.iter().map(|(key, _)| *key));
    assert_eq!(column(COMMANDS, "## Defaults for a repository", 1), known.collect());
}

#[test]
fn the_pages_speak_of_every_flag_of_e2e() {
    let pages = [
        COMMANDS,
        include_str!("../../docs/ci.md"),
        include_str!("../../docs/scenarios.md"),
        include_str!("../../docs/suites.md"),
    ];
    let cli = Cli::command();
    let e2e = cli.find_subcommand("e2e").unwrap();
    let shown = e2e.get_arguments().filter(|flag| !flag.is_hide_set());
    let longs = shown.filter_map(|flag| flag.get_long()).map(|long| format!("--{long}"));
    let said = |flag: &String| {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
        pages.iter().any(|page| page.split(flag.as_str()).skip(1).any(ends))
    };
    let missing: Vec<String> = longs.filter(|flag| !said(flag)).collect();
    assert!(missing.is_empty(), "docs do not speak of {missing:?}");
}
