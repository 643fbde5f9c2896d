//! `dlq` on a running `serve`: what it lists, shows, replays and purges, and that replaying charges
//! nothing twice.

use std::fmt::Write as _;

use crate::support::eventually;
use crate::support::program::{Home, Serve};
use serde_json::Value;

const SUBJECT: &str = "services.payment.payment-process";

/// A `serve` with so many dead letters of each of the four kinds, and one charged payment for each
/// conflict.
struct Books {
    home: Home,
    serve: Serve,
    each: usize,
}

impl Books {
    async fn new(each: usize) -> Self {
        let home = Home::new();
        let settings = home.path().join("settings.toml");
        let mut text =
            String::from("[payment]\nmax_deliver = 2\nbackoff = [\"1ms\"]\ngateway = [\n");
        for n in 0..each {
            writeln!(text, "  {{ id = \"exhausted-{n}\", fail_times = 1000 }},").unwrap();
        }
        text.push_str("]\n");
        std::fs::write(&settings, text).unwrap();
        let serve = home.serve(&["--port", "0", "--settings", settings.to_str().unwrap()]);
        let client = async_nats::connect(serve.url()).await.unwrap();
        let stream = async_nats::jetstream::new(client);
        let submit = async |body: String| {
            stream.publish(SUBJECT, body.into()).await.unwrap().await.unwrap();
        };
        for n in 0..each {
            submit(format!(r#"{{"payment_id": broken {n}"#)).await;
            submit(format!(r#"{{"payment_id": "rejected-{n}", "amount": -1}}"#)).await;
            submit(format!(r#"{{"payment_id": "exhausted-{n}", "amount": 3}}"#)).await;
            submit(format!(r#"{{"payment_id": "paid-{n}", "amount": 1}}"#)).await;
            submit(format!(r#"{{"payment_id": "paid-{n}", "amount": 2}}"#)).await;
        }
        let books = Self { home, serve, each };
        books.settled(4 * each);
        books
    }

    fn dlq(&self, args: &[&str]) -> Value {
        let said = self.home.run(&[&["--json", "dlq"], args].concat());
        serde_json::from_str(&said.ok()).unwrap()
    }

    fn letters(&self, args: &[&str]) -> Vec<Value> {
        self.dlq(&[&["ls"], args].concat())["dead_letters"].as_array().unwrap().clone()
    }

    /// Everything that was submitted has come to its end, and so many letters are stored.
    fn settled(&self, letters: usize) {
        let limit = std::time::Duration::from_secs(60);
        let left = || self.audit()["waiting"] == 0 && self.letters(&[]).len() == letters;
        eventually(&format!("{letters} dead letters, and nothing waits"), limit, left);
    }

    fn audit(&self) -> Value {
        let said: Value = serde_json::from_str(&self.home.run(&["--json", "audit"]).ok()).unwrap();
        assert_eq!(said["ok"], true, "{said}");
        said["audit"].clone()
    }

    /// Approved charges, by payment, as the gateway's own journal has them.
    fn charges(&self) -> Vec<(String, String)> {
        let journals = self.serve.runtime()["journals"].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(format!("{journals}/gateway.jsonl")).unwrap();
        let mut charges: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|charge| charge["outcome"] == "approved")
            .map(|charge| {
                let field = |name: &str| charge[name].as_str().unwrap().to_owned();
                (field("key"), field("amount"))
            })
            .collect();
        charges.sort();
        charges
    }

    /// Each payment that could be accepted was charged once, for what was submitted first.
    fn charged_once(&self) {
        let mut wanted: Vec<_> =
            (0..self.each).map(|n| (format!("paid-{n}"), "1.00".to_owned())).collect();
        wanted.sort();
        let charges = self.charges();
        assert_eq!(charges.len(), wanted.len(), "{charges:?}");
        let same = charges.iter().zip(&wanted).all(|((key, amount), (wanted_key, _))| {
            key == wanted_key && amount.parse::<f64>() == Ok(1.0)
        });
        assert!(same, "{charges:?}");
    }
}

/// Listed by kind, shown, replayed twice, purged.
async fn whole_life(each: usize) {
    let books = Books::new(each).await;
    books.charged_once();
    for kind in ["malformed", "rejected", "conflict", "exhausted"] {
        let letters = books.letters(&["--kind", kind]);
        assert_eq!(letters.len(), each, "{kind}");
        assert!(letters.iter().all(|letter| letter["kind"] == kind), "{letters:?}");
    }
    let one = &books.letters(&["--kind", "conflict"])[0];
    let shown = books.dlq(&["show", &one["number"].to_string()]);
    assert_eq!(shown["dead_letter"]["reason"], one["reason"]);
    assert!(shown["dead_letter"]["body"].as_str().unwrap().contains("paid-"), "{shown}");

    // What is replayed is judged again: the same three kinds are refused again, as new letters. An
    // exhausted payment has failed for good, and its message is done with.
    let before: Vec<Value> = books.letters(&[]);
    assert_eq!(books.dlq(&["replay", "--all"])["replayed"], 4 * each);
    books.settled(3 * each);
    let after: Vec<Value> = books.letters(&[]);
    let renumbered =
        |letter: &Value| before.iter().all(|earlier| earlier["number"] != letter["number"]);
    assert!(after.iter().all(renumbered), "{after:?}");
    books.charged_once();

    assert_eq!(books.dlq(&["replay", "--all"])["replayed"], 3 * each);
    books.settled(3 * each);
    books.charged_once();
    assert_eq!(books.audit()["failed"], 2 * each, "rejected and exhausted");

    let gone = books.letters(&["--kind", "malformed"])[0]["number"].to_string();
    assert_eq!(books.dlq(&["purge", "--kind", "malformed"])["purged"], each);
    assert_eq!(books.letters(&[]).len(), 2 * each);
    books.home.run(&["dlq", "show", &gone]).failed(2, "there is no dead letter");
    assert_eq!(books.dlq(&["purge", "--all"])["purged"], 2 * each);
    assert!(books.letters(&[]).is_empty());
    books.charged_once();
}

#[tokio::test]
async fn replaying_dead_letters_twice_charges_nothing_twice() {
    whole_life(10).await;
}

/// `cargo xtask soak` runs it.
#[tokio::test]
#[ignore = "a thousand dead letters: takes a while"]
async fn a_thousand_dead_letters_replayed_twice_charge_nothing_twice() {
    whole_life(250).await;
}
