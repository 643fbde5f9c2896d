//! Installs each package from the files alone, into an empty environment without a network and without
//! cargo on its PATH, and uses it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::empty::{Empty, expect, go_in, npm_install, snippet};
use super::shell::{Run as _, command, fresh, put, read, write};
use super::tools::Tools;
use super::{Place, crates, file_name, go, helpers, payload};
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
    let checks: [(&str, Check); 8] = [
        ("pip install mono-demo", pip),
        ("uvx mono-demo", uvx),
        ("npm install mono-demo, npx mono-demo", npm),
        ("dpkg -i mono-demo.deb", deb),
        ("the tarball", tarball),
        ("clients in Python, Node and Go", clients),
        ("helpers of tests in Python, Node and Go", helpers::all),
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
    let work = empty.folder.join("work");
    let go_tool = go_in(empty, &work)?;
    let go = |args: &[&str]| with_url_of(&mut go_tool(args)?, services).said();
    let (path, version) = go::CLIENT.path_and_version(empty.place)?;
    let text = snippet("client/go/README.md", "go")?.replace("pay-001", "pay-003");
    write(&work.join("main.go"), &text)?;
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
