//! Journals that cannot be used or are locked: math and status answer, `serve` ends within its
//! limit, and waiting payments continue when the journal can be used again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::expected::left_out;
use crate::support::program::{Home, Serve};
use crate::support::{eventually, nats_server, reaper};
use mono_demo::broker::{Broker, Settings};
use mono_demo::modules::journal::Journal;

const SERVE: [&str; 5] = ["--port", "0", "--journal-dir", "books", "--drain-timeout=2s"];
/// Payments go to the one, emails to the other.
const JOURNALS: [&str; 2] = ["gateway.jsonl", "mailer.jsonl"];

fn run(program: &str, args: &[&str]) -> bool {
    let ended =
        Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

/// Its name, and how it is put there.
type Trouble = (&'static str, fn(&Path));

/// What can lie in the place of a file.
fn troubles() -> [Trouble; 4] {
    [
        ("a pipe", |path| assert!(run("mkfifo", &[path.to_str().unwrap()]))),
        ("a folder", |path| std::fs::create_dir(path).unwrap()),
        ("a link to itself", |path| std::os::unix::fs::symlink(path, path).unwrap()),
        ("a device", |path| std::os::unix::fs::symlink("/dev/null", path).unwrap()),
    ]
}

fn remove(path: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        std::fs::remove_dir(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

/// Work that needs both journals, and then what needs neither.
fn others_are_served(home: &Home, trouble: &str) {
    let id = trouble.replace(' ', "-");
    home.run(&["pay", &id, "1", "--no-wait"]).ok();
    home.run(&["publish", "notification", "email-send", "a@example.com", &id]).ok();
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(home.run(&["--timeout=2s", "call", "math", "add", "1", "2"]).ok(), "3\n");
        home.run(&["--timeout=2s", "call", "payment", "status", &id]).ok();
    }
    println!("{trouble}: math and status answered six times in {:?}", began.elapsed());
}

fn ends_within_its_limit(serve: Serve) {
    let began = Instant::now();
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: {stderr}", began.elapsed());
}

fn is_completed(home: &Home, id: &str) {
    eventually(&format!("{id} is completed"), Duration::from_secs(40), || {
        home.run(&["call", "payment", "status", id]).stdout.starts_with("completed")
    });
}

#[test]
fn what_is_no_file_is_refused_at_the_start_by_name() {
    for journal in JOURNALS {
        for (_, put) in troubles() {
            let home = Home::new();
            std::fs::create_dir(home.path().join("books")).unwrap();
            put(&home.path().join("books").join(journal));
            home.run(&[&["serve"], &SERVE[..]].concat()).failed(3, journal);
        }
    }
}

#[test]
fn what_takes_a_journals_place_later_stops_nothing_else_and_is_got_over() {
    for journal in JOURNALS {
        let home = Home::new();
        let serve = home.serve(&SERVE);
        home.run(&["pay", "before", "1"]).ok();
        let path = home.path().join("books").join(journal);
        let away = home.path().join("away");
        let mut ids = Vec::new();
        for (trouble, put) in troubles() {
            std::fs::rename(&path, &away).unwrap();
            put(&path);
            others_are_served(&home, trouble);
            remove(&path);
            std::fs::rename(&away, &path).unwrap();
            ids.push(trouble.replace(' ', "-"));
        }
        ids.iter().for_each(|id| is_completed(&home, id));
        assert_eq!(home.run(&["audit", "--journal-dir", "books", "--json"]).stderr, "");
        std::fs::remove_file(&path).unwrap();
        troubles()[0].1(&path);
        others_are_served(&home, "at the end");
        ends_within_its_limit(serve);
    }
}

#[test]
fn each_cause_is_told_once_however_often_it_is_tried() {
    let home = Home::new();
    let serve = home.serve(&SERVE);
    let (books, other) = (home.path().join("books"), home.path().join("other"));
    let mode = |mode: &str, path: &Path| assert!(run("chmod", &[mode, path.to_str().unwrap()]));
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("gateway.jsonl"), "").unwrap();
    mode("666", &other.join("gateway.jsonl"));
    std::fs::rename(&books, home.path().join("away")).unwrap();
    std::fs::rename(&other, &books).unwrap();
    let ids: Vec<String> = (0..4).map(|n| format!("p-{n}")).collect();
    for id in &ids {
        home.run(&["pay", id, "1", "--no-wait"]).ok();
        serve.says(Duration::from_secs(20), "gateway.jsonl is not used");
    }
    mode("777", &books);
    serve.says(Duration::from_secs(60), "books is not used");
    mode("644", &books.join("gateway.jsonl"));
    mode("755", &books);
    ids.iter().for_each(|id| is_completed(&home, id));
    let said = serve.stderr();
    assert_eq!(said.matches("what needs it waits").count(), 2, "{said}");
    assert_eq!(said.matches("it was removed or replaced").count(), 1, "{said}");
    assert_eq!(said.matches("it can be used again").count(), 1, "{said}");
    ends_within_its_limit(serve);
}

/// Another process that holds a journal's lock; ended when dropped.
struct Holder(Child);

impl Holder {
    fn of(path: &Path) -> Holder {
        let child = Command::new("flock").arg(path).args(["-c", "exec sleep 600"]).spawn().unwrap();
        eventually("another process has the lock", Duration::from_secs(10), || {
            let file = std::fs::File::open(path).unwrap();
            file.try_lock().is_err()
        });
        Holder(child)
    }

    fn signal(&self, name: &str) {
        assert!(run("pkill", &[&format!("-{name}"), "-P", &self.0.id().to_string()]));
        assert!(run("kill", &[&format!("-{name}"), &self.0.id().to_string()]));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_whose_holder_is_stopped_holds_up_nothing_else_and_no_end() {
    for journal in JOURNALS {
        let home = Home::new();
        let serve = home.serve(&SERVE);
        let path = home.path().join("books").join(journal);
        let holder = Holder::of(&path);
        holder.signal("STOP");
        others_are_served(&home, "held");
        serve.says(Duration::from_secs(20), "waiting for the journal");
        drop(holder);
        serve.says(Duration::from_secs(20), &format!("{journal} is waited for no more"));
        is_completed(&home, "held");
        let holder = Holder::of(&path);
        holder.signal("STOP");
        others_are_served(&home, "held again");
        ends_within_its_limit(serve);
    }
}

#[test]
fn damaged_lines_are_told_also_where_the_lock_was_held_at_the_start() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("books")).unwrap();
    for journal in JOURNALS {
        std::fs::write(home.path().join("books").join(journal), b"{\"key\":\"p\xff\n").unwrap();
    }
    let holders = JOURNALS.map(|journal| Holder::of(&home.path().join("books").join(journal)));
    let serve = home.serve(&SERVE);
    serve.says(Duration::from_secs(10), "waiting for the journal");
    assert!(!serve.stderr().contains("damaged"), "{}", serve.stderr());
    drop(holders);
    for journal in JOURNALS {
        serve.says(Duration::from_secs(20), &format!("{journal}: 1 damaged line is passed over"));
        serve.says(Duration::from_secs(20), &format!("{journal} is waited for no more"));
    }
}

/// Whatever is damaged while `serve` runs is told with the keys that wait for it.
#[test]
fn damage_that_comes_while_it_serves_is_told_with_its_keys() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("books")).unwrap();
    let journal = home.path().join("books/gateway.jsonl");
    std::fs::write(&journal, "{\"key\":\"d-1\",oops}\n{\"key\":\"d-2\",oops}\n").unwrap();
    let serve = home.serve(&SERVE);
    let both = "2 damaged lines are passed over; the first at byte 0";
    serve.says(Duration::from_secs(60), both);
    serve.says(Duration::from_secs(60), "what needs one of these keys waits: d-1, d-2");
    let mut file = std::fs::File::options().append(true).open(&journal).unwrap();
    std::io::Write::write_all(&mut file, b"{\"key\":\"d-3\",oops}\n").unwrap();
    home.run(&["pay", "d-4", "1"]).ok();
    serve.says(Duration::from_secs(60), "1 damaged line is passed over");
    serve.says(Duration::from_secs(60), "waits: d-3");
    assert_eq!(serve.stderr().matches("passed over").count(), 2, "{}", serve.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_in_the_middle_of_a_line_leaves_no_half_line() {
    let home = Home::new();
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let url = broker.url().to_owned();
    let args = ["--server", &url, "--journal-dir", "books", "--drain-timeout=2s"];
    // A file that may grow to 2 KB is what a full disk is to whoever writes it: a part of the line is
    // taken, the rest is refused.
    let runner = ["sh", "-c", r#"trap "" XFSZ; ulimit -S -f 4; exec "$0" "$@""#];
    let serve = tokio::task::block_in_place(|| home.try_serve_under(&runner, &args));
    let serve = serve.unwrap_or_else(|said| panic!("{}", said.stderr));
    let path = home.path().join("books/gateway.jsonl");
    let ids: Vec<String> = (0..12).map(|n| format!("full-{n}")).collect();
    for id in &ids {
        home.run(&["-s", &url, "pay", id, "1", "--no-wait"]).ok();
    }
    let completed = |id: &String| {
        home.run(&["-s", &url, "call", "payment", "status", id]).stdout.starts_with("completed")
    };
    serve
        .says(Duration::from_secs(20), "append: File too large (os error 27); what needs it waits");
    assert_eq!(
        home.run(&["-s", &url, "--timeout=2s", "call", "math", "add", "1", "2"]).ok(),
        "3\n"
    );
    let text = std::fs::read(&path).unwrap();
    assert!(text.ends_with(b"\n") && text.len() < 2048, "{}", String::from_utf8_lossy(&text));
    assert!(ids.iter().filter(|id| completed(id)).count() < ids.len());

    let pid = serve.pid().to_string();
    assert!(run("prlimit", &["--pid", &pid, "--fsize=unlimited"]));
    for id in &ids {
        eventually(&format!("{id} is completed"), Duration::from_secs(40), || completed(id));
    }
    serve.says(Duration::from_secs(1), "gateway.jsonl: it can be used again");
    let audit = home.run(&["-s", &url, "audit", "--journal-dir", "books", "--json"]);
    assert!(audit.stdout.contains(r#""ok":true"#), "{}", audit.stdout);
    tokio::task::block_in_place(|| ends_within_its_limit(serve));
    broker.stop().await.unwrap();
}

/// Run by the test below, where a file may grow to 2 KB and is only appended to.
#[tokio::test]
#[ignore = "another test runs it"]
async fn appends_beside_half_a_line() {
    let path = PathBuf::from(std::env::var_os("MONO_DEMO_TEST_ARGUMENT").unwrap());
    let journal = Journal::open(&path, false).unwrap();
    let both = journal.transact(|follow| {
        follow.append(&"x".repeat(4000)).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(run("prlimit", &["--pid", &pid, "--fsize=unlimited"]));
        follow.append(&"next")
    });
    let refused = both.await.unwrap_err().to_string();
    assert!(refused.contains("cut off half a line: Operation not permitted"), "{refused}");
}

#[tokio::test]
async fn nothing_is_written_behind_half_a_line_that_cannot_be_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.jsonl");
    std::fs::write(&path, "1\n").unwrap();
    if !run("chattr", &["+a", path.to_str().unwrap()]) {
        return left_out("root", "a file cannot be made append-only");
    }
    let mut helper = Command::new("sh");
    helper.args(["-c", r#"trap "" XFSZ; ulimit -S -f 4; exec "$0" "$@""#]);
    helper.arg(std::env::current_exe().unwrap());
    helper.args([
        "--ignored",
        "--exact",
        "--nocapture",
        "journal_troubles::appends_beside_half_a_line",
    ]);
    let output = helper.env("MONO_DEMO_TEST_ARGUMENT", &path).output().unwrap();
    assert!(run("chattr", &["-a", path.to_str().unwrap()]));
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(output.status.success() && ran, "{output:?}");
    let journal = Journal::open(&path, false).unwrap();
    journal.append(&2).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n");
}

/// Half a line that nobody may cut off.
fn torn(home: &Home) -> PathBuf {
    let path = home.path().join("books/gateway.jsonl");
    std::fs::create_dir(home.path().join("books")).unwrap();
    std::fs::write(&path, b"{\"at\":\"2026").unwrap();
    path
}

#[test]
fn half_a_line_that_cannot_be_cut_off_is_told_and_got_over() {
    for attribute in ["a", "i"] {
        let home = Home::new();
        let path = torn(&home);
        let path = path.to_str().unwrap();
        if !run("chattr", &[&format!("+{attribute}"), path]) {
            return left_out("root", "files cannot be made append-only or immutable");
        }
        let serve = home.try_serve(&SERVE);
        if attribute == "i" {
            // It cannot be opened to be written.
            let said = serve.err().expect("it is refused");
            assert!(run("chattr", &["-i", path]));
            said.failed(3, "gateway.jsonl: open: Operation not permitted");
            continue;
        }
        let serve = serve.unwrap_or_else(|said| panic!("{}", said.stderr));
        serve.says(Duration::from_secs(10), "cut off half a line: Operation not permitted");
        others_are_served(&home, "append only");
        assert!(run("chattr", &["-a", path]));
        is_completed(&home, "append-only");
        serve.says(Duration::from_secs(1), "half a line at its end was cut off");
        ends_within_its_limit(serve);
    }
}

#[test]
fn a_file_that_may_not_be_read_is_refused_by_name() {
    let home = Home::new();
    let path = torn(&home);
    assert!(run("chmod", &["000", path.to_str().unwrap()]));
    // Root may read it all the same, but for this.
    let drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];
    let root = run("test", &["-r", path.to_str().unwrap()]);
    let said = home.try_serve_under(if root { &drop } else { &[] }, &SERVE);
    let said = said.err().expect("it is refused");
    said.failed(3, "gateway.jsonl: open: Permission denied");
}
