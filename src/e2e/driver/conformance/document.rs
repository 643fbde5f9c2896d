//! The protocol on paper, from its types: JSON Schema, and `docs/protocol.md`.

use std::fmt::Write as _;

use serde_json::Value;

use super::list::CHECKS;
use crate::wire::driver::{
    Ack, Command, DriverError, ErrorKind, Hello, Message, Op, PROTOCOL_VERSION, Reply,
};
use crate::wire::paper::{described, fields, generator, head, lines, of, words};

/// The types' own file: its head says what the protocol is.
const SOURCE: &str = include_str!("../../../wire/driver.rs");

/// A conversation as it goes; `→` is to the driver.
const EXAMPLE: &str = r#"→ {"id":1,"op":"hello","protocol":1,"seed":1,"url":"nats://127.0.0.1:4222"}
← {"id":1,"ok":{"name":"node","library":"nats.js 3.3.1","capabilities":["call","request","publish"]}}
→ {"id":2,"op":"call","method":"sums.add","args":[10,5],"timeout_ms":5000}
→ {"id":3,"op":"request","subject":"nobody","payload_base64":"","timeout_ms":5000}
← {"id":3,"err":{"kind":"no_responders","definite":true,"message":"nobody listens there"}}
← {"id":2,"ok":15}
→ {"id":4,"op":"levitate"}
← {"id":4,"skip":"this driver does not know the operation levitate"}"#;

/// JSON Schema (2020-12) of a line either way, and of what `ok` carries.
pub fn schema() -> Value {
    let mut generator = generator();
    for of_ok in [
        generator.subschema_for::<Hello>(),
        generator.subschema_for::<Message>(),
        generator.subschema_for::<Ack>(),
    ] {
        drop(of_ok); // it is among the definitions now
    }
    let title = format!("One line of the driver protocol of mono-demo, version {PROTOCOL_VERSION}");
    lines::<Command, Reply>(generator, &title)
}

/// The whole of `docs/protocol.md`.
pub fn markdown() -> String {
    let mut out = format!(
        "<!-- Written by `mono-demo driver protocol` from src/wire/driver.rs: change it there. -->\n\n\
         # The driver protocol, version {PROTOCOL_VERSION}\n\n{}\n\n\
         `mono-demo driver schema` prints its JSON Schema, `mono-demo driver check -- COMMAND` checks a\n\
         driver.\n\n```text\n{EXAMPLE}\n```\n\n## Commands\n\n\
         Each has an `id`, a whole number, and an `op`.\n",
        head(SOURCE)
    );
    let ops = of::<Op>();
    for op in ops["oneOf"].as_array().into_iter().flatten() {
        let word = op["properties"]["op"]["const"].as_str().unwrap_or_default();
        let _ = write!(out, "\n### `{word}`\n\n{}\n", described(op));
        fields(&mut out, op, "op", &named);
    }
    out.push_str("\n## Replies\n\nThe command's `id`, and one of `ok`, `err` and `skip`.\n");
    for (title, schema) in [
        ("`ok` of `hello`", of::<Hello>()),
        ("A message", of::<Message>()),
        ("An acknowledgement", of::<Ack>()),
        ("`err`", of::<DriverError>()),
    ] {
        let _ = write!(out, "\n### {title}\n\n{}\n", described(&schema));
        fields(&mut out, &schema, "op", &named);
    }
    out.push_str("\n### `kind`\n");
    words(&mut out, "kind", &of::<ErrorKind>());
    out.push_str("\n## What is checked\n\n| check | promise |\n| --- | --- |\n");
    for check in CHECKS {
        let _ = writeln!(out, "| `{}` | {} |", check.name, check.promise);
    }
    out
}

/// What a field refers to.
fn named(name: &str) -> Option<String> {
    match name {
        "ErrorKind" => Some("`kind`, below".to_owned()),
        "Headers" => Some("lists of strings by name".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversation_is_of_the_protocol() {
        for line in EXAMPLE.lines() {
            match line.split_once(' ').unwrap() {
                ("→", command) if command.contains("levitate") => {}
                ("→", command) => drop(serde_json::from_str::<Command>(command).unwrap()),
                (_, reply) => drop(serde_json::from_str::<Reply>(reply).unwrap()),
            }
        }
    }

    #[test]
    fn every_operation_and_kind_is_on_paper() {
        let page = markdown();
        for op in crate::wire::driver::OPERATIONS {
            assert!(page.contains(&format!("### `{op}`")), "{op}");
        }
        assert!(page.contains("| `no_responders` | Nobody listens on the subject. |"), "{page}");
        assert!(!page.contains("[`"), "a link into Rust is left");
        assert!(!page.contains("|  |"), "something has no description: {page}");
    }
}
