//! What cargo installs: the crate, and the patched client library that it is made with.

use std::path::Path;

use super::Place;
use super::shell::{Run as _, command, make_folder, put, read, write};
use crate::{cargo, root};

/// The workspace as it is worked in: the library is no member, so that its lints and tests are not ours.
const APART: &str = "members = [\"xtask\"]\nexclude = [\"vendor\", ";
/// As it is packed: cargo packs a crate with another that no registry has only where both are members.
const TOGETHER: &str = "members = [\"xtask\", \"vendor/async-nats\"]\nexclude = [";

/// Packs both, from a copy; `check` compiles what was packed, so cargo need not.
pub fn pack(place: &Place) -> Result<(), String> {
    let copy = place.staging("crates")?;
    let files = command("git").args(["ls-files", "-z", "-co", "--exclude-standard"]).said()?;
    for file in files.split('\0').filter(|file| !file.is_empty() && root().join(file).is_file()) {
        put(&root().join(file), &copy.join(file))?;
    }
    let manifest = copy.join("Cargo.toml");
    let text = read(&manifest)?;
    if !text.contains(APART) {
        return Err("Cargo.toml does not begin with the workspace that is known here".to_owned());
    }
    write(&manifest, &text.replace(APART, TOGETHER))?;
    // Outside of a repository cargo leaves out files whose name begins with a dot.
    for args in [&["init", "--quiet"][..], &["add", "--all"]] {
        command("git").args(args).current_dir(&copy).said()?;
    }
    let target = place.staging("packed")?;
    let mut package = cargo(&["package", "--no-verify", "--allow-dirty", "--quiet"]);
    package.args(["--package", "mono-demo-async-nats", "--package", "mono-demo", "--target-dir"]);
    package.arg(&target).current_dir(&copy).said()?;
    for file in super::files_in(&target.join("package"))? {
        put(&file, &place.dist.join(super::file_name(&file)?))?;
    }
    Ok(())
}

/// Lays both out as a user has them, and compiles the program without a network; the library is taken
/// from its own package, as a registry would give it.
pub fn compile(place: &Place, folder: &Path) -> Result<(), String> {
    make_folder(folder)?;
    let library = format!("mono-demo-async-nats-{}", library_version()?);
    let program = format!("mono-demo-{}", place.version);
    for name in [&library, &program] {
        let packed = place.dist.join(format!("{name}.crate"));
        command("tar").arg("-xzf").arg(packed).arg("-C").arg(folder).said()?;
    }
    let hidden = folder.join(&program).join("src/cli/template/.gitignore");
    if !hidden.is_file() {
        return Err(format!("{} was not packed", hidden.display()));
    }
    // A workspace of its own: the one above would claim the crate.
    let workspace = format!(
        "[workspace]\nmembers = [\"{program}\"]\nresolver = \"3\"\n\n\
         [patch.crates-io]\nmono-demo-async-nats = {{ path = \"{library}\" }}\n"
    );
    write(&folder.join("Cargo.toml"), &workspace)?;
    put(&folder.join(program).join("Cargo.lock"), &folder.join("Cargo.lock"))?;
    let mut check = cargo(&["check", "--offline", "--quiet", "--target-dir"]);
    check.arg(root().join("target")).current_dir(folder).said().map(drop)
}

fn library_version() -> Result<String, String> {
    let text = read(&root().join("vendor/async-nats/Cargo.toml"))?;
    let version = text.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(version.ok_or("the library says no version")?.trim_end_matches('"').to_owned())
}
