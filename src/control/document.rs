//! The protocol on paper, from its types: JSON Schema, and `docs/control.md`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::wire::control::{
    Account, BrokerSettings, Command, Connection, Consumer, ControlError, Direction, Done, Ended,
    Ending, ErrorKind, Fault, Hazard, Hello, History, Invoked, Judged, Leaks, Log, Logs,
    MessageKind, Messages, Moment, Op, PROTOCOL_VERSION, PromiseJudged, Proxy, Reply, Server,
    Servers, Service, Status, Stopped, Thing, Tls, Verb,
};
use crate::wire::paper::{described, fields, generator, head, lines, of, words};

/// The types' own file: its head says what the protocol is.
const SOURCE: &str = include_str!("../wire/control/mod.rs");

/// A conversation as it goes; `→` is to mono-demo.
const EXAMPLE: &str = r#"→ {"id":1,"op":"hello","protocol":1}
← {"id":1,"ok":{"protocol":1,"version":"0.1.0"}}
→ {"id":2,"op":"broker.start","name":"b"}
← {"id":2,"ok":{"name":"b","url":"nats://127.0.0.1:33031","port":33031,"pid":4711,"log":"/tmp/mono-demo-x/broker.log"}}
→ {"id":3,"op":"stream.create","of":"b","config":{"name":"ORDERS","subjects":["orders.>"]}}
→ {"id":4,"op":"service.start","run":["python3","shop.py"],"of":"b","ready":{"service":"shop"}}
← {"id":3,"ok":{"type":"io.nats.jetstream.api.v1.stream_create_response"}}
← {"id":4,"ok":{"name":"service-1","pid":4712}}
→ {"id":5,"op":"fault","of":"b","fault":{"kind":"kill"}}
← {"id":5,"ok":{"told":"killed"}}
→ {"id":6,"op":"fault","of":"b","fault":{"kind":"restart"}}
← {"id":6,"ok":{"told":"started again","pid":4713}}
→ {"id":7,"op":"leaks","of":"c"}
← {"id":7,"err":{"kind":"no_such","message":"leaks: of: there is no `c`; there is b, service-1"}}"#;

/// What `ok` carries, each with its name.
fn answers() -> Vec<(&'static str, Value)> {
    vec![
        ("Hello", of::<Hello>()),
        ("Server", of::<Server>()),
        ("Servers", of::<Servers>()),
        ("Account", of::<Account>()),
        ("Service", of::<Service>()),
        ("Proxy", of::<Proxy>()),
        ("Done", of::<Done>()),
        ("History", of::<History>()),
        ("Invoked", of::<Invoked>()),
        ("Judged", of::<Judged>()),
        ("PromiseJudged", of::<PromiseJudged>()),
        ("Hazard", of::<Hazard>()),
        ("Logs", of::<Logs>()),
        ("Log", of::<Log>()),
        ("Leaks", of::<Leaks>()),
        ("Connection", of::<Connection>()),
        ("Consumer", of::<Consumer>()),
        ("Status", of::<Status>()),
        ("Thing", of::<Thing>()),
        ("Stopped", of::<Stopped>()),
        ("Ended", of::<Ended>()),
    ]
}

/// JSON Schema (2020-12) of a line either way, and of what `ok` carries.
pub fn schema() -> Value {
    let mut generator = generator();
    for of_ok in [
        generator.subschema_for::<Hello>(),
        generator.subschema_for::<Server>(),
        generator.subschema_for::<Servers>(),
        generator.subschema_for::<Account>(),
        generator.subschema_for::<Service>(),
        generator.subschema_for::<Proxy>(),
        generator.subschema_for::<Done>(),
        generator.subschema_for::<History>(),
        generator.subschema_for::<Invoked>(),
        generator.subschema_for::<Judged>(),
        generator.subschema_for::<Logs>(),
        generator.subschema_for::<Leaks>(),
        generator.subschema_for::<Status>(),
        generator.subschema_for::<Stopped>(),
    ] {
        drop(of_ok); // it is among the definitions now
    }
    let title =
        format!("One line of the control protocol of mono-demo, version {PROTOCOL_VERSION}");
    lines::<Command, Reply>(generator, &title)
}

/// Every type that a field may have is on the page, under its name.
fn named(name: &str) -> Option<String> {
    Some(format!("`{name}`, below"))
}

/// The whole of `docs/control.md`.
pub fn markdown() -> String {
    let mut out = format!(
        "<!-- Written by `mono-demo control protocol` from src/wire/control: change it there. -->\n\n\
         # The control protocol, version {PROTOCOL_VERSION}\n\n{}\n\n\
         `mono-demo control schema` prints its JSON Schema. [testing.md](testing.md) has helpers that speak\n\
         it.\n\n```text\n{EXAMPLE}\n```\n\n## Commands\n\n\
         Each has an `id`, a whole number, and an `op`.\n",
        head(SOURCE)
    );
    for op in of::<Op>()["oneOf"].as_array().into_iter().flatten() {
        section(&mut out, op["properties"]["op"]["const"].as_str().unwrap_or_default(), op, "op");
    }
    out.push_str("\n## What commands carry\n");
    for (name, schema) in [
        ("BrokerSettings", of::<BrokerSettings>()),
        ("Tls", of::<Tls>()),
        ("Messages", of::<Messages>()),
    ] {
        section(&mut out, name, &schema, "");
    }
    ready(&mut out);
    out.push_str("\n### `Fault`\n\nAn object with a `kind`, and:\n");
    faults(&mut out);
    for (name, schema) in [
        ("Direction", of::<Direction>()),
        ("Moment", of::<Moment>()),
        ("MessageKind", of::<MessageKind>()),
        ("Verb", of::<Verb>()),
        ("Ending", of::<Ending>()),
    ] {
        let _ = write!(out, "\n### `{name}`\n\n{}\n", described(&schema));
        words(&mut out, "word", &schema);
    }
    out.push_str("\n## Replies\n\nThe command's `id`, and `ok` or `err`.\n");
    for (name, schema) in answers() {
        section(&mut out, name, &schema, "");
    }
    let _ = write!(out, "\n### `err`\n\n{}\n", described(&of::<ControlError>()));
    fields(&mut out, &of::<ControlError>(), "", &named);
    out.push_str("\n### `ErrorKind`\n");
    words(&mut out, "kind", &of::<ErrorKind>());
    out
}

fn section(out: &mut String, name: &str, schema: &Value, tag: &str) {
    let _ = write!(out, "\n### `{name}`\n\n{}\n", described(schema));
    fields(out, schema, tag, &named);
}

fn ready(out: &mut String) {
    let schema = of::<crate::wire::control::Ready>();
    let _ = write!(out, "\n### `Ready`\n\n{}\n\n", described(&schema));
    out.push_str("| object | meaning |\n| --- | --- |\n");
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        for (word, value) in one["properties"].as_object().into_iter().flatten() {
            let example = if value["type"] == "integer" { "8080" } else { "\"…\"" };
            let _ = writeln!(out, "| `{{\"{word}\": {example}}}` | {} |", described(one));
        }
    }
}

fn faults(out: &mut String) {
    out.push_str("\n| kind | with | meaning |\n| --- | --- | --- |\n");
    for fault in of::<Fault>()["oneOf"].as_array().into_iter().flatten() {
        let kind = fault["properties"]["kind"]["const"].as_str().unwrap_or_default();
        let members = fault["properties"].as_object().into_iter().flatten();
        let with: Vec<String> = members
            .filter(|(name, _)| *name != "kind")
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let text = described(fault).replace('\n', " ");
        let _ = writeln!(out, "| `{kind}` | {} | {text} |", with.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversation_is_of_the_protocol() {
        for line in EXAMPLE.lines() {
            match line.split_once(' ').unwrap() {
                ("→", command) => drop(serde_json::from_str::<Command>(command).unwrap()),
                (_, reply) => drop(serde_json::from_str::<Reply>(reply).unwrap()),
            }
        }
    }

    #[test]
    fn every_operation_and_type_is_on_paper() {
        let page = markdown();
        for op in crate::wire::control::OPERATIONS {
            assert!(page.contains(&format!("### `{op}`")), "{op}");
        }
        for name in page.split("| `").filter_map(|cell| cell.split_once("`, below")) {
            let name = name.0.rsplit('`').next().unwrap();
            assert!(page.contains(&format!("### `{name}`")), "{name} is not below");
        }
        assert!(!page.contains("[`"), "a link into Rust is left");
        assert!(!page.contains("|  |\n"), "something has no description: {page}");
    }
}
