//! Reports: each gets events and writes them; none accesses a run itself.
//!
//! | file | idea |
//! | --- | --- |
//! | `terminal` | one line a run, evidence for what does not pass, a progress bar on a terminal |
//! | `aloud` | what services print, beside a report for machines |
//! | `junit`, `xml` | the XML that CI systems read |
//! | `github` | annotations beside the text, in the log of GitHub Actions |
//! | `json` | all events as one document |
//! | `html` | one page with everything, drawn |
//! | `tap` | one line for each run, for tools that read the Test Anything Protocol |

pub(crate) mod aloud;
pub(crate) mod github;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod tap;
pub(crate) mod terminal;
mod xml;

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

pub use aloud::Aloud;
pub use github::Github;
pub use html::Html;
pub use json::Json;
pub use junit::Junit;
pub use tap::Tap;
pub use terminal::{Look, Terminal};

use super::verdict::event::Event;
use crate::whole;

/// Gets all events, in order.
pub trait Reporter {
    /// Where it writes, for messages.
    fn name(&self) -> String;

    /// Whether runs must record a trace, which costs the broker some time.
    fn wants_trace(&self) -> bool {
        false
    }

    /// Something happened.
    ///
    /// # Errors
    /// What it writes to cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// A file that is written at the end, in one step. The path is checked before the first run, so
/// that a bad path costs no run.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    /// Opened already where it is no file but a device or a pipe, in whose place none may be put.
    device: Option<File>,
}

impl Output {
    fn create(path: &Path) -> io::Result<Self> {
        let device = match path.metadata() {
            Ok(there) if !there.is_file() => Some(File::options().write(true).open(path)?),
            _ => {
                whole::try_public(path)?;
                None
            }
        };
        Ok(Self { path: path.to_owned(), device })
    }

    fn write(&mut self, report: &str) -> io::Result<()> {
        match &mut self.device {
            Some(device) => device.write_all(report.as_bytes()),
            None => whole::write_public(&self.path, report),
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}
