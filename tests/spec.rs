//! `spec`: the documents are those that the types make, and running services keep to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::program::Home;
use async_nats::{HeaderMap, jetstream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use mono_demo::modules::contract::{asyncapi, json_schema, messages};
use serde_json::{Value, json};

/// What is committed under `docs` is what the program prints; `UPDATE_DOCS=1` writes it.
#[test]
fn the_committed_documents_are_those_that_the_types_make() {
    let home = Home::new();
    for (flag, name) in
        [("--asyncapi", "docs/asyncapi.json"), ("--json-schema", "docs/messages.schema.json")]
    {
        let printed = home.run(&["spec", flag]).ok();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == printed, "{name} is not what `spec {flag}` prints");
    }
    home.run(&["spec"]).failed(2, "--asyncapi");
    home.run(&["spec", "--asyncapi", "--json-schema"]).failed(2, "cannot be used with");
}

/// The faults of a body, by the place in it; the schema is the one of that name in the document.
fn faults(name: &str, body: &Value) -> Vec<String> {
    let document = json_schema();
    let schema = json!({ "$ref": format!("#/$defs/{name}"), "$defs": document["$defs"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(body).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[track_caller]
fn valid(name: &str, body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(faults(name, &body), Vec::<String>::new(), "{name}: {body}");
    body
}

#[test]
fn every_example_is_valid_and_what_is_wrong_is_found_at_its_place() {
    for message in messages() {
        let Some(example) = &message.example else { continue };
        valid(message.name, example.to_string().as_bytes());
        assert!(!faults(message.name, &json!([])).is_empty(), "{} takes anything", message.name);
        assert!(!faults(message.name, &json!({})).is_empty(), "{} needs nothing", message.name);
    }
    for (name, bad, place) in [
        ("MathRequest", json!({ "operation": "add", "a": "1" }), "/a"),
        ("PaymentRequest", json!({ "payment_id": "a b", "amount": 1 }), "/payment_id"),
        ("PaymentRequest", json!({ "payment_id": "a", "amount": 0 }), "/amount"),
        ("PaymentRequest", json!({ "payment_id": "a", "amount": "x" }), "/amount"),
        ("PaymentStatus", json!({ "payment_id": "a", "status": "done" }), "/status"),
        ("Email", json!({ "to": "", "subject": "s" }), "/to"),
    ] {
        let found = faults(name, &bad);
        assert!(found.len() == 1 && found[0].starts_with(place), "{name} {bad}: {found:?}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = asyncapi();
    let mut left = vec![&document];
    let mut seen = 0;
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(path) = fields.get("$ref").and_then(Value::as_str) {
                    let to = document.pointer(path.strip_prefix('#').unwrap());
                    assert!(to.is_some(), "{path} leads nowhere");
                    seen += 1;
                }
                left.extend(fields.values());
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Subject and queue group of each operation that receives.
fn offered(document: &Value) -> BTreeSet<(String, String)> {
    let operations = document["operations"].as_object().unwrap().values();
    let receives = operations.filter(|operation| operation["action"] == "receive");
    receives
        .map(|operation| {
            let channel = operation["channel"]["$ref"].as_str().unwrap();
            let channel = document.pointer(channel.strip_prefix('#').unwrap()).unwrap();
            let queue = operation["bindings"]["nats"]["queue"].as_str().unwrap();
            (channel["address"].as_str().unwrap().to_owned(), queue.to_owned())
        })
        .collect()
}

/// The streams that the document's channels are stored in, with their subjects.
fn stored(document: &Value) -> BTreeMap<String, String> {
    let channels = document["channels"].as_object().unwrap().values();
    channels
        .filter_map(|channel| {
            let told = channel["description"].as_str().unwrap();
            let stream = told.strip_prefix("Stored in the stream `")?.strip_suffix("`.")?;
            let address = channel["address"].as_str().unwrap();
            let subject = address.split('.').map(|t| if t.starts_with('{') { "*" } else { t });
            Some((stream.to_owned(), subject.collect::<Vec<_>>().join(".")))
        })
        .collect()
}

#[tokio::test]
async fn running_services_keep_to_the_documents() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let client = async_nats::connect(serve.url()).await.unwrap();
    let document = asyncapi();

    let mut registered = BTreeSet::new();
    for module in ["math", "notification", "payment"] {
        let info = client.request(format!("$SRV.INFO.{module}"), "".into()).await.unwrap();
        let info: Value = serde_json::from_slice(&info.payload).unwrap();
        for endpoint in info["endpoints"].as_array().unwrap() {
            let text = |name: &str| endpoint[name].as_str().unwrap().to_owned();
            registered.insert((text("subject"), text("queue_group")));
        }
    }
    assert_eq!(offered(&document), registered);
    let context = jetstream::new(client.clone());
    let streams: Vec<_> = context.streams().try_collect().await.unwrap();
    let streams: BTreeMap<String, String> = streams
        .into_iter()
        .map(|info| (info.config.name, info.config.subjects.join(" ")))
        .collect();
    assert_eq!(stored(&document), streams);

    // Everything that is said, heard.
    let mut events = client.subscribe("payments.>").await.unwrap();
    let mut rejected = client.subscribe("services.notification.email-rejected").await.unwrap();
    client.flush().await.unwrap();
    for (body, name) in [
        (json!({ "operation": "add", "a": 1, "b": 0.5 }), "MathReply"),
        (json!({ "operation": "divide", "a": 1, "b": 0 }), "MathReply"),
        (json!({ "operation": "add", "a": "1" }), "ErrorReply"),
    ] {
        let reply = ask(&client, "services.math.calculate", &body).await;
        valid(name, &reply.payload);
        if name == "ErrorReply" {
            has_headers("ErrorReply", reply.headers.as_ref().unwrap());
        }
    }
    client.publish("services.notification.email-send", "{}".into()).await.unwrap();
    let rejected = rejected.next().await.unwrap();
    has_headers("RejectedEmail", rejected.headers.as_ref().unwrap());

    for (id, amount) in [("pay-1", json!(9.99)), ("pay-2", json!("1.50")), ("pay-3", json!(-1))] {
        let body = json!({ "payment_id": id, "amount": amount, "user_id": "u" });
        let ack = ask(&client, "services.payment.payment-process", &body).await;
        valid("PublishAck", &ack.payload);
    }
    let mut heard = BTreeMap::new();
    while heard.get("events") != Some(&3) || !heard.contains_key("dead-letters") {
        let next = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
        let message = next.expect("all of it comes").unwrap();
        let kind = message.subject.split('.').nth(1).unwrap().to_owned();
        match kind.as_str() {
            "events" | "ledger" => drop(valid("LedgerEntry", &message.payload)),
            "intent" => drop(valid("Claim", &message.payload)),
            _ => has_headers("DeadLetter", message.headers.as_ref().unwrap()),
        }
        *heard.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(heard["events"], 3, "{heard:?}");
    for id in ["pay-1", "pay-2", "pay-3", "unknown"] {
        let reply = ask(&client, "services.payment.status", &json!({ "payment_id": id })).await;
        valid("PaymentStatus", &reply.payload);
    }
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
}

async fn ask(client: &async_nats::Client, subject: &str, body: &Value) -> async_nats::Message {
    client.request(subject.to_owned(), body.to_string().into()).await.unwrap()
}

/// The headers that the document says a message has.
#[track_caller]
fn has_headers(name: &str, headers: &HeaderMap) {
    let message = messages().into_iter().find(|message| message.name == name).unwrap();
    assert!(!message.headers.is_empty());
    for (header, _) in message.headers {
        assert!(headers.get(*header).is_some(), "{name} came without {header}: {headers:?}");
    }
}
