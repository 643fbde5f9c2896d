//! Editors and the reader say the same about the form of a fixture.

use std::path::{Path, PathBuf};

use mono_demo::e2e::scenario;
use mono_demo::proof::CHECKS;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&scenario::schema(CHECKS)).expect("a schema")
}

/// TOML as a schema sees it.
fn as_json(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

fn fixtures() -> Vec<PathBuf> {
    let mut folders = vec![root().join("fixtures"), root().join("xtask/soak")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 40, "{} fixtures only", found.len());
    found
}

#[test]
fn the_committed_schema_is_the_one_that_the_program_prints() {
    let path = root().join("docs/scenario.schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let printed = format!("{:#}\n", scenario::schema(CHECKS));
    assert!(
        committed == printed,
        "docs/scenario.schema.json is not what `mono-demo e2e schema` prints: write it again"
    );
}

#[test]
fn every_fixture_of_the_repository_has_the_form_of_the_schema() {
    let validator = validator();
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).expect("a file");
        if let Err(error) = validator.validate(&as_json(&text)) {
            panic!("{}: {} at {}", path.display(), error, error.instance_path());
        }
    }
}
