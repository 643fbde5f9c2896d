//! `e2e new`: creates a user's own suite: a sample that passes at once, or one for a command that is
//! there.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/cli/template");

/// The files of a suite, by their paths.
type Own = [(&'static str, String); 2];

/// A suite that has nothing yet.
const BARE: &str = "\
# What `mono-demo e2e` starts, and where the scenarios are. Every key: docs/suites.md of mono-demo.

# [services.worker]
# run = [\"./worker\"]
# ready = { subscribes = \"SUBJECT\" }
";
const FIRST: &str = "\
description = \"A message is published and heard\"

[[step]]
publish = \"hello\"
text = \"world\"

[[step]]
expect_message = { subject = \"hello\", body = \"world\" }
";

/// Arguments of `e2e new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to create.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Starts from your own service: its command, run in the working folder.
    #[arg(long, value_name = "COMMAND", conflicts_with = "bare")]
    run: Option<String>,
    /// No service yet: a suite file and one scenario to begin with.
    #[arg(long)]
    bare: bool,
}

pub fn run(args: &NewArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    let folder = context.absolute(&args.folder);
    let shown = args.folder.display();
    let taken = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || folder.is_file() {
        return Err(CliError::usage(format!("e2e new: {shown} is there, and not empty"))
            .hint("name a folder that is not there yet"));
    }
    let mut files = Vec::new();
    let own = match (&args.run, args.bare) {
        (Some(command), _) => {
            is_there(command, context)?;
            Some(of_command(command, &folder, &context.cwd)?)
        }
        (None, true) => {
            Some([("suite.toml", BARE.to_owned()), ("scenarios/first.toml", FIRST.to_owned())])
        }
        (None, false) => None,
    };
    let written = match &own {
        Some(own) => write_own(own, &folder, &mut files),
        None => write(&TEMPLATE, &folder, &mut files),
    };
    written
        .map_err(|error| CliError::infrastructure(&format!("write the suite {shown}"), error))?;
    files.sort();
    for file in &files {
        output.line(format!("{shown}/{file}"));
    }
    // A sample has its golden file.
    let update = if own.is_some() { " --update" } else { "" };
    output.line(format!("\nnow: mono-demo e2e {shown}{update}"));
    output.object(&json!({ "ok": true, "folder": folder, "files": files }));
    Ok(Exit::Success)
}

/// What only a shell understands.
const OF_A_SHELL: [char; 11] = ['\'', '"', '\\', '$', '|', '&', ';', '<', '>', '*', '('];

fn needs_a_shell(command: &str) -> bool {
    command.contains(OF_A_SHELL)
}

/// The program of a command is where the command says: the first run would find out later.
fn is_there(command: &str, context: &Context) -> Result<(), CliError> {
    let Some(program) = command.split_whitespace().next() else { return Ok(()) };
    if needs_a_shell(command) || program.contains("{{") {
        return Ok(());
    }
    if program.contains('/') {
        let path = without_detours(&context.absolute(Path::new(program)));
        return if path.is_file() {
            Ok(())
        } else {
            let error = format!("e2e new: there is no program {}", path.display());
            Err(CliError::usage(error).hint("build it first: --run is a command of this folder"))
        };
    }
    let folders = context.path_var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    let help = match program.split_once('=') {
        Some((name, value)) => format!(
            "leave it out, and let suite.toml say it: env = {{ {name} = {} }}",
            toml::Value::from(value)
        ),
        None => format!("for one in this folder say --run \"./{program}\""),
    };
    let missing = || CliError::usage(format!("e2e new: PATH has no program {program}"));
    if found { Ok(()) } else { Err(missing().hint(help)) }
}

/// The same path without `.` and `..`.
fn without_detours(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut so_far, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = so_far.pop(),
            part => so_far.push(part),
        }
        so_far
    })
}

/// A suite of one service, which is this command.
fn of_command(command: &str, suite: &Path, cwd: &Path) -> Result<Own, CliError> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if words.is_empty() {
        let error = CliError::usage("e2e new: --run names no command".to_owned());
        return Err(error.hint("as in --run \"./bin/worker --verbose\""));
    }
    let run = match needs_a_shell(command) {
        true => vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()],
        false => words.iter().map(|word| (*word).to_owned()).collect(),
    };
    let run = toml::Value::from(run).to_string();
    // From the suite's folder, so that the repository can be moved.
    let back =
        suite.strip_prefix(cwd).map(|below| vec![".."; below.components().count()].join("/"));
    let back = back.unwrap_or_else(|_| cwd.display().to_string());
    let (name, cwd) = (name_of(&words), toml::Value::from(back));
    let suite = format!(
        "# What `mono-demo e2e` starts, and where the scenarios are. Every key: docs/suites.md of mono-demo.\n\n\
         # Everybody is let in, so that a service in any language needs only the URL. Without this line it has to\n\
         # show NATS_USER and NATS_PASSWORD, which are given to it (some libraries take no login from a URL).\n\
         broker = {{ auth = false }}\n\n\
         [services.{name}]\n\
         run = {run}\n\
         cwd = {cwd}\n\
         # It finds the broker by NATS_URL; for another name: env = {{ BROKER = \"{{{{nats_url}}}}\" }}; for an address\n\
         # that is built in: broker = {{ auth = false, port = 4222 }} above.\n\
         # It is connected. Better is what it waits for: {{ subscribes = \"…\" }}, {{ consumer = \"…\" }}, {{ line = \"…\" }}, {{ http = \"…\" }}.\n\
         ready = {{ connected = 1 }}\n\n\
         # Streams that it expects to find:\n\
         # [streams.ORDERS]\n\
         # subjects = [\"orders.>\"]\n"
    );
    let scenario = format!(
        "description = \"{name} starts, connects, and ends when it is told to\"\n\n\
         [[step]]\nsettle = true\n\n\
         # What it is for, for example:\n\
         # [[step]]\n# request = \"orders.new\"\n# body = {{ id = 1 }}\n# reply = {{ id = \"#number\" }}\n"
    );
    Ok([("suite.toml", suite), ("scenarios/starts.toml", scenario)])
}

/// How the scripts end that another program runs.
const SCRIPTS: [&str; 8] = ["py", "js", "mjs", "cjs", "ts", "rb", "go", "jar"];

/// What a service is called: the name of its script, where its program runs one, else of the program.
fn name_of(words: &[&str]) -> String {
    let is_script = |word: &&&str| {
        let extension = Path::new(word).extension().and_then(|end| end.to_str());
        extension.is_some_and(|end| SCRIPTS.contains(&end)) && !word.starts_with('-')
    };
    let program = words.iter().find(is_script).or(words.first()).unwrap_or(&"");
    let stem = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { ' ' };
    let words = stem.chars().map(plain).collect::<String>();
    let name = words.split_whitespace().collect::<Vec<_>>().join("-");
    if name.is_empty() { "service".to_owned() } else { name }
}

fn write_own(files: &Own, to: &Path, written: &mut Vec<String>) -> std::io::Result<()> {
    std::fs::create_dir_all(to.join("scenarios"))?;
    for (path, text) in files {
        std::fs::write(to.join(path), text)?;
        written.push((*path).to_owned());
    }
    Ok(())
}

fn write(from: &Dir<'_>, to: &Path, files: &mut Vec<String>) -> std::io::Result<()> {
    std::fs::create_dir_all(to.join(from.path()))?;
    for file in from.files() {
        std::fs::write(to.join(file.path()), file.contents())?;
        files.push(file.path().display().to_string());
    }
    from.dirs().try_for_each(|folder| write(folder, to, files))
}
