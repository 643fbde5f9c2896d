//! Finds and reads the fixtures of a suite.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ClientUnderTest, E2eError, Settings,
    engine::{CLIENT, Client},
    fixture::{Context, Fixture, FixtureError, Name, Source, parse},
    inside,
};

/// Reads every fixture below [`Settings::fixtures`], in the order of their names.
///
/// # Errors
/// [`E2eError::Fixtures`] has the mistakes of all of them.
pub fn load(settings: &Settings) -> Result<Vec<Fixture>, E2eError> {
    let mut paths = Vec::new();
    walk(&settings.fixtures, &mut paths)?;
    let is_program = |client: &ClientUnderTest| matches!(client.client, Client::Command { .. });
    let client = settings.clients.iter().any(is_program).then(|| CLIENT.to_owned());
    let variables = settings.machine.variables.keys().chain(&client);
    let context = Context {
        validate_services: &*settings.validate_services,
        variables: variables.cloned().collect(),
        services: settings.known_services.iter().cloned().collect(),
        clients: settings.known_clients.iter().cloned().collect(),
    };
    let mut fixtures = Vec::new();
    let mut bad = Vec::new();
    for path in paths {
        let text = inside::read_text(&settings.fixtures, &path)
            .map_err(|error| E2eError::read(&path, error))?;
        let shown = path.strip_prefix(&settings.machine.root).unwrap_or(&path);
        let source = Source::new(&shown.display().to_string(), &text);
        match name_of(&settings.fixtures, &path) {
            Ok(name) => match parse(name, source, &context) {
                Ok(fixture) => fixtures.push(fixture),
                Err(error) => bad.push(error),
            },
            Err(problem) => bad.push(FixtureError { source, problems: vec![problem] }),
        }
    }
    if !bad.is_empty() {
        return Err(E2eError::Fixtures(bad));
    }
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fixtures)
}

fn name_of(root: &Path, path: &Path) -> Result<Name, super::fixture::Problem> {
    let relative = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts: Vec<String> =
        relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    Name::new(&parts.join("/")).map_err(|error| super::fixture::Problem {
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

/// The golden file of a fixture, beside it.
pub fn golden_path(settings: &Settings, fixture: &Fixture) -> PathBuf {
    settings.machine.root.join(&*fixture.source.path).with_extension("snap")
}
