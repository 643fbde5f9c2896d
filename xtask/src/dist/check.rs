//! Installs each package from the files alone, into an empty environment without a network and without
//! cargo on its PATH, and uses it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::shell::{Run as _, command, fresh, put, read, write};
use super::tools::Tools;
use super::{Place, crates, file_name, go, payload};
use crate::root;

/// Set in the process that has no network.
const INSIDE: &str = "MONO_DEMO_DIST_OFFLINE";

/// Installs a package and uses it.
type Check = fn(&Empty) -> Result<(), String>;

/// Fetches what packages want from elsewhere, and runs the checks where there is no network.
pub fn all(place: &Place, tools: &Tools) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        return inside(place, tools);
    }
    if !place.dist.join("SHA256SUMS").is_file() {
        return Err("there is nothing in target/dist: run `cargo xtask dist`".to_owned());
    }
    command("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(&place.dist)
        .said()?;
    payload::dependencies(place, tools)?;
    node_dependencies(place)?;
    command("go").args(["mod", "download"]).current_dir(root().join("client/go")).said()?;
    let this = std::env::current_exe().map_err(|e| format!("find this program: {e}"))?;
    let alone = "ip link set lo up && exec \"$0\" dist check";
    let has_namespaces = command("unshare").args(["-n", "true"]).output();
    let mut again = match has_namespaces.is_ok_and(|output| output.status.success()) {
        true => {
            let mut unshare = command("unshare");
            unshare.args(["-n", "sh", "-c", alone]).arg(this);
            unshare
        }
        false => {
            println!("no network namespace can be made here: packages are asked not to use one");
            let mut this = command(this);
            this.args(["dist", "check"]);
            this
        }
    };
    let status = again.env(INSIDE, "1").status().map_err(|e| format!("start {again:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn inside(place: &Place, tools: &Tools) -> Result<(), String> {
    let checks: [(&str, Check); 7] = [
        ("pip install mono-demo", pip),
        ("uvx mono-demo", uvx),
        ("npm install mono-demo, npx mono-demo", npm),
        ("dpkg -i mono-demo.deb", deb),
        ("the tarball", tarball),
        ("clients in Python, Node and Go", clients),
        ("the crates compile", |empty| crates::compile(empty.place, &empty.folder.join("crates"))),
    ];
    for (name, check) in checks {
        println!("\n== {name}");
        let started = Instant::now();
        let empty = Empty::new(place, tools)?;
        check(&empty).map_err(|e| format!("{name}: {e}"))?;
        println!("ok   {name}, {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A machine on which nothing is: a home, and the system's own programs.
struct Empty<'a> {
    place: &'a Place,
    tools: &'a Tools,
    folder: PathBuf,
}

impl<'a> Empty<'a> {
    fn new(place: &'a Place, tools: &'a Tools) -> Result<Self, String> {
        let folder = place.staging("check")?;
        fresh(&folder.join("home"))?;
        fresh(&folder.join("work"))?;
        fresh(&folder.join("tmp"))?;
        Ok(Empty { place, tools, folder })
    }

    fn dist(&self, beginning: &str, end: &str) -> Result<PathBuf, String> {
        let files = super::files_in(&self.place.dist)?;
        let fits = |path: &&PathBuf| {
            file_name(path).is_ok_and(|name| name.starts_with(beginning) && name.ends_with(end))
        };
        let found = files.iter().find(fits).cloned();
        found.ok_or_else(|| format!("target/dist has no {beginning}…{end}"))
    }

    /// A program with nothing of ours around it; `bin` comes first on its PATH.
    fn command(&self, bin: &Path, program: &str) -> Result<Command, String> {
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
    fn venv(&self, packages: &[&str]) -> Result<PathBuf, String> {
        let venv = self.folder.join("venv");
        command(self.tools.python()).args(["-I", "-m", "venv"]).arg(&venv).said()?;
        let bin = venv.join("bin");
        let mut pip = self.command(&bin, "pip")?;
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-index"]);
        pip.args(self.find_links()).args(packages).said()?;
        Ok(bin)
    }

    fn find_links(&self) -> Vec<OsString> {
        let folders = [self.place.dist.clone(), self.place.work.join("wheels")];
        folders.into_iter().flat_map(|folder| ["--find-links".into(), folder.into()]).collect()
    }

    /// Calls a service, makes a suite and runs it, and runs a client in Python; nothing may have been
    /// downloaded, which without a network could not be.
    fn use_it(&self, bin: &Path) -> Result<(), String> {
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

fn expect(said: &str, expected: &str) -> Result<(), String> {
    match said.contains(expected) {
        true => Ok(()),
        false => Err(format!("`{expected}` was not said, but: {said}")),
    }
}

fn pip(empty: &Empty) -> Result<(), String> {
    let bin = empty.venv(&["mono-demo"])?;
    empty.use_it(&bin)
}

fn uvx(empty: &Empty) -> Result<(), String> {
    // A folder with uv alone.
    let bin = fresh(&empty.folder.join("uv"))?;
    for program in ["uv", "uvx"] {
        put(&empty.tools.program(program), &bin.join(program))?;
    }
    let mut uvx = empty.command(&bin, "uvx")?;
    uvx.args(["--quiet", "--offline", "--no-index", "--python"]).arg(empty.tools.python());
    uvx.args(empty.find_links()).args(["mono-demo", "call", "math", "add", "10", "5"]);
    expect(&uvx.said()?, "15")
}

fn npm(empty: &Empty) -> Result<(), String> {
    let project = empty.folder.join("work");
    write(&project.join("package.json"), "{\"private\": true}\n")?;
    let packages = [empty.dist("mono-demo-0", ".tgz")?, empty.dist("mono-demo-linux", ".tgz")?];
    npm_install(empty, &packages)?;
    let mut npx = empty.command(Path::new("/usr/bin"), "npx")?;
    let said = npx.args(["--offline", "mono-demo", "call", "math", "add", "10", "5"]).said()?;
    expect(&said, "15")?;
    empty.use_it(&project.join("node_modules/.bin"))
}

fn npm_install(empty: &Empty, packages: &[PathBuf]) -> Result<(), String> {
    let mut npm = empty.command(Path::new("/usr/bin"), "npm")?;
    npm.args(["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.args(packages).said().map(drop)
}

/// dpkg as it is, with an installation of its own: so what libc6 is there it does not know.
fn deb(empty: &Empty) -> Result<(), String> {
    let system = fresh(&empty.folder.join("system"))?;
    let admin = system.join("var/lib/dpkg");
    for file in ["status", "info/.", "updates/.", "triggers/."] {
        match file.strip_suffix("/.") {
            Some(folder) => super::shell::make_folder(&admin.join(folder))?,
            None => write(&admin.join(file), "")?,
        }
    }
    let mut dpkg = command("dpkg");
    dpkg.arg("--admindir").arg(&admin).arg("--instdir").arg(&system);
    dpkg.args(["--force-not-root", "--force-depends", "--install"]);
    dpkg.arg(empty.dist("mono-demo_", ".deb")?).said()?;
    empty.use_it(&system.join("usr/bin"))
}

fn tarball(empty: &Empty) -> Result<(), String> {
    let folder = fresh(&empty.folder.join("unpacked"))?;
    let packed = empty.dist("mono-demo-", ".tar.gz")?;
    command("tar").arg("-xzf").arg(&packed).arg("-C").arg(&folder).said()?;
    let name = file_name(&packed)?.trim_end_matches(".tar.gz").to_owned();
    empty.use_it(&folder.join(name).join("bin"))
}

/// Each pays once, and asks for the sum of 10 and 5, at services that pip installed.
fn clients(empty: &Empty) -> Result<(), String> {
    let bin = empty.venv(&["mono-demo", "mono-demo-client"])?;
    let services = Services::start(empty, &bin)?;
    let work = empty.folder.join("work");

    write(&work.join("pay.py"), &snippet("client/README.md", "python")?)?;
    let said = with_url(empty.command(&bin, "python")?, &services).arg("pay.py").said()?;
    expect(&said, "15\ncompleted")?;

    write(&work.join("package.json"), "{\"private\": true, \"type\": \"module\"}\n")?;
    let others = super::files_in(&empty.place.work.join("node-dependencies"))?;
    let ours = empty.dist("mono-demo-client-0", ".tgz")?;
    npm_install(empty, &[&others[..], &[ours]].concat())?;
    // The same text is TypeScript.
    let text = snippet("client/node/README.md", "js")?.replace("pay-001", "pay-002");
    write(
        &work.join("pay.mts"),
        &text.replace("process.env.NATS_URL", "process.env[\"NATS_URL\"]!"),
    )?;
    write(&work.join("pay.mjs"), &text)?;
    let node = root().join("client/node/node_modules");
    let mut strict = empty.command(Path::new("/usr/bin"), "node")?;
    strict.arg(node.join("typescript/bin/tsc"));
    strict.args(["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"]);
    strict
        .args(["--types", "node", "--skipLibCheck", "false", "--typeRoots"])
        .arg(node.join("@types"));
    strict.arg("pay.mts").said()?;
    // A type that is wrong is found, so there are types.
    let wrong = text.replace("add(10, 5)", "add(\"ten\", 5)");
    write(&work.join("wrong.mts"), &wrong)?;
    let mut strict = empty.command(Path::new("/usr/bin"), "node")?;
    strict.arg(node.join("typescript/bin/tsc"));
    strict.args(["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"]);
    strict.args(["--types", "node", "--typeRoots"]).arg(node.join("@types")).arg("wrong.mts");
    let output = strict.output().map_err(|e| format!("start tsc: {e}"))?;
    expect(&String::from_utf8_lossy(&output.stdout), "TS2345")?;
    let mut node = empty.command(Path::new("/usr/bin"), "node")?;
    expect(&with_url_of(&mut node, &services).arg("pay.mjs").said()?, "15\ncompleted")?;

    go_client(empty, &services)
}

fn go_client(empty: &Empty, services: &Services) -> Result<(), String> {
    let proxy = empty.folder.join("goproxy");
    go::proxy(empty.place, &proxy)?;
    let (path, version) = go::module(empty.place)?;
    let asked = command("go").args(["env", "GOROOT", "GOMODCACHE", "GOCACHE"]).said()?;
    let mut said = asked.lines();
    let mut next = || said.next().map(PathBuf::from).ok_or("go says no folders");
    let (goroot, modules, cache) = (next()?, next()?, next()?);
    let proxies =
        format!("file://{},file://{}", proxy.display(), modules.join("cache/download").display());
    let go = |args: &[&str]| {
        let mut go = empty.command(&goroot.join("bin"), "go")?;
        go.env("GOPROXY", &proxies).env("GONOSUMDB", "*").env("GOSUMDB", "off");
        go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-modcacherw").env("GOCACHE", &cache);
        with_url_of(&mut go, services).args(args).said()
    };
    let text = snippet("client/go/README.md", "go")?.replace("pay-001", "pay-003");
    write(&empty.folder.join("work/main.go"), &text)?;
    go(&["mod", "init", "example.com/pay"])?;
    go(&["get", &format!("{path}@{version}")])?;
    // What the program itself imports; `tidy` would want what tests of others import, too.
    go(&["get", "."])?;
    expect(&go(&["run", "."])?, "15\ncompleted")
}

fn with_url(mut command: Command, services: &Services) -> Command {
    with_url_of(&mut command, services);
    command
}

fn with_url_of<'c>(command: &'c mut Command, services: &Services) -> &'c mut Command {
    command.env("NATS_URL", &services.url)
}

/// The first block of code in this language on a page.
fn snippet(page: &str, language: &str) -> Result<String, String> {
    let text = read(&root().join(page))?;
    let block =
        text.split(&format!("```{language}\n")).nth(1).and_then(|it| it.split("```").next());
    block.map(str::to_owned).ok_or_else(|| format!("{page} has no block of {language}"))
}

/// `mono-demo serve`, until this is dropped.
struct Services {
    process: Child,
    url: String,
}

impl Services {
    fn start(empty: &Empty, bin: &Path) -> Result<Services, String> {
        let mut serve = empty.command(bin, "mono-demo")?;
        serve.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = serve.spawn().map_err(|e| format!("start serve: {e}"))?;
        let lines =
            process.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
        let mut services = Services { process, url: String::new() };
        for line in lines {
            let line = line.map_err(|e| format!("read what serve says: {e}"))?;
            if let Some(url) = line.strip_prefix("Ready: ") {
                services.url = url.to_owned();
                return Ok(services);
            }
        }
        Err("serve ended before it was ready".to_owned())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // It stops whole at SIGTERM; the reaper sees to it in any case.
        let id = self.process.id().to_string();
        let _ = Command::new("kill").arg(id).status();
        let _ = self.process.wait();
    }
}

/// What the client in Node wants, each packed again from what its lock file installed.
fn node_dependencies(place: &Place) -> Result<(), String> {
    let folder = place.staging("node-dependencies")?;
    let client = root().join("client/node");
    let lock: serde_json::Value = serde_json::from_str(&read(&client.join("package-lock.json"))?)
        .map_err(|e| format!("read package-lock.json: {e}"))?;
    let packages = lock["packages"].as_object().ok_or("package-lock.json has no packages")?;
    let wanted = packages.iter().filter(|(path, it)| !path.is_empty() && it["dev"] != true);
    for (path, _) in wanted {
        let mut npm = command("npm");
        npm.args(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination"]);
        npm.arg(&folder).current_dir(client.join(path)).said()?;
    }
    Ok(())
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
