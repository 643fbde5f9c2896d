//! Golden files: insta's text format, so that `cargo insta review` works on the same files.
//!
//! ```text
//! ---
//! source: "fixtures/orders/happy-path.toml"
//! expression: "An order is shipped once"
//! ---
//! the transcript
//! ```
//! A pending transcript is written beside its golden file as `.snap.new`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::e2e::text::inside;
use crate::e2e::verdict::transcript::golden_text::in_words_of;
use crate::given::read_file_text;
use crate::whole;

/// The lines of a golden file before the transcript.
pub const HEADING_LINES: usize = 4;

/// The golden file of one scenario.
#[derive(Debug, Clone)]
pub struct Golden {
    path: PathBuf,
    source: String,
    fixture: String,
    description: String,
}

/// Why a golden file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `accept` or `remove`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is not in insta's format.
    #[error(
        "{} is not a golden file: it does not begin with `---`, metadata and `---`; remove it and run with --update",
        path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
    },
}

/// How a transcript compares with its golden file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Same,
    /// There is no golden file yet.
    New,
    /// They are not.
    Differs {
        /// What the golden file says.
        golden: String,
        /// The transcript, with the matchers of the golden file where they stand for it.
        seen: String,
    },
}

impl Golden {
    /// The golden file at `path`, which says that it is of `source`, the same wherever it is
    /// written; people see its `fixture` by this path.
    pub fn new(path: PathBuf, source: &str, fixture: &str, description: &str) -> Self {
        let [source, fixture, description] = [source, fixture, description].map(str::to_owned);
        Self { path, source, fixture, description }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As shown to people: beside its fixture.
    pub fn shown(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        Path::new(&self.fixture).with_file_name(name).display().to_string()
    }

    /// The fixture that it belongs to, from the suite's root.
    pub fn fixture(&self) -> &str {
        &self.fixture
    }

    /// Where a pending transcript is put.
    pub fn pending_path(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        PathBuf::from(name)
    }

    /// Compares a transcript with the file.
    ///
    /// # Errors
    /// [`SnapshotError`] where the file is there and cannot be read.
    pub fn compare(&self, transcript: &str) -> Result<Comparison, SnapshotError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let text = match inside::read_text(folder, &self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Comparison::New),
            Err(error) => return Err(io_error("read", &self.path, error)),
        };
        let body = body(&text).ok_or_else(|| SnapshotError::Format { path: self.path.clone() })?;
        let seen = in_words_of(&body, &normal(transcript));
        Ok(if body == seen { Comparison::Same } else { Comparison::Differs { golden: body, seen } })
    }

    /// The transcript as it will be written, with the matchers of an existing file.
    fn in_its_words(&self, transcript: &str) -> String {
        match self.compare(transcript) {
            Ok(Comparison::Differs { seen, .. }) => seen,
            _ => transcript.to_owned(),
        }
    }

    /// Writes the transcript as the golden one, and removes a pending one.
    ///
    /// # Errors
    /// [`SnapshotError`] where a file cannot be written.
    pub fn update(&self, transcript: &str) -> Result<(), SnapshotError> {
        if self.compare(transcript).ok() != Some(Comparison::Same) {
            self.write(&self.path, &self.in_its_words(transcript))?;
        }
        self.discard_pending()
    }

    /// Writes the transcript for review.
    ///
    /// # Errors
    /// [`SnapshotError`] where the file cannot be written.
    pub fn write_pending(&self, transcript: &str) -> Result<(), SnapshotError> {
        self.write(&self.pending_path(), &self.in_its_words(transcript))
    }

    /// Removes a pending transcript, if there is one.
    ///
    /// # Errors
    /// [`SnapshotError`] where it is there and cannot be removed.
    pub fn discard_pending(&self) -> Result<(), SnapshotError> {
        let path = self.pending_path();
        match fs::remove_file(&path) {
            // A file system that can only be read refuses before it looks.
            Err(error) if path.symlink_metadata().is_ok() => Err(io_error("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// All or nothing.
    fn write(&self, path: &Path, transcript: &str) -> Result<(), SnapshotError> {
        let written = whole::write_public(path, self.format(transcript));
        written.map_err(|error| io_error("write", path, error))
    }

    fn format(&self, transcript: &str) -> String {
        // A JSON string is a YAML string.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "---\nsource: {}\nexpression: {}\n---\n{}\n",
            quoted(&self.source),
            quoted(&self.description),
            normal(transcript)
        )
    }
}

#[cfg(unix)]
fn io_error(doing: &'static str, path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io { doing, path: path.to_owned(), source }
}

/// The transcript in a golden file, or in one that waits for review.
///
/// # Errors
/// [`SnapshotError`] where it cannot be read or is of another form.
pub fn transcript_in(path: &Path) -> Result<String, SnapshotError> {
    let text = read_file_text(path).map_err(|error| io_error("read", path, error))?;
    body(&text).ok_or_else(|| SnapshotError::Format { path: path.to_owned() })
}

/// What insta compares: without white space at the end, lines ended by a line feed.
fn normal(text: &str) -> String {
    let mut text = text.trim_end().replace("\r\n", "\n");
    // A second return before a line feed would only be dropped when the file is read again.
    while text.contains("\r\n") {
        text = text.replace("\r\n", "\n");
    }
    text
}

/// What follows the metadata.
fn body(file: &str) -> Option<String> {
    let mut lines = file.split_inclusive('\n');
    let mut at = lines.next().filter(|line| line.trim_end() == "---")?.len();
    for line in lines {
        at += line.len();
        if line.trim_end() == "---" {
            return Some(normal(&file[at..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(folder: &tempfile::TempDir) -> Golden {
        Golden::new(
            folder.path().join("a.snap"),
            "fixtures/a.toml",
            "fixtures/a.toml",
            "says \"hello\": once",
        )
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let golden = golden(&folder);
        assert_eq!(golden.compare("a\n").unwrap(), Comparison::New);
        golden.write_pending("a\n---\nb\n").unwrap();
        golden.update("a\n---\nb\n").unwrap();
        assert!(!golden.pending_path().exists());
        assert_eq!(golden.compare("a\n---\nb").unwrap(), Comparison::Same);
        let differs = Comparison::Differs { golden: "a\n---\nb".to_owned(), seen: "c".to_owned() };
        assert_eq!(golden.compare("c").unwrap(), differs);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn matchers_written_by_hand_outlive_an_update_of_what_else_differs() {
        let folder = tempfile::tempdir().unwrap();
        let golden = golden(&folder);
        golden.update("a\n  = {\"took\":\"#number\"}\n\nb\n  = 1\n").unwrap();
        assert_eq!(golden.compare("a\n  = {\"took\":7}\n\nb\n  = 1\n").unwrap(), Comparison::Same);
        golden.update("a\n  = {\"took\":7}\n\nb\n  = 2\n").unwrap();
        let text = transcript_in(golden.path()).unwrap();
        assert_eq!(text, "a\n  = {\"took\":\"#number\"}\n\nb\n  = 2");
    }

    #[test]
    fn insta_reads_ours() {
        let folder = tempfile::tempdir().unwrap();
        let golden = golden(&folder);
        golden.update("first\n\n  {\"a\":1}\n").unwrap();
        let snapshot = insta::Snapshot::from_file(golden.path()).unwrap();
        assert_eq!(snapshot.metadata().expression(), Some("says \"hello\": once"));
        let insta::internals::SnapshotContents::Text(text) = snapshot.contents() else {
            panic!("not a text");
        };
        assert_eq!(text.to_string(), "first\n\n  {\"a\":1}");
    }

    #[test]
    fn we_read_instas() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder.path());
        settings.set_prepend_module_to_snapshot(false);
        let golden = golden(&folder);
        fs::write(
            golden.path(),
            "---\nsource: src/lib.rs\nassertion_line: 7\nexpression: value\n---\nfirst\n  second\n",
        )
        .unwrap();
        assert_eq!(golden.compare("first\n  second\n").unwrap(), Comparison::Same);
        settings.bind(|| insta::assert_snapshot!("a", "first\n  second\n"));
    }

    #[test]
    fn a_file_of_another_form_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let golden = golden(&folder);
        for text in ["", "transcript\n", "---\nsource: x\n"] {
            fs::write(golden.path(), text).unwrap();
            let error = golden.compare("x").unwrap_err();
            assert!(matches!(error, SnapshotError::Format { .. }), "{text:?}");
        }
    }
}
