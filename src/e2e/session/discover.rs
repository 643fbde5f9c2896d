//! Finds and reads the fixtures of a suite.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::choose::Filter;
use super::settings::{ClientUnderTest, E2eError, Settings};
use crate::e2e::run::oracle;
use crate::e2e::run::stage::machine::{CLIENT, Client};
use crate::e2e::scenario::ast::of_run;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::context::Context;
use crate::e2e::scenario::idle::{idle, switched_off};
use crate::e2e::scenario::parse::parse;
use crate::e2e::text::error::{FixtureError, Problem};
use crate::e2e::text::inside;
use crate::e2e::text::name::Name;
use crate::e2e::text::source::Source;

/// The end of the names of files with shared steps, which are no scenarios.
const SHARED: &str = ".steps.toml";

/// A fixture with mistakes, or one that cannot be read.
struct Broken {
    /// That of its file: which scenarios it has is not known.
    name: String,
    error: E2eError,
}

/// What is in the folder of a suite, in the order of names.
struct Found {
    fixtures: Vec<Fixture>,
    broken: Vec<Broken>,
}

impl Found {
    /// All of them, where none has a mistake.
    fn all(self) -> Result<Vec<Fixture>, E2eError> {
        match self.broken.is_empty() {
            true => Ok(self.fixtures),
            false => Err(mistakes(self.broken)),
        }
    }

    /// Those with mistakes: the ones that may be chosen, and the others.
    fn chosen_or_not(&mut self, filter: &Filter) -> (Vec<Broken>, Vec<Broken>) {
        let files: Vec<String> = self.broken.iter().map(|broken| broken.name.clone()).collect();
        let broken = std::mem::take(&mut self.broken);
        broken.into_iter().partition(|one| filter.may_choose(&one.name, &self.fixtures, &files))
    }
}

/// The mistakes of all of them, or why one cannot be read.
fn mistakes(broken: Vec<Broken>) -> E2eError {
    let mut all = Vec::new();
    for broken in broken {
        match broken.error {
            E2eError::Fixtures(mistakes) => all.extend(mistakes),
            unreadable => return unreadable,
        }
    }
    E2eError::Fixtures(all)
}

/// The names of all scenarios of the suite, chosen or not.
///
/// # Errors
/// [`E2eError::Fixtures`] where not all of them can be read.
pub fn names(settings: &Settings) -> Result<BTreeSet<String>, E2eError> {
    Ok(find(settings)?.all()?.iter().map(|fixture| fixture.name.to_string()).collect())
}

/// Fixtures of a suite, in the order of their names.
#[derive(Debug)]
pub struct Fixtures {
    /// Those without mistakes.
    pub fixtures: Vec<Fixture>,
    /// The names of those with mistakes, passed over since none of the names that are chosen is theirs.
    pub passed_over: Vec<String>,
}

/// Reads every fixture below [`Settings::fixtures`], and passes over those with mistakes that nobody
/// chooses by name.
///
/// # Errors
/// [`E2eError::Fixtures`] has the mistakes of all others; [`E2eError::Read`]; [`E2eError::Idle`].
pub(super) fn load(settings: &Settings) -> Result<Fixtures, E2eError> {
    let mut found = find(settings)?;
    let (chosen, passed_over) = found.chosen_or_not(&settings.filter);
    if !chosen.is_empty() {
        return Err(mistakes(chosen));
    }
    let (fixtures, all_are_known) = (found.fixtures, passed_over.is_empty());
    let passed_over = passed_over.into_iter().map(|broken| broken.name).collect();
    let is_whole = settings.filter == Filter::default();
    let off = || switched_off(&settings.promises, &fixtures).filter(|_| is_whole);
    let idle = idle(&settings.promises, &fixtures).or_else(off);
    match idle.filter(|_| all_are_known && !fixtures.is_empty()) {
        Some(idle) => Err(idle.into()),
        None => Ok(Fixtures { fixtures, passed_over }),
    }
}

fn find(settings: &Settings) -> Result<Found, E2eError> {
    let mut paths = Vec::new();
    walk(&settings.fixtures, "toml", &mut paths)?;
    paths.retain(|path| !path.to_string_lossy().ends_with(SHARED));
    paths.sort();
    let mut fixtures = Vec::new();
    let mut broken = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&settings.fixtures).unwrap_or(&path).with_extension("");
        match read_file(settings, &path) {
            Ok(scenarios) => fixtures.extend(scenarios),
            Err(error) => broken.push(Broken { name: name.display().to_string(), error }),
        }
    }
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    let mut twice = BTreeSet::new();
    for pair in fixtures.windows(2).filter(|pair| pair[0].name == pair[1].name) {
        let (row, other) = if pair[0].row.is_some() { (0, 1) } else { (1, 0) };
        let message = format!("two scenarios are named {}", pair[0].name);
        let help = format!("{} is the other one", pair[row].source.path);
        let problem = Problem { span: 0..0, message, help: Some(help) };
        let source = pair[other].source.clone();
        let error = E2eError::Fixtures(vec![FixtureError { source, problems: vec![problem] }]);
        broken.push(Broken { name: pair[0].name.to_string(), error });
        twice.insert(pair[0].name.clone());
    }
    // Which of them is meant is not known.
    fixtures.retain(|fixture| !twice.contains(&fixture.name));
    Ok(Found { fixtures, broken })
}

fn read_file(settings: &Settings, path: &Path) -> Result<Vec<Fixture>, E2eError> {
    let text =
        inside::read_text(&settings.fixtures, path).map_err(|error| E2eError::read(path, error))?;
    let shown = path.strip_prefix(&settings.machine.shown_from).unwrap_or(path);
    let source = Source::new(&shown.display().to_string(), &text);
    let read = match name_of(&settings.fixtures, path) {
        Ok(name) => read(settings, name, source),
        Err(problem) => Err(FixtureError { source, problems: vec![problem] }),
    };
    read.map_err(|mistakes| E2eError::Fixtures(vec![mistakes]))
}

/// Reads one fixture of a suite.
pub(in crate::e2e) fn read(
    settings: &Settings,
    name: Name,
    source: Source,
) -> Result<Vec<Fixture>, FixtureError> {
    let is_program = |client: &ClientUnderTest| matches!(client.client, Client::Command { .. });
    let client = settings.clients.iter().any(is_program).then(|| CLIENT.to_owned());
    let variables = settings.machine.variables.keys().chain(&client).cloned();
    let of_run = of_run::NAMES.map(str::to_owned);
    let context = Context {
        validate_services: &*settings.validate_services,
        variables: variables.chain(of_run).collect(),
        services: settings.known_services.iter().cloned().collect(),
        commands: settings.commands.as_deref(),
        clients: settings.known_clients.iter().cloned().collect(),
        defaults: settings.defaults.clone(),
        promises: &settings.promises,
        checks: &oracle::checks(&settings.machine.oracles),
        leaders: !settings.machine.leaders.is_empty(),
        schema: &|word| settings.schemas.find(word),
        include: &|path| shared(&settings.fixtures, path),
    };
    parse(name, source, &context)
}

/// All files of fixtures below a folder, shared steps among them; of a file, itself.
///
/// # Errors
/// [`E2eError::Read`] where a folder cannot be read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, E2eError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    walk(path, "toml", &mut paths)?;
    paths.sort();
    Ok(paths)
}

/// The text of a file of fixtures.
///
/// # Errors
/// The system's reason, or that it is no file that a suite has.
pub fn text_of(path: &Path) -> io::Result<String> {
    inside::read_text(path.parent().unwrap_or(Path::new(".")), path)
}

/// The text of shared steps.
fn shared(root: &Path, path: &str) -> Result<String, String> {
    inside::read_text(root, &root.join(path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {path} below the suite's folder"),
        _ => format!("cannot read {path}: {error}"),
    })
}

fn name_of(root: &Path, path: &Path) -> Result<Name, Problem> {
    let relative = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts: Vec<String> =
        relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    Name::new(&parts.join("/")).map_err(|error| Problem {
        span: 0..0,
        message: error.to_string(),
        help: Some("rename the file".to_owned()),
    })
}

/// All files below a folder whose names end so; hidden ones and links to folders are left out.
fn walk(folder: &Path, end: &str, paths: &mut Vec<PathBuf>) -> Result<(), E2eError> {
    let entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(|error| E2eError::read(folder, error))?;
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| E2eError::read(&path, error))?;
        if kind.is_dir() {
            walk(&path, end, paths)?;
        } else if path.extension().is_some_and(|extension| extension == end) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Golden files without a scenario, which was renamed or removed; as they are shown.
///
/// # Errors
/// [`E2eError::Fixtures`] where not all of them can be read.
pub fn left_over(settings: &Settings) -> Result<Vec<PathBuf>, E2eError> {
    let all = find(settings)?.all()?;
    let had: BTreeSet<PathBuf> = all.iter().map(|fixture| golden_path(settings, fixture)).collect();
    let mut found = Vec::new();
    walk(&settings.fixtures, "snap", &mut found)?;
    found.retain(|path| !had.contains(path));
    let shown_from = &settings.machine.shown_from;
    Ok(found
        .into_iter()
        .map(|path| path.strip_prefix(shown_from).map(Path::to_owned).unwrap_or(path))
        .collect())
}

/// The `source` of a golden file, independent of the working folder.
pub(in crate::e2e) fn golden_source(settings: &Settings, fixture: &Fixture) -> String {
    let path = settings.machine.shown_from.join(&*fixture.source.path);
    path.strip_prefix(&settings.machine.root).unwrap_or(&path).display().to_string()
}

/// The golden file of a scenario.
pub fn golden_path(settings: &Settings, fixture: &Fixture) -> PathBuf {
    settings.machine.shown_from.join(fixture.golden())
}
