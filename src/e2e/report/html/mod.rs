//! `--report html=PATH`: one self-contained page that shows a person what happened.
//!
//! | file | idea |
//! | --- | --- |
//! | `page` | head, summary, the table scenario × client, everything in its order |
//! | `run` | one run: what did not hold, steps, messages, logs |
//! | `layout` | a trace to rows and bands: what the diagram and its text alternative both show |
//! | `diagram` | the rows drawn |
//! | `show` | texts that are safe to show, times, verdicts as word, sign and colour |
//! | `style.css`, `script.js` | part of the page, allowed by their hashes; all can be read without the script |
//!
//! Markup is written with escaping at compile time; nothing here puts tags together by hand.

pub(crate) mod diagram;
pub(crate) mod layout;
pub(crate) mod page;
pub(crate) mod run;
pub(crate) mod show;

use std::{io, path::Path};

use jiff::Timestamp;

use crate::e2e::report::{Output, Reporter};
use crate::e2e::verdict::event::Event;
use page::{Cell, Page};

/// Writes the page when everything has ended.
#[derive(Debug)]
pub struct Html {
    output: Output,
    began: Timestamp,
    cells: Vec<Cell>,
}

impl Html {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { output: Output::create(path)?, began: Timestamp::now(), cells: Vec::new() })
    }
}

impl Reporter for Html {
    fn name(&self) -> String {
        self.output.name()
    }

    fn wants_trace(&self) -> bool {
        true
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { .. } => self.began = Timestamp::now(),
            // Drawn at once: a trace is larger than its picture, and can go.
            Event::RunFinished(report) => self.cells.push(Cell::new(report)),
            Event::Finished(summary) => {
                self.cells.sort_by(|a, b| a.run.cmp(&b.run));
                let page = Page { summary, began: self.began, cells: &self.cells };
                self.output.write(&page.render())?;
            }
            _ => {}
        }
        Ok(())
    }
}
