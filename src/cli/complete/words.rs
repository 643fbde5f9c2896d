//! What could come next, by the shape of the command line.

use clap::{Arg, Command};

/// A word that could come next.
#[derive(Debug, PartialEq, Eq)]
pub struct Candidate {
    pub value: String,
    /// One line.
    pub help: String,
}

/// A value that is asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The command, without the program: `e2e`, `dlq ls`.
    pub command: &'a str,
    /// As clap calls the argument.
    pub argument: &'a str,
    /// Positional words of this command so far.
    pub before: &'a [String],
}

/// Those that begin with the last word; `values` knows those that are not part of the shape.
pub fn candidates(
    mut root: Command,
    words: &[String],
    values: &dyn Fn(Wanted) -> Vec<String>,
) -> Vec<Candidate> {
    root.build();
    let (done, last) = match words.split_last() {
        Some((last, done)) => (done, last.as_str()),
        None => (words, ""),
    };
    let mut place = Place {
        command: &root,
        path: Vec::new(),
        before: Vec::new(),
        option: None,
        no_flags: false,
    };
    for word in done {
        place.after(word);
    }
    let mut found = place.next(last, values);
    found.retain(|candidate| candidate.value.starts_with(last));
    found
}

/// Where in the command line the words so far lead.
struct Place<'a> {
    command: &'a Command,
    path: Vec<&'a str>,
    before: Vec<String>,
    /// An option whose value comes next.
    option: Option<&'a Arg>,
    /// After `--`.
    no_flags: bool,
}

impl<'a> Place<'a> {
    fn after(&mut self, word: &str) {
        if self.option.take().is_some() {
            return;
        }
        if word == "--" {
            self.no_flags = true;
        } else if let Some(long) = word.strip_prefix("--").filter(|_| !self.no_flags) {
            let named = self.command.get_arguments().find(|arg| arg.get_long() == Some(long));
            self.option = named.filter(|arg| takes_value(arg));
        } else if word.len() > 1 && word.starts_with('-') && !self.no_flags {
            let short = word.chars().last();
            let named = self.command.get_arguments().find(|arg| arg.get_short() == short);
            self.option = named.filter(|arg| takes_value(arg));
        } else if let Some(inner) = self.inner(word) {
            self.command = inner;
            self.path.push(inner.get_name());
            self.before.clear();
        } else {
            self.before.push(word.to_owned());
        }
    }

    fn inner(&self, word: &str) -> Option<&'a Command> {
        match self.before.is_empty() {
            true => self.command.find_subcommand(word),
            false => None,
        }
    }

    fn next(&self, last: &str, values: &dyn Fn(Wanted) -> Vec<String>) -> Vec<Candidate> {
        if let Some(option) = self.option {
            return self.values_of(option, values);
        }
        if last.starts_with('-') && !self.no_flags {
            if let Some((name, _)) = last.split_once('=') {
                let long = name.trim_start_matches('-');
                let named = self.command.get_arguments().find(|arg| arg.get_long() == Some(long));
                let of = named.map(|arg| self.values_of(arg, values)).unwrap_or_default();
                let whole =
                    |it: Candidate| Candidate { value: format!("{name}={}", it.value), ..it };
                return of.into_iter().map(whole).collect();
            }
            let shown = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
            let flags = shown.filter_map(|arg| {
                let help = arg.get_help().map(ToString::to_string);
                Some(candidate(&format!("--{}", arg.get_long()?), help))
            });
            return flags.collect();
        }
        let mut found = Vec::new();
        if self.before.is_empty() {
            let shown = self.command.get_subcommands().filter(|it| !it.is_hide_set());
            found.extend(
                shown.map(|it| candidate(it.get_name(), it.get_about().map(ToString::to_string))),
            );
        }
        let positional: Vec<&Arg> = self.command.get_positionals().collect();
        if let Some(arg) = positional.get(self.before.len()).or(positional.last()) {
            found.extend(self.values_of(arg, values));
        }
        found
    }

    fn values_of(&self, arg: &Arg, values: &dyn Fn(Wanted) -> Vec<String>) -> Vec<Candidate> {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let shown = possible.iter().filter(|value| !value.is_hide_set());
            return shown
                .map(|value| candidate(value.get_name(), value.get_help().map(ToString::to_string)))
                .collect();
        }
        let command = self.path.join(" ");
        let wanted =
            Wanted { command: &command, argument: arg.get_id().as_str(), before: &self.before };
        values(wanted).into_iter().map(|value| candidate(&value, None)).collect()
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.takes_values())
}

fn candidate(value: &str, help: Option<String>) -> Candidate {
    let help = help.unwrap_or_default();
    let first = help.lines().next().unwrap_or_default();
    Candidate { value: value.to_owned(), help: first.replace('\t', " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered after this line; a value is `value` with the words before it.
    fn offered(line: &str) -> Vec<String> {
        let log = Arg::new("log").long("log").value_parser(["warn", "debug"]).global(true);
        let url = Arg::new("server").long("server").short('s').global(true);
        let call = Command::new("call").args([Arg::new("target"), Arg::new("rest").num_args(0..)]);
        let program = Command::new("prog")
            .args([log, url])
            .subcommand(call)
            .subcommand(Command::new("serve").subcommand(Command::new("once")))
            .subcommand(Command::new("secret").hide(true));
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let values = |wanted: Wanted| {
            let Wanted { command, argument, before } = wanted;
            vec![format!("value of {argument} of {command} after {}", before.join("+"))]
        };
        let found = candidates(program, &words, &values);
        found.into_iter().map(|candidate| candidate.value).collect()
    }

    #[test]
    fn commands_flags_and_their_values() {
        assert_eq!(offered("se"), ["serve"], "what is hidden stays so");
        assert_eq!(offered("serve o"), ["once"]);
        assert_eq!(offered("call --l"), ["--log"]);
        assert_eq!(offered("--log de"), ["debug"]);
        assert_eq!(offered("call --log=de"), ["--log=debug"]);
        assert!(offered("call math -- --l").is_empty(), "after -- there are no flags");
    }

    #[test]
    fn values_are_asked_for_with_the_words_before_them() {
        assert_eq!(offered("call v"), ["value of target of call after "]);
        assert_eq!(offered("call math v"), ["value of rest of call after math"]);
        assert_eq!(offered("call math add v"), ["value of rest of call after math+add"]);
        assert_eq!(offered("call --server v"), ["value of server of call after "]);
        assert_eq!(offered("-s url call math v"), ["value of rest of call after math"]);
    }
}
