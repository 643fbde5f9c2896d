//! What pip installs: the wheel with the program, its sources, and the wheel of the client.

use std::path::{Path, PathBuf};

use super::payload::Payload;
use super::shell::{Run as _, put};
use super::tools::Tools;
use super::{Place, file_name};
use crate::root;

/// Builds the program for the oldest glibc that the tag promises, and packs it.
pub fn wheel(place: &Place, tools: &Tools) -> Result<PathBuf, String> {
    let mut maturin = tools.command("maturin");
    maturin.args(["build", "--release", "--locked", "--zig", "--compatibility", "manylinux_2_28"]);
    clean(&mut maturin);
    maturin.arg("--out").arg(&place.dist).said()?;
    let files = super::files_in(&place.dist)?;
    match files.as_slice() {
        [wheel] => Ok(wheel.clone()),
        other => Err(format!("maturin made {} files, not one", other.len())),
    }
}

/// Man pages and completions are made by the program, so they come into its wheel when it is there.
pub fn add_to_wheel(tools: &Tools, wheel: &Path, payload: &Payload) -> Result<(), String> {
    let mut python = tools.command("python");
    python.args(["-I", "-c", include_str!("add_to_wheel.py")]).arg(wheel).arg(&payload.share);
    python.said().map(drop)
}

/// The sources, as `pip install` takes them where there is no wheel; it wants Rust.
pub fn sdist(place: &Place, tools: &Tools) -> Result<(), String> {
    let mut maturin = tools.command("maturin");
    maturin.arg("sdist");
    clean(&mut maturin);
    maturin.arg("--out").arg(&place.dist).said().map(drop)
}

/// The client, as a wheel and as sources, from a copy: nothing is made in its folder.
pub fn client(place: &Place, tools: &Tools) -> Result<(), String> {
    let folder = place.staging("client-python")?;
    let client = root().join("client");
    for file in super::files_in(&client)? {
        put(&file, &folder.join(file_name(&file)?))?;
    }
    put(&root().join("LICENSE"), &folder.join("LICENSE"))?;
    // Not `python -m`: the client has a module `math`, which would be found first there.
    let mut hatchling = tools.command("hatchling");
    hatchling.args(["build", "-t", "wheel", "-t", "sdist", "-d"]);
    hatchling.arg(&place.dist).current_dir(&folder).said().map(drop)
}

/// Cargo is not told what package runs it (`cargo` in `main`).
fn clean(maturin: &mut std::process::Command) {
    let cargo = crate::cargo(&[]);
    for (name, _) in cargo.get_envs().filter(|(_, value)| value.is_none()) {
        maturin.env_remove(name);
    }
}
