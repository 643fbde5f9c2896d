//! `cargo xtask dist`: all that can be installed, into `target/dist`, from one version number.
//!
//! | file | idea |
//! | --- | --- |
//! | `version` | the one number, and who else says it |
//! | `tools` | maturin, zig, hatchling and uv, pinned, in an environment of their own |
//! | `payload` | what every package has: the program, its nats-server, the wheel of nats-py, man pages, completions |
//! | `python`, `npm`, `go`, `linux`, `crates` | the packages, by who installs them |
//! | `glibc` | on which systems the program runs, by its symbols |
//! | `check` | each is installed from the files alone, without a network, and used |
//! | `helpers` | so are the helpers of tests |
//! | `empty` | the machine that it is done on |
//! | `shell` | programs that are run, and what they said |

mod check;
mod crates;
mod empty;
mod glibc;
mod go;
mod helpers;
mod linux;
mod npm;
mod payload;
mod python;
mod shell;
mod tools;
mod version;

use std::path::{Path, PathBuf};

use shell::{Run as _, command, fresh};

/// The wheel is no larger.
const WHEEL_BYTES: u64 = 12 * 1024 * 1024;

/// Where packages go, and where they are put together.
pub struct Place {
    dist: PathBuf,
    work: PathBuf,
    version: String,
}

impl Place {
    fn new() -> Result<Place, String> {
        let target = super::root().join("target");
        let version = version::the_one()?;
        Ok(Place { dist: target.join("dist"), work: target.join("dist-work"), version })
    }

    /// A folder of this name to put something together in, empty.
    fn staging(&self, name: &str) -> Result<PathBuf, String> {
        fresh(&self.work.join(name))
    }
}

/// Makes everything; `wheel` is one that was made before, where only the rest is wanted.
pub fn make(wheel: Option<&Path>) -> Result<(), String> {
    let place = Place::new()?;
    let tools = tools::environment()?;
    let given = wheel.map(std::fs::read).transpose().map_err(|e| format!("read the wheel: {e}"))?;
    fresh(&place.dist)?;
    let wheel = match (wheel, given) {
        (Some(path), Some(bytes)) => {
            let kept = place.dist.join(path.file_name().unwrap_or(path.as_os_str()));
            std::fs::write(&kept, bytes).map_err(|e| format!("write {}: {e}", kept.display()))?;
            kept
        }
        _ => python::wheel(&place, &tools)?,
    };
    let payload = payload::gather(&place, &tools, &wheel)?;
    glibc::check(&payload.program)?;
    python::add_to_wheel(&tools, &wheel, &payload)?;
    python::sdist(&place, &tools)?;
    python::client(&place, &tools)?;
    npm::program(&place, &payload)?;
    npm::client(&place)?;
    go::modules(&place, &tools)?;
    linux::tarball(&place, &payload)?;
    linux::deb(&place, &payload)?;
    crates::pack(&place)?;
    let size = std::fs::metadata(&wheel).map_err(|e| format!("look at the wheel: {e}"))?.len();
    if size > WHEEL_BYTES {
        return Err(format!("the wheel has {size} bytes, more than {WHEEL_BYTES}"));
    }
    sums(&place)
}

/// A Python with exactly these requirements, of a file with hashes.
pub fn python_with(name: &str, requirements: &str) -> Result<PathBuf, String> {
    tools::with(name, requirements).map(|tools| tools.python())
}

/// Installs what `make` made, and uses it.
pub fn check() -> Result<(), String> {
    check::all(&Place::new()?, &tools::environment()?)
}

/// The hash of each file, as `sha256sum --check` reads them.
fn sums(place: &Place) -> Result<(), String> {
    let files = files_in(&place.dist)?;
    let names =
        files.iter().filter_map(|path| path.file_name()).filter(|name| *name != "SHA256SUMS");
    let said = command("sha256sum").args(names).current_dir(&place.dist).said()?;
    let path = place.dist.join("SHA256SUMS");
    std::fs::write(&path, said).map_err(|e| format!("write {}: {e}", path.display()))?;
    for file in files {
        let size = file.metadata().map_err(|e| format!("look at {}: {e}", file.display()))?.len();
        println!("{size:>10}  {}", file.display());
    }
    Ok(())
}

fn file_name(path: &Path) -> Result<&str, String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| format!("{} has no name that is text", path.display()))
}

/// The files of a folder, by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("read {}: {e}", folder.display());
    let entries = folder.read_dir().map_err(failed)?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}
