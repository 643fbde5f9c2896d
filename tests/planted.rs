//! Files that another user could have put in our folders are neither run nor trusted.
#![cfg(target_os = "linux")]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::{Home, Said};
use crate::support::shared_cache;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// All below a folder, with what their modes allow; links have none.
fn below(folder: &Path) -> Vec<(PathBuf, u32)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            if !metadata.is_symlink() {
                found.push((entry.path(), metadata.permissions().mode() & 0o777));
            }
        }
    }
    found
}

/// A file deep in a prepared folder.
fn deep(folder: &Path, ends: &str) -> PathBuf {
    let all = below(folder).into_iter().map(|(path, _)| path);
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.is_file() && path.to_string_lossy().ends_with(ends)).collect();
    files.sort();
    files.pop().unwrap_or_else(|| panic!("no {ends} in {}", folder.display()))
}

/// What was prepared once, in a cache of its own.
fn copied_cache(home: &Home) -> PathBuf {
    let cache = home.path().join("cache/mono-demo");
    std::fs::create_dir_all(cache.parent().unwrap()).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(shared_cache().with_file_name("mono-demo"))
        .arg(&cache)
        .status();
    assert!(copied.unwrap().success());
    cache
}

/// The prepared folders whose names begin so.
fn prepared(cache: &Path, name: &str) -> Vec<PathBuf> {
    let all = cache.read_dir().unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(name)).collect()
}

#[test]
fn a_program_that_others_could_have_planted_is_named_and_not_run() {
    let home = Home::new();
    home.run(&["doctor", "--fix"]);
    let cache = copied_cache(&home);
    let doctor = || {
        let mut command = home.command(["doctor", "--offline"]);
        command.env("XDG_CACHE_HOME", cache.parent().unwrap());
        Said::from(command.output().unwrap())
    };
    doctor().ok();
    for (name, ends) in [
        ("nats-server", "nats-server"),
        ("python-", ".py"),
        ("node-client", ".mjs"),
        ("go-client", ".go"),
    ] {
        for folder in prepared(&cache, name) {
            let file = deep(&folder, ends);
            let before = file.metadata().unwrap().permissions().mode();
            mode(&file, before | 0o020);
            let said = doctor();
            mode(&file, before);
            // Of several, one is the one in use.
            if prepared(&cache, name).len() == 1 {
                let needle = format!("{} is not used: its group or others", file.display());
                assert!(said.stdout.contains(&needle), "{needle}: {}", said.stdout);
                said.failed(3, "");
            }
        }
    }
    for name in ["nats-server", "python-"] {
        assert!(!prepared(&cache, name).is_empty(), "{name}: nothing was prepared");
    }
    doctor().ok();
    // The cache itself: writable by others, or by way of a folder that is.
    for (path, mode_then) in [(cache.clone(), 0o777), (cache.parent().unwrap().to_owned(), 0o777)] {
        mode(&path, mode_then);
        let said = doctor();
        assert!(
            said.stdout.contains(&format!("{} is not used", path.display())),
            "{}",
            said.stdout
        );
        said.failed(3, "");
        mode(&path, 0o700);
    }
}

#[test]
fn passwords_and_a_runtime_folder_that_others_prepared_are_refused() {
    let home = Home::new();
    let serve = ["serve", "--port", "0", "--auth", "--store-dir", "store"];
    drop(home.serve(&serve[1..]));
    let roles = home.path().join("store/roles.json");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&roles, Some(12345), None).unwrap();
        home.run(&serve).failed(3, "roles.json is not used: it belongs to another user");
        std::os::unix::fs::chown(&roles, Some(0), None).unwrap();
    }
    // By way of a link to a folder where others may write.
    let elsewhere = home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(&roles, elsewhere.join("roles.json")).unwrap();
    symlink(elsewhere.join("roles.json"), &roles).unwrap();
    mode(&elsewhere, 0o777);
    home.run(&serve).failed(3, "elsewhere is not used: others may write it");
    std::fs::remove_file(&roles).unwrap();
    let run = home.path().join("run/mono-demo");
    mode(&run, 0o777);
    home.run(&serve).failed(3, "use the runtime folder");
    std::fs::remove_dir_all(&run).unwrap();
    symlink(&elsewhere, &run).unwrap();
    mode(&elsewhere, 0o755);
    home.run(&serve).failed(3, "it is a link, and must be a folder");
    assert_eq!(elsewhere.metadata().unwrap().permissions().mode() & 0o777, 0o755, "it was changed");
    std::fs::remove_file(&run).unwrap();
    for (folder, needle) in [("store", "is not used"), ("journals", "is not used")] {
        std::fs::create_dir_all(home.path().join(folder)).unwrap();
        mode(&home.path().join(folder), 0o777);
        let flag = if folder == "store" { "--store-dir" } else { "--journal-dir" };
        home.run(&["serve", "--port", "0", flag, folder]).failed(3, needle);
    }
}

/// One that has served a payment and an email, and has ended.
fn served(home: &Home, args: &[&str]) {
    let serve = home.serve(args);
    home.run(&["pay", "p", "1"]).ok();
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
}

#[test]
fn what_a_store_folder_holds_is_believed_only_where_nobody_else_could_have_written_it() {
    let home = Home::new();
    let serve = ["serve", "--port", "0", "--store-dir", "store"];
    served(&home, &serve[1..]);
    let audit = ["audit", "--store-dir", "store"];
    for (place, also_by) in [
        ("journals/gateway.jsonl", Some(&audit[..])),
        ("journals/mailer.jsonl", None),
        ("journals/streams.json", Some(&audit[..])),
        ("jetstream", Some(&audit[..])),
        ("a stream", None),
    ] {
        let path = match place {
            // Where it lies is another place for each way to let clients in.
            "a stream" => deep(&home.path().join("store/jetstream"), "meta.inf"),
            place => home.path().join("store").join(place),
        };
        let before = path.metadata().unwrap().permissions().mode();
        let name = path.file_name().unwrap().to_str().unwrap();
        let refuse = |why: &str| {
            for args in std::iter::once(&serve[..]).chain(also_by) {
                home.run(args).failed(3, &format!("{name} is not used: {why}"));
            }
        };
        for writable in [0o020, 0o002] {
            mode(&path, before | writable);
            refuse("its group or others may write it");
        }
        mode(&path, before);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
            refuse("it belongs to another user (12345)");
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
    }
    home.run(&audit).ok();
    served(&home, &serve[1..]);
}

#[test]
fn the_names_of_a_cluster_that_others_could_have_written_are_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("store")).unwrap();
    let names = home.path().join("store/cluster.names");
    std::fs::write(&names, "cluster\none\ntwo\nthree\n").unwrap();
    mode(&names, 0o666);
    home.run(&["serve", "--cluster", "3", "--store-dir", "store"])
        .failed(3, "cluster.names is not used: its group or others may write it");
}

/// With a umask of 0 everybody could write what is made.
#[test]
fn nothing_that_is_made_can_be_written_by_others_whatever_the_umask() {
    let home = Home::new();
    let program = home.command([] as [&str; 0]);
    let within = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask 0; {script}")]).arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Said::from(shell.current_dir(home.path()).output().unwrap())
    };
    let serve = "\"$0\" serve --port 0 --auth --store-dir store --save-context c --ready-file ready \
        >/dev/null & while ! test -e ready; do kill -0 $! || exit 9; done; \"$0\" pay p 1; ";
    within(&(serve.to_owned() + "kill $!; wait $!; rm -f ready")).ok();
    let running =
        within(&(serve.to_owned() + "find . -perm /022 ! -type l; kill $!; wait $!")).ok();
    assert!(!running.contains("./"), "others may write, while it runs:\n{running}");
    within("\"$0\" e2e math/division-by-zero --client rust --history kept --report json=r.json")
        .ok();
    let open: Vec<_> =
        below(home.path()).into_iter().filter(|(_, mode)| mode & 0o022 != 0).collect();
    assert!(open.is_empty(), "others may write {open:?}");
    assert!(below(home.path()).len() > 20, "nothing was made");
}
