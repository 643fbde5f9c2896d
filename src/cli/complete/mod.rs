//! `completions`: scripts for shells, each of which asks this program what could come next; so what
//! is completed is what is here now: scenarios, tags, contexts.

mod values;
mod words;

use clap::{Args, Command, ValueEnum};
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::output::Output;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell whose script is printed.
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Arguments of the hidden `complete`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words so far, without the program's; the last one is to be completed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub fn script(args: &CompletionsArgs, output: &Output) -> Exit {
    let script = match args.shell {
        Shell::Bash => include_str!("mono-demo.bash"),
        Shell::Zsh => include_str!("mono-demo.zsh"),
        Shell::Fish => include_str!("mono-demo.fish"),
        Shell::Powershell => include_str!("mono-demo.ps1"),
    };
    output.line(script.trim_end());
    output.object(&json!({ "script": script }));
    Exit::Success
}

/// Prints a line each: what could come next, and behind a tab what it is. Nothing means files.
pub fn run(args: &CompleteArgs, program: Command, context: &Context, output: &Output) -> Exit {
    let mut shape = program.clone();
    shape.build();
    let values = |wanted: words::Wanted| values::of(wanted, &shape, context);
    for candidate in words::candidates(program, &args.words, &values) {
        output.line(format!("{}\t{}", candidate.value, candidate.help));
    }
    Exit::Success
}
