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
            "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n[streams.ALL]\nsubjects = [\"orders.*\", \
             \"shipped.*\"]\n[promise.order]\noperation = {operation}\nkey = \"/id\"\neffect = {effect}\n"
        ))
    };
    let submit = "{ submit = \"orders.new\" }";
    for effect in [
        "{ stream = \"ORDERS\", key = \"/id\" }",
        "{ stream = [\"DEAD\", \"ALL\"], key = \"/id\" }",
        "{ stream = \"ORDERS\", subject = \"orders.*\", key = \"/id\" }",
        "{ subject = \"orders.>\", key = \"/id\" }",
        "{ subject = \"orders.new\", key = \"/id\" }",
    ] {
        let said = read(submit, effect).unwrap_err();
        assert!(said.contains("takes `orders.new`: there each operation is its own"), "{said}");
        assert!(said.contains("suite.toml:8:"), "{said}");
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
    assert!(call.is_ok(), "a method is no subject");
}
