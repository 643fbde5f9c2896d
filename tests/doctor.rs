//! `doctor` reports each fault that can be made on purpose, and what to do about it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::expected::left_out;
use crate::support::program::{Home, Said};
use crate::support::{copy, fake_nats_server, shared_cache};
use serde_json::Value;

/// A program of this name that prints this.
fn fake(folder: &Path, name: &str, script: &str) {
    let made = fake_nats_server(&folder.join(format!("made-{name}")), script);
    copy(&made, &folder.join(name));
}

/// With nothing on PATH but what is in this folder, and an empty cache.
fn alone(home: &Home, tools: &Path) -> Command {
    let mut command = home.command(["doctor"]);
    command.env("PATH", tools).env("XDG_CACHE_HOME", home.path().join("cache"));
    for name in ["MONO_DEMO_PYTHON", "MONO_DEMO_NATS_SERVER"] {
        command.env_remove(name);
    }
    command
}

/// The rows and the exit code.
#[track_caller]
fn says(command: &mut Command, code: i32, needles: &[&str]) {
    let said = Said::from(command.output().unwrap());
    for needle in needles {
        assert!(said.stdout.contains(needle), "{needle}:\n{}", said.stdout);
    }
    said.failed(code, "");
}

const OLD_PYTHON: &str = r#"echo '{"version": [3, 8, 1], "executable": "/x"}'"#;
const PYTHON: &str = r#"case "$1" in -m) exit 1;; esac; echo '{"version": [3, 12, 1], "executable": "/x", "venv": VENV}'"#;

#[test]
fn tools_that_are_too_old_or_broken_are_no_tools() {
    let home = Home::new();
    let tools = home.path().join("tools");
    for (python, problem) in [
        (OLD_PYTHON, "is Python 3.8.1; 3.10 or newer is needed"),
        ("exit 9", "ended with exit status: 9"),
        ("echo 2.7", "answered `2.7`"),
        (&PYTHON.replace("VENV", "false"), "cannot make virtual environments"),
    ] {
        let tools = tools.join(problem.len().to_string());
        fake(&tools, "python3", python);
        fake(&tools, "nats-server", "echo 'nats-server: v2.9.1'");
        fake(&tools, "node", "echo v12.0.0");
        fake(&tools, "go", "echo go1.20.3");
        let rows = [
            &format!(
                "2.15.1 cannot be installed: no Python that will do was found: {}",
                tools.join("python3").display()
            )[..],
            problem,
            "passed over: ",
            "is nats-server 2.9.1; 2.14.0 or newer is needed",
            "no  python       optional: `e2e` leaves this client out; no Python that will do",
            "is Node 12.0.0; 18 or newer is needed",
            "is go1.20.3; 1.26 or newer is needed",
        ];
        says(&mut alone(&home, &tools), 3, &rows);
        // One that was named must do.
        let mut named = alone(&home, &home.path().join("empty"));
        named.env("MONO_DEMO_PYTHON", tools.join("python3"));
        says(&mut named, 3, &["--  python       no Python that will do", problem]);
    }
}

#[test]
fn what_can_be_installed_is_said_to_be_and_only_then() {
    let home = Home::new();
    let tools = home.path().join("tools");
    fake(&tools, "python3", &PYTHON.replace("VENV", "true"));
    fake(&tools, "node", "echo v20.0.0");
    // Node alone prepares nothing.
    let rows = [
        "ok  nats-server  none yet: 2.15.1 is installed at the first use",
        "ok  python       Python 3.12.1 at ",
        "/python3: its client is prepared at the first use",
        "no npm that will do was found",
    ];
    says(&mut alone(&home, &tools), 0, &rows);
    // Where the cache takes nothing, nothing is installed.
    std::fs::write(home.path().join("cache"), "a file").unwrap();
    let rows = [
        "--  nats-server  none found, and 2.15.1 cannot be installed: the cache folder does not",
        "no  python       optional: `e2e` leaves this client out; it cannot be prepared",
        "--  cache        ",
    ];
    says(&mut alone(&home, &tools), 3, &rows);
    let mut json = alone(&home, &tools);
    let said = Said::from(json.arg("--json").output().unwrap());
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let findings = &said["findings"];
    assert_eq!((&said["ok"], &findings["cache"]["ok"]), (&false.into(), &false.into()), "{said}");
    assert!(findings["cache"]["error"].is_string() && findings["server"]["ok"] == true, "{said}");
}

/// What is installed, copied to where it can be broken.
#[test]
fn a_copy_that_was_broken_since_is_named_with_what_to_remove() {
    let home = Home::new();
    home.run(&["doctor", "--fix"]);
    let cache = home.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o700)).unwrap();
    copy(&shared_cache(), &cache.join("mono-demo"));
    let doctor = || {
        let mut command = home.command(["doctor", "--offline"]);
        command.env("XDG_CACHE_HOME", &cache).env_remove("MONO_DEMO_NATS_SERVER");
        command
    };
    let folder = cache.join("mono-demo/nats-server-2.15.1");
    let server = folder.join("nats-server");
    // Where a nats-server is on PATH, none was installed.
    if server.exists() {
        let mode =
            |mode| std::fs::set_permissions(&server, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o600);
        let remove = format!("hint: remove {} and run again", folder.display());
        says(&mut doctor(), 3, &["does not work: Permission denied", &remove]);
        mode(0o700);
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
        std::fs::remove_file(folder.join("manifest.json")).unwrap();
        says(&mut doctor(), 3, &["passed over: ", "is no whole installation"]);
        std::fs::write(folder.join("manifest.json"), manifest).unwrap();
        std::fs::write(&server, "half").unwrap();
        says(&mut doctor(), 3, &["is not what was installed", &remove]);
    }
    let envs = std::fs::read_dir(cache.join("mono-demo")).unwrap().flatten();
    // One without its manifest was copied while another test made it.
    let whole = envs.filter(|env| env.path().join("mono-demo.json").exists());
    let is_python = |name: &str| name.starts_with("python-");
    let envs: Vec<_> = whole.filter(|env| is_python(&env.file_name().to_string_lossy())).collect();
    // Those of other pins are there too, where the cache is an old one.
    for env in &envs {
        for site in std::fs::read_dir(env.path().join("lib")).unwrap().flatten() {
            let _ = std::fs::remove_dir_all(site.path().join("site-packages/nats"));
        }
    }
    if !envs.is_empty() {
        let remove = format!("hint: remove {}", cache.join("mono-demo/python-").display());
        let words =
            ["does not work: `import nats`: ModuleNotFoundError", &remove, " and run again"];
        says(&mut doctor(), 3, &words);
    }
}

#[test]
fn a_cache_that_every_command_refuses_is_not_well() {
    let home = Home::new();
    let open = home.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let elsewhere = "hint: XDG_CACHE_HOME=DIR chooses another folder";
    let mut doctor = alone(&home, &home.path().join("none"));
    doctor.env("XDG_CACHE_HOME", open.join("cache"));
    let refused = format!("open is not used: others may write it (`chmod o-w {}`", open.display());
    says(&mut doctor, 3, &["--  cache", &refused, elsewhere]);
    assert!(!open.join("cache").exists());
    let mut call = home.command(["call", "x.y", "--data", "q"]);
    call.env("XDG_CACHE_HOME", open.join("cache")).env_remove("MONO_DEMO_NATS_SERVER");
    let said = Said::from(call.env("PATH", home.path()).output().unwrap()).failed(3, &refused);
    assert!(said.stderr.contains(elsewhere), "{}", said.stderr);
}

/// Whoever may change it could put a store or passwords of theirs in the place of ours.
#[test]
fn a_temporary_folder_that_others_may_change_is_used_by_no_command() {
    let home = Home::new();
    let open = home.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = format!("others may write it (`chmod o-w {}`", open.display());
    let commands = [
        &["call", "math", "add", "1", "2"][..],
        &["pay", "p-1", "1"],
        &["serve", "--port", "0"],
        &["e2e", "math/operations", "--client", "rust"],
    ];
    for args in commands {
        let mut command = home.command(args);
        let said = Said::from(command.env("TMPDIR", &open).output().unwrap());
        let said = said.failed(3, "");
        let all = said.stdout + &said.stderr;
        assert!(all.contains(&refused), "{args:?}: {all}");
        assert!(open.read_dir().unwrap().next().is_none(), "{args:?} left something there");
    }
    // As /tmp is: there nobody removes what is somebody else's.
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let mut command = home.command(["call", "math", "add", "1", "2"]);
    assert_eq!(Said::from(command.env("TMPDIR", &open).output().unwrap()).ok(), "3\n");
}

/// Each in the words of `serve`.
#[test]
fn folders_that_serve_refuses_are_not_well() {
    let home = Home::new();
    let folder = |name: &str, mode| {
        let folder = home.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        folder.display().to_string()
    };
    let (open, file) = (folder("open", 0o777), home.path().join("file").display().to_string());
    std::fs::write(&file, "").unwrap();
    let missing = home.path().join("missing").display().to_string();
    let others = format!("others may write it (`chmod o-w {open}`");
    let cases = [
        ("TMPDIR", &open, "temporary", others.clone()),
        ("TMPDIR", &missing, "temporary", format!("the run folder in {missing}: No such file")),
        ("TMPDIR", &file, "temporary", format!("the run folder in {file}: Not a directory")),
        ("XDG_RUNTIME_DIR", &open, "runtime", others),
        (
            "XDG_RUNTIME_DIR",
            &file,
            "runtime",
            format!("the runtime folder {file}/mono-demo: Not a"),
        ),
    ];
    for (variable, value, name, why) in cases {
        let said = |args: &[&str]| {
            Said::from(home.command(args).env(variable, value).output().unwrap()).failed(3, "")
        };
        let (doctor, serve) = (said(&["doctor"]), said(&["serve", "--port", "0"]));
        let row = doctor.stdout.split("\n--  ").find(|row| row.starts_with(name)).unwrap();
        assert!(
            row.contains(&why) && row.contains("hint: ") && row.contains(variable),
            "{why}: {row}"
        );
        assert!(serve.stderr.contains(&why), "{why}: {}", serve.stderr);
    }
    assert!(Path::new(&open).read_dir().unwrap().next().is_none());
}

/// As a user would, who may not write everywhere, and whose disk is full.
#[test]
#[cfg(target_os = "linux")]
fn a_full_folder_or_one_that_cannot_be_written_is_not_well() {
    let home = Home::new();
    let full = home.path().join("full");
    std::fs::create_dir(&full).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs"])
        .arg(&full)
        .output();
    if !mounted.is_ok_and(|said| said.status.success()) {
        return left_out("root", "a small tmpfs cannot be mounted");
    }
    std::fs::write(full.join("all"), [b'x'; 4096]).unwrap();
    let doctor = |variable: &str| {
        let mut command = home.command(["doctor"]);
        Said::from(command.env(variable, &full).output().unwrap())
    };
    let said = ["TMPDIR", "XDG_RUNTIME_DIR"].map(doctor);
    let serve = home.command(["serve", "--port", "0"]).env("XDG_RUNTIME_DIR", &full).output();
    let left: Vec<_> = full.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(Command::new("umount").arg(&full).status().unwrap().success());
    for (said, name) in said.into_iter().zip(["--  temporary", "--  runtime"]) {
        let said = said.failed(3, "");
        let row = said.stdout.lines().find(|row| row.starts_with(name)).unwrap_or_default();
        assert!(row.contains("No space left"), "{}", said.stdout);
    }
    Said::from(serve.unwrap()).failed(3, "No space left on device");
    assert!(left.iter().all(|name| name == "all" || name == "mono-demo"), "{left:?}");
}

#[test]
fn an_empty_tmpdir_is_none() {
    let home = Home::new();
    let mut command = home.command(["call", "math", "add", "1", "2"]);
    let before = home.path().read_dir().unwrap().count();
    assert_eq!(Said::from(command.env("TMPDIR", "").output().unwrap()).ok(), "3\n");
    assert_eq!(home.path().read_dir().unwrap().count(), before);
    let mut command = home.command(["doctor"]);
    let said = Said::from(command.env("TMPDIR", "").output().unwrap());
    assert!(said.stdout.contains("temporary    /tmp\n"), "{}", said.stdout);
}

#[test]
fn asking_go_for_its_version_writes_nothing_at_home() {
    let home = Home::new();
    let tools = home.path().join("tools");
    // As the real one counts its own use.
    let counts =
        "/bin/mkdir -p ${XDG_CONFIG_HOME:-$HOME/.config}/go/telemetry 2>/dev/null; echo go1.26.8";
    fake(&tools, "go", counts);
    says(&mut alone(&home, &tools), 3, &["ok  go"]);
    assert!(!home.path().join(".config/go").exists());
}

#[test]
fn what_is_known_is_told_while_a_tool_hangs() {
    let home = Home::new();
    let tools = home.path().join("tools");
    fake(&tools, "python3", "exit 9");
    fake(&tools, "nats-server", "echo 'nats-server: v2.9.1'");
    // It answers nothing for as long as it is waited for.
    fake(&tools, "node", "while kill -0 $PPID 2>/dev/null; do /bin/sleep 0.1; done");
    let mut doctor = alone(&home, &tools);
    let mut doctor = doctor.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(doctor.stdout.take().unwrap());
    for name in ["nats-server", "python"] {
        let mut line = String::new();
        while !line.contains(name) {
            line.clear();
            assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0, "{name}");
        }
    }
    assert!(doctor.try_wait().unwrap().is_none(), "it waits for `node`");
    doctor.kill().unwrap();
    doctor.wait().unwrap();
}
