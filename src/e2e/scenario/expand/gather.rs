//! The texts of shared steps that a fixture includes, directly or not, read into its source.

use toml::de::DeTable;

use crate::e2e::scenario::context::Context;
use crate::e2e::scenario::item::Item;
use crate::e2e::text::error::Problem;
use crate::e2e::text::inside::stays_below;
use crate::e2e::text::name::Name;
use crate::e2e::text::source::Source;
use crate::e2e::text::span::Span;

/// The arrays of steps.
pub(in crate::e2e) const STEPS: [&str; 3] = ["setup", "step", "teardown"];

/// The most that a fixture includes: times, and bytes in all.
const MOST_INCLUDES: usize = 200;
const MOST_BYTES: usize = 1 << 20;

/// The texts of the shared steps that a fixture includes, each as often as it is included, and what
/// is wrong with getting them.
pub(in crate::e2e) struct Texts {
    /// In the order in which they are written out, behind line feeds; `None` where there is none,
    /// which has been told.
    pub(in crate::e2e) padded: Vec<Option<String>>,
    pub(in crate::e2e) problems: Vec<Problem>,
}

/// Reads all texts that `source`, the fixture of this name, includes, directly or not, into it.
pub(in crate::e2e) fn gather(name: &Name, source: &mut Source, context: &Context<'_>) -> Texts {
    // The suite's folder as people see it, so that they find the file.
    let folder = source.path.strip_suffix(&format!("{name}.toml")).unwrap_or_default().to_owned();
    let texts = Texts { padded: Vec::new(), problems: Vec::new() };
    let wanted = match DeTable::parse(&source.text) {
        Ok(document) => includes(document.get_ref()),
        Err(_) => Vec::new(), // told by whoever reads it
    };
    let mut gatherer = Gatherer { folder, source, context, texts, bytes: 0 };
    gatherer.all(wanted, &mut Vec::new());
    gatherer.texts
}

struct Gatherer<'a, 'c> {
    folder: String,
    source: &'a mut Source,
    context: &'a Context<'c>,
    texts: Texts,
    bytes: usize,
}

impl Gatherer<'_, '_> {
    fn all(&mut self, wanted: Vec<(String, Span)>, stack: &mut Vec<String>) {
        for (path, span) in wanted {
            if check_path(&path).is_err() || stack.contains(&path) {
                continue; // told when it is written out
            }
            let text = (self.context.include)(&path);
            self.bytes += text.as_ref().map_or(0, String::len);
            let full = self.texts.padded.len() == MOST_INCLUDES || self.bytes > MOST_BYTES;
            let text = match text {
                Ok(text) if !full => text,
                other => {
                    let message = other.err().unwrap_or_else(|| {
                        format!("a fixture includes at most {MOST_INCLUDES} files, of {MOST_BYTES} bytes in all")
                    });
                    self.texts.problems.push(Problem { span, message, help: None });
                    self.texts.padded.push(None);
                    if full {
                        return;
                    }
                    continue;
                }
            };
            let start = self.source.include(&format!("{}{path}", self.folder), &text, span);
            let padded = "\n".repeat(start) + &text;
            let inner = DeTable::parse(&padded).map(|document| includes(document.get_ref()));
            match inner {
                Ok(inner) => {
                    self.texts.padded.push(Some(padded));
                    stack.push(path);
                    self.all(inner, stack);
                    stack.pop();
                }
                Err(error) => {
                    self.texts.problems.push(Problem::of_toml(&error));
                    self.texts.padded.push(None);
                }
            }
        }
    }
}

/// The paths of a document's includes, with their places.
fn includes(document: &DeTable<'_>) -> Vec<(String, Span)> {
    let arrays = STEPS.iter().filter_map(|name| document.get(*name)?.get_ref().as_array());
    let steps = arrays.flat_map(|array| array.iter());
    let include = |step: &Item<'_>| {
        let item = step.get_ref().as_table()?.get("include")?;
        Some((item.get_ref().as_str()?.to_owned(), item.span()))
    };
    steps.filter_map(include).collect()
}

pub(in crate::e2e) fn check_path(path: &str) -> Result<(), String> {
    if !stays_below(path) || path.contains(':') {
        return Err(
            "`include` is a path below the suite's folder, as in \"shared/submit.steps.toml\""
                .to_owned(),
        );
    }
    if !path.ends_with(".steps.toml") {
        return Err(format!(
            "`{path}` is no file of shared steps: their names end with `.steps.toml`"
        ));
    }
    Ok(())
}
