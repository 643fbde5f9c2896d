//! What a team needs in its first hour with services of its own: only some of them, one more, and
//! something that is done before they start.

use crate::support::own_suite::{STEP, e2e, suite};
use crate::support::program::Home;

/// Services that leave a file when they start, and wait.
fn two() -> String {
    let service = |name: &str| {
        format!(
            "[services.{name}]\nrun = [\"sh\", \"-c\", \"touch $MONO_DEMO_DIR/{name}; echo up; exec sleep 1000\"]\n\
             ready = {{ line = \"up\" }}\n"
        )
    };
    service("api") + &service("worker")
}

/// A step that shows which of them have started.
fn started(names: &str) -> String {
    format!("[[step]]\nrun = [\"sh\", \"-c\", \"ls {{{{dir}}}}\"]\nstdout = \"{names}\"\n")
}

#[test]
fn a_scenario_starts_only_the_services_that_it_needs() {
    let home = Home::new();
    let one = format!("services = [\"api\"]\n{}", started("api\\n"));
    let none = format!("services = []\n{}", started(""));
    let without = format!("[services.worker]\nprocesses = 0\n{}", started("api\\n"));
    let all = started("api\\nworker\\n");
    suite(&home, &two(), &[("one", &one), ("none", &none), ("without", &without), ("all", &all)]);
    let said = e2e(&home, &["--update"]).ok();
    assert!(said.contains("4 passed"), "{said}");

    let wrong = format!("services = [\"apj\"]\n{STEP}");
    suite(&home, &two(), &[("one", &wrong)]);
    let said = e2e(&home, &[]).failed(2, "unknown service `apj`");
    assert!(said.stderr.contains("did you mean `api`?"), "{}", said.stderr);
    // A fault of one that is not there could hit nothing.
    let fault = "services = [\"api\"]\n[[step]]\nfault = \"kill-service\"\nservice = \"worker\"\n";
    suite(&home, &two(), &[("one", fault)]);
    e2e(&home, &[]).failed(2, "unknown service `worker`");
}

#[test]
fn a_scenario_may_have_a_service_of_its_own_or_another_command_for_one() {
    let home = Home::new();
    let own = "[services.audit]\nrun = [\"sh\", \"-c\", \"touch {{dir}}/audit-{{port:audit}}; echo up; exec sleep 1000\"]\n\
         ready = { line = \"up\" }\n[services.worker]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\n\
         [[step]]\nrun = [\"sh\", \"-c\", \"ls {{dir}} | sed s/-{{port:audit}}/-port/\"]\nstdout = \"api\\naudit-port\\n\"\n\
         [[step]]\nfault = \"kill-service\"\nservice = \"audit\"\n";
    suite(&home, &two(), &[("own", own)]);
    e2e(&home, &["--update"]).ok();

    for (table, words) in [
        (
            "[services.audit]\nready = { line = \"up\" }\n",
            "the suite has no service `audit`; it has api, worker",
        ),
        ("[services.audit]\nrun = [\"x\"]\n", "a service says how it is seen to be `ready`"),
        ("[services.Audit]\nrun = [\"x\"]\n", "`Audit` cannot be a name here"),
        ("[services.api]\nrun = []\n", "`run` names a program"),
    ] {
        suite(&home, &two(), &[("own", &format!("{table}{STEP}"))]);
        e2e(&home, &[]).failed(2, words);
    }
}

/// The service takes what was in the stream before it came.
#[test]
fn the_setup_is_done_when_the_broker_is_up_and_the_services_are_not() {
    let home = Home::new();
    let file = "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n\
                [services.worker]\nrun = [\"sh\", \"-c\", \"cat $MONO_DEMO_DIR/seed && echo up; exec sleep 1000\"]\n\
                ready = { line = \"up\" }\n";
    let setup = "[[setup]]\nsubmit = \"orders.new\"\nbody = { id = 1 }\nack = { sequence = 1 }\nsave = \"first\"\n\
                 [[setup]]\nrun = [\"sh\", \"-c\", \"echo hello > {{dir}}/seed\"]\n";
    let steps = "[[step]]\nrun = [\"cat\", \"{{dir}}/seed\"]\nstdout = \"hello\\n\"\n\
                 [[check]]\nstream = \"ORDERS\"\nmessages = 1\n";
    suite(&home, file, &[("a", &format!("{setup}{steps}"))]);
    e2e(&home, &["--update"]).ok();
    let golden = home.path().join("suite/scenarios/a.snap");
    assert!(std::fs::read_to_string(golden).unwrap().contains("submit orders.new"));

    // Without it the service has nothing to show.
    suite(&home, file, &[("a", steps)]);
    e2e(&home, &["--ci"]).failed(3, "");
    // One that fails is told at its line, and one after which the services do not start by them.
    let fails = "[[setup]]\nrun = [\"false\"]\n";
    suite(&home, file, &[("a", &format!("{fails}{steps}"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("scenarios/a.toml:3:1"), "{said}");
    let other = "[[setup]]\nrun = [\"true\"]\n";
    suite(&home, file, &[("a", &format!("{other}{steps}"))]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    assert!(
        said.contains("worker did not print a line with `up`") || said.contains("worker ended"),
        "{said}"
    );
    for (step, word) in [("fault = \"kill-broker\"", "fault"), ("settle = true", "settle")] {
        suite(&home, file, &[("a", &format!("[[setup]]\n{step}\n{steps}"))]);
        e2e(&home, &[]).failed(2, &format!("`{word}` does not go into `[[setup]]`"));
    }
}

#[test]
fn a_step_that_fails_says_which_fault_by_message_hit_something_meanwhile() {
    let home = Home::new();
    let steps = "[[step]]\nfault = \"lose\"\nwhat = \"pub-ack\"\nsubject = \"orders.new\"\nof = \"client\"\n\
                 [[step]]\nsubmit = \"orders.new\"\ntimeout = \"300ms\"\n";
    suite(&home, "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n", &[("a", steps)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    let hit = "`lose pub-ack on orders.new of client` hit 1 message during this step";
    assert!(said.contains(hit), "{said}");
}

/// Connects with the URL alone, as most programs do.
const READS_A_URL: &str = "import asyncio, os, signal, nats
async def main():
    nc = await nats.connect(os.environ['NATS_URL'])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await nc.close()
asyncio.run(main())
";

#[test]
fn a_suite_starts_from_a_command_that_is_there() {
    let home = Home::new();
    std::fs::write(home.path().join("worker.py"), READS_A_URL).unwrap();
    let python = home.path().join("suite/python");
    suite(
        &home,
        "",
        &[(
            "a",
            "[[step]]\nrun = [\"{{python}}\", \"-c\", \"import sys; open('python', 'w').write(sys.executable)\"]\n",
        )],
    );
    e2e(&home, &["--update"]).ok();
    let python = std::fs::read_to_string(python).unwrap();
    let command = format!("{python} worker.py");
    let said = home.run(&["e2e", "new", "tests/e2e", "--run", &command]).ok();
    assert!(said.contains("tests/e2e/scenarios/starts.toml"), "{said}");
    // What takes no login from a URL needs none.
    let file = std::fs::read_to_string(home.path().join("tests/e2e/suite.toml")).unwrap();
    assert!(file.contains("\nbroker = { auth = false }\n"), "{file}");
    assert!(!file.contains("\nenv = "), "{file}");
    let said = home.run(&["e2e", "tests/e2e", "--update"]).ok();
    assert!(said.contains("1 passed"), "{said}");
    home.run(&["e2e", "new", "other", "--run", "  "]).failed(2, "names no command");
    let nowhere = home.path().join("bin/nowhere").display().to_string();
    for (command, words) in [
        ("./other/../bin/./nowhere --fast", format!("there is no program {nowhere}\n")),
        ("nowhere-at-all", "PATH has no program nowhere-at-all".to_owned()),
        ("BROKER=x ./bin/worker", "env = { BROKER = \"x\" }".to_owned()),
    ] {
        home.run(&["e2e", "new", "other", "--run", command]).failed(2, &words);
        assert!(!home.path().join("other").exists(), "{command}");
    }
    home.run(&["e2e", "new", "other", "--run", "sleep 60"]).ok();

    home.run(&["e2e", "new", "bare", "--bare"]).ok();
    home.run(&["e2e", "bare", "--update"]).ok();
    let shell = "PORT=1 ./bin/My_Worker.sh | tee log";
    home.run(&["e2e", "new", "shell", "--run", shell]).ok();
    let file = std::fs::read_to_string(home.path().join("shell/suite.toml")).unwrap();
    assert!(file.contains("\"sh\", \"-c\""), "{file}");
}

#[test]
fn a_program_that_is_not_there_is_told_at_once_and_by_name() {
    let home = Home::new();
    // It is not waited for until it is ready.
    let service =
        "[services.worker]\nrun = [\"./nope\"]\nready = { line = \"up\" }\nready_within = \"9m\"\n";
    suite(&home, service, &[("a", STEP)]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    assert!(said.contains("could not start worker: "), "{said}");
    assert!(said.contains("nope: No such file or directory"), "{said}");
    // A step's program too.
    suite(&home, "", &[("a", "[[step]]\nrun = [\"./nope\"]\n")]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    assert!(said.contains("could not start ./nope: ./nope: No such file or directory"), "{said}");
}
