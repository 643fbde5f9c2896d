//! Finds the suite: the user's own, in the working folder or above it, as Cargo finds a package;
//! else the built-in one, from the working folder or, anywhere else, out of this program.

use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::context::Context;
use super::exit::CliError;
use super::output::Output;
use super::{near_suites, own};
use crate::e2e::scenario::suite;
use crate::provision::{self, Sources};

static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// Why there is no suite here.
const NONE: &str = "no suite.toml here or above, no folder fixtures here";

/// Where fixtures lie unless told otherwise.
const FOLDER: &str = "fixtures";

macro_rules! beside {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The Python client, and the program that a scenario runs.
const BESIDE: &[(&str, &str)] = beside!(
    "demo.py" "client/__init__.py" "client/body.py" "client/deadline.py" "client/denials.py" "client/email.py"
    "client/errors.py" "client/headers.py" "client/login.py" "client/math.py" "client/money.py" "client/outgoing.py"
    "client/payment.py" "client/subjects.py" "client/wire.py"
    "client/driver/__init__.py" "client/driver/__main__.py" "client/driver/connection.py" "client/driver/driver.py"
    "client/driver/fields.py" "client/driver/lines.py" "client/driver/replies.py"
);

/// A folder of fixtures.
pub struct Suite {
    /// The fixtures.
    pub fixtures: PathBuf,
    /// The folder above: programs of scenarios, and the Python package, are found from here.
    pub root: PathBuf,
    /// Whether it is a copy, into which nothing may be written.
    pub built_in: bool,
    /// What its suite file says; `None` where the services are the built-in ones.
    pub own: Option<suite::Suite>,
    /// As people see it.
    pub shown: String,
}

/// What the command line says of suite and scenarios.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The built-in suite, whatever lies here.
    pub builtin: bool,
    /// Paths and names.
    pub names: &'a [String],
    /// The folder of scenarios, by its flag.
    pub fixtures: Option<&'a Path>,
}

/// The suite that was named, else that of the working folder, else the built-in one: in CI only if it
/// was asked for, since nobody reads there that the suite which was meant is somewhere else; and not where
/// suites lie in the working folder, of which one was meant.
///
/// # Errors
/// A suite file that cannot be read; if the built-in suite cannot be unpacked into the cache
/// folder; no suite in CI, or several below.
pub async fn find(
    asked: Asked<'_>,
    tools: &provision::Settings,
    context: &Context,
    output: &Output,
) -> Result<Suite, CliError> {
    let shown = match asked.builtin {
        true => "built into mono-demo".to_owned(),
        false => match here(asked, context)? {
            Some(suite) => return Ok(suite),
            None => format!("built into mono-demo ({NONE})"),
        },
    };
    let is_missing =
        |given: &&String| looks_like_a_path(given) && !context.absolute(given.as_ref()).exists();
    if let Some(given) = asked.names.iter().find(is_missing) {
        return Err(missing(given));
    }
    if context.ci() && !asked.builtin {
        let message = format!("{NONE}: in CI the built-in scenarios run only with --builtin");
        return Err(CliError::usage(message)
            .hint("name your suite, as in `mono-demo e2e my-suite`, or run this in its folder"));
    }
    if let Some(suites) = near_suites::below(asked.names, context).filter(|_| !asked.builtin) {
        return Err(CliError::usage(format!("{NONE}, and there are suites below it")).hint(suites));
    }
    let root = provision::unpacked(tools, &sources(), &|line: &str| output.note(line)).await?;
    Ok(Suite { fixtures: root.join(FOLDER), root, built_in: true, own: None, shown })
}

/// The folder of fixtures of the suite that was named or is here.
///
/// # Errors
/// A suite file that cannot be read; no suite.
pub fn fixtures_here(context: &Context) -> Result<PathBuf, CliError> {
    match here(Asked::default(), context)? {
        Some(suite) => Ok(suite.fixtures),
        None => Err(CliError::usage(NONE).hint("name a folder of fixtures")),
    }
}

/// The folder of fixtures of the suite that these words name, or that is here, if there is one.
pub fn fixtures_of(names: &[String], context: &Context) -> Option<PathBuf> {
    let asked = Asked { names, ..Asked::default() };
    here(asked, context).ok().flatten().map(|suite| suite.fixtures)
}

/// The names of its services, where it has its own.
pub fn services_of(names: &[String], context: &Context) -> Option<Vec<String>> {
    let asked = Asked { names, ..Asked::default() };
    let own = here(asked, context).ok().flatten()?.own?;
    Some(own.services.into_iter().map(|service| service.name).collect())
}

/// The suite that was named, else that of the working folder or one above it, if there is one.
fn here(asked: Asked<'_>, context: &Context) -> Result<Option<Suite>, CliError> {
    let shown = |folder: &Path| match folder.strip_prefix(&context.cwd) {
        Ok(inside) if !inside.as_os_str().is_empty() => inside.display().to_string(),
        _ => folder.display().to_string(),
    };
    if let Some(root) = own_root(asked, context) {
        let own = own::read(&root, root.strip_prefix(&context.cwd).unwrap_or(&root))?;
        let fixtures = match asked.fixtures.map(|path| plain(path, context)) {
            Some(folder) if folder.canonicalize().ok().as_ref() != Some(&root) => folder,
            _ => root.join(&own.scenarios),
        };
        let shown = shown(&root);
        return Ok(Some(Suite { fixtures, root, built_in: false, own: Some(own), shown }));
    }
    let named = folder(asked, context)?;
    let here = context.absolute(Path::new(FOLDER));
    if named.is_some() || here.is_dir() {
        let fixtures = named.map_or(here, |path| plain(&path, context));
        let root = fixtures.parent().map_or_else(|| context.cwd.clone(), PathBuf::from);
        let shown = shown(&fixtures);
        return Ok(Some(Suite { fixtures, root, built_in: false, own: None, shown }));
    }
    Ok(None)
}

/// An absolute path without detours, so that what is below the working folder is seen to be.
fn plain(path: &Path, context: &Context) -> PathBuf {
    let path = context.absolute(path);
    match path.components().any(|part| part == Component::ParentDir) {
        true => path.canonicalize().unwrap_or(path),
        false => path,
    }
}

/// The nearest folder with a suite file, from a path that was named upwards, else from the working
/// folder; a folder of fixtures in the working folder is nearer than a suite file above.
fn own_root(asked: Asked<'_>, context: &Context) -> Option<PathBuf> {
    let has_file = |folder: &Path| folder.join(own::FILE).is_file();
    let named = asked.fixtures.into_iter().chain(asked.names.iter().map(Path::new));
    let mut existing = named.filter_map(|path| context.absolute(path).canonicalize().ok());
    let named = existing.next();
    let from = named.as_deref().unwrap_or(&context.cwd);
    let is_near = |folder: &&Path| {
        has_file(folder) || named.is_none() && *folder == from && folder.join(FOLDER).is_dir()
    };
    from.ancestors().find(is_near).filter(|folder| has_file(folder)).map(Path::to_owned)
}

/// The folder of fixtures that was named: by flag, or as the one folder that is not below `fixtures` and
/// is called so, or lies in one that is.
///
/// # Errors
/// Any other folder: nobody said that its scenarios are about the built-in services.
fn folder(asked: Asked<'_>, context: &Context) -> Result<Option<PathBuf>, CliError> {
    if let Some(named) = asked.fixtures {
        return Ok(Some(named.to_owned()));
    }
    let [only] = asked.names else { return Ok(None) };
    let found = context.absolute(only.as_ref()).canonicalize().ok().filter(|path| path.is_dir());
    let Some(path) = found else { return Ok(None) };
    let usual = context.absolute(FOLDER.as_ref()).canonicalize();
    if usual.is_ok_and(|usual| path.starts_with(usual)) {
        return Ok(None);
    }
    if path.components().any(|part| part.as_os_str() == FOLDER) {
        return Ok(Some(path));
    }
    Err(near_suites::without_file(only, &path))
}

/// A name of a scenario has no such look.
fn looks_like_a_path(given: &str) -> bool {
    given.starts_with(['.', '/', '~'])
}

fn missing(given: &str) -> CliError {
    CliError::usage(format!("e2e: there is no file or folder {given}"))
        .hint("`mono-demo e2e new FOLDER` makes a suite")
        .about(&["suites"])
}

/// Which scenarios of the folder: a path below it is a scenario's name, or with a `/` at its end a
/// folder's; the suite's own folder is all of them.
///
/// # Errors
/// A path that is elsewhere.
pub fn names(
    asked: Asked<'_>,
    fixtures: &Path,
    suite: &Path,
    context: &Context,
) -> Result<Vec<String>, CliError> {
    let root = fixtures.canonicalize().unwrap_or_else(|_| fixtures.to_owned());
    let suite = suite.canonicalize().unwrap_or_else(|_| suite.to_owned());
    let mut names = Vec::new();
    for given in asked.names {
        let Ok(path) = context.absolute(given.as_ref()).canonicalize() else {
            if looks_like_a_path(given) {
                return Err(missing(given));
            }
            names.push(given.clone());
            continue;
        };
        match path.strip_prefix(&root) {
            _ if path == suite || path == suite.join(own::FILE) => {}
            Ok(inside) if inside.as_os_str().is_empty() => return Ok(Vec::new()),
            Ok(inside) if path.is_dir() => names.push(format!("{}/", inside.display())),
            Ok(inside) => names.push(inside.with_extension("").display().to_string()),
            Err(_) if near_suites::is_another(&path, &suite) => {
                let message = format!("one suite at a time: {given} is not of {}", suite.display());
                return Err(CliError::usage(message).hint("run each with a command of its own"));
            }
            Err(_) => {
                let folder = fixtures.display();
                let message = format!("{given} is not below the folder of fixtures {folder}");
                return Err(
                    CliError::usage(message).hint("name another folder with --fixtures DIR")
                );
            }
        }
    }
    Ok(names)
}

/// The built-in scenarios, and all that they and the Python client run with.
pub fn sources() -> Sources {
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
