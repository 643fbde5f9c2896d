//! `broker = { url = "nats://…" }`: scenarios on a broker that somebody else runs.

use std::time::Duration;

use crate::support::bare_server::BareServer;
use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;
use crate::support::steady_port;

/// A service that works on what is in a stream, and wants no broker of its own.
const WORKER: &str = r#"
import asyncio, os, signal, nats

async def main():
    login = {} if "NATS_USER" not in os.environ else {
        "user": os.environ["NATS_USER"], "password": os.environ["NATS_PASSWORD"]}
    connection = await nats.connect(os.environ["NATS_URL"], **login)
    stream = connection.jetstream()

    async def work(message):
        await connection.publish("done", message.data)
        await message.ack()

    await stream.subscribe("orders.new", durable="worker", cb=work, manual_ack=True)

    async def hi(message):
        await message.respond(b"hi")

    await connection.subscribe("hi", cb=hi)
    await connection.flush()
    print("worker: up", os.environ["NATS_URL"], login)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await connection.close()

asyncio.run(main())
"#;

/// A suite with this service on the broker at the URL.
fn on(url: &str) -> String {
    format!(
        "broker = {{ url = {url:?} }}\n[services.worker]\nrun = [\"{{{{python}}}}\", \"worker.py\"]\n\
         ready = {{ line = \"worker: up\" }}\n[streams.ORDERS]\nsubjects = [\"orders.>\"]\n"
    )
}

/// Its library sends a PING ahead of what waits to be sent: once it is up, its subscription may be on its way.
const STEPS: &str = "[[step]]\nrequest = \"hi\"\nreply = \"hi\"\nwithin = \"20s\"\n\
                     [[step]]\nfault = \"kill-service\"\nservice = \"worker\"\n\
                     [[step]]\nsubmit = \"orders.new\"\nbody = { id = 1 }\nack = { stream = \"ORDERS\" }\ngolden = [\"/sequence\"]\n\
                     [[step]]\nexpect_message = { subject = \"done\", body = { id = 1 } }\nwithin = \"20s\"\n\
                     [[step]]\nkv = { bucket = \"seen\", put = \"a\" }\nbody = 1\ngolden = [\"/revision\"]\n";

async fn server(home: &Home, config: &str) -> BareServer {
    let store = home.path().join("server/store").display().to_string();
    let config = format!("jetstream {{ store_dir: {store:?} }}\n{config}");
    BareServer::start(home.path(), "server", &config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios_run_on_a_broker_that_is_there_one_after_the_other() {
    let home = Home::new();
    let user = "accounts { A { jetstream: enabled, users: [ { user: ada, password: \"0wn-passw0rd\" } ] } }";
    let server = server(&home, user).await;
    let url = server.nats.replace("://", "://ada:0wn-passw0rd@");
    let file = format!("{}[kv.seen]\n", on(&url));
    suite(&home, &file, &[("a", STEPS), ("b", STEPS)]);
    std::fs::write(home.path().join("suite/worker.py"), WORKER).unwrap();
    let said = e2e(&home, &["--update", "--jobs", "4"]);
    assert!(!said.stderr.contains("passw0rd"), "{}", said.stderr);
    let said = said.ok();
    assert!(said.contains("2 passed"), "{said}");
    // What a run has made there stays, and the next run finds it.
    let report = home.path().join("report.json");
    let said = e2e(&home, &["--ci", "--report", &format!("json={}", report.display())]).ok();
    let report = std::fs::read_to_string(report).unwrap();
    assert!(!said.contains("passw0rd") && !report.contains("passw0rd"), "{said}{report}");
    assert_eq!(home.brokers().len(), 1, "none is started but that one");

    // A run that fails shows the service's lines, and not what it was given.
    let fails = "[[step]]\nrequest = \"hi\"\nreply = \"no\"\nwithin = \"2s\"\n\
                 [[step]]\nrun = [\"false\"]\n";
    suite(&home, &file, &[("a", fails)]);
    std::fs::remove_file(home.path().join("suite/scenarios/b.toml")).unwrap();
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("expected \"no\", saw text \"hi\""), "{said}");
    assert!(said.contains("worker: up nats://") && !said.contains("passw0rd"), "{said}");
    let said = home.run(&["e2e", "explore", "suite", "a", "--service", "worker"]);
    let said = said.failed(2, "the broker is one that somebody else runs");
    assert!(!said.stderr.contains("passw0rd"));
    let words = "--nats-server-version: the broker of a is one that somebody else runs";
    e2e(&home, &["--nats-server-version", "2.15"]).failed(2, words);
    let said = e2e(&home, &["--cluster", "3"]).failed(3, "");
    assert!(said.stdout.contains("its broker is one that somebody else runs"), "{}", said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_url_is_shown_to_the_broker_and_to_nobody_else() {
    let home = Home::new();
    let server = server(&home, "authorization { token: \"t0k3n-of-ada\" }").await;
    let file = on(&server.nats.replace("://", "://t0k3n-of-ada@"));
    let steps = "[[step]]\nrequest = \"hi\"\nreply = \"no\"\nwithin = \"2s\"\n";
    suite(&home, &file, &[("a", steps)]);
    std::fs::write(home.path().join("suite/worker.py"), WORKER).unwrap();
    let said = e2e(&home, &["--ci"]).failed(1, "");
    assert!(said.stdout.contains("expected \"no\", saw text \"hi\""), "{}", said.stdout);
    assert!(said.stdout.contains("worker: up nats://<password>@"), "{}", said.stdout);
    assert!(!said.stdout.contains("t0k3n") && !said.stderr.contains("t0k3n"), "{}", said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_is_told_at_once_and_nothing_is_started() {
    let home = Home::new();
    let step = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
    let started = home.path().join("started");
    let prepare = format!("prepare = [[\"touch\", {:?}]]\n", started.display().to_string());
    let port = steady_port();
    let file = format!("{prepare}broker = {{ url = \"nats://ada:s3cret@127.0.0.1:{port}\" }}\n");
    suite(&home, &file, &[("a", step)]);
    let began = std::time::Instant::now();
    let said = e2e(&home, &[]).failed(2, "the broker of a: ");
    assert!(said.stderr.contains(&format!("nats://127.0.0.1:{port}")), "{}", said.stderr);
    assert!(said.stderr.contains("hint: `url` of `[broker]` names it"), "{}", said.stderr);
    assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());

    // One that lets nobody in who shows another password.
    let server = server(&home, "authorization { user: ada, password: right }").await;
    let url = server.nats.replace("://", "://ada:wrong-one@");
    suite(&home, &format!("{prepare}broker = {{ url = {url:?} }}\n"), &[("a", step)]);
    let said = e2e(&home, &[]).failed(2, "the broker of a: ");
    assert!(!said.stderr.contains("wrong-one"), "{}", said.stderr);
    assert!(!started.exists(), "nothing is prepared for it");
}

#[test]
fn what_needs_a_broker_of_the_runs_own_is_refused_by_name() {
    let home = Home::new();
    let url = "broker = { url = \"nats://ada:s3cret@127.0.0.1:1\" }\n";
    let step = "[[step]]\nsettle = true\n";
    let service =
        |ready: &str| format!("{url}[services.a]\nrun = [\"a\"]\nready = {{ {ready} }}\n");
    for (file, steps, words) in [
        (
            url.to_owned(),
            "[[step]]\nfault = \"kill-broker\"\n",
            "`kill-broker` needs a broker of the run's own",
        ),
        (url.to_owned(), "[[step]]\nfault = \"cut\"\n", "`cut` needs a broker of the run's own"),
        (
            url.to_owned(),
            "[[step]]\nfault = \"kill-leader\"\nstream = \"A\"\n",
            "`kill-leader` needs a broker",
        ),
        (format!("{url}hazards = \"fail\"\n"), step, "`hazards` needs a broker of the run's own"),
        (service("connected = 1"), step, "`ready = { connected = … }` of `a` needs a broker"),
        (service("subscribes = \"a\""), step, "`ready = { subscribes = … }` of `a` needs a broker"),
        (
            format!("{url}proxy = {{ client = true }}\n"),
            step,
            "`proxy` needs a broker of the run's own",
        ),
    ] {
        suite(&home, &file, &[("a", steps)]);
        let said = e2e(&home, &[]).failed(2, words);
        assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
    }
}
