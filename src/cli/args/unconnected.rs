//! Commands that connect to no server that is named: they neither show nor take the flags that say how.

use clap::{Args as _, Command};

use crate::cli::exit::CliError;
use crate::cli::global::ConnectionArgs;

struct Unconnected {
    /// The command, and all below it.
    command: &'static str,
    /// Why there is nothing to connect to.
    why: &'static str,
    /// The flags that it takes all the same, as clap calls them, and what they say there.
    takes: &'static [(&'static str, &'static str)],
    hint: Option<&'static str>,
}

/// Why a command that is about a running `serve` lets nobody name a server.
const OF_SERVE: &str = "it is about your `serve` on this machine";

const UNCONNECTED: [Unconnected; 13] = [
    Unconnected {
        hint: Some("leave it out; services of your own are in a suite (`mono-demo e2e new`)"),
        ..plain("e2e", "each scenario has a broker of its own")
    },
    plain("bench", "it starts brokers of its own"),
    plain("driver", "a driver gets the server's URL in `hello`"),
    plain("control", "each broker is started by a command of the protocol"),
    plain("history", "it reads files only"),
    plain("spec", "it only prints"),
    plain("status", OF_SERVE),
    plain("logs", OF_SERVE),
    Unconnected {
        takes: &[("timeout", "How long to wait for the end, as 500ms or 1m [default: 30s]")],
        ..plain("stop", OF_SERVE)
    },
    plain("version", "it only prints"),
    plain("config", "it only prints"),
    plain("completions", "it only prints"),
    plain("man", "it only prints"),
];

/// A command below one of those that is about a system which runs already.
const CONNECTED: [&str; 1] = ["e2e record"];

const fn plain(command: &'static str, why: &'static str) -> Unconnected {
    Unconnected { command, why, takes: &[], hint: None }
}

/// The command line without those flags in the help of these commands; each has the flags of all already.
pub(super) fn hidden(all: Command) -> Command {
    let flags = ConnectionArgs::augment_args(Command::new("flags"));
    let flags: Vec<clap::Id> = flags.get_arguments().map(|flag| flag.get_id().clone()).collect();
    UNCONNECTED.iter().fold(all, |all, it| {
        all.mut_subcommand(it.command, |command| without(command, it, it.command, &flags))
    })
}

fn without(command: Command, it: &Unconnected, path: &str, flags: &[clap::Id]) -> Command {
    if CONNECTED.contains(&path) {
        return command;
    }
    let command = command.mut_args(|arg| {
        let id = arg.get_id();
        if !flags.contains(id) || !arg.is_global_set() {
            return arg;
        }
        match it.takes.iter().find(|(taken, _)| *taken == id.as_str()) {
            Some((_, help)) => arg.help(*help).help_heading(None::<&str>),
            None => arg.hide(true),
        }
    });
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        without(below, it, &path, flags)
    })
}

/// Refuses these flags where the command that is named so connects to no server.
///
/// # Errors
/// Names the first flag that was given, which would do nothing.
pub fn refuse(path: &str, given: &ConnectionArgs) -> Result<(), CliError> {
    let command = path.split(' ').next().unwrap_or_default();
    let it = UNCONNECTED.iter().find(|it| it.command == command && !CONNECTED.contains(&path));
    let Some(it) = it else { return Ok(()) };
    let is_taken =
        |flag: &&str| it.takes.iter().any(|(taken, _)| *taken == flag.trim_start_matches('-'));
    let Some(flag) = given.given().find(|flag| !is_taken(flag)) else { return Ok(()) };
    let error = CliError::usage(format!("{command}: {flag} does nothing here: {}", it.why));
    Err(match it.hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// Each flag, given alone, by its name and as clap calls it.
    fn given() -> Vec<(String, String, ConnectionArgs)> {
        let flags = ConnectionArgs::augment_args(Command::new("flags"));
        let of = |arg: &clap::Arg| {
            let flag = format!("--{}", arg.get_long().unwrap());
            let is_switch = matches!(arg.get_action(), clap::ArgAction::SetTrue);
            let word = if is_switch { flag.clone() } else { format!("{flag}=1s") };
            let shape = flags.clone();
            let mut words = vec!["flags".to_owned(), word];
            // Two that go together.
            match flag.as_str() {
                "--tlscert" => words.push("--tlskey=1s".to_owned()),
                "--tlskey" => words.push("--tlscert=1s".to_owned()),
                _ => {}
            }
            let found = shape.try_get_matches_from(words).unwrap();
            let given = ConnectionArgs::from_arg_matches(&found).unwrap();
            (flag, arg.get_id().to_string(), given)
        };
        flags.get_arguments().map(of).collect()
    }

    fn look(command: &Command, path: &str, looked_at: &mut usize) {
        for (flag, id, given) in given() {
            let own = command.get_arguments().find(|arg| arg.get_id() == id.as_str());
            let shown = own.is_some_and(|arg| !arg.is_hide_set());
            let refused = refuse(path, &given);
            assert_eq!(shown, refused.is_ok(), "{path} {flag}: {refused:?}");
            if let Err(error) = refused {
                let named = error.message.contains(&format!(": {flag} does nothing here"));
                assert!(named || flag.starts_with("--tls"), "{path} {flag}: {error}");
                *looked_at += 1;
            }
        }
        let below =
            command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
        below.for_each(|it| look(it, &format!("{path} {}", it.get_name()), looked_at));
    }

    #[test]
    fn a_flag_that_is_shown_is_taken_and_one_that_is_hidden_is_refused_by_name() {
        let all = crate::cli::args::command();
        let mut looked_at = 0;
        let shown = all.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
        shown.for_each(|command| look(command, command.get_name(), &mut looked_at));
        assert!(looked_at > 200, "{looked_at}");
    }
}
