//! Faults by message in scenarios of suites of one's own: whose messages, under loads, on record, and
//! told where they hit nothing.

use crate::support::program::{Home, Said};

/// Answers on its own name with its name, and keeps the stream ORDERS.
const SERVICE: &str = r#"
import asyncio, os, sys, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"], reconnect_time_wait=0.05)
    name = sys.argv[1]
    async def answer(message):
        await message.respond(name.encode())
    await nc.subscribe(name, cb=answer)
    if name == "one":
        await nc.jetstream().add_stream(name="ORDERS", subjects=["orders.>"])
    await nc.flush()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

fn suite(home: &Home, steps: &str) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(root.join(path), text).unwrap();
    let service = |name: &str| {
        format!(
            "[services.{name}]\nrun = [\"{{{{python}}}}\", \"service.py\", \"{name}\"]\nready = {{ line = \"up\" }}\n"
        )
    };
    write("suite.toml", &[service("one"), service("two")].concat());
    write("service.py", SERVICE);
    write("scenarios/orders.toml", &format!("description = \"orders\"\n{steps}"));
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

fn ask(name: &str, expected: &str) -> String {
    format!("[[step]]\nrequest = \"{name}\"\ntimeout = \"500ms\"\n{expected}\n")
}

#[test]
fn a_fault_hits_the_messages_of_the_service_that_it_names_and_of_no_other() {
    let home = Home::new();
    let lose = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nof = \"two\"\ntimes = 2\n";
    let timeout = "error = \"timeout\"";
    let steps = [
        lose,
        &ask("one", "reply = \"one\""),
        &ask("two", timeout),
        &ask("one", "reply = \"one\""),
        &ask("two", timeout),
        &ask("two", "reply = \"two\""),
    ];
    suite(&home, &steps.concat());
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/orders.snap")).unwrap();
    let told = "fault lose reply, 2 times of two\n  = the next reply never arrives, 2 times";
    assert!(golden.contains(told), "{golden}");
}

/// It passes the service's proxy and the client's.
#[test]
fn a_reply_of_anybodys_counts_once() {
    let home = Home::new();
    let second = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nnth = 2\n";
    let answered = "reply = \"one\"";
    let steps = [second, &ask("one", answered), &ask("one", "error = \"timeout\"")];
    suite(&home, &[&steps[..], &[&ask("one", answered)]].concat().concat());
    e2e(&home, &["--update"]).ok();
    // Everybody's are meant, whoever is behind a proxy for another reason.
    let delivery = "[proxy]\nclient = true\n[[step]]\nfault = \"lose\"\nwhat = \"delivery\"\n";
    suite(&home, &[delivery, &ask("one", "error = \"timeout\"")].concat());
    e2e(&home, &["--update"]).ok();
}

#[test]
fn a_fault_that_hit_fewer_than_it_was_to_turns_a_run_red() {
    let home = Home::new();
    let twice = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nof = \"one\"\ntimes = 2\n";
    suite(
        &home,
        &[twice, &ask("one", "error = \"timeout\""), &ask("two", "reply = \"two\"")].concat(),
    );
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    let told =
        "`lose reply, 2 times of one` hit 1 message of 2; what passed instead: 1 × delivery on one";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_fault_that_matched_nothing_turns_a_run_red_and_says_what_passed_instead() {
    let home = Home::new();
    let lose = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nsubject = \"too\"\nof = \"client\"\n";
    suite(&home, &[lose, &ask("two", "reply = \"two\"")].concat());
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    let told = "`lose reply on too of client` matched nothing; what passed instead: \
                1 × publish on two, 1 × reply on two";
    assert!(said.contains(told) && said.contains("fault = \"lose\"\n"), "{said}");
    // Beside what failed first.
    suite(&home, &[lose, &ask("two", "reply = \"three\"")].concat());
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    assert!(said.contains("saw text \"two\"") && said.contains("matched nothing"), "{said}");
}

#[test]
fn under_a_load_the_seed_says_which_messages_and_each_is_on_record() {
    let home = Home::new();
    let load = "[[step]]\nsubmit = \"orders.new\"\nbody = { id = \"{{n}}\" }\nrepeat = 60\nconcurrency = 4\n\
                under = { lose = { what = \"pub-ack\", of = \"client\", times = 3 }, \
                duplicate = { what = \"publish\", subject = \"orders.*\", of = \"client\", times = 2 } }\n";
    suite(&home, load);
    e2e(&home, &["--update"]).ok();
    let histories = home.path().join("histories");
    let kept = histories.display().to_string();
    e2e(&home, &["--seed", "7", "--history", &kept]).ok();
    let file = std::fs::read_dir(&histories).unwrap().next().expect("a history").unwrap().path();
    let history = std::fs::read_to_string(file).unwrap();
    let begun = |word: &str| {
        let begins = format!("\"name\":\"{word}");
        history.lines().filter(|line| line.contains(&begins) && line.contains("begin")).count()
    };
    assert_eq!(begun("lose pub-ack on orders.new: "), 3, "{history}");
    assert_eq!(begun("duplicate publish on orders.new: "), 2, "{history}");
}

/// What somebody else asks there at the same time is nobody's mistake here.
#[test]
fn a_reply_to_somebody_else_that_a_fault_took_away_counts_nowhere() {
    let home = Home::new();
    let lose = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nof = \"one\"\nnth = 2\ntimes = 1\n";
    let both = SERVICE.replace(
        "await message.respond(name.encode())",
        "await message.respond(name.encode())\n        if message.data != b'other':\n            \
         await nc.publish('one', b'other', reply='_INBOX.other.1')",
    );
    let once = "[[step]]\nrequest = \"one\"\nreplies = 1\nreply = \"one\"\n";
    suite(&home, &[lose, once].concat());
    std::fs::write(home.path().join("suite/service.py"), &both).unwrap();
    e2e(&home, &["--update"]).ok();
}

/// Of two replies a fault takes one away, so that only one comes.
#[test]
fn a_reply_that_a_fault_took_away_counts_where_replies_are_counted() {
    let home = Home::new();
    let lose = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nof = \"one\"\n";
    let twice = SERVICE.replace(
        "await message.respond(name.encode())",
        "await message.respond(b'1')\n        await message.respond(b'2')",
    );
    let once = "[[step]]\nrequest = \"one\"\nreplies = 1\n";
    suite(&home, &[lose, once].concat());
    std::fs::write(home.path().join("suite/service.py"), &twice).unwrap();
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    assert!(said.contains("expected 1 reply to one, saw 1: "), "{said}");
    assert!(said.contains("; a fault took away 1 more"), "{said}");
    let check = "[[check]]\nhistory = { verdict = \"valid\" }\n";
    suite(&home, &[lose, &ask("one", "reply = 2"), check].concat());
    std::fs::write(home.path().join("suite/service.py"), &twice).unwrap();
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    assert!(
        said.contains("a fault took away 1 reply on `one`, where 0 requests had none"),
        "{said}"
    );
}
