//! Steps beside messages: entries of buckets, objects, pages of a service, reply subjects.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

/// Answers each connection with these bytes once it has sent a whole head; ends with the test.
fn pages(answers: Vec<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut byte) = (Vec::new(), [0]);
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                asked.push(byte[0]);
            }
            let head = String::from_utf8(asked).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).unwrap();
            let echo =
                format!("{} {}", head.lines().next().unwrap(), String::from_utf8(body).unwrap());
            let echo = echo.replace(" HTTP/1.1", "");
            let answer = answer.replace("LENGTH", &echo.len().to_string()).replace("ECHO", &echo);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

fn run(file: &str, steps: &str) -> (Home, crate::support::program::Said) {
    let home = Home::new();
    suite(&home, file, &[("a", steps)]);
    let said = e2e(&home, &["--update"]);
    (home, said)
}

const KV: &str = "[kv.profiles]\nhistory = 5\n[objects.files]\n";

#[test]
fn an_entry_is_written_read_watched_and_gone() {
    let steps = "\
        [[step]]\nkv = { bucket = \"profiles\", get = \"ada\" }\nentry = \"#absent\"\n\
        [[step]]\nkv = { bucket = \"profiles\", create = \"ada\" }\nbody = { n = 1 }\nsave = { first = \"/revision\" }\n\
        [[step]]\nkv = { bucket = \"profiles\", create = \"ada\" }\nbody = { n = 2 }\nerror = { kind = \"service_error\", code = 10071 }\n\
        [[step]]\nkv = { bucket = \"profiles\", update = \"ada\", revision = \"{{first}}\" }\nbody = { n = 3 }\nentry = { revision = 2 }\n\
        [[step]]\nkv = { bucket = \"profiles\", update = \"ada\", revision = 1 }\nbody = { n = 4 }\nerror = { code = 10071, definite = true }\n\
        [[step]]\nkv = { bucket = \"profiles\", get = \"ada\" }\nentry = { value = { n = 3 }, revision = 2, operation = \"put\" }\n\
        [[step]]\nkv = { bucket = \"profiles\", put = \"bob\" }\ntext = \"plain\"\n\
        [[step]]\nkv = { bucket = \"profiles\", delete = \"ada\" }\n\
        [[step]]\nkv = { bucket = \"profiles\", get = \"ada\" }\nentry = \"#absent\"\n\
        [[step]]\nkv = { bucket = \"profiles\", watch = \"ada\" }\nentry = { key = \"ada\", value = { n = 1 } }\n\
        [[step]]\nkv = { bucket = \"profiles\", watch = \"ada\" }\nentry = { value = { n = 3 } }\n\
        [[step]]\nkv = { bucket = \"profiles\", watch = \"ada\" }\nentry = { operation = \"delete\" }\n\
        [[step]]\nkv = { bucket = \"profiles\", get = \"bob\" }\n";
    let (home, said) = run(KV, steps);
    said.ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/a.snap")).unwrap();
    assert!(golden.contains("kv profiles update ada of revision 1 {\"n\":3}"), "{golden}");
    assert!(golden.contains("= nothing there"), "{golden}");
    assert!(golden.contains("kv profiles get bob\n  = {\"operation\":\"put\""), "{golden}");

    for (step, why) in [
        ("kv = { bucket = \"profiles\", get = \"eve\" }", "bucket profiles has no eve"),
        ("kv = { bucket = \"nowhere\", get = \"eve\" }", "there is no bucket nowhere"),
        (
            "kv = { bucket = \"profiles\", watch = \"eve\" }\nwithin = \"100ms\"",
            "no change of eve of bucket profiles within 100ms",
        ),
        (
            "kv = { bucket = \"nowhere\", watch = \"eve\" }",
            "cannot watch eve of bucket nowhere: there is no bucket nowhere",
        ),
        ("object = { store = \"files\", get = \"x\" }", "object store files has no x"),
        ("object = { store = \"nowhere\", get = \"x\" }", "there is no object store nowhere"),
    ] {
        suite(&home, KV, &[("a", &format!("[[step]]\n{step}\n"))]);
        let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
        assert!(said.contains(why), "{why}\n{said}");
    }
}

#[test]
fn an_object_is_written_and_read() {
    let steps = "[[step]]\nobject = { store = \"files\", put = \"a.txt\" }\ntext = \"hello\"\n\
                 [[step]]\nobject = { store = \"files\", get = \"a.txt\" }\nreply = \"hello\"\n";
    run(KV, steps).1.ok();
    let other = steps.replace("reply = \"hello\"", "reply = \"other\"");
    let said = run(KV, &other).1.failed(1, "").stdout;
    assert!(said.contains("expected \"other\", saw"), "{said}");
}

#[test]
fn a_page_is_asked_for_and_its_status_is_expected() {
    let ok = "HTTP/1.1 201 Created\r\nX-Id: 7\r\nContent-Length: LENGTH\r\n\r\nECHO".to_owned();
    let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".to_owned();
    let port = pages(vec![ok, not_found.clone(), not_found.clone(), not_found]);
    let url = format!("http://127.0.0.1:{port}/orders?x=1");
    let steps = format!(
        "[[step]]\nhttp = {{ post = \"{url}\" }}\nbody = {{ id = 1 }}\nstatus = 201\nreply = \"POST /orders?x=1 {{\\\"id\\\":1}}\"\nreply_headers = {{ x-id = \"7\" }}\n\
         [[step]]\nhttp = {{ get = \"{url}\" }}\nstatus = 404\nreply = \"gone\"\n\
         [[step]]\nhttp = {{ get = \"{url}\" }}\nerror = {{ kind = \"service_error\", code = 404 }}\n"
    );
    let (home, said) = run("", &steps);
    said.ok();
    suite(&home, "", &[("a", &format!("[[step]]\nhttp = {{ get = \"{url}\" }}\n"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("answered with status 404: text \"gone\""), "{said}");
    // Nobody listens any more.
    suite(
        &home,
        "",
        &[(
            "a",
            &format!(
                "[[step]]\nhttp = {{ get = \"{url}\" }}\nerror = {{ kind = \"connection\", definite = true }}\n"
            ),
        )],
    );
    e2e(&home, &["--update"]).ok();
}

#[test]
fn whoever_gets_a_message_with_a_reply_subject_replies_there() {
    let file =
        "[services.echo]\nrun = [\"{{python}}\", \"echo.py\"]\nready = { subscribes = \"ask\" }\n";
    let echo = "import asyncio, os, signal, nats\n\
                async def main():\n\
                \x20   nc = await nats.connect(os.environ['NATS_URL'], user=os.environ['NATS_USER'], password=os.environ['NATS_PASSWORD'])\n\
                \x20   async def answer(m): await nc.publish(m.reply, b'to ' + m.data)\n\
                \x20   await nc.subscribe('ask', cb=answer)\n\
                \x20   stop = asyncio.Event()\n\
                \x20   asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)\n\
                \x20   await stop.wait()\n\
                \x20   await nc.drain()\n\
                asyncio.run(main())\n";
    let steps = "[[step]]\npublish = \"ask\"\ntext = \"ada\"\nreply_to = \"answers.ada\"\n\
                 [[step]]\nexpect_message = { subject = \"answers.*\", body = \"to ada\" }\n";
    let home = Home::new();
    suite(&home, file, &[("a", steps)]);
    std::fs::write(home.path().join("suite/echo.py"), echo).unwrap();
    e2e(&home, &["--update"]).ok();
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    for (step, why) in [
        ("kv = { bucket = \"b\" }", "`kv` does not say what is done"),
        ("kv = { get = \"k\" }", "`kv` needs a `bucket`"),
        (
            "kv = { bucket = \"b\", get = \"k\", put = \"k\" }",
            "`kv` does one thing; this one has `get` and `put`",
        ),
        ("kv = { bucket = \"b\", gett = \"k\" }", "did you mean `get`?"),
        (
            "kv = { bucket = \"b\", update = \"k\" }",
            "`update` needs the `revision` that it replaces",
        ),
        ("kv = { bucket = \"b\", put = \"k\", revision = 1 }", "`revision` does not go with `put`"),
        ("kv = { bucket = \"b\", get = \"k\" }\nbody = 1", "`body` does not go with `get`"),
        ("object = { store = \"s\", get = \"k\" }\ntext = \"x\"", "`text` does not go with `get`"),
        ("http = { get = \"https://localhost/\" }", "is not a URL that begins with `http://`"),
        ("http = { get = \"http://localhost/\" }\nbody = 1", "`body` does not go with `get`"),
        ("request = \"a\"\nreply_to = \"b\"", "`reply_to` does not go with `request`"),
        ("publish = \"a\"\nreply_to = \"b\"\nrate = 5", "`reply_to` does not go with a load"),
    ] {
        let home = Home::new();
        suite(&home, "", &[("a", &format!("[[step]]\n{step}\n"))]);
        let said = e2e(&home, &[]).failed(2, "");
        assert!(said.stderr.contains(why) && said.stderr.contains('^'), "{why}\n{}", said.stderr);
    }
}
