//! Services that nobody changed for a test: one URL, a fixed port, settings and folders of their own.

use std::net::TcpListener;

use crate::support::program::{Home, Said};
use crate::support::steady_port;

/// A service that reads nothing but one variable, shows what its URL has and no more, and says `up`
/// without flushing.
const ANSWERS: &str = r#"
import asyncio, os, signal, nats

async def main():
    connection = await nats.connect(os.environ["BROKER"])

    async def hi(message):
        await message.respond(b"hi")

    await connection.subscribe("hi", cb=hi)
    await connection.flush()
    print("up")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await connection.close()

asyncio.run(main())
"#;
const HI: &str = "[[step]]\nrequest = \"hi\"\nreply = \"hi\"\n";
const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";

fn suite(home: &Home, file: &str, scenarios: &[(&str, &str)]) {
    let root = home.path().join("suite");
    let _ = std::fs::remove_dir_all(root.join("scenarios"));
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), file).unwrap();
    std::fs::write(root.join("answers.py"), ANSWERS).unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"{name}\"\n{steps}");
        std::fs::write(root.join(format!("scenarios/{name}.toml")), text).unwrap();
    }
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

fn answers(broker: &str) -> String {
    format!(
        "[services.answers]\nrun = [\"{{{{python}}}}\", \"answers.py\"]\nready = {{ line = \"up\" }}\n\
         ready_within = \"60s\"\nenv = {{ BROKER = \"{broker}\" }}\n"
    )
}

#[test]
fn one_url_is_enough_with_its_login_or_without_any() {
    let home = Home::new();
    suite(&home, &answers("{{url_with_credentials}}"), &[("login", HI)]);
    e2e(&home, &["--update"]).ok();
    let open = format!("broker = {{ auth = false }}\n{HI}");
    suite(&home, &answers("{{nats_url}}"), &[("open", &open)]);
    e2e(&home, &["--update"]).ok();
    // Of a suite for all its scenarios; one of them may want it back.
    let closed = format!("broker = {{ auth = true }}\n{HI}");
    let file = answers("{{nats_url}}").replace("60s", "3s");
    let file = format!("broker = {{ auth = false }}\n{file}");
    suite(&home, &file, &[("closed", &closed)]);
    e2e(&home, &["--ci"]).failed(3, "");
}

#[test]
fn a_broker_with_a_fixed_port_has_one_run_at_a_time() {
    let home = Home::new();
    let port = steady_port();
    let file = format!(
        "broker = {{ auth = false, port = {port} }}\n{}",
        answers(&format!("nats://127.0.0.1:{port}"))
    );
    suite(&home, &file, &[("a", HI), ("b", HI), ("c", HI)]);
    let said = e2e(&home, &["--update", "--jobs", "3"]).ok();
    assert!(said.contains("3 passed"), "{said}");
    let held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = e2e(&home, &["a", "--ci"]).failed(3, "");
    assert!(said.stdout.contains(&port.to_string()), "{}", said.stdout);
    drop(held);
}

#[test]
fn the_broker_takes_settings_of_its_own_language() {
    let home = Home::new();
    let large = "[[step]]\npublish = \"a\"\nbody_size = 6000\nerror = \"max_payload\"\n";
    let file = "broker = { config = \"extra.conf\" }\n";
    suite(&home, file, &[("large", large)]);
    let said = e2e(&home, &["--update"]).failed(3, "");
    assert!(
        said.stdout.contains("`config` of `broker` names extra.conf, which"),
        "{}",
        said.stdout
    );
    let extra = home.path().join("suite/extra.conf");
    std::fs::write(&extra, "max_payload: 5000\n").unwrap();
    e2e(&home, &["--update"]).ok();
    std::fs::write(&extra, "max_paylod: 5000\n").unwrap();
    let said = e2e(&home, &["--ci"]).failed(3, "");
    assert!(said.stdout.contains("max_paylod"), "{}", said.stdout);
    // What it must not say is not left to be noticed.
    std::fs::write(&extra, "max_payload: 5000\naccounts { MINE {} }\n").unwrap();
    let said = e2e(&home, &["--ci"]).failed(3, "");
    assert!(said.stdout.contains("extra.conf:2 sets `accounts`"), "{}", said.stdout);
}

#[test]
fn a_run_has_ports_and_a_folder_that_services_and_steps_share() {
    let home = Home::new();
    let file = "[services.web]\nready = { line = \"up\" }\ncwd = \"web\"\n\
                run = [\"./start\", \"{{port:http}}\", \"{{dir}}/port\"]\nenv = { ADMIN = \"{{port:admin}}\" }\n";
    let step = "[[step]]\ncwd = \"web\"\nenv = { HTTP = \"{{port:http}}\", ADMIN = \"{{port:admin}}\" }\n\
                run = [\"sh\", \"-c\", \"test \\\"$(cat {{dir}}/port)\\\" = \\\"$HTTP $ADMIN\\\" && cat said\"]\n\
                stdout = \"in web\\n\"\n";
    suite(&home, file, &[("shared", step)]);
    let said = e2e(&home, &["--ci"]).failed(2, "");
    assert!(
        said.stderr.contains("service `web`: its `cwd` ") && said.stderr.contains("is no folder")
    );
    let web = home.path().join("suite/web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(web.join("said"), "in web\n").unwrap();
    let start = "#!/bin/sh\ncat said\necho $1 $ADMIN > $2\necho up\nexec sleep 1000\n";
    std::fs::write(web.join("start"), start).unwrap();
    std::process::Command::new("chmod").arg("+x").arg(web.join("start")).status().unwrap();
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/shared.snap")).unwrap();
    assert!(golden.contains("cat {{dir}}/port"), "{golden}");
    // The next run has others, and the same golden file.
    e2e(&home, &["--ci"]).ok();

    let typo = "[[step]]\nrun = [\"echo\", \"{{port:htp}}\"]\n";
    suite(&home, file, &[("shared", typo)]);
    e2e(&home, &[]).failed(2, "did you mean `{{port:http}}`?");
    let nowhere = "[[step]]\nrun = [\"true\"]\ncwd = \"nowhere\"\n";
    suite(&home, file, &[("nowhere", nowhere)]);
    let said = e2e(&home, &["--ci"]).failed(3, "");
    assert!(said.stdout.contains("is no folder"), "{}", said.stdout);
}

/// Reads what the server has of a stream or consumer, with the key under which it was told.
const LOOK: &str = r#"
import asyncio, json, os, sys, nats

async def main():
    connection = await nats.connect(os.environ["BROKER"])
    for subject in sys.argv[1:]:
        told = json.loads((await connection.request(subject)).data)
        config = told.get("config") or told["error"]
        print(json.dumps(config, sort_keys=True))
    await connection.close()

asyncio.run(main())
"#;

#[test]
fn streams_consumers_and_buckets_are_there_before_the_services() {
    let home = Home::new();
    let file = "[streams.ORDERS]\nsubjects = [\"orders.>\"]\nmax_age = \"2m\"\nretention = \"workqueue\"\n\
                [streams.ORDERS.consumers.worker]\nack_wait = \"2s\"\nbackoff = [\"1s\", \"250ms\"]\nmax_deliver = 5\n\
                [kv.profiles]\nhistory = 5\n[objects.files]\nttl = \"1m\"\n\
                [services.first]\nready = { line = \"up\" }\nready_within = \"60s\"\n\
                env = { BROKER = \"{{url_with_credentials}}\" }\n\
                run = [\"sh\", \"-c\", \"{{python}} look.py $JS.API.STREAM.INFO.ORDERS \
                $JS.API.CONSUMER.INFO.ORDERS.worker $JS.API.STREAM.INFO.KV_profiles \
                $JS.API.STREAM.INFO.OBJ_files $JS.API.STREAM.INFO.MORE > {{dir}}/seen && echo up && exec sleep 1000\"]\n"
        .replace("$JS", "'$JS'");
    let more = "[streams.MORE]\nsubjects = [\"more\"]\nstorage = \"memory\"\n\
                [[step]]\nrun = [\"cat\", \"{{dir}}/seen\"]\nsave = { seen = \"/stdout\" }\n\
                [[step]]\nsubmit = \"orders.new\"\nbody = {}\nack = { stream = \"ORDERS\" }\n";
    suite(&home, &file, &[("more", more)]);
    std::fs::write(home.path().join("suite/look.py"), LOOK).unwrap();
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/more.snap")).unwrap();
    for part in [
        r#""max_age": 120000000000"#,
        r#""retention": "workqueue""#,
        r#""ack_policy": "explicit""#,
        r#""backoff": [1000000000, 250000000]"#,
        r#""max_deliver": 5"#,
        r#""max_msgs_per_subject": 5"#,
        r#""subjects": ["$KV.profiles.>"]"#,
        r#""subjects": ["$O.files.C.>", "$O.files.M.>"]"#,
        r#""storage": "memory""#,
    ] {
        assert!(golden.contains(part), "{part} is not in\n{golden}");
    }

    // What no JetStream can make is told before one runs, with both names and the place.
    let twice = format!("[streams.OTHER]\nsubjects = [\"orders.*\"]\n{STEP}");
    suite(&home, &file, &[("twice", &twice)]);
    let words = "stream OTHER takes `orders.*`, and stream ORDERS takes `orders.>`";
    let said = e2e(&home, &["--list"]).failed(2, words);
    assert!(said.stderr.contains("twice.toml:3:1"), "{}", said.stderr);
    let apart = format!(
        "[streams.OTHER]\nsubjects = [\"order.*\"]\n[streams.COPY]\nsources = [{{ name = \"ORDERS\" }}]\n{STEP}"
    );
    suite(&home, &file, &[("apart", &apart)]);
    e2e(&home, &["--list"]).ok();
}

#[test]
fn what_is_made_first_is_made_once_and_its_mistakes_have_their_place() {
    let home = Home::new();
    let declared = "[streams.ORDERS]\nsubjects = [\"o\"]\n[kv.p]\n";
    for (fixture, words) in [
        ("[streams.ORDERS]\n", "stream ORDERS, which is asked for already by the suite"),
        ("[streams.KV_p]\n", "is asked for already by the suite, as kv p"),
        ("[kv.q]\n[streams.KV_q]\n", "is stream KV_q, which is asked for already, as stream KV_q"),
        ("[streams.A]\nsubject = [\"a\"]\n", "did you mean `subjects`?"),
        ("[streams.A]\nretention = \"workqeue\"\n", "did you mean `workqueue`?"),
        ("[streams.A]\nmax_age = 5\n", "`max_age` must be a duration"),
        ("[streams.A]\nmax_msgs = \"5\"\n", "`max_msgs` must be a whole number"),
        ("[streams.\"a.b\"]\n", "`a.b` must be a name"),
        ("[streams.o]\n", "stream o takes `o`, and stream ORDERS takes `o`"),
        ("[streams.A.consumers.c]\nack_weit = \"1s\"\n", "did you mean `ack_wait`?"),
        ("[streams.A.consumers.c]\nbackoff = [\"1x\"]\n", "`1x` is not a duration"),
        ("[kv.b]\nhistroy = 1\n", "did you mean `history`?"),
        ("[objects.b]\ntll = \"1s\"\n", "did you mean `ttl`?"),
        ("[stream.A]\n", "did you mean `streams`?"),
        ("[streams.A]\n[streams.A]\n", "duplicate key"),
    ] {
        suite(&home, declared, &[("a", &format!("{fixture}{STEP}"))]);
        let said = e2e(&home, &["--list"]).failed(2, words);
        assert!(said.stderr.contains("a.toml:"), "{}", said.stderr);
    }
}

#[test]
fn a_password_in_a_url_is_told_to_nobody() {
    let home = Home::new();
    let step = "[[step]]\nrun = [\"echo\", \"{{url_with_credentials}}\"]\n";
    suite(&home, "", &[("url", step)]);
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/url.snap")).unwrap();
    assert!(golden.contains("run echo {{url_with_credentials}}"), "{golden}");
    assert!(golden.contains("nats://client:<password>@"), "{golden}");
}

#[test]
fn mistakes_about_the_broker_have_their_place() {
    let home = Home::new();
    for (file, words) in [
        ("broker = { auht = false }", "did you mean `auth`?"),
        ("broker = { auth = \"off\" }", "`auth` must be true or false"),
        ("broker = { port = 0 }", "`port` must be a port from 1 to 65535, not 0"),
        ("broker = { port = 65536 }", "`port` must be a port from 1 to 65535, not 65536"),
        ("broker = { config = \"../a.conf\" }", "`config` is a file in the suite's folder"),
        ("exclusiv = true", "did you mean `exclusive`?"),
        (
            "[services.a]\nready = { line = \"up\" }\nrun = [\"a\", \"{{url_with_credential}}\"]",
            "did you mean `{{url_with_credentials}}`?",
        ),
        (
            "[services.a]\nready = { line = \"up\" }\nrun = [\"a\"]\ncwdd = \"..\"",
            "did you mean `cwd`?",
        ),
        (
            "[services.a]\nready = { line = \"up\" }\nrun = [\"a\"]\ncwd = \"\"",
            "`cwd` names a folder",
        ),
    ] {
        suite(&home, file, &[("a", STEP)]);
        let said = e2e(&home, &["--list"]).failed(2, words);
        assert!(said.stderr.contains("suite.toml:"), "{}", said.stderr);
    }
    suite(&home, "", &[("a", &format!("broker = {{ prot = 1 }}\n{STEP}"))]);
    e2e(&home, &["--list"]).failed(2, "did you mean `port`?");
}

/// A service in Python that does `do` once it is connected, and prints nothing.
fn silent(home: &Home, name: &str, does: &str) {
    let text = format!(
        "import asyncio, json, os, signal, sys, nats\n\
         async def main():\n    nc = await nats.connect(os.environ['BROKER'])\n    js = nc.jetstream()\n\
         {does}\n    stop = asyncio.Event()\n\
         \x20   asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)\n\
         \x20   await stop.wait()\n    await nc.close()\nasyncio.run(main())\n"
    );
    std::fs::write(home.path().join("suite").join(name), text).unwrap();
}

fn ready(sign: &str, within: &str) -> String {
    format!(
        "[services.silent]\nrun = [\"{{{{python}}}}\", \"silent.py\"]\nready = {{ {sign} }}\n\
         ready_within = \"{within}\"\nenv = {{ BROKER = \"{{{{url_with_credentials}}}}\" }}\n"
    )
}

#[test]
fn a_service_that_says_nothing_is_seen_to_be_ready_at_the_broker() {
    let stream = "[streams.JOBS]\nsubjects = [\"jobs\"]\n[streams.JOBS.consumers.worker]\n";
    let subscribes = "    async def hi(m):\n        await m.respond(b'hi')\n    await nc.subscribe('hi', 'all', cb=hi)";
    let pulls = "    sub = await js.pull_subscribe_bind('worker', 'JOBS')\n    \
                 asyncio.create_task(sub.fetch(1, timeout=1000))";
    for (sign, does, step) in [
        ("connected = 1", "", STEP),
        ("subscribes = \"hi\"", subscribes, HI),
        ("consumer = \"worker\"", pulls, STEP),
    ] {
        let home = Home::new();
        suite(&home, &format!("{stream}{}processes = 2\n", ready(sign, "60s")), &[("a", step)]);
        silent(&home, "silent.py", does);
        e2e(&home, &["--update"]).ok();
    }
    for (sign, words) in [
        ("connected = 2", "silent did not make 2 connections to the broker within 2s"),
        ("subscribes = \"hi\"", "silent did not subscribe to hi, 1 of them within 2s"),
        (
            "consumer = \"worker\"",
            "silent did not wait for messages of a consumer worker within 2s",
        ),
        (
            "http = \"http://127.0.0.1:{{port:web}}/up\"",
            "silent did not answer a GET of http://127.0.0.1:2",
        ),
    ] {
        let home = Home::new();
        suite(&home, &format!("{stream}{}", ready(sign, "2s")), &[("a", STEP)]);
        silent(&home, "silent.py", "");
        let said = e2e(&home, &["--ci"]).failed(3, "");
        assert!(said.stdout.contains(words), "{words}\n{}", said.stdout);
    }
}

#[test]
fn a_service_is_ready_once_its_page_is() {
    let home = Home::new();
    let file = "[services.web]\nready = { http = \"http://127.0.0.1:{{port:http}}/up\" }\nready_within = \"60s\"\n\
                run = [\"{{python}}\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"{{port:http}}\"]\n";
    suite(&home, file, &[("a", STEP)]);
    // Nothing is there yet: a page that is not found is no sign.
    let said = e2e_ready(&home, "2s").failed(3, "");
    assert!(said.stdout.contains("with a status from 200 to 299 within 2s"), "{}", said.stdout);
    std::fs::write(home.path().join("suite/up"), "").unwrap();
    e2e(&home, &["--update"]).ok();
}

/// The same suite with less patience.
fn e2e_ready(home: &Home, within: &str) -> Said {
    let path = home.path().join("suite/suite.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("60s", within)).unwrap();
    let said = e2e(home, &["--ci"]);
    std::fs::write(&path, text).unwrap();
    said
}

#[test]
fn a_service_that_the_broker_refuses_is_told_so_with_the_remedy() {
    let home = Home::new();
    suite(&home, &answers("{{nats_url}}"), &[("a", STEP)]);
    let said = e2e_ready(&home, "3s").failed(3, "");
    let remedy =
        "answers has to show NATS_USER and NATS_PASSWORD, or to take {{url_with_credentials}}";
    for words in ["authentication error", remedy, "--- last lines of answers"] {
        assert!(said.stdout.contains(words), "{words}\n{}", said.stdout);
    }
    assert!(!said.stdout.contains("Starting nats-server"), "no banner\n{}", said.stdout);
}

#[test]
fn a_service_that_ends_in_mid_run_fails_the_step_under_its_own_name() {
    let home = Home::new();
    let dies =
        "echo up; until [ -e $MONO_DEMO_DIR/now ]; do sleep 0.01; done; echo out of paper; exit 9";
    let file = format!(
        "[services.idle]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\nready = {{ line = \"up\" }}\n\
         [services.printer]\nrun = [\"sh\", \"-c\", \"{dies}\"]\nready = {{ line = \"up\" }}\n"
    );
    // A minute is the program's own limit: whoever waits for that sees another failure.
    let step = "[[step]]\nrun = [\"sh\", \"-c\", \"touch {{dir}}/now; exec sleep 1000\"]\n";
    suite(&home, &file, &[("a", step)]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    let first = said.stdout.find("--- last lines of printer").expect("its own log");
    assert!(said.stdout[first..].contains("out of paper"), "{}", said.stdout);
    for words in ["printer ended with exit status 9; its log says `out of paper`", "a.toml:3:1"] {
        assert!(said.stdout.contains(words), "{words}\n{}", said.stdout);
    }
    // In order, and all the same nobody has told it to.
    let (ends, done) = (file.replace("exit 9", "exit 0"), step.replace("exec sleep 1000", "true"));
    let may = format!("{ends}may_end = true\n");
    for step in [step, &done] {
        suite(&home, &ends, &[("a", step)]);
        let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
        let told = "printer ended with exit status 0; its log says `out of paper`; nobody had told it to: ";
        assert!(
            said.contains(told) && said.contains("`may_end = true` in [services.printer]"),
            "{said}"
        );
    }
    // One that does its work and ends says so.
    let ended = "[[check]]\nlog = \"printer\"\nmatches = \"out of paper\"\n";
    suite(&home, &may, &[("a", &format!("{done}{ended}"))]);
    e2e(&home, &["--update"]).ok();
}

#[test]
fn mistakes_about_readiness_have_their_place() {
    let home = Home::new();
    for (ready, words) in [
        ("{ conected = 1 }", "did you mean `connected`?"),
        ("{ connected = 0 }", "`connected` must be a whole number from 1 up"),
        ("{ subscribe = \"a\" }", "did you mean `subscribes`?"),
        ("{ http = \"https://a/\" }", "is not a URL that begins with `http://`"),
        ("{ connected = 1, line = \"up\" }", "`ready` says one thing to wait for"),
    ] {
        suite(&home, &format!("[services.a]\nrun = [\"a\"]\nready = {ready}\n"), &[("a", STEP)]);
        let said = e2e(&home, &["--list"]).failed(2, words);
        assert!(said.stderr.contains("suite.toml:3"), "{}", said.stderr);
    }
}

/// A service that knows one address only is hit by a bad network too.
#[test]
fn a_fixed_port_is_behind_the_proxies_of_the_services() {
    let home = Home::new();
    let port = steady_port();
    let file = format!(
        "broker = {{ auth = false, port = {port} }}\n{}",
        answers(&format!("nats://127.0.0.1:{port}"))
    );
    let broken = "[[step]]\nfault = \"blackhole\"\non = \"services\"\n\
                  [[step]]\nrequest = \"hi\"\ntimeout = \"300ms\"\nerror = \"timeout\"\n\
                  [[step]]\nfault = \"heal-network\"\n";
    let text = format!("[proxy]\nservices = true\n{HI}{broken}");
    suite(&home, &file, &[("a", &text)]);
    let said = e2e(&home, &["--update"]).ok();
    assert!(said.contains("1 passed"), "{said}");
    // Several services have one such network, where a fault hits them all.
    let other = "[services.other]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\nready = { line = \"up\" }\n";
    suite(&home, &(file + other), &[("a", &text)]);
    e2e(&home, &["--update"]).ok();
    let one = "[[step]]\nfault = \"lose\"\nwhat = \"reply\"\nof = \"answers\"\n";
    suite(
        &home,
        &format!("broker = {{ auth = false, port = {port} }}\n{other}{}", answers("{{nats_url}}")),
        &[("a", &format!("[proxy]\nservices = true\n{one}{HI}"))],
    );
    let said = e2e(&home, &["--ci"]).failed(3, "");
    assert!(
        said.stdout.contains("share the network of the broker's fixed port"),
        "{}",
        said.stdout
    );
}
