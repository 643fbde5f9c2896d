//! The command that does one run again, as a report prints it: the suite, and what decides how a run
//! ends.

use std::path::Path;

use clap::ValueEnum as _;

use super::arguments::RunArgs;
use crate::cli::context::Context;
use crate::cli::global::Global;
use crate::cli::shell::word;
use crate::cli::suite::Suite;
use crate::e2e::scenario::Leaks;

/// The command up to the scenario's name; its client and the seed come after that.
pub(super) fn again(args: &RunArgs, global: &Global, suite: &Suite, context: &Context) -> String {
    let mut words = vec!["mono-demo e2e".to_owned()];
    let from_here = |path: &Path| {
        let path = path.strip_prefix(&context.cwd).unwrap_or(path);
        path.display().to_string()
    };
    match (&suite.own, &args.fixtures) {
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
    if let Some(kind) = args.sabotage.and_then(|kind| kind.to_possible_value()) {
        add("--sabotage", kind.get_name());
    }
    if let Some(server) = &global.tools.nats_server {
        add("--nats-server", &server.display().to_string());
    }
    words.join(" ")
}
