//! Programs that are run, and what they said; files that are put somewhere.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program in the root of the repository, with the time of the last commit for whoever writes times
/// into what it packs: so the same sources are the same bytes.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = super::super::at_root(Path::new(program.as_ref()));
    command.env("SOURCE_DATE_EPOCH", committed());
    command
}

/// When the last commit was made, in seconds; outside of a repository a day that zip files know.
pub fn committed() -> String {
    let asked =
        super::super::at_root(Path::new("git")).args(["log", "-1", "--format=%ct"]).output();
    let said = asked.ok().filter(|output| output.status.success());
    said.and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "315619200".to_owned(), |text| text.trim().to_owned())
}

/// A command that must succeed.
pub trait Run {
    /// What it wrote to stdout; its stderr is ours.
    fn said(&mut self) -> Result<String, String>;
}

impl Run for Command {
    fn said(&mut self) -> Result<String, String> {
        let output = self
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("start {self:?}: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("{self:?}: {}: {said}", output.status)),
        }
    }
}

/// The folder, empty.
pub fn fresh(folder: &Path) -> Result<PathBuf, String> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("empty {}: {e}", folder.display()));
        }
        _ => {}
    }
    make_folder(folder)?;
    Ok(folder.to_owned())
}

pub fn make_folder(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("make {}: {e}", folder.display()))
}

/// Copies a file or a folder with all that is in it; files get this mode, or that of a program where
/// they may be run.
pub fn put(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("copy {} to {}: {e}", from.display(), to.display());
    if from.is_dir() {
        make_folder(to)?;
        for entry in from.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            put(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    make_folder(to.parent().unwrap_or(to))?;
    std::fs::copy(from, to).map_err(failed)?;
    let runs = from.metadata().map_err(failed)?.permissions().mode() & 0o100 != 0;
    let mode = if runs { 0o755 } else { 0o644 };
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)).map_err(failed)
}

pub fn write(path: &Path, text: &str) -> Result<(), String> {
    make_folder(path.parent().unwrap_or(path))?;
    std::fs::write(path, text).map_err(|e| format!("write {}: {e}", path.display()))
}

pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("read {}: {e}", path.display()))
}
