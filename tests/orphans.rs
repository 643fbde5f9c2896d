//! What a child's child left is tidied up by its own reaper, however long that takes on a loaded
//! machine, before ours ends.

use std::path::Path;
use std::time::Duration;

use crate::support::program::Home;
use crate::support::{eventually, lives, processes_with, reaper, send};
use mono_demo::process::{Child, Spawn};

const SOON: Duration = Duration::from_secs(30);

/// A `serve` below a reaper of ours, as a service under test is.
async fn nested_serve(home: &Home, ready: &Path) -> Child {
    let command = home.command(["serve", "--port", "0", "--ready-file"]);
    // Beside it something out of its group that tidies nothing up.
    let decoy = "setsid sh -c 'echo $$ > decoy; exec sleep 1000' & exec \"$0\" \"$@\"";
    let spawn = Spawn::new("serve", "sh").args(["-c", decoy]).arg(command.get_program());
    let mut spawn = spawn.cwd(home.path());
    for (name, value) in command.get_envs() {
        spawn = match value {
            Some(value) => spawn.env(name, value),
            None => spawn.env_remove(name.to_owned().into_string().expect("UTF-8")),
        };
    }
    let child = Child::spawn(&reaper(), spawn.args(command.get_args()).arg(ready)).await;
    let child = child.expect("serve starts");
    tokio::task::block_in_place(|| eventually("serve is ready", SOON, || ready.exists()));
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reaper_of_a_childs_child_is_waited_for() {
    let home = Home::new();
    let ready = home.path().join("ready");
    let child = nested_serve(&home, &ready).await;
    let run = home.path().to_str().unwrap();
    // That of the broker, and the keeper: both have the folder in their command line.
    let below: Vec<u32> = processes_with("__reap")
        .into_iter()
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(run) && !line.contains(ready.to_str().unwrap())
        })
        .collect();
    assert_eq!(below.len(), 2, "a reaper and a keeper");
    // As on a machine where they do not get their turn.
    below.iter().for_each(|pid| send("STOP", *pid));
    let killed = tokio::spawn(async move {
        let status = child.kill().await;
        child.close().await;
        status
    });
    let decoy = std::fs::read_to_string(home.path().join("decoy")).unwrap();
    let decoy: u32 = decoy.trim().parse().unwrap();
    // Whoever ends that one has looked at these too.
    tokio::task::block_in_place(|| eventually("orphans are ended", SOON, || !lives(decoy)));
    for pid in &below {
        assert!(lives(*pid), "it was killed before it had tidied up");
    }
    below.iter().for_each(|pid| send("CONT", *pid));
    killed.await.unwrap().unwrap();
    assert_eq!(home.processes(), [] as [u32; 0]);
    let folders = home.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = folders.filter(|name| name.to_string_lossy().starts_with("mono")).collect();
    assert!(left.is_empty(), "{left:?}");
}
