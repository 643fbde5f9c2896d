//! How `call`, `publish`, `pay` and `demo.py` find a running `serve`: a small file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::context::Context;

/// What the file says; also what `--ready-file` gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Where clients connect.
    pub url: String,
    /// The `serve` process.
    pub pid: u32,
    /// The broker's `server_name`: tells this broker from another one on the same port. Of a cluster
    /// those of all nodes, comma separated.
    pub name: String,
    /// The folder of the simulated gateway's and mailer's journals.
    pub journals: PathBuf,
    /// With `--auth` or TLS, a private folder that has a NATS context for each role: `client.json`,
    /// `worker.json`, `harness.json`. No secret is in this file itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contexts: Option<PathBuf>,
}

/// A file that is there while its owner serves.
#[derive(Debug)]
pub struct RuntimeFile {
    path: PathBuf,
    text: String,
}

impl RuntimeFile {
    /// Writes the file whole: a reader sees all of it or nothing.
    ///
    /// # Errors
    /// The path and the operating system's words.
    pub fn write(path: PathBuf, runtime: &Runtime) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("write {}: {e}", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::json!(runtime).to_string() + "\n";
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(Self { path, text })
    }
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        // A later `serve` may have put its own there: that one stays.
        if std::fs::read_to_string(&self.path).is_ok_and(|now| now == self.text) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Where a running `serve` of this user says where it is.
pub fn path(context: &Context) -> PathBuf {
    context.runtime_dir().join("serve.json")
}

/// What the file says, if there is one that can be read.
pub fn read(context: &Context) -> Option<Runtime> {
    serde_json::from_slice(&std::fs::read(path(context)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_with_its_owner_and_not_with_a_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/serve.json");
        let runtime = |pid| Runtime {
            url: "nats://127.0.0.1:1".into(),
            pid,
            name: "n".into(),
            journals: "j".into(),
            contexts: None,
        };
        let first = RuntimeFile::write(path.clone(), &runtime(1)).unwrap();
        let second = RuntimeFile::write(path.clone(), &runtime(2)).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}
