//! How the drivers of all languages end if stdin or stdout is unusual: the table of
//! docs/protocol.md.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::support::{drivers, root};

/// Answered at once, without a broker.
const LINE: &[u8] = b"{\"id\":1,\"op\":\"x\"}\n";

/// By a shell, so that a stream can be closed, in the checkout's folder.
fn start(shell: &str, driver: &[String], stdin: Stdio, stdout: Stdio) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).args(driver).current_dir(root());
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

/// The exit status, and what was said on stdout and stderr; the input stays open.
async fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let input = child.stdin.take();
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    let output = output.expect("it ends").unwrap();
    drop(input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn an_input_that_was_closed_has_ended_and_one_that_cannot_be_read_is_a_failure() {
    for (name, driver) in drivers::all().await {
        let closed = start(r#"exec "$@" <&-"#, &driver, Stdio::null(), Stdio::piped());
        let (status, stdout, stderr) = ended(closed).await;
        assert_eq!((status, stdout.as_str()), (Some(0), ""), "{name}: {stderr}");
        let folder = start(r#"exec "$@" </"#, &driver, Stdio::null(), Stdio::piped());
        let (status, stdout, stderr) = ended(folder).await;
        // Python's interpreter refuses a folder before any program of its runs.
        let (wanted, why) = match name {
            "python" => (1, "<stdin> is a directory"),
            _ => (3, "commands cannot be read"),
        };
        assert_eq!((status, stdout.as_str()), (Some(wanted), ""), "{name}: {stderr}");
        assert!(stderr.contains(why), "{name}: {stderr}");
    }
}

#[tokio::test]
async fn where_a_reply_cannot_be_written_the_driver_ends_though_its_input_goes_on() {
    for (name, driver) in drivers::all().await {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut full = start(r#"exec "$@""#, &driver, Stdio::piped(), full.into());
        full.stdin.as_mut().unwrap().write_all(LINE).await.unwrap();
        let mut gone = start(r#"exec "$@""#, &driver, Stdio::piped(), Stdio::piped());
        drop(gone.stdout.take());
        gone.stdin.as_mut().unwrap().write_all(LINE).await.unwrap();
        for child in [full, gone] {
            let (status, _, stderr) = ended(child).await;
            assert_eq!(status, Some(3), "{name}: {stderr}");
            assert!(stderr.contains("replies cannot be written"), "{name}: {stderr}");
        }
    }
}
