//! `man`: the help as man pages, in the language of troff (man(7)); one page a command.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, Args, Command};
use serde_json::json;

use super::args::examples::HEADING;
use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use crate::e2e::scenario::nearest;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is printed, as `e2e new`; without one, that of `mono-demo`.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write all pages into this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

/// How the table of exit codes begins.
const EXIT_CODES: &str = "Exit codes:";

/// The month in which the pages were last changed; the same for everybody who builds this version.
const DATE: &str = "November 2026";

/// A page, and the name of its file without `.1`.
struct Page {
    name: String,
    text: String,
}

pub fn run(
    args: &ManArgs,
    program: Command,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let pages = pages(program);
    if let Some(folder) = &args.out {
        let folder = context.absolute(folder);
        let failed =
            |e| CliError::infrastructure(&format!("write man pages to {}", folder.display()), e);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        for page in &pages {
            std::fs::write(folder.join(format!("{}.1", page.name)), &page.text).map_err(failed)?;
        }
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        output.line(names.join("\n"));
        output.object(&json!({ "ok": true, "folder": folder, "pages": names }));
        return Ok(Exit::Success);
    }
    let wanted = std::iter::once("mono-demo").chain(args.command.iter().map(String::as_str));
    let wanted = wanted.collect::<Vec<_>>().join("-");
    let Some(page) = pages.iter().find(|page| page.name == wanted) else {
        let asked = args.command.join(" ");
        let names = pages.iter().filter_map(|page| page.name.strip_prefix("mono-demo-"));
        let error = CliError::usage(format!("man: there is no command `{asked}`"));
        return Err(match nearest(&asked.replace(' ', "-"), names) {
            Some(near) => error.hint(format!("did you mean `mono-demo man {near}`?")),
            None => error.hint("`mono-demo --help` lists all commands"),
        });
    };
    output.line(page.text.trim_end());
    output.object(&json!({ "page": page.text }));
    Ok(Exit::Success)
}

/// Of the program and each of its commands.
fn pages(mut root: Command) -> Vec<Page> {
    root.build();
    let mut pages = Vec::new();
    let mut left = vec![(root.get_name().to_owned(), &root)];
    while let Some((name, command)) = left.pop() {
        let inner =
            command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
        let inner: Vec<_> = inner.collect();
        pages.push(Page { text: page(&name, command, &inner), name: name.clone() });
        left.extend(inner.iter().map(|it| (format!("{name}-{}", it.get_name()), *it)));
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    pages
}

fn page(name: &str, command: &Command, inner: &[&Command]) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut page =
        format!(".TH {} 1 \"{DATE}\" \"mono\\-demo {version}\"\n", escaped(&name.to_uppercase()));
    let mut section = |title: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = write!(page, ".SH {title}\n{text}");
    };
    section("NAME", &format!("{} \\- {}\n", escaped(name), escaped(&about)));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    section("SYNOPSIS", &format!(".nf\n{}\n.fi\n", lines(usage)));
    if let Some(long) = command.get_long_about() {
        section("DESCRIPTION", &format!("{}\n", lines(&long.to_string())));
    }
    if !inner.is_empty() {
        let told = inner.iter().map(|it| {
            let about = it.get_about().map(ToString::to_string).unwrap_or_default();
            format!(
                ".TP\n\\fB{}\\fR(1)\n{}\n",
                escaped(&format!("{name}-{}", it.get_name())),
                lines(&about)
            )
        });
        section("COMMANDS", &told.collect::<String>());
    }
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in &shown {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        let here = shown.iter().filter(|arg| arg.get_help_heading() == heading);
        let title = heading.unwrap_or("OPTIONS").to_uppercase();
        section(&title, &here.map(|arg| option(arg)).collect::<String>());
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        let after = after.to_string();
        let (after, examples) = match after.rsplit_once(HEADING) {
            Some((after, examples)) => (after.trim_end(), examples),
            None => (after.as_str(), ""),
        };
        let (title, text) = match after.strip_prefix(EXIT_CODES) {
            Some(codes) => ("EXIT STATUS", codes),
            None => ("NOTES", after),
        };
        for (title, text) in [(title, text), ("EXAMPLES", examples)] {
            let text = text.trim_start_matches('\n');
            if !text.is_empty() {
                section(title, &format!(".nf\n{}\n.fi\n", lines(text)));
            }
        }
    }
    page
}

fn option(arg: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("\\fB{}\\fR", escaped(&format!("-{short}")))));
    names.extend(arg.get_long().map(|long| format!("\\fB{}\\fR", escaped(&format!("--{long}")))));
    let mut line = names.join(", ");
    let takes = arg.get_num_args().is_some_and(|range| range.takes_values());
    if takes || arg.is_positional() {
        let named = arg.get_value_names().into_iter().flatten();
        let values = named.map(|name| format!("\\fI{}\\fR", escaped(name)));
        let values = values.collect::<Vec<_>>().join(" ");
        line = format!("{line} {values}").trim().to_owned();
    }
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    format!(".TP\n{line}\n{}\n", lines(&help))
}

/// Text in which troff reads nothing else.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// The same, with lines that could begin a request.
fn lines(text: &str) -> String {
    let told = text.lines().map(|line| {
        let line = escaped(line);
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line,
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page_with_its_flags() {
        let flag =
            Arg::new("loud").long("loud").short('l').value_name("HOW").help("Says it -- twice");
        let inner = Command::new("new").about("Makes one").arg(flag);
        let hidden = Command::new("secret").hide(true);
        let pages = pages(Command::new("prog").subcommand(inner).subcommand(hidden));
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names, ["prog", "prog-new"]);
        assert!(
            pages[0].text.contains(".TP\n\\fBprog\\-new\\fR(1)\nMakes one\n"),
            "{}",
            pages[0].text
        );
        let option = ".TP\n\\fB\\-l\\fR, \\fB\\-\\-loud\\fR \\fIHOW\\fR\nSays it \\-\\- twice\n";
        assert!(pages[1].text.contains(option), "{}", pages[1].text);
    }

    #[test]
    fn what_troff_would_read_otherwise_is_escaped() {
        assert_eq!(lines(".SH x\n'\\n -v"), "\\&.SH x\n\\&'\\en \\-v");
    }
}
