//! Reports: each sees events and writes; none knows a run.
//!
//! | file | idea |
//! | --- | --- |
//! | `terminal` | one line a run, evidence for what does not pass, a progress bar on a terminal |
//! | `junit`, `xml` | the XML that CI systems read |
//! | `github` | annotations beside the text, in the log of GitHub Actions |
//! | `json` | all events as one document |
//! | `html` | one page with everything, drawn |
//! | `tap` | a line a run, for whatever reads the Test Anything Protocol |

pub(crate) mod github;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod tap;
pub(crate) mod terminal;
mod xml;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

pub use github::Github;
pub use html::Html;
pub use json::Json;
pub use junit::Junit;
pub use tap::Tap;
pub use terminal::{Look, Terminal};

use super::verdict::event::Event;

/// Hears everything that happens, in order.
pub trait Reporter {
    /// Where it writes, for messages.
    fn name(&self) -> String;

    /// Whether runs must say how they went: it costs the broker some time.
    fn wants_trace(&self) -> bool {
        false
    }

    /// Something happened.
    ///
    /// # Errors
    /// What it writes to cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// A file that was opened before anything ran, so that a bad path costs no run.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::create(path)? })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}
