//! However a session of `mono-demo control` ends, nothing of it is left; programs beside a broker.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::program::Home;
use crate::support::talk::{Talk, text};
use crate::support::{eventually, lives, send};

const LIMIT: Duration = Duration::from_secs(20);

/// A broker, and a program with a child that has left its group.
fn started(talk: &mut Talk) -> Vec<u32> {
    let broker = talk.start_broker(json!({}));
    let run = json!(["sh", "-c", "setsid sleep 1000 & echo started $!; wait"]);
    let service = talk.ok("service.start", json!({ "run": run, "ready": { "line": "started" } }));
    let logs = talk.ok("logs", json!({ "of": "service-1" }));
    let line = logs["logs"][0]["lines"][0].as_str().unwrap().to_owned();
    let grandchild = line.split(' ').next_back().unwrap().parse().unwrap();
    let pid = |value: &Value| u32::try_from(value["pid"].as_u64().unwrap()).unwrap();
    vec![pid(&broker), pid(&service), grandchild]
}

/// What lies in the home beside the sockets of tests.
fn folders(home: &Path) -> Vec<String> {
    let entries = home.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("mono-demo")).collect()
}

#[test]
fn nothing_is_left_when_the_pipe_closes() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let pids = started(&mut talk);
    assert!(pids.iter().all(|pid| lives(*pid)) && !folders(home.path()).is_empty());
    // Something is under way, too.
    talk.ask("broker.start", json!({}));
    assert_eq!(talk.close(), Some(0));
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert_eq!((home.processes(), folders(home.path())), (vec![], vec![]));
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let pids = started(&mut talk);
    talk.kill();
    eventually("all is gone", LIMIT, || {
        pids.iter().all(|pid| !lives(*pid))
            && home.processes().is_empty()
            && folders(home.path()).is_empty()
    });
}

#[test]
fn nothing_is_left_when_a_signal_ends_it() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let pids = started(&mut talk);
    send("TERM", talk.pid());
    eventually("all is gone", LIMIT, || {
        pids.iter().all(|pid| !lives(*pid)) && folders(home.path()).is_empty()
    });
    assert_eq!(talk.close(), Some(130));
}

#[test]
fn what_is_under_way_when_the_input_ends_is_answered() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let cluster = talk.ask("cluster.start", json!({}));
    let status = talk.ask("status", json!({}));
    talk.end_input();
    assert!(talk.answer(cluster)["ok"]["url"].is_string());
    assert!(talk.answer(status)["ok"]["things"].is_array());
    assert_eq!(talk.close(), Some(0));
    assert_eq!((home.processes(), folders(home.path())), (vec![], vec![]));
}

#[test]
fn what_is_under_way_is_given_up_where_nobody_reads_its_answer() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let run = json!(["sh", "-c", "echo $$ > pid; exec sleep 1000"]);
    talk.ask(
        "service.start",
        json!({ "run": run, "cwd": home.path(), "ready": { "line": "never" } }),
    );
    let file = home.path().join("pid");
    let pid = || std::fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok();
    eventually("it runs", LIMIT, || pid().is_some());
    // As when the test is killed. With a reader it would go on, and end with 0.
    assert_eq!(talk.close_both(), Some(3));
    assert!(!lives(pid().unwrap()));
    assert_eq!((home.processes(), folders(home.path())), (vec![], vec![]));
}

#[test]
fn nobody_reads_its_answers() {
    let home = Home::new();
    let mut command = home.command(["control"]);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdin = program.stdin.take().unwrap();
    // Its input is still open: a process that outlives the test may hold it.
    drop(program.stdout.take());
    let status = program.wait().unwrap();
    drop(stdin);
    assert_eq!(status.code(), Some(3));
    assert!(home.processes().is_empty());
}

#[test]
fn a_program_is_seen_to_be_ready_broken_and_stopped() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    let python = "import os, socket, sys, time
s = socket.socket(); s.bind(('127.0.0.1', int(os.environ['PORT']))); s.listen()
print(os.environ['NATS_URL'], os.getcwd(), flush=True)
time.sleep(1000)";
    let port = crate::support::steady_port();
    let wanted = json!({
        "name": "web", "of": "broker-1", "run": ["python3", "-c", python], "env": { "PORT": port.to_string() },
        "cwd": "/", "ready": { "port": port },
    });
    let service = talk.ok("service.start", wanted);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let fault = |kind: &str| json!({ "of": "web", "fault": { "kind": kind } });
    talk.ok("fault", fault("pause"));
    talk.ok("fault", fault("resume"));
    talk.ok("fault", fault("kill"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    let again = talk.ok("fault", fault("restart"));
    assert_ne!(again["pid"], service["pid"]);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let status = talk.ok("status", json!({}));
    let url = text(&status["things"][0], "url");
    let logs = talk.ok("logs", json!({ "of": "web" }));
    assert!(logs.to_string().contains(&format!("{url} /")), "{logs}");
    let stopped = talk.ok("stop", json!({}));
    // Python has no word for SIGTERM: it is ended by it.
    assert_eq!(stopped["stopped"][0], json!({ "name": "web", "how": "signal 15 (SIGTERM)" }));
}

#[test]
fn a_program_that_does_not_get_ready_says_why() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let run = |line: &str| json!({ "run": ["sh", "-c", line], "ready": { "line": "up" }, "ready_within_ms": 200 });
    let told = talk.err("service.start", run("echo oh; exit 3"));
    assert_eq!(
        text(&told, "message"),
        "service.start: it ended with exit status 3 before it was ready: it was to print a line with \
         `up`; its last line: `oh`"
    );
    assert_eq!(told["log"], json!(["oh"]));
    let told = talk.err("service.start", run("echo slow; sleep 1000"));
    assert!(
        text(&told, "message").contains("did not print a line with `up` within 200ms"),
        "{told}"
    );
    assert_eq!(talk.ok("status", json!({})), json!({ "things": [] }));
    // A name that came to nothing is free.
    talk.ok("service.start", json!({ "name": "service-1", "run": ["sleep", "1000"] }));
}

#[tokio::test]
async fn a_service_is_ready_once_it_answers() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({ "accounts": true }));
    let account = talk.ok("account.create", json!({ "of": "broker-1" }));
    let ready = json!({ "service": "greeter" });
    // It serves nothing yet; another program is the service.
    let id = talk.ask(
        "service.start",
        json!({ "of": text(&account, "name"), "run": ["sleep", "1000"], "ready": ready }),
    );
    let login = (text(&account, "user").to_owned(), text(&account, "password").to_owned());
    let options = async_nats::ConnectOptions::with_user_and_password(login.0, login.1);
    let client = options.connect(text(&account, "url")).await.unwrap();
    let mut asked = client.subscribe("$SRV.PING.greeter").await.unwrap();
    let ping = futures_util::StreamExt::next(&mut asked).await.unwrap();
    client.publish(ping.reply.unwrap(), "{}".into()).await.unwrap();
    client.flush().await.unwrap();
    assert!(talk.answer(id)["ok"]["pid"].is_u64());
}

/// `mono-demo control --socket`, killed if the test forgets it.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(home: &Home) -> Server {
    let mut command = home.command(["control", "--socket", "sockets/control"]);
    let mut program = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = program.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    assert!(
        line.starts_with("Ready: /") && line.trim_end().ends_with("/sockets/control"),
        "{line}"
    );
    Server(program)
}

#[test]
fn each_connection_to_the_socket_is_a_session_of_its_own() {
    let home = Home::new();
    let path = home.path().join("sockets/control");
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        let mut talk = Talk::over(stream.try_clone().unwrap(), stream.try_clone().unwrap());
        talk.ok("hello", json!({ "protocol": 1 }));
        (talk, stream)
    };
    let mut server = serve(&home);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let (mut one, first) = connect();
    let (mut other, _second) = connect();
    let gone = one.start_broker(json!({}));
    let stays = other.start_broker(json!({}));
    assert_eq!((text(&gone, "name"), text(&stays, "name")), ("broker-1", "broker-1"));
    first.shutdown(std::net::Shutdown::Both).unwrap();
    let pid = |value: &Value| u32::try_from(value["pid"].as_u64().unwrap()).unwrap();
    eventually("its broker is gone", LIMIT, || !lives(pid(&gone)));
    assert!(lives(pid(&stays)));

    // A second one does not take its place; one that was killed has left it free.
    home.run(&["control", "--socket", "sockets/control"])
        .failed(3, "sockets/control: Address already in use");
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    eventually("all is gone", LIMIT, || !lives(pid(&stays)));
    assert!(path.exists());
    let mut server = serve(&home);
    drop(connect());
    send("TERM", server.0.id());
    assert_eq!(server.0.wait().unwrap().code(), Some(130));
    assert!(!path.exists());
}

#[test]
fn a_socket_is_not_made_where_others_can_write() {
    let home = Home::new();
    let folder = home.path().join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    home.run(&["control", "--socket", "shared/control"]).failed(3, "control: --socket");
    // Nor in place of something else.
    std::fs::write(home.path().join("file"), "x").unwrap();
    home.run(&["control", "--socket", "file"]).failed(3, "Address already in use");
    assert_eq!(std::fs::read_to_string(home.path().join("file")).unwrap(), "x");
}
