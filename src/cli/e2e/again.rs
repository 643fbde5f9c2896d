//! The command that repeats one run, as a report prints it: the suite, and all flags that affect
//! the outcome of a run.

use std::path::Path;

use clap::ValueEnum as _;

use super::arguments::RunArgs;
use crate::cli::context::Context;
use crate::cli::global::Global;
use crate::cli::shell::word;
use crate::cli::suite::Suite;
use crate::e2e::scenario::{Hazards, Leaks};

/// The command up to the scenario's name; its client and the seed come after that.
pub(super) fn again(args: &RunArgs, global: &Global, suite: &Suite, context: &Context) -> String {
    let mut words = vec!["mono-demo e2e".to_owned()];
    let from_here = |path: &Path| match path.strip_prefix(&context.cwd).unwrap_or(path) {
        path if path.as_os_str().is_empty() => ".".to_owned(),
        path => path.display().to_string(),
    };
    match (&suite.own, &args.fixtures) {
        _ if args.builtin => words.push("--builtin".to_owned()),
        _ if suite.built_in => {}
        (Some(_), None) if suite.root == context.cwd => {}
        (Some(_), None) => words.push(word(from_here(&suite.root))),
        (None, _) if suite.fixtures == context.absolute("fixtures".as_ref()) => {}
        _ => words.extend(["--fixtures".to_owned(), word(from_here(&suite.fixtures))]),
    }
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), word(value)]);
    if let Some(nodes) = args.cluster {
        add("--cluster", &nodes.to_string());
    }
    match args.leaks {
        Some(Leaks::Fail) => add("--leaks", "fail"),
        Some(Leaks::Ignore) => add("--leaks", "ignore"),
        Some(Leaks::Report) => add("--leaks", "report"),
        None => {}
    }
    match &args.hazards {
        Some(Hazards::Fail(_)) => add("--hazards", "fail"),
        Some(Hazards::Ignore) => add("--hazards", "ignore"),
        Some(Hazards::Report) => add("--hazards", "report"),
        None => {}
    }
    if let Some(kind) = args.sabotage.and_then(|kind| kind.to_possible_value()) {
        add("--sabotage", kind.get_name());
    }
    if let Some(server) = &global.tools.nats_server {
        add("--nats-server", &server.display().to_string());
    }
    if let [version] = args.nats_server_version[..] {
        words.extend(["--nats-server-version".to_owned(), version.to_string()]);
    }
    words.extend(global.tools.offline.then(|| "--offline".to_owned()));
    // What a file sets is there by its flags; another file could set more.
    match &global.config {
        Some(file) => words.extend(["--config".to_owned(), word(file.display())]),
        None => words.extend(global.no_config.then(|| "--no-config".to_owned())),
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::args::{Cli, Command};

    /// What decides how a run ends, as it is given.
    const CARRIED: &[(&str, &str)] = &[
        ("builtin", "--builtin"),
        ("cluster", "--cluster 3"),
        ("config", "--config ci.toml"),
        ("fixtures", "--fixtures elsewhere"),
        ("hazards", "--hazards ignore"),
        ("leaks", "--leaks ignore"),
        ("nats_server", "--nats-server /opt/nats-server"),
        ("nats_server_version", "--nats-server-version 2.11.11"),
        ("no_config", "--no-config"),
        ("offline", "--offline"),
        ("sabotage", "--sabotage drop"),
    ];

    /// What does not, or is said of the run itself, and why.
    const LEFT_OUT: &[(&str, &[&str])] = &[
        ("the run names its own", &["names", "client", "seed"]),
        (
            "which others are run",
            &["tag", "filter", "shard", "require", "last_failed", "pass_with_no_runs"],
        ),
        ("how often, or how many beside it", &["repeat", "retries", "jobs", "fail_fast"]),
        (
            "what is done instead, or afterwards",
            &["list", "update", "record", "keep", "shrink", "watch"],
        ),
        (
            "what is written or shown",
            &["ci", "report", "history", "quiet", "verbose", "durations", "no_capture"],
        ),
        ("the same of every command", &["json", "color", "log", "help", "version"]),
        (
            "refused",
            &[
                "server", "context", "user", "password", "token", "creds", "nkey", "tlsca",
                "tlscert", "tlskey", "tlsfirst", "timeout",
            ],
        ),
    ];

    #[test]
    fn every_option_is_carried_or_left_out_for_a_reason() {
        let mut command = Cli::command();
        command.build();
        let e2e = command.find_subcommand("e2e").unwrap();
        let all = command.get_arguments().chain(e2e.get_arguments());
        let all: BTreeSet<&str> = all.map(|argument| argument.get_id().as_str()).collect();
        let known = CARRIED.iter().map(|(id, _)| *id);
        let known = known.chain(LEFT_OUT.iter().flat_map(|(_, ids)| ids.iter().copied()));
        let known: BTreeSet<&str> = known.collect();
        assert_eq!(all, known, "decide whether `again: …` carries it");

        let context = Context::from_environment();
        for (id, given) in CARRIED {
            let words = ["mono-demo", "e2e"].into_iter().chain(given.split(' '));
            let Cli { global, command: Command::E2e(args) } = Cli::parse_from(words) else {
                unreachable!("{given}")
            };
            let suite = Suite {
                fixtures: context.cwd.join("elsewhere"),
                root: context.cwd.clone(),
                built_in: *id == "builtin",
                own: None,
                shown: String::new(),
            };
            let again = again(&args.run, &global, &suite, &context);
            assert!(again.contains(given), "{again}");
        }
    }
}
