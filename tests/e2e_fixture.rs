//! A mistake in a fixture is told with its line, column, a caret and what to do.

use std::collections::BTreeSet;

use mono_demo::e2e::scenario::{Action, Context, Fixture, parse};
use mono_demo::e2e::text::Schemas;
use mono_demo::e2e::text::{FixtureError, Name, Source};
use mono_demo::proof::CHECKS;

fn read(text: &str) -> Result<Vec<Fixture>, FixtureError> {
    let validate = |settings: &toml::Table| match settings.get("payment") {
        Some(payment) if payment.get("wrokers").is_some() => {
            Err("unknown field `wrokers`, expected `workers`".to_owned())
        }
        _ => Ok(()),
    };
    let context = Context {
        validate_services: &validate,
        variables: BTreeSet::from(["python".to_owned()]),
        clients: ["rust", "python"].map(str::to_owned).into(),
        defaults: Default::default(),
        promises: Default::default(),
        checks: CHECKS,
        leaders: true,
        schema: &|word| Schemas::default().find(word),
        include: &|path| Err(format!("there is no file {path}")),
        services: BTreeSet::new(),
        commands: None,
    };
    let name = Name::new("group/scenario").expect("a name");
    parse(name, Source::new("fixtures/group/scenario.toml", text), &context)
}

#[track_caller]
fn broken(name: &str, steps: &str) {
    let text = format!("description = \"what it proves\"\n{steps}");
    let error = read(&text).expect_err("a mistake");
    insta::with_settings!({ description => text, omit_expression => true }, {
        insta::assert_snapshot!(name, error.to_string());
    });
}

#[test]
fn a_typo_in_a_key_suggests_the_right_one() {
    broken("typo-in-a-key", "[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nrepyl = 3\n");
}

#[test]
fn a_typo_in_the_verb_suggests_the_right_one() {
    broken("typo-in-the-verb", "[[step]]\nsumbit = \"services.x\"\nbody = {}\n");
}

#[test]
fn a_step_has_a_verb() {
    broken("no-verb", "[[step]]\nreply = 3\n");
}

#[test]
fn a_step_has_one_verb() {
    broken("two-verbs", "[[step]]\ncall = \"math.add\"\nrequest = \"services.x\"\n");
}

#[test]
fn a_key_must_go_with_its_verb() {
    broken("key-of-another-verb", "[[step]]\ncall = \"math.add\"\nack = { duplicate = false }\n");
}

#[test]
fn there_is_no_sleep() {
    broken("no-sleep", "[[step]]\nsleep = \"1s\"\n");
}

#[test]
fn a_duration_has_a_unit() {
    broken("duration", "[[step]]\ncall = \"math.add\"\nwithin = \"5\"\n");
}

#[test]
fn an_unknown_fault_is_named() {
    broken("fault", "[[step]]\nfault = \"kill-brokers\"\n");
}

#[test]
fn an_unknown_matcher_is_named() {
    broken("matcher", "[[step]]\ncall = \"math.add\"\nreply = { id = \"#uid\" }\n");
}

#[test]
fn a_bad_regular_expression_is_told_before_anything_runs() {
    broken("regular-expression", "[[step]]\ncall = \"math.add\"\nreply = \"#re:(\"\n");
}

#[test]
fn an_unknown_variable_is_told_before_anything_runs() {
    broken("variable", "[[step]]\ncall = \"math.add\"\nargs = [\"{{n}}\"]\n");
}

#[test]
fn a_value_is_saved_before_it_is_used() {
    broken(
        "saved-later",
        "[[step]]\ncall = \"a.b\"\nargs = [\"{{first}}\"]\n[[step]]\ncall = \"a.b\"\nsave = \"first\"\n",
    );
}

#[test]
fn an_error_kind_must_exist() {
    broken("error-kind", "[[step]]\nrequest = \"x\"\nerror = \"no_responder\"\n");
}

#[test]
fn a_step_succeeds_or_fails() {
    broken("reply-and-error", "[[step]]\nrequest = \"x\"\nreply = 1\nerror = \"timeout\"\n");
}

#[test]
fn a_message_has_one_body() {
    broken("two-bodies", "[[step]]\npublish = \"x\"\nbody = {}\ntext = \"y\"\n");
}

#[test]
fn a_body_file_stays_beside_the_fixture() {
    broken("body-file", "[[step]]\npublish = \"x\"\nbody_file = \"../../etc/passwd\"\n");
}

#[test]
fn a_mistake_in_the_services_settings_is_one_of_the_fixture() {
    broken("services", "[services.payment]\nwrokers = 2\n[[step]]\nsettle = true\n");
}

#[test]
fn an_unknown_client_is_named() {
    broken("client", "clients = [\"pyhton\"]\n[[step]]\nsettle = true\n");
}

#[test]
fn a_check_on_a_promise_that_is_none_is_refused() {
    let text = |name: &str| {
        format!(
            "description = \"x\"\n[promise.order]\noperation = {{ submit = \"o\" }}\nkey = \"/id\"\n\
             effect = {{ stream = \"S\", key = \"/id\" }}\n[[step]]\nsettle = true\n\
             [[check]]\nhistory = {{ verdict = \"valid\", promises = {{ {name} = {{ lost = 0 }} }} }}\n"
        )
    };
    assert!(read(&text("order")).is_ok());
    let error = read(&text("ordre")).expect_err("no such promise").to_string();
    assert!(error.contains("unknown promise `ordre`"), "{error}");
    assert!(error.contains("did you mean `order`?"), "{error}");
}

#[test]
fn broken_toml_is_told_where() {
    broken("toml", "[[step]]\ncall = \"math.add\n");
}

#[test]
fn every_mistake_is_told_at_once() {
    broken(
        "several",
        "tag = [\"a\"]\n[[step]]\ncall = \"add\"\ntimeout = 5\n[[check]]\ncharged = \"pay-1\"\n",
    );
}

#[test]
fn a_scenario_says_what_it_proves_and_does_something() {
    let error = read("[[step]]\nsettle = true\n").expect_err("no description");
    assert!(error.to_string().contains("a scenario has a `description`"));
    let error = read("description = \"x\"\n").expect_err("no steps");
    assert!(error.to_string().contains("at least one `[[step]]`"));
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in [
        "",
        "\u{feff}",
        "[[step]]",
        "[step]\n",
        "step = 1",
        "check = [1]",
        "é = \"",
        "[[step]]\ncall = 1",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_fault_must_fit_the_broker() {
    broken("fault-of-a-cluster", "[[step]]\nfault = \"kill-leader\"\n");
    let nodes = "[broker]\ncluster = 3\n[[step]]\nfault = \"kill-node\"\nnodes = 4\n";
    broken("fault-of-more-nodes", nodes);
}

#[test]
fn a_cluster_has_three_nodes_or_more() {
    broken("cluster-of-two", "[broker]\ncluster = 2\n[[step]]\ncall = \"math.add\"\n");
}

#[test]
fn a_network_breaks_only_where_a_proxy_is() {
    broken("fault-without-a-proxy", "[[step]]\nfault = \"blackhole\"\n");
    let text = "[proxy]\nclient = true\n[[step]]\nfault = \"refuse\"\non = \"services\"\n";
    broken("fault-on-the-other-side", text);
}

#[test]
fn a_fault_takes_what_goes_with_it_and_nothing_else() {
    let on_client = |step: &str| format!("[proxy]\nclient = true\n[[step]]\n{step}");
    let key = on_client("fault = \"delay\"\nlatency = \"50ms\"\nchunk = 10\n");
    broken("fault-with-another-ones-key", &key);
    broken("fault-in-a-direction", &on_client("fault = \"cut\"\ndirection = \"to-client\"\n"));
    broken("fault-on-nobody", &on_client("fault = \"cut\"\non = \"service\"\n"));
    broken("fault-for-no-time", "[[step]]\nfault = \"pause-broker\"\nfor = \"0s\"\n");
    broken("fault-that-is-over", "[[step]]\nfault = \"kill-broker\"\nfor = \"1s\"\n");
}

#[test]
fn a_fault_under_a_load_comes_to_its_end() {
    let under = |faults: &str| {
        format!("[[step]]\nsubmit = \"a\"\nbody = {{}}\nrepeat = 9\nunder = {{ {faults} }}\n")
    };
    broken("load-under-a-pause", &under("pause-broker = 1"));
    broken("load-under-a-remedy", &under("resume-broker = 1"));
    broken("load-under-a-typo", &under("pause-broker = { time = 1, for = \"1s\" }"));
}

#[test]
fn a_fault_reads_as_it_is_asked_for() {
    let shown = |step: &str| {
        let head =
            "description = \"x\"\n[broker]\ncluster = 3\n[proxy]\nclient = true\nservices = true";
        let fixture = read(&format!("{head}\n[[step]]\n{step}\n")).expect("a fixture");
        match &fixture[0].steps[0].action {
            Action::Fault(fault) => fault.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(shown("fault = \"delay\""), "delay 50ms");
    let step =
        "fault = \"delay\"\nlatency = \"20ms\"\njitter = \"10ms\"\non = \"client\"\nfor = \"2s\"";
    assert_eq!(shown(step), "delay 20ms to 30ms on client for 2s");
    assert_eq!(shown("fault = \"cut\""), "cut");
    assert_eq!(shown("fault = \"cut\"\nafter_bytes = 4096"), "cut after 4096 bytes to-server");
    assert_eq!(shown("fault = \"chop\""), "chop into 10 bytes, one each 1ms");
    let step = "fault = \"half-open\"\ndirection = \"to-server\"\non = \"services\"";
    assert_eq!(shown(step), "half-open to-server on services");
    assert_eq!(shown("fault = \"kill-node\"\nnodes = 2"), "kill-node 2");
    assert_eq!(shown("fault = \"pause-service\"\nfor = \"2s\""), "pause-service for 2s");
}

#[test]
fn a_fault_by_message_says_which_messages_in_words_that_there_are() {
    let lose = |rest: &str| format!("[[step]]\nfault = \"lose\"\n{rest}");
    broken("lose-nothing", &lose("subject = \"orders.new\"\n"));
    broken("lose-an-unknown-kind", &lose("what = \"puback\"\n"));
    broken("lose-of-nobody", &lose("what = \"ack\"\nof = \"cleint\"\n"));
    broken("lose-a-typo", &lose("what = \"ack\"\nsubjct = \"orders.*\"\n"));
    broken("lose-on-a-side", &lose("what = \"ack\"\non = \"client\"\n"));
    broken("lose-twice-said", &lose("what = \"ack\"\nnth = 3\nevery = 10\n"));
    broken("lose-every-second", &lose("what = \"ack\"\nevery = \"1s\"\n"));
    broken("lose-no-subject", &lose("what = \"ack\"\nsubject = \"orders..new\"\n"));
    broken("lose-no-header", &lose("what = \"ack\"\nheader = \": o-7\"\n"));
    broken("lose-when", &lose("what = \"ack\"\nwhen = \"after\"\n"));
    let step = "[[step]]\nfault = \"disconnect\"\nwhat = \"ack\"\nwhen = \"afterwards\"\n";
    broken("disconnect-when", step);
    broken("delay-of-no-message", "[proxy]\nclient = true\n[[step]]\nfault = \"delay\"\nnth = 2\n");
    let under = "[[step]]\nsubmit = \"a\"\nbody = {}\nrepeat = 9\n\
                 under = { lose = { what = \"ack\", every = 2 } }\n";
    broken("load-under-every", under);
}

#[test]
fn a_fault_by_message_reads_as_it_is_asked_for_and_puts_whom_it_is_about_behind_a_proxy() {
    let shown = |step: &str| {
        let fixture = read(&format!("description = \"x\"\n[[step]]\n{step}\n")).expect("a fixture");
        let Action::Fault(fault) = &fixture[0].steps[0].action else { panic!("{step}") };
        (fault.to_string(), fixture[0].proxy.client, fixture[0].proxy.services)
    };
    let step = "fault = \"lose\"\nwhat = \"pub-ack\"\nsubject = \"orders.>\"\nof = \"client\"";
    assert_eq!(shown(step), ("lose pub-ack on orders.> of client".to_owned(), true, false));
    let step = "fault = \"delay\"\nwhat = \"delivery\"\nlatency = \"2s\"\nnth = 3\ntimes = 2";
    assert_eq!(shown(step), ("delay 2s delivery, the 3rd, 2 times".to_owned(), true, true));
    let step =
        "fault = \"duplicate\"\nwhat = \"reply\"\nheader = \"A: b\"\nbody = \"o-7\"\nevery = 11";
    let told = "duplicate reply with A: b with \"o-7\", every 11th";
    assert_eq!(shown(step).0, told);
    let step =
        "fault = \"disconnect\"\nwhat = \"publish\"\nwhen = \"after\"\n[proxy]\nclient = true";
    // Everybody's, whoever is behind a proxy for another reason.
    assert_eq!(shown(step), ("disconnect after publish".to_owned(), true, true));
}
