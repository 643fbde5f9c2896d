//! `e2e explore`: a service is killed before and after each of its messages, and what that breaks is
//! named by the message; what is asked for wrongly is refused.

use serde_json::Value;

use crate::support::program::{Home, Said};
use crate::support::{own_suite, receipts};

fn explore(home: &Home, planted: Option<&str>, args: &[&str]) -> Said {
    let mut command = home.command(["e2e", "explore"]);
    command.args(args).envs(planted.map(|fault| ("PLANT", fault)));
    Said::from(command.output().expect("the program starts"))
}

/// Each point, and what came of it.
fn points(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let points = object["points"].as_array().unwrap().iter();
    points.map(|point| (text(&point["point"]), text(&point["verdict"]))).collect()
}

const KILLED: [&str; 3] = ["suite", "orders", "--service=worker"];

#[test]
fn a_service_that_acknowledges_when_it_is_done_holds_wherever_it_is_killed() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let said = explore(&home, None, &KILLED).ok();
    assert!(said.contains("held") && !said.contains("BROKEN"), "{said}");
    for kind in
        ["delivery:orders.new", "publish:receipts.1", "pub-ack:receipts.1", "ack:orders.new"]
    {
        for moment in ["before", "after"] {
            assert!(said.contains(&format!("{moment}:{kind}:1")), "{moment} {kind}: {said}");
        }
    }
    assert!(said.ends_with("4 messages, 8 points: 8 held, 0 broken\n"), "{said}");
}

#[test]
fn an_early_acknowledgement_is_named_by_its_message_and_the_point_can_be_run_alone() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let said = explore(&home, Some("early"), &[&KILLED[..], &["--json"]].concat());
    let object: Value = serde_json::from_str(&said.failed(1, "").stdout).unwrap();
    let broken: Vec<String> = points(&object)
        .into_iter()
        .filter(|(_, verdict)| verdict == "broken")
        .map(|(point, _)| point)
        .collect();
    // From its acknowledgement on, up to the effect.
    assert_eq!(broken, ["after:ack:orders.new:1", "before:publish:receipts.1:1"], "{object}");
    let first = object["points"].as_array().unwrap().iter();
    let first = first.clone().find(|point| point["verdict"] == "broken").unwrap();
    assert_eq!(first["promises"][0]["how"][0], "lost", "{object}");
    let again = first["again"].as_str().unwrap();
    assert!(again.ends_with("--service worker --point after:ack:orders.new:1"), "{again}");
    let alone = [&KILLED[..], &["--point=after:ack:orders.new:1"]].concat();
    let alone = explore(&home, Some("early"), &alone).failed(1, "").stdout;
    assert!(alone.contains("BROKEN  promise receipt"), "{alone}");
    assert!(alone.contains("1 point: 0 held, 1 broken"), "{alone}");
    let other = [&KILLED[..], &["--point=before:ack:orders.new:1"]].concat();
    explore(&home, Some("early"), &other).ok();
}

#[test]
fn the_payments_hold_where_the_compiled_in_crash_points_are_and_a_planted_fault_does_not() {
    let home = Home::new();
    let killed = ["payment/killed-anywhere", "--service=services", "--client=rust"];
    let said = explore(&home, None, &killed).ok();
    // B and C, D, E, F, G of a payment.
    for point in [
        "after:delivery:services.payment.payment-process:1",
        "after:publish:payments.intent.pay-1:1",
        "before:publish:payments.ledger.pay-1:1",
        "before:ack:services.payment.payment-process:1",
        "after:ack:services.payment.payment-process:1",
    ] {
        let line = said.lines().find(|line| line.starts_with(point));
        assert!(line.is_some_and(|line| line.ends_with("  held")), "{point}: {said}");
    }
    let sabotaged = [&killed[..], &["--sabotage=duplicate"]].concat();
    let said = explore(&home, None, &sabotaged).failed(1, "").stdout;
    let point = "before:publish:payments.ledger.pay-1:1";
    let line = said.lines().find(|line| line.starts_with(point)).unwrap();
    assert!(line.contains("BROKEN  no effect happens twice: charged_twice"), "{said}");
}

#[test]
fn a_bound_leaves_points_out_and_says_so() {
    let home = Home::new();
    receipts::suite(&home, 2, "");
    let said = explore(&home, None, &[&KILLED[..], &["--points=3", "--jobs=2"]].concat()).ok();
    assert!(
        said.contains("8 messages, 3 points: 3 held, 0 broken, 13 left out by --points"),
        "{said}"
    );
}

#[test]
fn what_is_asked_for_wrongly_is_refused_before_anything_runs() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let refused = |args: &[&str], needle: &str| {
        explore(&home, None, &[&["suite"], args].concat()).failed(2, needle);
    };
    refused(&["orders", "--service=woker"], "did you mean `worker`?");
    refused(&["order-s", "--service=worker"], "did you mean `orders`?");
    refused(
        &["orders", "--service=worker", "--point=after:akc:orders.new:1"],
        "did you mean `ack`?",
    );
    refused(&["orders", "--service=worker", "--point=after"], "expected MOMENT:KIND:SUBJECT:N");
}

/// It is no proof of anything: the message is one of another run.
#[test]
fn a_message_that_never_comes_proves_nothing() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let point = [&KILLED[..], &["--point=after:ack:orders.old:1"]].concat();
    let said = explore(&home, None, &point).failed(3, "").stdout;
    assert!(said.contains("never came"), "{said}");
}

#[test]
fn a_scenario_that_fails_without_a_kill_is_not_explored() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    explore(&home, Some("drop"), &KILLED)
        .failed(1, "does not pass without a kill: promise receipt: once, stream RECEIPTS: lost");
}

#[test]
fn a_scenario_in_which_nothing_could_turn_red_proves_nothing_wherever_it_is_killed() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let suite = home.path().join("suite/suite.toml");
    let text = std::fs::read_to_string(&suite).unwrap();
    std::fs::write(&suite, text.split("[promise").next().unwrap()).unwrap();
    let why =
        "nothing in it could turn red: it has no check, and 1 message sent, and no promise here";
    explore(&home, Some("early"), &KILLED).failed(3, why);
}

const EXPLORED: &str = "\n[explore]\nservice = \"worker\"\npoints = 6\n";

#[test]
fn a_scenario_that_says_so_is_explored_in_every_run() {
    let home = Home::new();
    receipts::suite(&home, 1, EXPLORED);
    home.run(&["e2e", "suite", "--update"]).ok();
    let mut planted = home.command(["e2e", "suite"]);
    let said = Said::from(planted.env("PLANT", "early").output().unwrap()).failed(1, "").stdout;
    assert!(said.contains("killed at after:ack:orders.new:1, worker breaks something"), "{said}");
    assert!(said.contains("promise receipt: once, stream RECEIPTS: lost"), "{said}");
    assert!(said.contains("--> suite/scenarios/orders.toml:"), "{said}");
}

#[test]
fn a_slip_in_what_is_to_be_explored_has_its_place() {
    let home = Home::new();
    for (explored, needle) in [
        ("[explore]\nservice = \"woker\"\n", "did you mean `worker`?"),
        ("[explore]\nservise = \"worker\"\n", "did you mean `service`?"),
        ("[explore]\npoints = 3\n", "must say which service is killed"),
        ("[explore]\nservice = \"worker\"\npoints = 0\n", "points"),
    ] {
        receipts::suite(&home, 1, explored);
        home.run(&["e2e", "suite"]).failed(2, needle);
    }
}

/// The fault starts the service again while nothing of it passes: it would never be ready.
#[test]
fn a_kill_at_a_message_and_a_fault_of_the_scenario_may_come_together() {
    let home = Home::new();
    receipts::suite(&home, 10, "under = { kill-service = 1 }\n");
    let killed = [&KILLED[..], &["--points=6"]].concat();
    let said = explore(&home, None, &killed).ok();
    assert!(said.contains("6 points: 6 held, 0 broken"), "{said}");
}

#[test]
fn a_run_that_fails_before_the_kill_says_so() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let path = home.path().join("suite/worker.py");
    let worker = std::fs::read_to_string(&path).unwrap();
    let dies = worker
        .replace("            order = json", "            os._exit(1)\n            order = json");
    assert_ne!(worker, dies);
    std::fs::write(&path, dies).unwrap();
    let alone = [&KILLED[..], &["--point=after:ack:orders.new:1"]].concat();
    let said = explore(&home, None, &alone).failed(1, "").stdout;
    assert!(said.contains("before it was killed: ") && !said.contains("never came"), "{said}");
    assert!(said.contains("worker ended with exit status 1"), "{said}");
}

/// Answers requests.
const ANSWERS: &str = r#"
import asyncio, os, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=os.environ["NATS_USER"],
        password=os.environ["NATS_PASSWORD"], reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    async def answer(message):
        await message.respond(b"1")
    await nc.subscribe("rpc", cb=answer)
    await nc.flush()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

/// The place of such a failure is what the step expects, or the include that it comes from.
#[test]
fn a_client_that_asks_once_and_gets_no_answer_is_a_step_that_fails() {
    let home = Home::new();
    let file =
        "[services.rpc]\nrun = [\"{{python}}\", \"answers.py\"]\nready = { line = \"up\" }\n";
    let step = "[[step]]\nrequest = \"rpc\"\ntext = \"x\"\ntimeout = \"500ms\"\nreply = 1\n";
    let include = "[[step]]\ninclude = \"shared/once.steps.toml\"\n";
    own_suite::suite(&home, file, &[("once", step), ("shared", include)]);
    let scenarios = home.path().join("suite/scenarios");
    std::fs::create_dir(scenarios.join("shared")).unwrap();
    std::fs::write(scenarios.join("shared/once.steps.toml"), step).unwrap();
    std::fs::write(home.path().join("suite/answers.py"), ANSWERS).unwrap();
    for scenario in ["once", "shared"] {
        let args = ["suite", scenario, "--service=rpc", "--point=before:delivery:rpc:1"];
        let said = explore(&home, None, &args).failed(1, "").stdout;
        assert!(said.contains("  a step fails\n") && !said.contains("BROKEN"), "{said}");
        assert!(said.contains("0 broken, 1 with a step that fails"), "{said}");
    }
}

#[test]
fn a_service_that_does_not_end_when_it_is_told_to_is_no_check_that_fails() {
    let home = Home::new();
    receipts::suite(&home, 1, "");
    let path = home.path().join("suite/suite.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let stubborn = "trap \\\"\\\" TERM; exec {{python}} worker.py";
    let deaf = file
        .replace("[\"{{python}}\", \"worker.py\"]", &format!("[\"sh\", \"-c\", \"{stubborn}\"]"))
        .replace("\nready", "\nstop_within = \"300ms\"\nready");
    assert_ne!(file, deaf);
    std::fs::write(&path, deaf).unwrap();
    let alone = [&KILLED[..], &["--point=before:ack:orders.new:1"]].concat();
    let said = explore(&home, None, &alone).failed(1, "").stdout;
    assert!(said.contains("BROKEN  the run does not end well"), "{said}");
    let why = "worker was told to drain by SIGTERM and had not ended within `stop_within` = 300ms, so that \
               mono-demo killed it";
    assert!(said.contains(why), "{said}");
}
