//! A page of the documents, as its blocks: what is run, what is written to a file, what is not run.

/// A command of a ```` ```console ```` block, and the lines that it is said to print.
#[derive(Debug, PartialEq)]
pub struct Command {
    /// Where it stands in the page, from 1.
    pub line: usize,
    pub text: String,
    pub printed: Vec<String>,
    /// As a comment of the shell says it, `# exit code 4`; 0 where none does.
    pub exit: i32,
}

/// What a test does with a fenced block.
#[derive(Debug, PartialEq)]
pub enum Block {
    /// ```` ```console ````: its commands are run in order.
    Console(Vec<Command>),
    /// Any block whose first line is `# FILE`: that file, for the commands that follow.
    File { path: String, text: String },
    /// ```` ```sh ````, and the reason before it: `<!-- not run: REASON -->`.
    NotRun { line: usize, reason: Option<String> },
    /// Anything else: to be read.
    Read { line: usize, text: Vec<String> },
}

/// The fenced blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|(_, line)| !line.starts_with("```"));
            let inside: Vec<_> = inside.map(|(at, line)| (at + 1, line)).collect();
            blocks.push(block(language, at + 1, &inside, before));
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    blocks
}

fn block(language: &str, line: usize, inside: &[(usize, &str)], before: &str) -> Block {
    let text = || inside.iter().map(|(_, line)| (*line).to_owned());
    match language {
        "console" => Block::Console(commands(inside)),
        "sh" | "bash" | "shell" => {
            let reason = before.strip_prefix("<!-- not run: ").and_then(|b| b.strip_suffix(" -->"));
            Block::NotRun { line, reason: reason.map(str::to_owned) }
        }
        _ => match inside.first().and_then(|(_, first)| file(first)) {
            Some(path) => {
                let text = text().map(|line| line + "\n").collect();
                Block::File { path: path.to_owned(), text }
            }
            None => Block::Read { line, text: text().collect() },
        },
    }
}

/// The path in a first line `# my-suite/a.toml`; one that leads out of the folder is none.
fn file(first: &str) -> Option<&str> {
    let path = first.strip_prefix("# ")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_file = path.contains('.') && path.chars().all(plain);
    (is_file && !path.starts_with('/') && !path.contains("..")).then_some(path)
}

fn commands(inside: &[(usize, &str)]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for (line, text) in inside {
        match (text.strip_prefix("$ "), commands.last_mut()) {
            (Some(text), _) => {
                let exit = text.rsplit_once("# exit code ").map_or(0, |(_, code)| {
                    code.parse().unwrap_or_else(|_| panic!("line {line}: exit code {code:?}"))
                });
                let (line, text) = (*line, text.to_owned());
                commands.push(Command { line, text, printed: Vec::new(), exit });
            }
            (None, Some(command)) => command.printed.push((*text).to_owned()),
            (None, None) => panic!("line {line}: a console block begins with `$ `, not {text:?}"),
        }
    }
    commands
}
