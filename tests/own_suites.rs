//! Users' own suites: any services, any clients.

use crate::support::own_suite::{STEP, e2e, suite};
use crate::support::program::{Home, Said};

/// A service that says that it is up and waits.
const WAITS: &str = "run = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\n";

#[test]
fn a_new_suite_runs_green_at_once_and_red_when_its_service_is_broken() {
    let home = Home::new();
    home.run(&["e2e", "new", "suite"]).ok();
    let said = e2e(&home, &["--ci"]).ok();
    assert!(said.contains("1 scenario, 1 run: 1 passed"), "{said}");
    home.run(&["e2e", "new", "suite"]).failed(2, "not empty");

    let service = home.path().join("suite/greeter.py");
    let text = std::fs::read_to_string(&service).unwrap();
    std::fs::write(&service, text.replace("Hello", "Goodbye")).unwrap();
    let said = e2e(&home, &["--ci"]).failed(1, "");
    assert!(
        said.stdout.contains("expected \"Hello, Ada!\", saw \"Goodbye, Ada!\""),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("again: mono-demo e2e suite greets --client rust"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_new_suite_drains_green_right_after_the_broker_was_killed() {
    let home = Home::new();
    home.run(&["e2e", "new", "suite"]).ok();
    let killed = "description = \"The broker is killed at the very end\"\n\n[[step]]\nfault = \"kill-broker\"\n";
    std::fs::write(home.path().join("suite/scenarios/killed.toml"), killed).unwrap();
    e2e(&home, &["killed", "--update"]).ok();
    let said = e2e(&home, &["killed", "--repeat", "5"]).ok();
    assert!(said.contains("5 passed, 0 failed"), "{said}");
}

#[test]
fn a_service_that_is_not_ready_says_why() {
    for (service, words) in [
        (
            "run = [\"sh\", \"-c\", \"echo no licence >&2; exit 7\"]\nready = { line = \"up\" }\n",
            "shop ended with exit status 7 before it was ready; its log says `no licence`",
        ),
        (
            "run = [\"sh\", \"-c\", \"echo no licence >&2; exit 7\"]\nready = { service = \"shop\" }\n",
            "shop ended with exit status 7 before it was ready",
        ),
        (
            "run = [\"sleep\", \"1000\"]\nready = { line = \"up\" }\nready_within = \"300ms\"\n",
            "shop did not print a line with `up` within 300ms",
        ),
        (
            "run = [\"sleep\", \"1000\"]\nready = { subject = \"shop.ping\" }\nready_within = \"300ms\"\n",
            "shop did not answer a request on shop.ping within 300ms",
        ),
        (
            "run = [\"sleep\", \"1000\"]\nready = { service = \"shop\" }\nready_within = \"300ms\"\nprocesses = 2\n",
            "shop did not answer $SRV.PING.shop with 2 of them within 300ms",
        ),
        ("run = [\"./not-there\"]\nready = { line = \"up\" }\n", "could not start shop: "),
        // Without the detours of its way.
        (
            "run = [\"./not-there\"]\ncwd = \"scenarios/..\"\nready = { line = \"up\" }\n",
            "suite/not-there: No such",
        ),
    ] {
        let home = Home::new();
        suite(&home, &format!("[services.shop]\n{service}"), &[("a", STEP)]);
        let said = e2e(&home, &["--ci"]).failed(3, "");
        assert!(said.stdout.contains(words), "{words}\n{}", said.stdout);
    }
}

/// Programs that are called wrongly say so first, and then how they are called.
#[test]
fn a_service_that_does_not_start_shows_the_beginning_of_its_log_too() {
    let home = Home::new();
    let says = "echo w: error: no such file; echo usage: w; for i in $(seq 40); do echo \\\"  --flag $i\\\"; done; \
                echo Pass --help to see global flags; exit 1";
    let file =
        format!("[services.w]\nrun = [\"sh\", \"-c\", \"{says}\"]\nready = {{ line = \"up\" }}\n");
    suite(&home, &file, &[("a", STEP)]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    let log = "--- last lines of w\n     w: error: no such file\n     usage: w\n";
    for words in ["its log says `w: error: no such file`", log, "… 32 lines …", "--flag 40"] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn a_service_that_had_to_be_killed_is_told_so_with_its_limit() {
    let home = Home::new();
    let deaf = "trap \\\"\\\" TERM; echo up; while :; do sleep 1; done";
    let file = format!(
        "[services.deaf]\nrun = [\"sh\", \"-c\", \"{deaf}\"]\nready = {{ line = \"up\" }}\nstop_within = \"300ms\"\n"
    );
    suite(&home, &file, &[("a", STEP)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    let why = "deaf was told to drain by SIGTERM and had not ended within `stop_within` = 300ms, so that \
               mono-demo killed it";
    assert!(said.contains(why), "{said}");
    // One that somebody else kills is not ours.
    let killed =
        file.replace(deaf, "trap \\\"kill -9 $$\\\" TERM; echo up; while :; do sleep 0.1; done");
    suite(&home, &killed, &[("a", STEP)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("told to drain and ended with signal 9"), "{said}");
}

/// Answers at the subject that is its name.
const ANSWERS: &str = r#"
import asyncio, os, sys, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"])
    async def answer(message):
        await message.respond(b"1")
    await nc.subscribe(sys.argv[1], cb=answer)
    await nc.flush()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

#[test]
fn a_network_fault_hits_the_service_that_is_named() {
    let home = Home::new();
    let service = |name: &str| {
        format!(
            "[services.{name}]\nrun = [\"{{{{python}}}}\", \"answers.py\", \"{name}\"]\nready = {{ line = \"up\" }}\n"
        )
    };
    let file = [service("one"), service("two")].concat();
    let steps = "[proxy]\nservices = true\n\
        [[step]]\nfault = \"half-open\"\ndirection = \"to-server\"\nservice = \"one\"\n\
        [[step]]\nrequest = \"two\"\nreply = 1\n\
        [[step]]\nrequest = \"one\"\ntimeout = \"500ms\"\nerror = \"timeout\"\n\
        [[step]]\nfault = \"heal-network\"\nservice = \"one\"\n\
        [[step]]\nrequest = \"one\"\nreply = 1\nwithin = \"20s\"\n";
    suite(&home, &file, &[("cut", steps)]);
    std::fs::write(home.path().join("suite/answers.py"), ANSWERS).unwrap();
    e2e(&home, &["--client", "rust", "--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/cut.snap")).unwrap();
    assert!(golden.contains("fault half-open to-server of one"), "{golden}");
    for (wrong, words) in [
        (
            steps.replace(
                "\"one\"\n[[step]]\nrequest = \"two",
                "\"noe\"\n[[step]]\nrequest = \"two",
            ),
            "did you mean `one`?",
        ),
        (
            steps.replacen("service =", "on = \"client\"\nservice =", 1),
            "has no part in the client's network",
        ),
        (
            steps.replace("[proxy]\nservices = true\n", ""),
            "`[proxy] services = true` puts the services behind one",
        ),
    ] {
        suite(&home, &file, &[("cut", &wrong)]);
        e2e(&home, &[]).failed(2, words);
    }
}

#[test]
fn nobody_who_answers_after_a_fault_is_told_once_and_what_helps() {
    let home = Home::new();
    let step = "[[step]]\nrequest = \"nobody\"\nreply = 1\n";
    let killed = format!("[[step]]\nfault = \"kill-broker\"\n\n{step}");
    suite(&home, "", &[("a-fault", &killed), ("none", step)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    let line = |of: &str| said.lines().find(|line| line.starts_with(of)).unwrap().to_owned();
    let (after, without) = (line("FAIL a-fault [rust]: "), line("FAIL none [rust]: "));
    let helps = "`within = \"5s\"` asks again";
    assert!(after.contains(helps) && !without.contains(helps), "{after}\n{without}");
    assert_eq!(without.matches("no responders").count(), 1, "{without}");
}

#[test]
fn faults_hit_the_service_that_is_named() {
    let home = Home::new();
    let file = format!(
        "[services.one]\n{WAITS}ready = {{ line = \"up\" }}\n[services.two]\n{WAITS}ready = {{ line = \"up\" }}\nprocesses = 2\n"
    );
    let faults = "[[step]]\nfault = \"stop-services\"\nservice = \"two\"\n\
         [[step]]\nfault = \"kill-service\"\nservice = \"one\"\n\
         [[step]]\nfault = \"start-services\"\n";
    suite(&home, &file, &[("faults", faults)]);
    let said = e2e(&home, &["--update"]).ok();
    assert!(said.contains("1 passed"), "{said}");
    let golden = home.path().join("suite/scenarios/faults.snap");
    let golden = std::fs::read_to_string(golden).unwrap();
    assert!(golden.contains("fault stop-services of two"), "{golden}");
    assert!(golden.contains("fault kill-service of one"), "{golden}");

    let wrong = "[[step]]\nfault = \"kill-service\"\nservice = \"tow\"\n";
    suite(&home, &file, &[("faults", wrong)]);
    e2e(&home, &[]).failed(2, "did you mean `two`?");
    // A service that is stopped is none that could be killed.
    let gone = "[[step]]\nfault = \"stop-services\"\nservice = \"two\"\n[[step]]\nfault = \"pause-service\"\nservice = \"two\"\n";
    suite(&home, &file, &[("faults", gone)]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    let told = "`pause-service of two`: matched nothing: no process of a service runs";
    assert!(said.stdout.contains(told), "{}", said.stdout);
}

#[test]
fn a_client_may_be_a_program() {
    let home = Home::new();
    let file = "[clients.loud]\nrun = [\"sh\", \"-c\", \"echo $1 | tr a-z A-Z\", \"loud\"]\n\
                [clients.also]\nrun = [\"sh\", \"-c\", \"echo $1 | tr a-z A-Z\", \"also\"]\n\
                [clients.quiet]\nrun = [\"sh\", \"-c\", \"echo $1\", \"quiet\"]\n";
    let step = "[[step]]\nrun = [\"{{client}}\", \"hello\"]\n";
    suite(&home, file, &[("a", step)]);
    e2e(&home, &["--client", "loud", "--update"]).ok();
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("ok   a [loud]") && said.contains("ok   a [also]"), "{said}");
    assert!(said.contains("FAIL a [quiet]") && said.contains("+  | hello"), "{said}");
    e2e(&home, &["--client", "lout"]).failed(2, "the suite has no client `lout`");
    e2e(&home, &["--list", "--client", "lout"]).failed(2, "the suite has no client `lout`");
    assert_eq!(e2e(&home, &["--list"]).ok(), "a  a\n");
}

#[test]
fn what_comes_before_is_done_once_and_its_failure_is_told() {
    let home = Home::new();
    let prepare = "prepare = [[\"sh\", \"-c\", \"echo once >> done\"]]\n";
    suite(&home, prepare, &[("a", STEP), ("b", STEP)]);
    e2e(&home, &["--update"]).ok();
    let done = std::fs::read_to_string(home.path().join("suite/done")).unwrap();
    assert_eq!(done, "once\n");
    suite(&home, "prepare = [[\"sh\", \"-c\", \"echo no network; exit 1\"]]\n", &[]);
    e2e(&home, &[]).failed(
        3,
        "prepare the suite: `sh -c echo no network; exit 1` ended with exit status: 1:\nno network",
    );
    suite(&home, "prepare = [[\"sh\", \"-c\", \"echo twice >> done\"]]\n", &[]);
    e2e(&home, &["--list"]).ok();
    e2e(&home, &["nope"]).failed(2, "no scenario matches: nope");
    let done = std::fs::read_to_string(home.path().join("suite/done")).unwrap();
    assert_eq!(done, "once\n", "nothing is done for a list or for a slip");
}

#[test]
fn a_suite_is_found_from_its_folder_or_below() {
    let home = Home::new();
    suite(&home, "", &[("a", STEP), ("b", STEP)]);
    e2e(&home, &["--update"]).ok();
    let runs = |args: &[&str], folder: &str| {
        let mut command = home.command(["e2e"]);
        let output = command.args(args).current_dir(home.path().join(folder)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(runs(&[], "suite").contains("2 scenarios, 2 runs: 2 passed"));
    assert!(runs(&["a"], "suite").contains("1 scenario, 1 run: 1 passed"));
    assert!(runs(&["suite", "b"], ".").contains("ok   b [rust]"));
    assert!(runs(&["suite/scenarios/b.toml"], ".").contains("ok   b [rust]"));
    std::fs::write(home.path().join("suite/suite.toml"), "service = 1\n").unwrap();
    e2e(&home, &[]).failed(2, "suite/suite.toml:1:1");
}

#[test]
fn a_fixture_may_change_a_service() {
    let home = Home::new();
    let file = "[services.shop]\nrun = [\"sh\", \"-c\", \"echo $GREETING; exec sleep 1000\"]\n\
                ready = { line = \"hello\" }\nenv = { GREETING = \"goodbye\" }\nready_within = \"2s\"\n";
    let changed =
        format!("[services.shop]\nenv = {{ GREETING = \"hello\" }}\nprocesses = 2\n{STEP}");
    suite(&home, file, &[("changed", &changed)]);
    e2e(&home, &["--update"]).ok();
    suite(&home, file, &[("changed", &format!("[services.shop]\nprocess = 2\n{STEP}"))]);
    e2e(&home, &[]).failed(2, "did you mean `processes`?");
    suite(&home, file, &[("changed", &format!("[services.shoq]\nprocesses = 2\n{STEP}"))]);
    e2e(&home, &[]).failed(2, "the suite has no service `shoq`; it has shop");
}

/// Somebody holds the output of a service that has ended, so that its log has no end yet when the step
/// that waits for it is over.
#[test]
fn a_step_that_ends_first_loses_nothing_that_a_service_said() {
    let home = Home::new();
    let shop = "echo up; echo my last words; echo $$ > pid; until [ -e end ]; do sleep 0.01; done";
    let holder = "until [ -s pid ]; do sleep 0.01; done; pid=$(cat pid); \
                  exec 3>/proc/$pid/fd/1 4>/proc/$pid/fd/2; echo holding; exec sleep 1000";
    let service = |name: &str, script: &str, line: &str| {
        format!(
            "[services.{name}]\nrun = [\"sh\", \"-c\", \"{script}\"]\nready = {{ line = \"{line}\" }}\n"
        )
    };
    let file = service("shop", shop, "up") + &service("holder", holder, "holding");
    let end = "touch end; while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done";
    let run = |script: &str| format!("[[step]]\nrun = [\"sh\", \"-c\", \"{script}\"]\n");
    let steps = format!(
        "[processes]\nrestart = true\n{}[[step]]\nsettle = true\n{}",
        run(end),
        run("exit 1")
    );
    suite(&home, &file, &[("ends", &steps)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("holding"), "{said}");
    assert!(said.contains("my last words"), "{said}");
}

#[test]
fn ids_of_ones_own_are_replaced_in_golden_files_and_stay_equal() {
    let home = Home::new();
    let random = "id=ord_$(od -An -N6 -tx1 /dev/urandom | tr -d ' \\\\n'); echo $id $id";
    let step = format!("[[step]]\nrun = [\"sh\", \"-c\", \"{random}\"]\n");
    suite(&home, "redact = { order = \"ord_[0-9a-f]{12}\" }\n", &[("a", &step)]);
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/a.snap")).unwrap();
    assert!(golden.contains("| <order:1> <order:1>"), "{golden}");
    e2e(&home, &["--ci"]).ok();
    suite(&home, "", &[("a", &step)]);
    e2e(&home, &["--ci"]).failed(1, "");
}

/// Makes a stream with a copy on each of three servers.
const KEEPS: &str = r#"
import asyncio, os, nats
from nats.js.api import StreamConfig
async def main():
    nc = await nats.connect(os.environ["NATS_URL"].split(","), user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"], max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    config = StreamConfig("ORDERS", subjects=["orders.*"], num_replicas=3)
    await nc.jetstream(timeout=20).add_stream(config)
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

#[test]
fn the_leader_of_a_stream_of_ones_own_breaks() {
    let home = Home::new();
    let file = "[services.keeper]\nrun = [\"{{python}}\", \"keeper.py\"]\nready = { line = \"up\" }\nready_within = \"40s\"\n";
    let submit = "[[step]]\nsubmit = \"orders.new\"\ntext = \"{{n}}\"\nrepeat = 20\n";
    let steps = format!(
        "[broker]\ncluster = 3\n{submit}under = {{ kill-leader = {{ times = 1, stream = \"ORDERS\" }} }}\n\
         [[step]]\nfault = \"stop-leader\"\nstream = \"ORDERS\"\n\
         [[step]]\nsubmit = \"orders.new\"\ntext = \"last\"\nwithin = \"20s\"\n\
         [[check]]\nstream = \"ORDERS\"\nwithin = \"20s\"\n"
    );
    suite(&home, file, &[("leaders", &steps)]);
    std::fs::write(home.path().join("suite/keeper.py"), KEEPS).unwrap();
    e2e(&home, &["--update"]).ok();
    let golden = home.path().join("suite/scenarios/leaders.snap");
    let golden = std::fs::read_to_string(golden).unwrap();
    assert!(golden.contains("fault stop-leader of ORDERS\n  = stopped, another one"), "{golden}");

    let unsaid = "[broker]\ncluster = 3\n[[step]]\nfault = \"kill-leader\"\n";
    suite(&home, file, &[("leaders", unsaid)]);
    e2e(&home, &[]).failed(2, "`kill-leader` must say whose leader: the `stream`");
    let unsaid = format!("[broker]\ncluster = 3\n{submit}under = {{ kill-leader = 1 }}\n");
    suite(&home, file, &[("leaders", &unsaid)]);
    e2e(&home, &[]).failed(2, "as in `stream = \"ORDERS\"`");
    let nobody = "[broker]\ncluster = 3\n[[step]]\nfault = \"kill-leader\"\nstream = \"ODRERS\"\n";
    suite(&home, file, &[("leaders", nobody)]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    assert!(said.contains("kill-leader of ODRERS") && said.contains("ODRERS"), "{said}");
}

#[test]
fn paths_are_told_as_they_are_seen_from_here_and_golden_files_are_the_same_from_anywhere() {
    let home = Home::new();
    let step = "[[step]]\nrun = [\"echo\", \"a\"]\nstdout = \"a\\n\"\n";
    suite(&home, "", &[("a", step)]);
    e2e(&home, &["--update"]).ok();
    let golden = home.path().join("suite/scenarios/a.snap");
    let from_above = std::fs::read_to_string(&golden).unwrap();
    assert!(from_above.contains("source: \"scenarios/a.toml\""), "{from_above}");
    std::fs::remove_file(&golden).unwrap();
    let mut inside = home.command(["e2e", "--update"]);
    Said::from(inside.current_dir(home.path().join("suite")).output().unwrap()).ok();
    assert_eq!(std::fs::read_to_string(&golden).unwrap(), from_above);

    // What differs is left for review, and what nobody has any more is named.
    suite(&home, "", &[("a", &step.replace("\"a\"", "\"b\"").replace("\"a\\n\"", "\"b\\n\""))]);
    std::fs::write(home.path().join("suite/scenarios/gone.snap"), &from_above).unwrap();
    let said = e2e(&home, &[])
        .failed(1, "1 transcript waits for review: `mono-demo e2e review suite/scenarios`");
    assert!(said.stdout.contains("differs from suite/scenarios/a.snap"), "{}", said.stdout);
    assert!(
        said.stderr.contains("or --update, accepts; a value that is another"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("suite/scenarios/gone.snap belongs to no scenario"),
        "{}",
        said.stderr
    );
    home.run(&["e2e", "review", "suite/scenarios", "--accept"]).ok();
    std::fs::remove_file(home.path().join("suite/scenarios/gone.snap")).unwrap();
    let said = e2e(&home, &[]);
    assert_eq!(said.stderr, "");
    said.ok();

    suite(&home, "", &[("a", &step.replace("\"a\\n\"", "\"c\\n\""))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("--> suite/scenarios/a.toml:4:1"), "{said}");
}

#[test]
fn what_a_suite_says_for_all_its_scenarios_each_may_say_otherwise() {
    let home = Home::new();
    let file = "leaks = \"fail\"\n[broker]\nmax_payload = 5000\n[proxy]\nclient = true\n\
        [services.keeper]\nrun = [\"{{python}}\", \"keeper.py\"]\nready = { line = \"up\" }\n";
    // Makes a consumer when it is first asked, and leaves it behind.
    let keeper = "import asyncio, os, nats\n\
        async def main():\n\
        \x20   nc = await nats.connect(os.environ['NATS_URL'], name='keeper', user=os.environ['NATS_USER'], password=os.environ['NATS_PASSWORD'])\n\
        \x20   js = nc.jetstream()\n\
        \x20   await js.add_stream(name='S', subjects=['s'])\n\
        \x20   async def ask(message):\n\
        \x20       await js.pull_subscribe('s', 'forgotten')\n\
        \x20       await message.respond(b'1')\n\
        \x20   await nc.subscribe('ask', cb=ask)\n\
        \x20   await nc.flush()\n\
        \x20   print('up', flush=True)\n\
        \x20   await asyncio.Event().wait()\n\
        asyncio.run(main())\n";
    let ask = "[[step]]\nrequest = \"ask\"\nreply = 1\n";
    let large = "[[step]]\npublish = \"a\"\nbody_size = 6000\n";
    let cut = "[[step]]\nfault = \"cut\"\n";
    suite(
        &home,
        file,
        &[
            ("refused", &format!("leaks = \"ignore\"\n{large}error = \"max_payload\"\n{cut}")),
            ("taken", &format!("leaks = \"ignore\"\n[broker]\nmax_payload = 8000\n{large}{cut}")),
            ("told", &format!("leaks = \"report\"\n{ask}")),
            ("red", ask),
        ],
    );
    std::fs::write(home.path().join("suite/keeper.py"), keeper).unwrap();
    let said = e2e(&home, &["--update"]).failed(1, "").stdout;
    assert!(said.contains("FAIL red [rust]") && said.contains("forgotten"), "{said}");
    assert!(said.contains("4 runs: 3 passed, 1 failed"), "{said}");
    // The command line is nearer than the suite.
    e2e(&home, &["--leaks", "report", "--update"]).ok();

    let direct = format!("leaks = \"ignore\"\n[proxy]\nclient = false\n{cut}");
    suite(&home, file, &[("direct", &direct)]);
    e2e(&home, &[]).failed(2, "breaks a network that can be made bad");
    suite(&home, "leaks = \"fial\"\n[broker]\ncluster = 1\n", &[]);
    e2e(&home, &[]).failed(2, "did you mean `fail`?");
}

#[test]
fn fixtures_without_a_suite_file_run_with_every_client_of_this_program_from_anywhere() {
    let home = Home::new();
    let folder = home.path().join("elsewhere/my scenarios");
    std::fs::create_dir_all(&folder).unwrap();
    let text = |reply: &str| {
        format!(
            "description = \"A sum\"\n\n[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nreply = {reply}\n"
        )
    };
    let fixture = folder.join("sum.toml");
    std::fs::write(&fixture, text("3")).unwrap();
    let e2e = |args: &[&str]| {
        home.run(&[&["e2e", "--fixtures", "elsewhere/my scenarios"], args].concat())
    };
    let said = e2e(&["--update", "--require", "python"]).ok();
    assert!(said.contains("ok   sum [python]"), "{said}");

    // What is to be typed again has all that decided how it ended.
    std::fs::write(&fixture, text("4")).unwrap();
    let said = e2e(&["--client", "rust", "--leaks", "ignore", "--sabotage", "drop"]).failed(1, "");
    let again = "again: mono-demo e2e --fixtures 'elsewhere/my scenarios' --leaks ignore --sabotage \
                 drop sum --client rust --seed 1";
    assert!(said.stdout.contains(again), "{}", said.stdout);
    // A cheat writes nothing down: what it said is nothing to accept.
    let left: Vec<_> = folder.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let said = e2e(&["--client", "rust", "--sabotage", "drop", "--update"]);
    said.failed(2, "--sabotage");
}

#[test]
fn the_services_of_a_suite_are_not_made_to_cheat() {
    let home = Home::new();
    suite(
        &home,
        &format!("[services.waits]\n{WAITS}ready = {{ line = \"up\" }}\n"),
        &[("s", STEP)],
    );
    let said = e2e(&home, &["--sabotage", "drop"]).failed(2, "its own services");
    assert_eq!(said.stdout, "");
}
