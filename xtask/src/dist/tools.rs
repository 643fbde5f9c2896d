//! Python tools, pinned by version and hash, each set in an environment of its own below
//! `target/tools`: what is there is used again, and needs no network.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::shell::{Run as _, command, fresh, read};
use crate::root;

/// What is written last: an environment with it is whole.
const MARKER: &str = "requirements.txt";

/// An environment of Python.
pub struct Tools {
    bin: PathBuf,
}

impl Tools {
    /// A program of the environment, which finds the others.
    pub fn command(&self, program: &str) -> Command {
        let mut command = command(self.bin.join(program));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
        command
    }

    /// Where a program of the environment is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    pub fn python(&self) -> PathBuf {
        self.bin.join("python")
    }
}

/// Those that make and check packages.
pub fn environment() -> Result<Tools, String> {
    with("dist", "xtask/dist-tools.txt")
}

/// The environment of this name with exactly these requirements.
pub fn with(name: &str, requirements: &str) -> Result<Tools, String> {
    let folder = root().join("target/tools").join(name);
    let wanted = root().join(requirements);
    let tools = Tools { bin: folder.join("bin") };
    let there = |path: &Path| read(path).ok();
    if there(&folder.join(MARKER)) == Some(read(&wanted)?) && tools.python().exists() {
        return Ok(tools);
    }
    fresh(&folder)?;
    let python = std::env::var_os("MONO_DEMO_PYTHON").unwrap_or_else(|| "python3".into());
    command(python).args(["-I", "-m", "venv"]).arg(&folder).said()?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let pinned = ["--require-hashes", "--only-binary", ":all:", "-r"];
    tools.command("python").args(install).args(pinned).arg(&wanted).said()?;
    std::fs::copy(&wanted, folder.join(MARKER)).map_err(|e| format!("{name}: write: {e}"))?;
    Ok(tools)
}
