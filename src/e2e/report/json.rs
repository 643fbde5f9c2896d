//! `--report json=PATH`: one document with every run and the summary.

use std::{io, path::Path};

use serde_json::{Value, json};

use crate::e2e::report::{Output, Reporter};
use crate::e2e::verdict::event::Event;

/// Writes the document when everything has ended.
#[derive(Debug)]
pub struct Json {
    output: Output,
    runs: Vec<Value>,
}

impl Json {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { output: Output::create(path)?, runs: Vec::new() })
    }
}

impl Reporter for Json {
    fn name(&self) -> String {
        self.output.name()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunFinished(report) => self.runs.push(serde_json::to_value(report)?),
            Event::Finished(summary) => {
                let document = json!({ "version": 1, "summary": summary, "runs": self.runs });
                self.output.write(&format!("{document:#}\n"))?;
            }
            _ => {}
        }
        Ok(())
    }
}
