//! The built-in suite: in the folder where one works or, anywhere else, out of this program.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::context::Context;
use super::exit::CliError;
use super::output::Output;
use crate::provision::{self, Sources};

static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// Where fixtures lie unless told otherwise.
const FOLDER: &str = "fixtures";

macro_rules! beside {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The Python client, and the program that a scenario runs.
const BESIDE: &[(&str, &str)] = beside!(
    "demo.py" "client/__init__.py" "client/body.py" "client/driver.py" "client/email.py"
    "client/denials.py" "client/errors.py" "client/math.py" "client/money.py" "client/payment.py" "client/subjects.py"
    "client/wire.py"
);

/// A folder of fixtures.
pub struct Suite {
    /// The fixtures.
    pub fixtures: PathBuf,
    /// The folder above: programs of scenarios, and the Python package, are found from here.
    pub root: PathBuf,
    /// Nothing may be written into it: it is a copy.
    pub built_in: bool,
}

/// The suite that was named, else that of the working folder, else the built-in one.
///
/// # Errors
/// If the built-in one cannot be unpacked into the cache folder.
pub async fn find(
    named: Option<&Path>,
    tools: &provision::Settings,
    context: &Context,
    output: &Output,
) -> Result<Suite, CliError> {
    let here = context.absolute(Path::new(FOLDER));
    if named.is_some() || here.is_dir() {
        let fixtures = named.map_or(here, |path| context.absolute(path));
        let root = fixtures.parent().map_or_else(|| context.cwd.clone(), PathBuf::from);
        return Ok(Suite { fixtures, root, built_in: false });
    }
    let root = provision::unpacked(tools, &sources(), &|line: &str| output.note(line)).await?;
    Ok(Suite { fixtures: root.join(FOLDER), root, built_in: true })
}

fn sources() -> Sources {
    let mut files: Vec<(String, &'static str)> =
        BESIDE.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect();
    let mut folders = vec![&FIXTURES];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            // A transcript that waits for review is not part of the suite.
            let waits = file.path().extension().is_some_and(|extension| extension == "new");
            if let Some(text) = file.contents_utf8().filter(|_| !waits) {
                files.push((format!("{FOLDER}/{}", file.path().display()), text));
            }
        }
    }
    files.sort();
    Sources { name: "suite", files }
}
