//! Checks of what is held, and failures that say what came instead.

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

const STREAM: &str = "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n\
                      [streams.ORDERS.consumers.worker]\nack_wait = \"30s\"\nmax_deliver = 1\n[kv.profiles]\nhistory = 5\n";
const WORKER: &str =
    "[services.worker]\nrun = [\"{{python}}\", \"worker.py\"]\nready = { line = \"up\" }\n";

/// Fetches for ever; does with each message what its body says.
const PY: &str = "import asyncio, os, signal, nats
async def main():
    nc = await nats.connect(os.environ['NATS_URL'], user=os.environ['NATS_USER'], password=os.environ['NATS_PASSWORD'])
    sub = await nc.jetstream().pull_subscribe_bind('worker', stream='ORDERS')
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print('up')
    while not stop.is_set():
        try:
            [m] = await sub.fetch(1, timeout=0.2)
        except nats.errors.TimeoutError:
            continue
        word = m.data.decode()
        print('got', word)
        if word == 'term': await m.term()
        elif word == 'nak': await m.nak()
        elif word != 'hang': await m.ack_sync()
    await nc.close()
asyncio.run(main())
";

fn with_worker(home: &Home, scenarios: &[(&str, &str)]) {
    suite(home, &format!("{STREAM}{WORKER}"), scenarios);
    std::fs::write(home.path().join("suite/worker.py"), PY).unwrap();
}

fn submit(word: &str) -> String {
    format!("[[step]]\nsubmit = \"orders.new\"\ntext = \"{word}\"\n")
}

#[test]
fn what_streams_and_buckets_hold_is_checked() {
    let home = Home::new();
    let steps = "[[step]]\nsubmit = \"orders.{{n}}\"\nbody = { id = \"{{n}}\" }\nheaders = { Who = \"me\" }\nrepeat = 2\n\
                 [[step]]\nkv = { bucket = \"profiles\", put = \"ada\" }\ntext = \"1\"\n\
                 [[step]]\nkv = { bucket = \"profiles\", put = \"ada\" }\ntext = \"2\"\n";
    let good = "[[check]]\nstream = \"ORDERS\"\nmessages = 2\nby_subject = { \"orders.1\" = 1, \"orders.*\" = 2 }\nunique = \"/id\"\nheaders = { Who = \"me\" }\nlast = { id = \"#any\" }\n\
                [[check]]\nkv = \"profiles\"\nkeys = 1\nkey = \"ada\"\nvalue = 2\nrevision = 2\nvalues = [1, 2]\n\
                [[check]]\nkv = \"profiles\"\nkey = \"eve\"\nvalue = \"#absent\"\n\
                [[check]]\nconsumer = \"worker\"\nstream = \"ORDERS\"\npending = 2\nunacknowledged = 0\n";
    suite(&home, STREAM, &[("a", &format!("{steps}{good}"))]);
    e2e(&home, &["--update"]).ok();
    for (check, why) in [
        (
            "stream = \"ORDERS\"\nby_subject = { \"orders.1\" = 2 }",
            "ORDERS holds 1 message on orders.1, not 2; it has 1 on orders.1, 1 on orders.2",
        ),
        (
            "kv = \"profiles\"\nkey = \"ada\"\nvalue = 1",
            "ada of profiles: value: expected 1, saw 2",
        ),
        (
            "kv = \"profiles\"\nkey = \"ada\"\nvalue = \"#absent\"",
            "ada of profiles is 2, and should have no value",
        ),
        ("kv = \"profiles\"\nkeys = 2", "profiles has 1 key, not 2"),
        ("kv = \"nowhere\"", "there is no bucket nowhere"),
        (
            "consumer = \"worker\"\nstream = \"ORDERS\"\npending = 0",
            "consumer worker of ORDERS has 2 messages not delivered yet, not 0",
        ),
        ("consumer = \"none\"\nstream = \"ORDERS\"", "cannot look at consumer none of ORDERS"),
    ] {
        let check = format!("{steps}[[check]]\n{check}\nwithin = \"100ms\"\n");
        suite(&home, STREAM, &[("a", &check)]);
        let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
        assert!(said.contains(why), "{why}\n{said}");
    }
    for (check, why) in [
        ("log = \"worker\"\nmatches = \"x\"", "unknown service `worker`"),
        ("consumer = \"worker\"", "`consumer` needs a `stream`"),
        ("kv = \"b\"\nvalue = 1", "`value` needs a `key`"),
        ("stream = \"S\"\nunique = \"id\"", "is not a JSON pointer"),
        ("stream = \"S\"\nby_subject = { a = -1 }", "`a` must be a whole number from 0 up"),
    ] {
        suite(&home, STREAM, &[("a", &format!("{steps}[[check]]\n{check}\n"))]);
        let said = e2e(&home, &[]).failed(2, why);
        assert!(said.stderr.contains('^'), "{}", said.stderr);
    }
}

#[test]
fn what_a_worker_prints_and_gives_up_is_checked_and_else_a_leak() {
    let home = Home::new();
    let steps = submit("good") + &submit("term") + &submit("nak");
    let checks = "[[check]]\nconsumer = \"worker\"\nstream = \"ORDERS\"\nterminated = 1\nexhausted = 1\n\
                  [[check]]\nlog = \"worker\"\nmatches = \"^got\"\ncount = 3\n\
                  [[check]]\nlog = \"worker\"\nmatches = \"Traceback\"\nnone = true\n";
    with_worker(&home, &[("a", &format!("leaks = \"fail\"\n{steps}{checks}"))]);
    let said = e2e(&home, &["--update"]);
    assert!(!said.ok().contains("terminated, which"));
    let only = "[[check]]\nlog = \"worker\"\nmatches = \"got nak\"\n";
    with_worker(&home, &[("a", &format!("leaks = \"fail\"\n{steps}{only}"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("consumer `worker` of stream `ORDERS` has 1 message terminated, which nobody gets again; the first is sequence 2"), "{said}");
    assert!(said.contains("has 1 message delivered as often as it may be, and not acknowledged; the first is sequence 3"), "{said}");
    let wrong = "[[check]]\nlog = \"worker\"\nmatches = \"got\"\ncount = 9\nwithin = \"100ms\"\n";
    with_worker(&home, &[("a", &format!("{steps}{wrong}"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("that match /got/, not 9"), "{said}");
}

#[test]
fn settle_names_the_message_and_when_it_comes_again() {
    let home = Home::new();
    let steps = submit("good") + &submit("hang") + "[[step]]\nsettle = true\nwithin = \"1s\"\n";
    with_worker(&home, &[("a", &steps)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("1 unacknowledged; the first is sequence 2, on orders.new; what is not acknowledged comes again 30s after its delivery (`ack_wait`); the last delivery was"), "{said}");
}

#[test]
fn a_message_that_does_not_come_is_told_with_what_came_instead() {
    let home = Home::new();
    let steps = "[[step]]\npublish = \"orders.refused\"\ntext = \"x\"\n[[step]]\npublish = \"other\"\ntext = \"y\"\n\
                 [[step]]\nexpect_message = { subject = \"orders.shipped\" }\nwithin = \"100ms\"\n";
    suite(&home, "", &[("a", steps)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("no message on orders.shipped within 100ms; what was sent: 1 × orders.refused, 1 × other"), "{said}");
    assert!(!said.contains("[TRC]"), "{said}");
    let nothing = "[[step]]\nexpect_messages = { subject = \"orders.shipped\", count = 2 }\nwithin = \"100ms\"\n";
    suite(&home, "", &[("a", nothing)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("saw 0: []; nothing was sent on any subject"), "{said}");
}
