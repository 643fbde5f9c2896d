//! Checks `docs/asyncapi.json` with the public AsyncAPI parser, if Node and npm are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Step, root};

/// What is needed, with its lockfile.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "check.mjs"];

/// The check; `None` where Node or npm is missing.
///
/// The parser is installed once, below `target`: a later run needs no network.
pub fn step() -> Result<Option<Step>, String> {
    let answers = |program: &str| {
        let asked = Command::new(program).arg("--version").output();
        asked.is_ok_and(|output| output.status.success())
    };
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !answers(program)) {
        println!("\nskipping the check of docs/asyncapi.json: {missing} is not here");
        return Ok(None);
    }
    let folder = installed().map_err(|e| format!("asyncapi parser: {e}"))?;
    let mut command = Command::new("node");
    command.arg(folder.join("check.mjs")).arg(root().join("docs/asyncapi.json"));
    Ok(Some(Step { name: "asyncapi", command }))
}

fn installed() -> Result<PathBuf, String> {
    let (from, folder) = (root().join("xtask/asyncapi"), root().join("target/asyncapi"));
    let (lock, done) = (from.join("package-lock.json"), folder.join("installed.json"));
    let read = |path: &Path| std::fs::read(path).ok();
    let failed = |e: std::io::Error| e.to_string();
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for name in FILES {
        std::fs::copy(from.join(name), folder.join(name)).map_err(failed)?;
    }
    if read(&done).is_none_or(|found| Some(found) != read(&lock)) {
        // No scripts: what is installed is only read.
        let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
        let status =
            Command::new("npm").args(args).current_dir(&folder).status().map_err(failed)?;
        if !status.success() {
            return Err(format!("npm ci: {status}"));
        }
        std::fs::copy(&lock, &done).map_err(failed)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    /// With the tools here, the document passes and a broken one does not.
    #[test]
    fn the_parser_finds_what_is_wrong() {
        let Some(mut step) = super::step().unwrap() else { return };
        assert!(step.command.status().unwrap().success());
        let good = std::fs::read_to_string(super::root().join("docs/asyncapi.json")).unwrap();
        let bad = super::root().join("target/asyncapi/bad.json");
        std::fs::write(&bad, good.replace("\"receive\"", "\"eat\"")).unwrap();
        let check = super::root().join("target/asyncapi/check.mjs");
        let status = std::process::Command::new("node").arg(check).arg(bad).status().unwrap();
        assert_eq!(status.code(), Some(1));
    }
}
