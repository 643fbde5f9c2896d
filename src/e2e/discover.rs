//! Finds and reads the fixtures of a suite.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    E2eError, Settings,
    fixture::{Context, Fixture, FixtureError, Name, Problem, Source, parse},
};

/// The most that one file may have, bytes.
const MOST_BYTES: u64 = 1 << 20;
/// The end of the names of files with shared steps, which are no scenarios.
const SHARED: &str = ".steps.toml";

/// Reads every fixture below [`Settings::fixtures`], in the order of their names.
///
/// # Errors
/// [`E2eError::Fixtures`] has the mistakes of all of them.
pub fn load(settings: &Settings) -> Result<Vec<Fixture>, E2eError> {
    let mut paths = Vec::new();
    walk(&settings.fixtures, &mut paths)?;
    paths.retain(|path| !path.to_string_lossy().ends_with(SHARED));
    let mut fixtures = Vec::new();
    let mut bad = Vec::new();
    for path in paths {
        let text = text_of(&path).map_err(|error| E2eError::read(&path, error))?;
        let shown = path.strip_prefix(&settings.machine.root).unwrap_or(&path);
        let source = Source::new(&shown.display().to_string(), &text);
        match name_of(&settings.fixtures, &path) {
            Ok(name) => match read(settings, name, source) {
                Ok(scenarios) => fixtures.extend(scenarios),
                Err(error) => bad.push(error),
            },
            Err(problem) => bad.push(FixtureError { source, problems: vec![problem] }),
        }
    }
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    for pair in fixtures.windows(2).filter(|pair| pair[0].name == pair[1].name) {
        let (row, other) = if pair[0].row.is_some() { (0, 1) } else { (1, 0) };
        let message = format!("two scenarios are named {}", pair[0].name);
        let help = format!("{} is the other one", pair[row].source.path);
        let problem = Problem { span: 0..0, message, help: Some(help) };
        bad.push(FixtureError { source: pair[other].source.clone(), problems: vec![problem] });
    }
    if !bad.is_empty() {
        return Err(E2eError::Fixtures(bad));
    }
    Ok(fixtures)
}

/// Reads one fixture of a suite.
pub(super) fn read(
    settings: &Settings,
    name: Name,
    source: Source,
) -> Result<Vec<Fixture>, FixtureError> {
    let context = Context {
        validate_services: &*settings.validate_services,
        variables: settings.machine.variables.keys().cloned().collect(),
        clients: settings.known_clients.iter().cloned().collect(),
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
    walk(path, &mut paths)?;
    paths.sort();
    Ok(paths)
}

/// The text of a file of a suite: a regular one, and not one that was dropped there by mistake.
///
/// # Errors
/// The system's reason, or that it is no such file.
pub fn text_of(path: &Path) -> io::Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if about.len() > MOST_BYTES {
        let message = format!("it has {} bytes; {MOST_BYTES} are the most", about.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(path)
}

/// The text of shared steps; a link does not lead out of the suite's folder.
fn shared(root: &Path, path: &str) -> Result<String, String> {
    let file = root.join(path);
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", file.display()),
        _ => format!("cannot read {}: {error}", file.display()),
    };
    let real = file.canonicalize().map_err(cannot)?;
    if !real.starts_with(root.canonicalize().map_err(cannot)?) {
        return Err(format!("{} is a link out of the suite's folder", file.display()));
    }
    text_of(&real).map_err(cannot)
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

/// All `.toml` files below a folder; hidden ones and links to folders are left out.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), E2eError> {
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
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The golden file of a scenario, beside its fixture: one a row, so that a row that changes is
/// reviewed alone.
pub fn golden_path(settings: &Settings, fixture: &Fixture) -> PathBuf {
    let path = settings.machine.root.join(&*fixture.source.path);
    match &fixture.row {
        Some(row) => path.with_extension(format!("{row}.snap")),
        None => path.with_extension("snap"),
    }
}
