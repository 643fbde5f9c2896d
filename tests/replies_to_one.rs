//! So many replies to one request, and no more.

use crate::support::program::{Home, Said};

/// Two members that answer on `hi`, in the queue group of the first argument or in none; the second
/// after so many milliseconds.
const MEMBERS: &str = r#"
import asyncio, os, signal, sys, nats

async def member(name, slow):
    connection = await nats.connect(os.environ["BROKER"], name="member")

    async def hi(message):
        await asyncio.sleep(slow / 1000)
        await message.respond(b'{"from": "' + name + b'"}')

    await connection.subscribe("hi", queue=sys.argv[1], cb=hi)
    await connection.flush()
    return connection

async def main():
    all = [await member(b"a", 0), await member(b"b", int(sys.argv[2]))]
    print("up")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for connection in all:
        await connection.close()

asyncio.run(main())
"#;

fn run(queue: &str, slow: u32, step: &str, args: &[&str]) -> (Home, Said) {
    let home = Home::new();
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("members.py"), MEMBERS).unwrap();
    let file = format!(
        "[services.members]\nrun = [\"{{{{python}}}}\", \"members.py\", \"{queue}\", \"{slow}\"]\n\
         env = {{ BROKER = \"{{{{url_with_credentials}}}}\" }}\nready = {{ line = \"up\" }}\n\
         ready_within = \"60s\"\n"
    );
    std::fs::write(root.join("suite.toml"), file).unwrap();
    let text = format!("description = \"hi\"\n{step}");
    std::fs::write(root.join("scenarios/hi.toml"), text).unwrap();
    let said = home.run(&[&["e2e", "suite"], args].concat());
    (home, said)
}

#[test]
fn a_second_reply_to_one_request_is_seen() {
    let once = "[[step]]\nrequest = \"hi\"\nreplies = 1\nreply = { from = \"#string\" }\n";
    let (_home, said) = run("members", 0, once, &["--update"]);
    said.ok();
    // Without a queue group both answer, the second of them well after the first.
    let (_home, said) = run("", 900, once, &["--update"]);
    let said = said.failed(1, "").stdout;
    for words in [
        "expected 1 reply to hi, saw 2: [{\"from\":\"a\"},{\"from\":\"b\"}]",
        "it went to member on hi without a queue group, member on hi without a queue group",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn several_replies_are_gathered() {
    let both = "[[step]]\nrequest = \"hi\"\nunordered = [{ from = \"b\" }, { from = \"a\" }]\n\
                [[step]]\nrequest = \"hi\"\nreplies = 2\nreply = { from = \"#re:^[ab]$\" }\n\
                [[step]]\nrequest = \"nobody\"\nreplies = 2\nerror = \"no_responders\"\n";
    let (home, said) = run("", 100, both, &["--update"]);
    said.ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/hi.snap")).unwrap();
    assert!(golden.contains("{\"from\":\"a\"}") && golden.contains("{\"from\":\"b\"}"), "{golden}");
    let one = "[[step]]\nrequest = \"hi\"\nunordered = [{ from = \"#re:^[ab]$\" }]\n";
    let (_home, said) = run("all", 0, one, &["--update"]);
    said.ok();
    let few = "[[step]]\nrequest = \"hi\"\nreplies = 3\ntimeout = \"2s\"\n";
    let (_home, said) = run("", 0, few, &["--update"]);
    let said = said.failed(1, "").stdout;
    assert!(said.contains("expected 3 replies to hi, saw 2"), "{said}");
}

#[test]
fn mistakes_about_replies_have_their_place() {
    for (step, words) in [
        ("replis = 1\n", "did you mean `replies`?"),
        ("replies = 0\n", "`replies` must be a whole number from 1 up"),
        ("unordered = []\n", "`unordered` must be one body or more"),
        ("unordered = [1]\nreplies = 1\n", "`replies` does not go with it"),
        ("unordered = [1]\nreply = 1\n", "`reply` does not go with it"),
    ] {
        let (_home, said) = run("", 0, &format!("[[step]]\nrequest = \"hi\"\n{step}"), &["--list"]);
        said.failed(2, words);
    }
}

/// A broker delivers to whoever waits, as long as somebody listens there: nobody of ours may.
#[test]
fn what_is_stored_after_a_service_was_killed_is_for_its_successor() {
    const WORKER: &str = r#"
import asyncio, os, nats
from nats.js.api import ConsumerConfig

async def main():
    connection = await nats.connect(os.environ["BROKER"])
    config = ConsumerConfig(durable_name="worker", ack_wait=300)
    jobs = await connection.jetstream().pull_subscribe("jobs.*", "worker", stream="JOBS", config=config)
    print("up", flush=True)
    while True:
        try:
            for message in await jobs.fetch(1, timeout=60):
                await message.ack()
        except nats.errors.TimeoutError:
            pass

asyncio.run(main())
"#;
    let home = Home::new();
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("worker.py"), WORKER).unwrap();
    let file = "[streams.JOBS]\nsubjects = [\"jobs.*\"]\n[services.worker]\n\
                run = [\"{{python}}\", \"worker.py\"]\nready = { line = \"up\" }\n\
                ready_within = \"60s\"\nenv = { BROKER = \"{{url_with_credentials}}\" }\n";
    std::fs::write(root.join("suite.toml"), file).unwrap();
    let submit = "[[step]]\nsubmit = \"jobs.new\"\nbody = {}\n";
    let settle = "[[step]]\nsettle = true\nwithin = \"60s\"\n";
    // The worker waits for the next message when it is killed.
    let text = format!(
        "description = \"a successor\"\n{submit}{settle}[[step]]\nfault = \"kill-services\"\n{submit}\
         [[step]]\nfault = \"start-services\"\n{settle}"
    );
    std::fs::write(root.join("scenarios/successor.toml"), text).unwrap();
    home.run(&["e2e", "suite", "--client", "rust", "--update"]).ok();
}
