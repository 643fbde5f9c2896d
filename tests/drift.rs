//! A message that drifts from its schema turns a scenario red, with the path of its field.

use crate::support::program::{Home, Said};

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": { "type": "string" },
        "lines": { "type": "array", "items": { "$ref": "parts.json#/$defs/Line" } }
    }
}"#;
const PARTS: &str = r#"{ "$defs": { "Line": {
    "required": ["qty"], "properties": { "qty": { "type": "integer", "minimum": 1 } }
} } }"#;
/// A service that answers every second request wrongly.
const SERVICE: &str = r#"
import asyncio, itertools, json, os, nats
async def main():
    nc = await nats.connect(os.environ["NATS_URL"], name="pricing",
        user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"])
    count = itertools.count(1)
    async def price(message):
        await message.respond(json.dumps({"total": "1.50" if next(count) % 2 else 1.5}).encode())
    async def nothing(message):
        await message.respond(b"")
    await nc.subscribe("orders.price", cb=price)
    await nc.subscribe("orders.empty", cb=nothing)
    await nc.flush()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

/// A suite with one scenario of these steps and checks.
fn suite(home: &Home, file: &str, steps: &str) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::create_dir_all(root.join("schemas")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(root.join(path), text).unwrap();
    write("suite.toml", file);
    write("schemas/order.json", SCHEMA);
    write("schemas/parts.json", PARTS);
    write("schemas/total.json", r#"{ "properties": { "total": { "type": "string" } } }"#);
    write("pricing.py", SERVICE);
    write("scenarios/orders.toml", &format!("description = \"orders\"\n{steps}"));
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

fn publish(body: &str) -> String {
    format!("[[step]]\npublish = \"orders.new\"\nbody = {body}\n")
}

const CHECK: &str = "[[check]]\nschema = \"schemas/order.json\"\nsubject = \"orders.*\"\n";

#[test]
fn a_client_that_drifts_is_told_with_the_path_of_the_field() {
    let home = Home::new();
    let good = publish("{ id = \"o-1\", lines = [{ qty = 2 }] }");
    suite(&home, "", &format!("{good}{CHECK}"));
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/orders.snap")).unwrap();
    assert!(golden.contains("each message on orders.* is schemas/order.json"), "{golden}");

    let bad = publish("{ id = \"o-2\", lines = [{ qty = 1 }, { qty = 0 }] }");
    suite(&home, "", &format!("{good}{bad}{CHECK}"));
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    let told = "a message on orders.new is not schemas/order.json: /lines/1/qty: 0 is less than the minimum of 1; it is number 2, from v0.51.0:rust";
    assert!(said.contains(told), "{said}");
    assert!(said.contains("schema = \"schemas/order.json\""), "{said}");

    // Also where the message is long, and where a picture is drawn of it.
    let long = publish(&format!(
        "{{ id = \"{}\", lines = [{{ qty = 1 }}, {{ qty = \"2\" }}] }}",
        "o".repeat(50_000)
    ));
    suite(&home, "", &format!("{long}{CHECK}"));
    let said = e2e(&home, &["--ci", "--report", "html=report.html"]).failed(1, "").stdout;
    assert!(said.contains("/lines/1/qty: \"2\" is not of type \"integer\""), "{said}");
    assert!(said.len() < 5_000, "{} bytes", said.len());
}

#[test]
fn what_was_said_before_the_broker_was_killed_counts_too() {
    let home = Home::new();
    let bad = publish("{ lines = [] }");
    suite(&home, "", &format!("{bad}[[step]]\nfault = \"kill-broker\"\n{CHECK}"));
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("\"id\" is a required property"), "{said}");
}

#[test]
fn a_check_that_sees_no_message_is_red() {
    let home = Home::new();
    let elsewhere = "[[step]]\npublish = \"order.new\"\nbody = {}\n";
    suite(&home, "", &format!("{elsewhere}{CHECK}within = \"200ms\"\n"));
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("nobody has sent a message on orders.*"), "{said}");
}

#[test]
fn a_service_that_drifts_is_told_by_its_name_and_nobody_else_answers() {
    let home = Home::new();
    let file =
        "[services.pricing]\nrun = [\"{{python}}\", \"pricing.py\"]\nready = { line = \"up\" }\n";
    let ask =
        "[[step]]\nrequest = \"orders.price\"\nbody = { id = \"o\", lines = [] }\nrepeat = 2\n";
    let nobody = "[[step]]\nrequest = \"orders.cancel\"\nbody = { id = \"o\", lines = [] }\nerror = \"no_responders\"\n";
    let check = format!("{CHECK}replies = \"schemas/total.json\"\n");
    suite(&home, file, &format!("{ask}{nobody}{check}"));
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    let told = "a reply to orders.* is not schemas/total.json: /total: 1.5 is not of type \"string\"; it is number 2, from ";
    assert!(said.contains(told) && said.contains(":pricing: {\"total\": 1.5}"), "{said}");
    suite(&home, file, &format!("{}{nobody}{check}", ask.replace("repeat = 2", "repeat = 1")));
    e2e(&home, &["--update"]).ok();
    let empty = ask.replace("orders.price", "orders.empty");
    suite(&home, file, &format!("{empty}{check}"));
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("a reply to orders.* is not schemas/total.json: it is empty"), "{said}");
}

#[test]
fn a_schema_that_makes_no_sense_costs_no_run() {
    let home = Home::new();
    let steps = format!("{}{CHECK}", publish("{}"));
    suite(&home, "", &steps);
    let path = home.path().join("suite/schemas/parts.json");
    for (text, words) in [
        ("{", "parts.json is not JSON"),
        (
            r#"{ "$defs": { "Line": { "$ref": "https://example.com/line.json" } } }"#,
            "nothing is fetched",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        e2e(&home, &[]).failed(2, words);
    }
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    e2e(&home, &[]).failed(2, "leads out of the folder");
}
