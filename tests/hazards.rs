//! Hazards: a service that commits each is told of it by name, and one that nearly does is not.

use crate::support::own_suite::{STEP, e2e, suite};
use crate::support::program::{Home, Said};

const SERVICE: &str = include_str!("hazards/service.py");
/// Where jobs come from, and where they go; nothing is wrong with these.
const STREAMS: &str = "[streams.JOBS]\nsubjects = [\"jobs.*\"]\nmax_msgs = 1000\n\
                       [streams.DONE]\nsubjects = [\"done.*\"]\nmax_msgs = 1000\n";
const JOB: &str = "[[step]]\nsubmit = \"jobs.new\"\nbody = { job = 1 }\n";
const SETTLED: &str = "[[step]]\nsettle = true\n";

/// A suite whose service does this, or nearly.
fn committing(mode: &str, nearly: bool, more: &str, steps: &str) -> (Home, Said) {
    let home = Home::new();
    let nearly = if nearly { ", NEARLY = \"1\"" } else { "" };
    let file = format!(
        "hazards = \"fail\"\n{STREAMS}[services.{mode}]\nrun = [\"{{{{python}}}}\", \"service.py\"]\n\
         ready = {{ line = \"ready\" }}\nready_within = \"60s\"\n\
         env = {{ MODE = \"{mode}\", DURABLE = \"one\"{nearly} }}\n{more}"
    );
    suite(&home, &file, &[("one", steps)]);
    std::fs::write(home.path().join("suite/service.py"), SERVICE).unwrap();
    let said = e2e(&home, &["--client", "rust", "--update", "--leaks", "ignore"]);
    (home, said)
}

/// Both, and what is told of the first.
fn committed(mode: &str, more: &str, steps: &str, hazard: &str) -> Said {
    let (_home, said) = committing(mode, false, more, steps);
    let told = said.failed(1, "");
    assert!(told.stdout.contains(&format!("- {hazard}")), "{}", told.stdout);
    let (_home, said) = committing(mode, true, more, steps);
    said.ok();
    told
}

#[test]
fn messages_that_are_refused_at_once() {
    let given_up = "[[check]]\nconsumer = \"worker\"\nstream = \"JOBS\"\nexhausted = 1\n";
    let told = committed(
        "nak",
        "",
        &[JOB, given_up].concat(),
        "nak-without-delay: consumer `worker` of JOBS gave up 1 message",
    );
    // With what it leads to, the remedy and the manual.
    for about in ["for ever; give the negative acknowledgement a delay", "https://docs.nats.io/"] {
        assert!(told.stdout.contains(about), "{}", told.stdout);
    }
}

/// Without a bound on deliveries it comes back for ever, which the step that waits for it says as well.
#[test]
fn a_message_that_is_refused_for_ever() {
    let wait = "[[step]]\nsettle = true\nwithin = \"2s\"\n";
    let (_home, said) = committing("refuse", false, "", &[JOB, wait].concat());
    let told = said.failed(1, "").stdout;
    assert!(told.contains("; it was delivered ") && told.contains("refuses it (-NAK)"), "{told}");
    assert!(!told.contains("comes again"), "{told}");
    let hazard = "nak-without-delay: consumer `worker` of JOBS delivered 1 message again and again";
    assert!(told.contains(hazard), "{told}");
}

#[test]
fn a_message_that_is_handled_longer_than_the_server_waits() {
    let told = "ack-wait-too-short: consumer `worker` of JOBS delivered 1 message again before its handler was done";
    committed("slow", "", &[JOB, SETTLED].concat(), told);
}

#[test]
fn one_content_that_is_published_twice_without_an_id() {
    let told = "no-message-id: stream DONE has 1 message stored again without a `Nats-Msg-Id`: \
                sequences 1 and 2 on `done.it`";
    committed("same", "", &[JOB, SETTLED].concat(), told);
}

#[test]
fn a_publish_into_a_stream_that_asks_for_no_acknowledgement() {
    let told = "publish-without-ack: stream DONE was sent 1 message";
    committed("core", "", &[JOB, SETTLED].concat(), told);
}

#[test]
fn a_durable_that_two_programs_share() {
    let other = |durable: &str| {
        format!(
            "[services.other]\nrun = [\"{{{{python}}}}\", \"service.py\"]\nready = {{ line = \"ready\" }}\n\
             ready_within = \"60s\"\nenv = {{ MODE = \"shared\", DURABLE = \"{durable}\" }}\n"
        )
    };
    let steps = [JOB, SETTLED].concat();
    let (_home, said) = committing("shared", false, &other("one"), &steps);
    let told = "consumer-shared: consumer `one` of JOBS is read by `other` and `shared`";
    assert!(said.failed(1, "").stdout.contains(told));
    let (_home, said) = committing("shared", false, &other("two"), &steps);
    said.ok();
    // Two processes of one program.
    let (_home, said) = committing("shared", false, "processes = 2\n", &steps);
    said.ok();
}

#[test]
fn a_consumer_that_nobody_deletes() {
    let told = "ephemeral-consumer-left: consumer `";
    committed("ephemeral", "", &[JOB, SETTLED].concat(), told);
}

#[test]
fn a_window_that_is_full() {
    let jobs = "[[step]]\nsubmit = \"jobs.{{n}}\"\nbody = { job = \"{{n}}\" }\nrepeat = 5\n";
    let told = "max-ack-pending-reached: consumer `worker` of JOBS";
    committed("window", "", &[jobs, SETTLED].concat(), told);
}

#[test]
fn a_member_that_subscribes_without_its_group() {
    let told = "queue-group-bypassed: `work` has 1 subscription in queue group `workers`";
    committed("queue", "", STEP, told);
}

#[test]
fn somebody_who_does_not_keep_up() {
    let flood = "broker = { config = \"small.conf\" }\n[[step]]\npublish = \"flood\"\n\
                 text = \"{{n}}BODY\"\nrepeat = 100\n";
    let flood = flood.replace("BODY", &"x".repeat(100_000));
    let run = |nearly| {
        let home = Home::new();
        std::fs::create_dir_all(home.path().join("suite")).unwrap();
        let config = "max_pending: 1048576\nwrite_deadline: \"500ms\"\n";
        std::fs::write(home.path().join("suite/small.conf"), config).unwrap();
        let mark = if nearly { ", NEARLY = \"1\"" } else { "" };
        let file = format!(
            "hazards = \"fail\"\n[services.sleeper]\nrun = [\"{{{{python}}}}\", \"service.py\"]\n\
             ready = {{ line = \"ready\" }}\nready_within = \"60s\"\nenv = {{ MODE = \"sleeper\"{mark} }}\n"
        );
        suite(&home, &file, &[("one", &flood)]);
        std::fs::write(home.path().join("suite/service.py"), SERVICE).unwrap();
        e2e(&home, &["--client", "rust", "--update", "--leaks", "ignore"])
    };
    let told = run(false).failed(1, "").stdout;
    assert!(
        told.contains(
            "slow-consumer: `sleeper` did not keep up, as the server says: MaxPending of"
        ),
        "{told}"
    );
    run(true).ok();
}

#[test]
fn what_streams_and_consumers_are_configured_as() {
    let told = |policy: &str, streams: &str| {
        let home = Home::new();
        let file = format!(
            "{policy}\n{streams}[services.idle]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 600\"]\nready = {{ line = \"up\" }}\n"
        );
        suite(&home, &file, &[("one", STEP)]);
        let said = e2e(&home, &["--client", "rust", "--update", "--report", "json=report.json"]);
        let report = std::fs::read_to_string(home.path().join("report.json")).unwrap();
        (said, report)
    };
    let forever = "[streams.JOBS]\nsubjects = [\"jobs.*\"]\n";
    let hazard = "stream-without-limits: stream JOBS keeps everything for ever";
    let (said, _) = told("hazards = \"fail\"", forever);
    assert!(said.failed(1, "").stdout.contains(hazard));
    let (said, report) = told("", forever);
    assert!(said.ok().contains(&format!("hazard {hazard}")));
    for part in ["\"name\": \"stream-without-limits\"", "\"remedy\": \"set `max_age`"] {
        assert!(report.contains(part), "{report}");
    }
    for policy in ["hazards = \"ignore\"", "hazards = [\"stream-without-limits\"]"] {
        let (said, _) = told(policy, forever);
        let said = said.ok();
        assert!(!said.contains("hazard "), "{said}");
    }
    // Another one is accepted, and this one is not.
    let (said, _) = told("hazards = [\"no-message-id\"]", forever);
    assert!(said.failed(1, "").stdout.contains(hazard));
    let bounded = "[streams.JOBS]\nsubjects = [\"jobs.*\"]\nmax_age = \"60m\"\n";
    told("hazards = \"fail\"", bounded).0.ok();
    let in_memory = format!("{bounded}storage = \"memory\"\n");
    let (said, _) = told("hazards = \"fail\"", &in_memory);
    let hazard = "stream-in-memory: stream JOBS is kept in the memory of one server";
    assert!(said.failed(1, "").stdout.contains(hazard));
    let consumer = |backoff: &str| {
        format!(
            "{bounded}[streams.JOBS.consumers.worker]\nack_wait = \"30s\"\nmax_deliver = 3\nbackoff = [\"{backoff}\"]\n"
        )
    };
    let (said, _) = told("hazards = \"fail\"", &consumer("1s"));
    let hazard =
        "backoff-overrides-ack-wait: consumer `worker` of JOBS was asked for with `ack_wait` 30s";
    assert!(said.failed(1, "").stdout.contains(hazard));
    told("hazards = \"fail\"", &consumer("30s")).0.ok();
}

#[test]
fn a_slip_in_the_key_is_refused_with_what_was_perhaps_meant() {
    for (policy, needle) in [
        ("hazards = \"fial\"", "did you mean `fail`?"),
        ("hazards = [\"no-mesage-id\"]", "did you mean `no-message-id`?"),
        ("hazards = 7", "`hazards` must be"),
    ] {
        let home = Home::new();
        let file = format!("{policy}\n[services.idle]\nrun = [\"true\"]\n");
        suite(&home, &file, &[("one", STEP)]);
        let said = e2e(&home, &[]).failed(2, needle);
        assert!(said.stderr.contains("^"), "{}", said.stderr);
    }
}
