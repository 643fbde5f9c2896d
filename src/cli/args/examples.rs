//! Examples, under the help of each command and in its man page.

use clap::Command;

/// How they begin under a help.
pub const HEADING: &str = "Examples:";

/// By command; each could be typed as it is.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("audit", &["mono-demo audit", "mono-demo audit --store-dir store --json"]),
    ("bench", &["mono-demo bench --quick", "mono-demo bench request payments --rounds 9"]),
    ("call", &["mono-demo call math add 10 5", "mono-demo call orders.get '{\"id\": 1}'"]),
    (
        "completions",
        &["source <(mono-demo completions bash)", "mono-demo completions fish | source"],
    ),
    ("config", &["mono-demo config", "mono-demo config --config ci.toml --json"]),
    ("control", &["mono-demo control", "mono-demo control --socket run/control.sock"]),
    ("control protocol", &["mono-demo control protocol", "mono-demo control protocol | less"]),
    (
        "control schema",
        &["mono-demo control schema", "mono-demo control schema > control.schema.json"],
    ),
    ("dlq", &["mono-demo dlq ls", "mono-demo dlq show 3"]),
    ("dlq ls", &["mono-demo dlq ls", "mono-demo dlq ls --json"]),
    ("dlq purge", &["mono-demo dlq purge 3 4", "mono-demo dlq purge --kind malformed"]),
    ("dlq replay", &["mono-demo dlq replay 3", "mono-demo dlq replay --kind exhausted"]),
    ("dlq show", &["mono-demo dlq show 3", "mono-demo dlq show 3 --json"]),
    ("doctor", &["mono-demo doctor", "mono-demo doctor --fix"]),
    ("driver", &["mono-demo driver check -- python3 driver.py", "mono-demo driver protocol"]),
    (
        "driver check",
        &[
            "mono-demo driver check -- python3 driver.py",
            "mono-demo driver check --only no-responders -- ./driver",
        ],
    ),
    ("driver protocol", &["mono-demo driver protocol", "mono-demo driver protocol | less"]),
    ("driver rust", &["mono-demo driver rust", "mono-demo driver check -- mono-demo driver rust"]),
    ("driver schema", &["mono-demo driver schema", "mono-demo driver schema > driver.schema.json"]),
    (
        "e2e",
        &[
            "mono-demo e2e",
            "mono-demo e2e orders/e2e --tag fault --client python",
            "mono-demo e2e checkout --no-capture --jobs 1",
            "mono-demo e2e --last-failed --keep",
        ],
    ),
    (
        "e2e explore",
        &[
            "mono-demo e2e explore --builtin payment/happy-path --service services",
            "mono-demo e2e explore orders/e2e checkout --service worker",
        ],
    ),
    ("e2e fmt", &["mono-demo e2e fmt", "mono-demo e2e fmt --check orders/e2e"]),
    ("e2e new", &["mono-demo e2e new e2e", "mono-demo e2e new e2e --run 'node server.js'"]),
    (
        "e2e record",
        &[
            "mono-demo e2e record --subject 'orders.>' --for 30s",
            "mono-demo e2e record --subject 'orders.>' --output e2e/scenarios/order.toml",
        ],
    ),
    ("e2e review", &["mono-demo e2e review", "mono-demo e2e review orders/e2e/scenarios --accept"]),
    ("e2e schema", &["mono-demo e2e schema", "mono-demo e2e schema > scenario.schema.json"]),
    (
        "e2e shrink",
        &["mono-demo e2e shrink checkout", "mono-demo e2e shrink checkout --output small.toml"],
    ),
    (
        "history",
        &["mono-demo history check kept", "mono-demo history check kept --final-within 10s"],
    ),
    (
        "history check",
        &["mono-demo history check kept", "mono-demo history check kept --final-within 10s"],
    ),
    ("logs", &["mono-demo logs --lines 100", "mono-demo logs --follow", "mono-demo logs --broker"]),
    ("man", &["mono-demo man e2e | man -l -", "mono-demo man --out share/man/man1"]),
    ("pay", &["mono-demo pay pay-001 9.99", "mono-demo pay pay-001 9.99 --currency EUR --no-wait"]),
    (
        "publish",
        &[
            "mono-demo publish orders '{\"id\": 1}'",
            "mono-demo publish -J orders.created '{\"id\": 1}'",
        ],
    ),
    (
        "serve",
        &[
            "mono-demo serve",
            "mono-demo serve --store-dir store --auth",
            "mono-demo serve --cluster 3 --port 0 --ready-file ready.json",
        ],
    ),
    ("spec", &["mono-demo spec --asyncapi", "mono-demo spec --json-schema > messages.schema.json"]),
    ("status", &["mono-demo status", "mono-demo status --json"]),
    ("stop", &["mono-demo stop", "mono-demo stop --pid 4711 --timeout 1m", "mono-demo stop --all"]),
    ("version", &["mono-demo version", "mono-demo version --json"]),
];

/// The command line with examples under the help of each command.
pub(super) fn added(all: Command) -> Command {
    all.mut_subcommands(|command| {
        let path = command.get_name().to_owned();
        with(command, &path)
    })
}

fn with(command: Command, path: &str) -> Command {
    let command = command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        with(below, &path)
    });
    let Some((_, lines)) = EXAMPLES.iter().find(|(it, _)| *it == path) else { return command };
    let before = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    command.after_help(format!("{before}{HEADING}\n  {}", lines.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, command};

    /// Every command that is shown, by its words.
    fn paths(command: &Command, above: &str, found: &mut Vec<String>) {
        let shown =
            command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
        for below in shown {
            let path = format!("{above} {}", below.get_name()).trim().to_owned();
            paths(below, &path, found);
            found.push(path);
        }
    }

    /// The words of a line in which only whole words are in quotes; what a shell does with the output is
    /// left out.
    fn words(line: &str) -> Vec<String> {
        let line = line.strip_prefix("source <(").map_or(line, |line| line.trim_end_matches(')'));
        let line = line.split(" | ").next().unwrap_or(line);
        let line = line.split(" > ").next().unwrap_or(line);
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(n, part)| match n % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        });
        words.collect()
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_is_understood() {
        let mut all = Vec::new();
        paths(&command(), "", &mut all);
        all.sort();
        let known: Vec<String> = EXAMPLES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, all);
        for (path, lines) in EXAMPLES {
            assert!((2..=4).contains(&lines.len()), "{path}");
            for line in *lines {
                let words = words(line);
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                let begins = words[1..].join(" ");
                // One command is there for another one's use.
                let of = *path == "driver rust" || begins.starts_with(path);
                assert!(of, "{path}: {line}");
            }
        }
    }
}
