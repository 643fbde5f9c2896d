//! Every mistake that the fixture reader detects, in a fixture that makes it, with the error
//! message beside it.
//!
//! `tests/broken/*.toml` are the fixtures, `*.err` what is said; `UPDATE_BROKEN=1` writes them again.
//! The first line of each fixture says whether the JSON Schema knows the mistake too
//! (`# form`), or whether it is one of sense (`# sense`), which only the reader knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mono_demo::e2e::scenario;
use mono_demo::e2e::scenario::Context;
use mono_demo::e2e::text::Schemas;
use mono_demo::e2e::text::{FixtureError, Name, Source};
use mono_demo::modules::contract::json_schema;
use mono_demo::proof::CHECKS;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// The broken fixtures: their names and texts.
fn broken() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> =
        files(".toml").into_iter().filter(|(name, _)| !name.ends_with(".steps")).collect();
    found.sort();
    assert!(found.len() >= 60, "{} broken fixtures only", found.len());
    found
}

fn files(end: &str) -> Vec<(String, String)> {
    let entries = folder().read_dir().expect("tests/broken");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name()?.to_str()?.strip_suffix(end)?.to_owned();
        Some((name, std::fs::read_to_string(&path).expect("a text")))
    };
    entries.filter_map(file).collect()
}

fn read(name: &str, text: &str) -> Result<(), FixtureError> {
    let validate = |settings: &toml::Table| match settings.get("payment") {
        Some(payment) if payment.get("wrokers").is_some() => {
            Err("unknown field `wrokers`, expected `workers`".to_owned())
        }
        _ => Ok(()),
    };
    let context = Context {
        validate_services: &validate,
        variables: BTreeSet::from(["python".to_owned()]),
        clients: ["rust", "python", "node", "go"].map(str::to_owned).into(),
        services: BTreeSet::new(),
        commands: None,
        defaults: Default::default(),
        promises: Default::default(),
        checks: CHECKS,
        leaders: true,
        schema: &|word| Schemas::new(&folder(), json_schema()).find(word),
        include: &|path| {
            std::fs::read_to_string(folder().join(path))
                .map_err(|_| format!("there is no file {path}"))
        },
    };
    let path = format!("{name}.toml");
    scenario::parse(Name::new(name).expect("a name"), Source::new(&path, text), &context).map(drop)
}

#[test]
fn every_mistake_is_told_as_it_is_kept() {
    let update = std::env::var_os("UPDATE_BROKEN").is_some();
    let mut wrong = Vec::new();
    for (name, text) in broken() {
        let Err(error) = read(&name, &text) else {
            wrong.push(format!("{name}.toml is not broken"));
            continue;
        };
        let said = format!("{error}\n");
        let kept = folder().join(format!("{name}.err"));
        if update {
            std::fs::write(&kept, &said).expect("write what is said");
        }
        match std::fs::read_to_string(&kept) {
            Ok(kept) if kept == said => {}
            Ok(kept) => wrong.push(format!("{name}.toml, kept:\n{kept}\nsaid:\n{said}")),
            Err(_) => wrong.push(format!("{name}.err is missing; said:\n{said}")),
        }
    }
    let names: BTreeSet<String> = broken().into_iter().map(|(name, _)| name).collect();
    for (name, _) in files(".err") {
        if !names.contains(&name) {
            wrong.push(format!("{name}.err is left over"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_message_names_file_line_and_column_and_points() {
    for (name, said) in files(".err") {
        assert!(said.starts_with("error: "), "{name}.err:\n{said}");
        let place = said.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
        let parts: Vec<&str> = place.unwrap_or_default().split(':').collect();
        assert!(
            parts.len() == 3 && parts[0].ends_with(".toml"),
            "{name}.err has no place:\n{said}"
        );
        assert!(said.contains('^'), "{name}.err has no caret:\n{said}");
    }
}

#[test]
fn the_schema_refuses_what_is_wrong_in_form() {
    let validator = jsonschema::draft7::new(&scenario::schema(CHECKS)).expect("a schema");
    let mut of_form = 0;
    for (name, text) in broken() {
        let first = text.lines().next().unwrap_or_default();
        let Ok(table) = text.parse::<toml::Table>() else {
            assert_eq!(first, "# no toml", "{name}.toml");
            continue;
        };
        let allowed = validator.is_valid(&serde_json::to_value(table).expect("JSON"));
        match first {
            "# form" => assert!(!allowed, "the schema takes {name}.toml"),
            "# sense" => {
                assert!(allowed, "the schema knows what is wrong with {name}.toml: say `# form`")
            }
            _ => panic!("{name}.toml: the first line is `# form`, `# sense` or `# no toml`"),
        }
        of_form += usize::from(first == "# form");
    }
    assert!(of_form >= 25, "{of_form}");
}
