use std::collections::BTreeSet;

use super::*;
use crate::e2e::scenario::suite::parse;
use crate::e2e::text::source::Source;

fn read_suite(text: &str) -> Result<Vec<Promise>, String> {
    let suite = parse(Source::new("suite.toml", text), BTreeSet::new());
    suite.map(|suite| suite.promises).map_err(|error| error.to_string())
}

#[test]
fn a_promise_says_what_is_done_and_where_it_is_seen() {
    let text = "[services.worker]\nrun = [\"x\"]\nready = { line = \"up\" }\n\
        [promise.order]\noperation = { submit = \"orders.*\" }\nkey = \"header:Nats-Msg-Id\"\n\
        effect = [{ stream = \"RECEIPTS\", subject = \"r.>\", key = \"/id\" }, { kv = \"done\" }, \
        { log = \"worker\", key = 'did (\\S+)' }, { file = \"out.jsonl\", key = \"/id\" }]\n\
        order = \"subject:2\"\nfinal = { value = \"/status\", among = [\"shipped\"] }\n\
        times = \"at-least-once\"\nwithin = \"2s\"\nunasked = \"ignore\"\n";
    let promises = read_suite(text).unwrap();
    let [order] = promises.as_slice() else { panic!("{promises:?}") };
    assert_eq!(order.operation, Operation { verb: Verb::Submit, on: "orders.*".to_owned() });
    assert_eq!(order.key, Pick::Header("Nats-Msg-Id".to_owned()));
    assert_eq!(order.order, Some(Pick::Token(2)));
    let places: Vec<String> = order.effects.iter().map(|effect| effect.at.to_string()).collect();
    let expected = ["stream RECEIPTS (r.>)", "bucket done", "log of worker", "file out.jsonl"];
    assert_eq!(places, expected);
    assert_eq!(order.effects[1].key, Pick::Key);
    assert_eq!((order.times, order.unasked), (Times::AtLeastOnce, Unasked::Ignore));
    assert_eq!(order.within, Duration::from_secs(2));
    assert_eq!(order.ending.as_ref().unwrap().effect, 0);
    let text = serde_json::to_string(order).unwrap();
    assert_eq!(serde_json::from_str::<Promise>(&text).unwrap(), *order, "{text}");
}

#[test]
fn every_mistake_is_shown_with_its_place() {
    let error = read_suite(
        "[services.worker]\nrun = [\"x\"]\nready = { line = \"up\" }\n\
         [promise.Order]\noperation = { submit = \"a\", call = \"b\" }\nkey = \"id\"\n\
         effect = { stream = \"A\", kv = \"B\" }\ntimes = \"twice\"\nwithin = \"soon\"\n\
         [promise.none]\n\
         [promise.log]\noperation = { submitted = \"a\" }\nkey = \"/id\"\n\
         effect = [{ log = \"worker\", key = \"shipped\" }, { log = \"wroker\", key = \"(x)\" }, \
         { file = \"../x\", key = \"subject:0\" }, { file = \"x\", key = \"header:A\" }, { stream = \"A\" }, { key = \"/x\" }]\n\
         final = { effect = 7, value = \"/status\" }\nunasked = \"maybe\"\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(error);
}

/// What a client sends is found there, whatever the services do.
#[test]
fn an_effect_that_is_the_operation_itself_is_refused() {
    let read = |operation: &str, effect: &str| {
        read_suite(&format!(
            "[streams.COPY]\nmirror = {{ name = \"MORE\" }}\n[streams.MORE]\nsources = [{{ name = \
             \"ORDERS\" }}, {{ name = \"MORE\" }}]\n\
             [streams.ORDERS]\nsubjects = [\"orders.>\"]\n[streams.ALL]\nsubjects = [\"all.*\", \
             \"shipped.*\"]\n[promise.order]\noperation = {operation}\nkey = \"/id\"\neffect = {effect}\n"
        ))
    };
    let submit = "{ submit = \"orders.new\" }";
    for effect in [
        "{ subject = [\"shipped.*\", \"orders.*\"], key = \"/id\" }",
        "{ stream = \"ORDERS\", key = \"/id\" }",
        "{ stream = \"COPY\", key = \"/id\" }",
        "{ stream = [\"DEAD\", \"ORDERS\"], key = \"/id\" }",
        "{ stream = \"ORDERS\", subject = \"orders.*\", key = \"/id\" }",
        "{ subject = \"orders.>\", key = \"/id\" }",
        "{ subject = \"orders.new\", key = \"/id\" }",
    ] {
        let said = read(submit, effect).unwrap_err();
        assert!(said.contains("takes `orders.new`: there each operation is its own"), "{said}");
        assert!(said.contains("suite.toml:12:"), "{said}");
    }
    assert!(read("{ publish = \"$KV.done.o-1\" }", "{ kv = \"done\" }").is_err());
    for effect in [
        "{ stream = \"ALL\", subject = \"shipped.*\", key = \"/id\" }",
        "{ stream = \"RECEIPTS\", key = \"/id\" }",
        "{ subject = \"orders.done\", key = \"/id\" }",
        "{ kv = \"orders\" }",
    ] {
        assert_eq!(read(submit, effect).map(|promises| promises.len()), Ok(1));
    }
    let call = read("{ call = \"orders.new\" }", "{ subject = \"orders.>\", key = \"/id\" }");
    let said = call.unwrap_err();
    assert!(!said.contains("there each operation"), "a method is no subject: {said}");
}

/// A suite with a service, two streams and two buckets, and one promise with these lines.
fn promised(lines: &str) -> Result<Vec<Promise>, String> {
    read_suite(&format!(
        "[services.worker]\nrun = [\"x\"]\nready = {{ line = \"up\" }}\n\
         [streams.RECEIPTS]\nsubjects = [\"receipts.>\"]\n\
         [streams.JOBS]\nsubjects = [\"jobs.*\"]\nretention = \"workqueue\"\n\
         [streams.COPY]\nmirror = {{ name = \"RECEIPTS\" }}\n\
         [streams.LAST]\nsubjects = [\"last.*\"]\nmax_msgs_per_subject = 1\n\
         [kv.newest]\n[kv.all]\nhistory = 5\n\
         [promise.order]\n{lines}\n"
    ))
}

const OPERATION: &str = "operation = { submit = \"orders.new\" }\n";
const KEY: &str = "key = \"/id\"\n";
const EFFECT: &str = "effect = { stream = \"RECEIPTS\", key = \"/id\" }\n";

/// What can never be so, and what is said of it: each with its place and what to do.
#[test]
fn what_can_never_hold_is_refused_before_anything_runs() {
    let effect = |of: &str| format!("{OPERATION}{KEY}effect = {of}\n");
    let operation = |of: &str| format!("operation = {of}\n{KEY}{EFFECT}");
    let key = |of: &str| format!("{OPERATION}key = {of}\n{EFFECT}");
    let beside = |line: &str| format!("{OPERATION}{KEY}{EFFECT}{line}\n");
    let ending = |of: &str, value: &str| {
        effect(of) + &format!("final = {{ value = \"{value}\", among = [\"done\"] }}\n")
    };
    let log = "{ log = \"worker\", key = '(x)' }";
    for (lines, why) in [
        (ending(log, "/status"), "a line in the log of worker has no value"),
        (ending("{ file = \"x\", key = \"/id\" }", "header:A"), "has no header and no subject"),
        (ending("{ subject = \"a.*\", key = \"/id\" }", "subject:3"), "`a.*` has 2 tokens"),
        (effect("{ stream = \"\", key = \"/id\" }"), "`` is not the name of a stream"),
        (effect("{ stream = \"RE.CEIPTS\", key = \"/id\" }"), "`RE.CEIPTS` is not the name"),
        (effect("{ stream = \"RE CEIPTS\", key = \"/id\" }"), "`RE CEIPTS` is not the name"),
        (effect("{ stream = \"R>\", key = \"/id\" }"), "`R>` is not the name of a stream"),
        (effect("{ stream = [\"A\", \"\"], key = \"/id\" }"), "`` is not the name of a stream"),
        (effect("{ stream = [\"A\", \"A\"], key = \"/id\" }"), "stream A is there twice"),
        (effect("{ stream = \"JOBS\", key = \"/id\" }"), "stream JOBS removes what was handled"),
        (
            effect("{ stream = \"RECEIPTS\", subject = \"receipt.*\", key = \"/id\" }"),
            "stream RECEIPTS takes nothing on `receipt.*`",
        ),
        (effect("{ kv = \"a.b\" }"), "`a.b` is not the name of a bucket"),
        (effect("{ kv = \"\" }"), "`` is not the name of a bucket"),
        (effect("{ kv = \"newest\" }"), "bucket newest keeps one value a key"),
        (
            effect("{ stream = [\"RECEIPTS\", \"LAST\"], key = \"/id\" }"),
            "stream LAST keeps one message a subject: what was overwritten is not counted",
        ),
        (effect("{ subject = \"orders.>.x\", key = \"/id\" }"), "a `>` that is not its last"),
        (effect("{ subject = \"\", key = \"/id\" }"), "must not be empty"),
        (effect("{ subject = \"a b\", key = \"/id\" }"), "has white space"),
        (effect("{ stream = \"S\", subject = \"a..b\", key = \"/id\" }"), "has an empty token"),
        (effect("{ subject = \"a.*\", key = \"subject:3\" }"), "there is no token 3"),
        (
            effect("{ subject = [\"a.*.*\", \"b.*\"], key = \"subject:3\" }"),
            "there is no token 3: `b.*` has 2 tokens",
        ),
        (
            effect("{ subject = [\"a.*\", \"a.b\"], key = \"/id\" }"),
            "a message may be on `a.*` and on `a.b`: it is one effect",
        ),
        (
            effect("{ subject = [\"a\", \"a\"], key = \"/id\" }"),
            "a message may be on `a` and on `a`: it is one effect",
        ),
        (effect("{ subject = [\"a\", \"b c\"], key = \"/id\" }"), "has white space"),
        (
            effect(
                "{ stream = \"RECEIPTS\", subject = [\"receipts.a\", \"receipt.b\"], key = \"/id\" }",
            ),
            "stream RECEIPTS takes nothing on `receipt.b`",
        ),
        (effect("{ subject = \"a.*\", key = \"subject:1\" }"), "is always `a`: it is no key"),
        (effect("{ log = \"\", key = '(x)' }"), "unknown service ``"),
        (effect("{ command = [\" \"], key = \"/id\" }"), "`command` begins with a program"),
        (effect(&format!("[{log}, {log}]")), "log of worker is looked at already"),
        (effect("{ stream = \"A\", key = \"/a~2b\" }"), "`/a~2b` is not a JSON pointer"),
        (operation("{ submit = \"orders.>.x\" }"), "a `>` that is not its last token"),
        (operation("{ request = \"orders new\" }"), "has white space"),
        (operation("{ call = \"order\" }"), "`order` is not a method"),
        (operation("{ call = \"orders.new\" }"), "`/id` is not in `{\"args\": […]"),
        (key("\"subject:3\""), "there is no token 3: `orders.new` has 2 tokens"),
        (key("\"subject:2\""), "token 2 of `orders.new` is always `new`: it is no key"),
        (key("\"/a~\""), "`/a~` is not a JSON pointer"),
        (key("\"header:\""), "`header:` is no place in a message"),
        (key("\"header:a b\""), "`header:a b` is no place in a message"),
        (beside("order = \"subject:3\""), "there is no token 3"),
        (beside("order = \"/id\""), "no two operations have the same `order`"),
        (beside("within = \"0s\""), "nothing is there within no time"),
        (beside("times = 0"), "`times` must be a string"),
        (beside("times = \"0\""), "unknown value of `times` `0`"),
    ] {
        let said = promised(&lines).expect_err(&lines);
        assert!(said.contains(why), "{lines}\n{said}");
        assert!(
            said.contains("--> suite.toml:") && said.contains("| ") && said.contains('^'),
            "{said}"
        );
        let remedied = said.contains("= help: ")
            || said.contains("it begins with")
            || said.contains("`~0` stands for");
        assert!(remedied, "{said}");
    }
}

/// What is near to it, and can be.
#[test]
fn what_can_hold_is_not_refused() {
    for lines in [
        format!("{OPERATION}{KEY}{EFFECT}order = \"subject:1\"\n"),
        format!("operation = {{ submit = \"orders.*.>\" }}\nkey = \"subject:7\"\n{EFFECT}"),
        format!("operation = {{ call = \"orders.new\" }}\nkey = \"/kwargs/id\"\n{EFFECT}"),
        format!("{OPERATION}{KEY}effect = {{ kv = \"newest\" }}\ntimes = \"at-least-once\"\n"),
        format!(
            "{OPERATION}{KEY}effect = {{ stream = \"LAST\", key = \"/id\" }}\n\
             times = \"at-least-once\"\n"
        ),
        format!(
            "{OPERATION}{KEY}effect = [{{ kv = \"all\" }}, {{ kv = \"all\", key = \"/id\" }}]\n"
        ),
        format!(
            "{OPERATION}{KEY}effect = [{{ log = \"worker\", key = '(x)' }}, \
             {{ stream = \"RECEIPTS\", subject = \"receipts.*\", key = \"subject:2\" }}]\n\
             final = {{ effect = 1, value = \"/s\", among = [\"x\"] }}\n"
        ),
        format!(
            "{OPERATION}{KEY}effect = {{ stream = \"COPY\", subject = \"a\", key = \"/id\" }}\n"
        ),
        format!(
            "{OPERATION}{KEY}effect = {{ stream = [\"RECEIPTS\", \"DEAD\"], subject = \"dead.*\", \
             key = \"/id\" }}\n"
        ),
    ] {
        assert_eq!(promised(&lines).map(|promises| promises.len()), Ok(1), "{lines}");
    }
}

/// What the broker brings by itself, no service has done.
#[test]
fn a_place_that_the_broker_feeds_with_operations_is_no_effect() {
    let read = |orders: &str, done: &str, effect: &str| {
        read_suite(&format!(
            "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n{orders}\n[streams.DONE]\n{done}\n\
             [streams.KV_done]\nsources = [{{ name = \"ORDERS\" }}]\n\
             [promise.order]\n{OPERATION}{KEY}effect = {{ {effect} }}\n"
        ))
    };
    let stream = "stream = \"DONE\", key = \"/id\"";
    let subjects = "subjects = [\"done.>\"]";
    let republish = "republish = { src = \"orders.>\", dest = \"done.>\" }";
    for (orders, done, effect) in [
        ("", "mirror = { name = \"ORDERS\" }", stream),
        ("", "sources = [{ name = \"ORDERS\" }]", stream),
        (republish, subjects, stream),
        (republish, subjects, "subject = \"done.>\", key = \"/id\""),
        (
            "subject_transform = { src = \"orders.>\", dest = \"shipped.>\" }",
            subjects,
            "stream = \"ORDERS\", subject = \"shipped.*\", key = \"/id\"",
        ),
        ("", subjects, "kv = \"done\", key = \"/id\""),
    ] {
        let said = read(orders, done, effect).expect_err(effect);
        assert!(said.contains("takes `orders.new`: there each operation is its own"), "{said}");
    }
    for (orders, done) in [
        ("", subjects),
        ("", "sources = [{ name = \"ORDERS\", filter_subject = \"orders.done\" }]"),
        ("republish = { src = \"orders.>\", dest = \"audit.>\" }", subjects),
    ] {
        assert_eq!(read(orders, done, stream).map(|promises| promises.len()), Ok(1), "{orders}");
    }
}

#[test]
fn one_message_is_not_the_effect_in_two_places() {
    let two = |other: &str| {
        promised(&format!(
            "{OPERATION}{KEY}effect = [{{ stream = \"RECEIPTS\", subject = \"receipts.a.*\", \
             key = \"/id\" }}, {{ stream = \"RECEIPTS\", {other} key = \"/id\" }}]\n"
        ))
    };
    for other in ["", "subject = \"receipts.>\",", "subject = \"receipts.*.b\","] {
        let said = two(other).expect_err(other);
        assert!(
            said.contains("has messages of stream RECEIPTS (receipts.a.*): one would"),
            "{said}"
        );
    }
    assert!(two("subject = \"receipts.b.*\",").is_ok());
    assert!(two("subject = [\"receipts.b.*\", \"receipts.c\"],").is_ok());
    assert!(two("subject = [\"receipts.b.*\", \"receipts.a.c\"],").is_err());
}
