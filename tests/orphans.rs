//! A grandchild's reaper cleans up before ours ends, however long that takes on a loaded machine.

use std::path::Path;
use std::time::Duration;

use crate::support::program::Home;
use crate::support::{eventually, lives, reaper};
use mono_demo::process::{Child, Spawn};

const SOON: Duration = Duration::from_secs(30);

/// A `serve` below a reaper of ours, as a service under test is.
async fn nested_serve(home: &Home, ready: &Path) -> Child {
    let command = home.command(["serve", "--port", "0", "--ready-file"]);
    // Beside it, out of its group, something that tidies nothing up, and something that has the first
    // argument of those that do, and that takes its time.
    let beside = "mkfifo __reap; setsid sh -c 'echo $$ > slow; exec cat __reap' & \
        setsid sh -c 'echo $$ > decoy; exec sleep 1000' & exec \"$0\" \"$@\"";
    let spawn = Spawn::new("serve", "sh").args(["-c", beside]).arg(command.get_program());
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
    let pid_in = |name: &str| -> u32 {
        let pid = || std::fs::read_to_string(home.path().join(name)).ok()?.trim().parse().ok();
        tokio::task::block_in_place(|| eventually("it runs", SOON, || pid().is_some()));
        pid().expect("a pid")
    };
    let (slow, decoy) = (pid_in("slow"), pid_in("decoy"));
    let killed = tokio::spawn(async move {
        let status = child.kill().await;
        child.close().await;
        status
    });
    // Whoever ends that one has looked at the other too.
    tokio::task::block_in_place(|| eventually("orphans are ended", SOON, || !lives(decoy)));
    assert!(lives(slow), "it was killed before it had tidied up");
    // Its end of file.
    std::fs::write(home.path().join("__reap"), "").unwrap();
    killed.await.unwrap().unwrap();
    assert_eq!(home.processes(), [] as [u32; 0]);
    let folders = home.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = folders.filter(|name| name.to_string_lossy().starts_with("mono")).collect();
    assert!(left.is_empty(), "{left:?}");
}
