//! Children and their reapers, with real processes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::expected::left_out;
use crate::support::{
    Helper, Stray, eventually, fake_reaper, lives, parent, processes_with, reaper, reaper_in, send,
    state,
};
use mono_demo::process::{
    Child, ExitStatus, Reaper, Signal, SignalError, Spawn, SpawnError, StdoutError,
};
use tokio::io::AsyncWriteExt;

const SOON: Duration = Duration::from_secs(30);

fn sh(script: &str) -> Spawn {
    Spawn::new("shell", "/bin/sh").arg("-c").arg(script)
}

async fn spawn(spawn: Spawn) -> Child {
    Child::spawn(&reaper(), spawn).await.expect("a child")
}

async fn next_line(
    lines: &mut tokio::sync::mpsc::Receiver<Result<String, StdoutError>>,
) -> Option<String> {
    lines.recv().await.map(|line| line.expect("a good line"))
}

#[tokio::test]
async fn the_exit_status_passes_through() {
    assert_eq!(spawn(sh("exit 0")).await.wait().await, ExitStatus::Code(0));
    assert_eq!(spawn(sh("exit 3")).await.wait().await, ExitStatus::Code(3));
    let status = spawn(sh("kill -s SEGV $$")).await.wait().await;
    assert_eq!(status, ExitStatus::Signal(11));
}

#[tokio::test]
async fn many_may_wait() {
    let child = spawn(sh("read line; exit 4")).await;
    assert_eq!(child.try_status(), None);
    let all = async { tokio::join!(child.wait(), child.wait(), child.wait()) };
    let end = async { drop(child.take_stdin()) };
    let (all, ()) = tokio::join!(all, end);
    let four = ExitStatus::Code(4);
    assert_eq!(all, (four, four, four));
    assert_eq!(child.try_status(), Some(four));
}

#[tokio::test]
async fn stdin_stdout_environment_and_folder_reach_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let child = spawn(
        sh("read line; echo \"$line $GIVEN ${HOME-unset}\"; pwd -P")
            .env("GIVEN", "value")
            .env_remove("HOME")
            .cwd(folder.path()),
    )
    .await;
    let mut lines = child.take_stdout().unwrap();
    assert!(child.take_stdout().is_none(), "only the first gets it");
    let mut stdin = child.take_stdin().unwrap();
    stdin.write_all(b"hello\n").await.unwrap();
    assert_eq!(next_line(&mut lines).await.unwrap(), "hello value unset");
    assert_eq!(
        Path::new(&next_line(&mut lines).await.unwrap()),
        folder.path().canonicalize().unwrap()
    );
    assert_eq!(next_line(&mut lines).await, None);
    assert!(child.wait().await.success());
}

#[tokio::test]
async fn a_missing_program_is_told_at_once_by_name() {
    let root = tempfile::tempdir().unwrap();
    let reaper = reaper_in(root.path());
    let folder = tempfile::tempdir().unwrap();
    let spawn = Spawn::new("ghost", "/no/such/program").remove_on_exit(folder.path());
    let problem = Child::spawn(&reaper, spawn).await.unwrap_err();
    assert!(matches!(problem, SpawnError::Program { .. }));
    assert_eq!(
        problem.to_string(),
        "could not start ghost: /no/such/program: No such file or directory (os error 2)"
    );
    // What keeps an eye on folders lives as long as the handle.
    drop(reaper);
    eventually("no socket folder", Duration::from_secs(60), || {
        root.path().read_dir().unwrap().count() == 0
            && processes_with(root.path().to_str().unwrap()).is_empty()
    });
    assert!(folder.path().exists(), "it is the caller's again");
}

#[tokio::test]
async fn a_program_that_may_not_be_run_is_told() {
    let spawn = Spawn::new("text", "/etc/passwd");
    let problem = Child::spawn(&reaper(), spawn).await.unwrap_err();
    assert!(problem.to_string().contains("Permission denied"), "{problem}");
}

#[tokio::test]
async fn a_missing_working_folder_is_told() {
    let problem = Child::spawn(&reaper(), sh("true").cwd("/no/such/folder")).await.unwrap_err();
    assert!(
        problem.to_string().contains("its working folder /no/such/folder is missing"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_missing_reaper_is_told_at_once() {
    let problem = Child::spawn(&Reaper::new("/no/such/reaper", std::env::temp_dir()), sh("true"))
        .await
        .unwrap_err();
    assert!(matches!(problem, SpawnError::Reaper { .. }));
    let text = problem.to_string();
    assert!(text.contains("/no/such/reaper: No such file"), "{text}");
}

#[tokio::test]
async fn a_reaper_that_is_something_else_is_told_with_what_it_said() {
    // `ls` does not know `__reap` and says so.
    let problem =
        Child::spawn(&Reaper::new("/bin/ls", std::env::temp_dir()), sh("true")).await.unwrap_err();
    assert!(matches!(problem, SpawnError::ReaperFailed { .. }));
    assert!(problem.to_string().contains("it said `mono-demo: "), "{problem}");
}

#[tokio::test]
async fn stop_is_gentle_when_that_is_enough() {
    let child = spawn(sh("trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done")).await;
    assert_eq!(next_line(&mut child.take_stdout().unwrap()).await.unwrap(), "up");
    let status = child.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(status, ExitStatus::Code(7));
}

#[tokio::test]
async fn stop_escalates_when_the_child_does_not_listen() {
    let child = spawn(sh("trap '' TERM; echo up; while :; do sleep 0.01; done")).await;
    assert_eq!(next_line(&mut child.take_stdout().unwrap()).await.unwrap(), "up");
    let began = Instant::now();
    let status = child.stop(Duration::from_millis(200)).await.unwrap();
    assert_eq!(status, ExitStatus::Signal(9));
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_paused_child_stops_too() {
    let child = spawn(Spawn::new("sleeper", "sleep").arg("1000")).await;
    child.signal(Signal::Stop).await.unwrap();
    assert_eq!(state(child.pid()), Some('T'));
    let status = child.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(status, ExitStatus::Signal(15));
}

#[tokio::test]
async fn a_paused_child_stands_still_at_once() {
    let busy = spawn(sh("while :; do :; done")).await;
    for round in 0..200 {
        busy.signal(Signal::Stop).await.unwrap();
        assert_eq!(state(busy.pid()), Some('T'), "in round {round}");
        busy.signal(Signal::Cont).await.unwrap();
    }
    busy.kill().await.unwrap();
}

/// The kernel stops a process that waits for its child to become a program only when that child goes on.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_child_that_is_about_to_start_a_program_is_paused() {
    let waits = "import ctypes, signal; ctypes.CDLL(None).vfork(); signal.pause()";
    let child = spawn(Spawn::new("waits", "python3").args(["-c", waits])).await;
    let children = format!("/proc/{0}/task/{0}/children", child.pid());
    eventually("it waits for its child", Duration::from_secs(20), || {
        !std::fs::read_to_string(&children).unwrap().is_empty() && state(child.pid()) == Some('D')
    });
    child.signal(Signal::Stop).await.unwrap();
    assert_eq!(child.try_status(), None);
    child.close().await;
}

#[tokio::test]
async fn a_signal_after_the_exit_is_an_error() {
    let child = spawn(sh("exit 5")).await;
    child.wait().await;
    let problem = child.signal(Signal::Term).await.unwrap_err();
    assert!(matches!(problem, SignalError::Exited { .. }));
    assert_eq!(
        problem.to_string(),
        "shell was not sent SIGTERM: it has already ended with exit status 5"
    );
    assert_eq!(child.kill().await.unwrap(), ExitStatus::Code(5));
    let stopped = child.stop(Duration::ZERO).await.unwrap();
    assert_eq!(stopped, ExitStatus::Code(5));
}

/// Starts a process that gets this pid; `None` where the system does not let us choose.
fn sleeper_with_pid(pid: u32) -> Option<std::process::Child> {
    for _ in 0..500 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        if sleeper.id() == pid {
            return Some(sleeper);
        }
        // Somebody else was faster.
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
    None
}

#[tokio::test]
async fn a_pid_that_was_given_to_somebody_else_is_not_signalled() {
    let child = spawn(sh("exit 0")).await;
    child.wait().await;
    eventually("it is reaped", Duration::from_secs(60), || state(child.pid()).is_none());
    let Some(mut other) = sleeper_with_pid(child.pid()) else {
        let why = "/proc/sys/kernel/ns_last_pid cannot be written, so no pid can be reused";
        return left_out("root", why);
    };
    for signal in [Signal::Term, Signal::Kill] {
        let problem = child.signal(signal).await.unwrap_err();
        assert!(matches!(problem, SignalError::Exited { .. }), "{problem}");
    }
    child.kill().await.unwrap();
    child.close().await;
    assert!(lives(other.id()), "the other process was signalled");
    // The check can fail: what a plain kill by number does.
    let number = other.id().to_string();
    std::process::Command::new("kill").args(["-KILL", &number]).status().unwrap();
    assert!(!other.wait().unwrap().success());
}

#[tokio::test]
async fn signals_reach_the_whole_group() {
    let child = spawn(sh("sh -c 'sleep 1000 & echo $!; wait' & wait")).await;
    let line = next_line(&mut child.take_stdout().unwrap()).await.unwrap();
    let grandchild: u32 = line.parse().unwrap();
    assert!(lives(grandchild));
    child.kill().await.unwrap();
    eventually("the grandchild is gone", Duration::from_secs(60), || !lives(grandchild));
}

#[tokio::test]
async fn what_a_child_leaves_of_its_group_is_ended() {
    let child = spawn(sh("sleep 1000 & echo $!; exit 0")).await;
    let line = next_line(&mut child.take_stdout().unwrap()).await.unwrap();
    let left: u32 = line.parse().unwrap();
    assert!(child.wait().await.success());
    eventually("it is gone", Duration::from_secs(60), || !lives(left));
}

/// Elsewhere what leaves its group is out of reach.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_leaves_the_group_is_ended_with_the_child() {
    let leaves = "trap '' HUP; echo $$; sleep 1000";
    for script in [
        format!("setsid sh -c \"{}\"; exit 0", leaves.replace("$$", "\\$\\$")),
        format!("(setsid sh -c \"{} & wait\" &); sleep 1000", leaves.replace("$$", "\\$\\$")),
    ] {
        let child = spawn(sh(&script)).await;
        let line = next_line(&mut child.take_stdout().unwrap()).await.unwrap();
        let left: u32 = line.parse().unwrap();
        assert!(lives(left));
        child.kill().await.unwrap();
        assert!(!lives(left), "once the end is told, nothing of it is left: {script}");
    }
}

#[tokio::test]
async fn a_dropped_child_is_ended_with_its_folders() {
    let folder = tempfile::tempdir().unwrap().keep();
    let child = spawn(sh("echo up; exec sleep 1000").remove_on_exit(&folder)).await;
    next_line(&mut child.take_stdout().unwrap()).await.unwrap();
    let (pid, reaper) = (child.pid(), parent(child.pid()));
    drop(child);
    eventually("all are gone", Duration::from_secs(60), || {
        !lives(pid) && !lives(reaper) && !folder.exists()
    });
}

#[tokio::test]
async fn a_closed_child_has_left_nothing() {
    let folder = tempfile::tempdir().unwrap().keep();
    let child = spawn(Spawn::new("sleeper", "sleep").arg("1000").remove_on_exit(&folder)).await;
    let (pid, reaper) = (child.pid(), parent(child.pid()));
    child.close().await;
    assert!(!lives(pid) && !lives(reaper) && !folder.exists());
}

#[tokio::test]
async fn folders_are_removed_even_if_the_child_ended_long_before() {
    let folder = tempfile::tempdir().unwrap().keep();
    let child = spawn(sh("exit 0").remove_on_exit(&folder)).await;
    child.wait().await;
    assert!(folder.exists(), "it is ours while we hold the child");
    child.close().await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_released_child_leaves_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let child = spawn(sh("sleep 1000").remove_on_exit(folder.path())).await;
    let pid = child.pid();
    child.release().await;
    assert!(!lives(pid));
    assert!(folder.path().exists());
}

#[tokio::test]
async fn the_socket_is_gone_once_the_child_runs() {
    let root = tempfile::tempdir().unwrap();
    let reaper = reaper_in(root.path());
    let child = Child::spawn(&reaper, sh("sleep 1000")).await.unwrap();
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
    child.close().await;
}

#[tokio::test]
async fn a_deep_temporary_folder_is_no_problem() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let child = Child::spawn(&reaper_in(deep), sh("exit 0")).await.unwrap();
    assert!(child.wait().await.success());
}

#[tokio::test]
async fn the_reaper_is_not_in_our_process_group() {
    let child = spawn(sh("sleep 1000")).await;
    let group = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let rest = stat.rsplit_once(") ").unwrap().1.to_owned();
        rest.split(' ').nth(2).unwrap().to_owned()
    };
    let (us, reaper) = (std::process::id(), parent(child.pid()));
    assert_eq!(parent(reaper), us);
    assert_ne!(group(reaper), group(us), "Ctrl-C is not for the reaper");
    assert_ne!(group(child.pid()), group(reaper));
    assert_eq!(group(child.pid()), child.pid().to_string());
    child.close().await;
}

#[tokio::test]
async fn a_killed_reaper_takes_the_child_with_it() {
    let folder = tempfile::tempdir().unwrap().keep();
    // No shell: what that starts may stay.
    let sleeper = Spawn::new("sleeper", "sleep").arg("1000").remove_on_exit(&folder);
    let child = spawn(sleeper).await;
    send("KILL", parent(child.pid()));
    assert_eq!(child.wait().await, ExitStatus::Lost);
    eventually("the child is gone", SOON, || !lives(child.pid()));
    assert!(child.signal(Signal::Term).await.is_err());
    child.close().await;
    assert!(!folder.exists(), "we remove what the reaper would have removed");
}

#[tokio::test]
async fn a_flood_on_stderr_blocks_nothing_and_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("child.log");
    let script = "i=0; while [ $i -lt 20000 ]; do echo \"line $i of many\" >&2; i=$((i+1)); done";
    let child = spawn(sh(script).log(&log)).await;
    assert!(child.wait().await.success());
    child.drained().await;
    let tail = child.tail();
    assert_eq!(tail.len(), 50);
    assert_eq!(tail[49], "line 19999 of many");
    let logged = std::fs::read_to_string(&log).unwrap();
    assert_eq!(logged.lines().count(), 20000);
}

#[tokio::test]
async fn a_flood_on_stdout_that_nobody_reads_blocks_nothing() {
    let child =
        spawn(sh("i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; i=$((i+1)); done")).await;
    assert!(child.wait().await.success());
}

#[tokio::test]
async fn a_dropped_stdout_is_drained_all_the_same() {
    let child =
        spawn(sh("i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; i=$((i+1)); done")).await;
    drop(child.take_stdout());
    assert!(child.wait().await.success());
}

#[tokio::test]
async fn a_line_that_is_too_long_is_an_error_and_the_next_is_not() {
    let child = spawn(sh("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after")).await;
    let mut lines = child.take_stdout().unwrap();
    let problem = lines.recv().await.unwrap().unwrap_err();
    assert!(matches!(problem, StdoutError::TooLong { .. }));
    assert!(problem.to_string().contains("more than 1048576 bytes"), "{problem}");
    assert_eq!(next_line(&mut lines).await.unwrap(), "after");
}

#[tokio::test]
async fn the_tail_is_safe_to_show() {
    let child = spawn(sh("printf '\\033]0;owned\\007\\033[31mred\\033[0m\\r\\n' >&2")).await;
    child.wait().await;
    child.drained().await;
    assert_eq!(child.tail(), ["red"]);
}

#[tokio::test]
async fn a_child_that_closes_its_pipes_goes_on() {
    let child = spawn(sh("exec >&- 2>&-; exec sleep 1000")).await;
    let mut lines = child.take_stdout().unwrap();
    // The end of file comes through although the reaper had the pipe too.
    assert_eq!(next_line(&mut lines).await, None);
    assert_eq!(child.stderr_lines().next().await, None);
    assert_eq!(child.try_status(), None);
    assert!(lives(child.pid()));
    child.close().await;
}

#[tokio::test]
async fn stderr_can_be_followed_from_the_beginning() {
    let child = spawn(sh("echo one >&2; echo two >&2; read line; echo three >&2")).await;
    let mut early = child.stderr_lines();
    assert_eq!(early.next().await.as_deref(), Some("one"));
    assert_eq!(early.next().await.as_deref(), Some("two"));
    drop(child.take_stdin());
    child.wait().await;
    let mut late = child.stderr_lines();
    for expected in ["one", "two", "three"] {
        assert_eq!(late.next().await.as_deref(), Some(expected));
    }
    assert_eq!(late.next().await, None);
    assert_eq!(early.next().await.as_deref(), Some("three"));
}

#[tokio::test]
async fn a_lock_is_held_while_the_child_lives() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let child = spawn(sh("sleep 1000").hold_lock(&lock)).await;
    let file = std::fs::File::open(&lock).unwrap();
    assert!(file.try_lock().is_err());
    child.kill().await.unwrap();
    file.try_lock().expect("free once the child has ended");
    let refused = Child::spawn(&reaper(), sh("true").hold_lock(&lock)).await;
    assert!(matches!(refused, Err(SpawnError::Locked { .. })));
}

/// Not by its reaper, which may be killed: a second server on the same store would destroy it.
#[tokio::test]
async fn a_lock_is_held_while_anything_of_the_child_lives() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    // Somebody who left the group is nobody's child once the reaper is killed.
    let script = sh("setsid sleep 1000 & echo $!; wait").hold_lock(&lock);
    let child = spawn(script).await;
    let left = next_line(&mut child.take_stdout().unwrap()).await.unwrap();
    let left = Stray(left.parse().unwrap());
    send("KILL", parent(child.pid()));
    assert_eq!(child.wait().await, ExitStatus::Lost);
    eventually("the child is gone", SOON, || !lives(child.pid()));
    let refused = Child::spawn(&reaper(), sh("true").hold_lock(&lock)).await;
    let error = refused.expect_err("something of it lives").to_string();
    assert!(error.contains(lock.to_str().unwrap()), "{error}");
    drop(left);
    let next = Child::spawn(&reaper(), sh("true").hold_lock(&lock)).await.expect("it is free");
    assert!(next.wait().await.success());
}

/// One that cannot be woken, as one that is held in a debugger.
#[tokio::test]
async fn a_reaper_that_does_not_answer_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let reaper = Reaper::new(fake_reaper(folder.path()), folder.path());
    let child = Child::spawn(&reaper, sh("true")).await.expect("it says so");
    let silent = child.pid();
    let limit = Duration::from_secs(60);
    let sent = tokio::time::timeout(limit, child.signal(Signal::Term)).await.expect("in time");
    let lost = matches!(sent, Err(SignalError::Exited { status: ExitStatus::Lost, .. }));
    assert!(lost, "{sent:?}");
    eventually("it is gone", SOON, || !lives(silent));

    let child = Child::spawn(&reaper, sh("true")).await.expect("it says so");
    let silent = child.pid();
    tokio::time::timeout(limit, child.close()).await.expect("in time");
    assert!(!lives(silent));
}

#[tokio::test]
async fn a_cancelled_spawn_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let marker = root.path().to_str().unwrap().to_owned();
    for delay_us in [0, 300, 1000, 2000, 3000, 5000] {
        let reaper = reaper_in(root.path());
        let folder = tempfile::tempdir_in(root.path()).unwrap().keep();
        let spawn = sh(&format!("sleep 1000; : {marker}")).remove_on_exit(&folder);
        let spawning = Child::spawn(&reaper, spawn);
        let _ = tokio::time::timeout(Duration::from_micros(delay_us), spawning).await;
    }
    eventually("nothing is left", Duration::from_secs(60), || processes_with(&marker).is_empty());
}

#[tokio::test]
#[ignore = "a helper: holds a family of processes until it is killed"]
async fn helper_holds_a_family() {
    let folder = Helper::argument();
    let reaper = reaper_in(folder.parent().unwrap());
    let script = "trap '' TERM INT HUP; sh -c 'trap \"\" TERM; sleep 1000 & echo $!; wait' & wait";
    let child = Child::spawn(&reaper, sh(script).remove_on_exit(&folder)).await.unwrap();
    let grandchild = next_line(&mut child.take_stdout().unwrap()).await.unwrap();
    println!("told {} {} {grandchild}", parent(child.pid()), child.pid());
    std::future::pending::<()>().await;
}

#[test]
fn killing_the_parent_leaves_neither_process_nor_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    std::fs::create_dir_all(folder.join("deep/er")).unwrap();
    std::fs::write(folder.join("deep/er/file"), "x").unwrap();
    let mut helper = Helper::start("process::helper_holds_a_family", &folder);
    let pids: Vec<u32> = helper.told.iter().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3, "reaper, child and grandchild");
    assert!(pids.iter().all(|pid| lives(*pid)));
    helper.kill();
    eventually("nothing is left", Duration::from_secs(60), || {
        !pids.iter().any(|pid| lives(*pid)) && root.path().read_dir().unwrap().count() == 0
    });
}
