//! An empty machine for checks: a home, and the system's own programs; what is installed on it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::shell::{Run as _, command, fresh, read};
use super::tools::Tools;
use super::{Place, file_name, go};
use crate::root;

/// A machine on which nothing is: a home, and the system's own programs.
pub(super) struct Empty<'a> {
    pub(super) place: &'a Place,
    pub(super) tools: &'a Tools,
    pub(super) folder: PathBuf,
}

impl<'a> Empty<'a> {
    pub(super) fn new(place: &'a Place, tools: &'a Tools) -> Result<Self, String> {
        let folder = place.staging("check")?;
        fresh(&folder.join("home"))?;
        fresh(&folder.join("work"))?;
        fresh(&folder.join("tmp"))?;
        Ok(Empty { place, tools, folder })
    }

    pub(super) fn dist(&self, beginning: &str, end: &str) -> Result<PathBuf, String> {
        let files = super::files_in(&self.place.dist)?;
        let fits = |path: &&PathBuf| {
            file_name(path).is_ok_and(|name| name.starts_with(beginning) && name.ends_with(end))
        };
        let found = files.iter().find(fits).cloned();
        found.ok_or_else(|| format!("target/dist has no {beginning}…{end}"))
    }

    /// A program with nothing of ours around it; `bin` comes first on its PATH.
    pub(super) fn command(&self, bin: &Path, program: &str) -> Result<Command, String> {
        let path: Vec<PathBuf> = [bin.to_owned(), "/usr/bin".into(), "/bin".into()].into();
        if let Some(folder) = path.iter().find(|folder| folder.join("cargo").exists()) {
            return Err(format!("{} has a cargo", folder.display()));
        }
        let joined: OsString = std::env::join_paths(&path).map_err(|e| e.to_string())?;
        let found = path.iter().map(|folder| folder.join(program)).find(|path| path.is_file());
        let mut command = Command::new(found.ok_or_else(|| format!("{program} is not installed"))?);
        command.env_clear().env("PATH", joined).env("LANG", "C.UTF-8");
        command.env("HOME", self.folder.join("home")).env("TMPDIR", self.folder.join("tmp"));
        command.current_dir(self.folder.join("work"));
        Ok(command)
    }

    /// A virtual environment with these, from the files alone; its `bin`.
    pub(super) fn venv(&self, packages: &[&str]) -> Result<PathBuf, String> {
        let venv = self.folder.join("venv");
        command(self.tools.python()).args(["-I", "-m", "venv"]).arg(&venv).said()?;
        let bin = venv.join("bin");
        let mut pip = self.command(&bin, "pip")?;
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-index"]);
        pip.args(self.find_links()).args(packages).said()?;
        Ok(bin)
    }

    pub(super) fn find_links(&self) -> Vec<OsString> {
        let folders = [self.place.dist.clone(), self.place.work.join("wheels")];
        folders.into_iter().flat_map(|folder| ["--find-links".into(), folder.into()]).collect()
    }

    /// Calls a service, makes a suite and runs it, and runs a client in Python; nothing may have been
    /// downloaded, which without a network could not be.
    pub(super) fn use_it(&self, bin: &Path) -> Result<(), String> {
        let said =
            self.command(bin, "mono-demo")?.args(["call", "math", "add", "10", "5"]).said()?;
        expect(&said, "15")?;
        self.command(bin, "mono-demo")?.args(["e2e", "new", "my-suite"]).said()?;
        let said = self.command(bin, "mono-demo")?.args(["e2e", "my-suite"]).said()?;
        expect(&said, "1 scenario, 1 run: 1 passed, 0 failed")?;
        let built_in =
            ["e2e", "--builtin", "math/operations", "--client", "rust", "--client", "python"];
        let said = self.command(bin, "mono-demo")?.args(built_in).said()?;
        expect(&said, "2 runs: 2 passed, 0 failed")?;
        let cache = self.folder.join("home/.cache/mono-demo");
        let entries = cache.read_dir().map_err(|e| format!("read {}: {e}", cache.display()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        match names.into_iter().find(|name| name.starts_with("nats-server-")) {
            Some(name) => Err(format!("{name} was installed, not found")),
            None => Ok(()),
        }
    }
}

pub(super) fn expect(said: &str, expected: &str) -> Result<(), String> {
    match said.contains(expected) {
        true => Ok(()),
        false => Err(format!("`{expected}` was not said, but: {said}")),
    }
}

pub(super) fn npm_install(empty: &Empty, packages: &[PathBuf]) -> Result<(), String> {
    let mut npm = empty.command(Path::new("/usr/bin"), "npm")?;
    npm.args(["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.args(packages).said().map(drop)
}

/// Go in a project of its own, in the folder `work`, which finds modules that were made here and those
/// that others need and that were fetched before.
pub(super) fn go_in<'e>(
    empty: &'e Empty,
    work: &Path,
) -> Result<impl Fn(&[&str]) -> Result<Command, String> + use<'e>, String> {
    let proxy = empty.folder.join("goproxy");
    go::proxies(empty.place, &proxy)?;
    let asked = command("go").args(["env", "GOROOT", "GOMODCACHE", "GOCACHE"]).said()?;
    let mut said = asked.lines();
    let mut next = || said.next().map(PathBuf::from).ok_or("go says no folders");
    let (goroot, modules, cache) = (next()?, next()?, next()?);
    let proxies =
        format!("file://{},file://{}", proxy.display(), modules.join("cache/download").display());
    let work = work.to_owned();
    Ok(move |args: &[&str]| {
        let mut go = empty.command(&goroot.join("bin"), "go")?;
        go.env("GOPROXY", &proxies).env("GONOSUMDB", "*").env("GOSUMDB", "off");
        go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-modcacherw").env("GOCACHE", &cache);
        go.current_dir(&work).args(args);
        Ok(go)
    })
}

/// The first block of code in this language on a page.
pub(super) fn snippet(page: &str, language: &str) -> Result<String, String> {
    let text = read(&root().join(page))?;
    let block =
        text.split(&format!("```{language}\n")).nth(1).and_then(|it| it.split("```").next());
    block.map(str::to_owned).ok_or_else(|| format!("{page} has no block of {language}"))
}

#[cfg(test)]
mod tests {
    use super::{expect, snippet};

    #[test]
    fn what_was_not_said_is_told() {
        assert_eq!(expect("14\n", "15").unwrap_err(), "`15` was not said, but: 14\n");
    }

    #[test]
    fn snippets_are_those_of_the_pages() {
        assert!(snippet("client/README.md", "python").unwrap().contains("mono_demo_client"));
        assert!(snippet("client/README.md", "cobol").is_err());
    }
}
