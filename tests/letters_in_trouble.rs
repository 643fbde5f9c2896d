//! Dead letters that cannot be stored now, or that `dlq` removes while their originals are
//! redelivered: nothing is lost, no dead letter is filed twice, and `audit` finds what is missing.

use std::time::Instant;

use crate::support::payments::{LIMIT, Payments};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use serde_json::Value;

const LETTERS: &str = "payment-dead-letters";
const PAYMENTS: usize = 12;
/// Every payment fails at its first attempt.
const FAILING: &str = "[payment]\nmax_deliver = 1\nack_wait = \"500ms\"\nbackoff = [\"50ms\"]\n\
                       chance = { unavailable_percent = 100 }\n";

async fn letters(payments: &Payments) -> Stream {
    payments.jetstream.get_stream(LETTERS).await.expect("the stream of dead letters")
}

async fn config(payments: &Payments) -> Config {
    letters(payments).await.cached_info().config.clone()
}

/// How many letters were ever stored.
async fn ever(payments: &Payments) -> u64 {
    letters(payments).await.cached_info().state.last_sequence
}

/// Every payment of these is `failed` after at most so many attempts, with one letter each, and the
/// audit agrees.
async fn each_has_its_letter(payments: &Payments, count: usize, most_attempts: u64) {
    payments.all_settled(count).await;
    for n in 0..count {
        let entry = payments.outcome(&format!("p-{n}")).await;
        let message = entry["message"].as_str().unwrap();
        let attempts = message.strip_prefix("Payment failed: gateway unavailable (after ");
        let attempts = attempts.and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        assert!(attempts.is_some_and(|n| (1..=most_attempts).contains(&n)), "{entry}");
    }
    assert_eq!(payments.count(LETTERS).await, count);
    assert_eq!(payments.audit()["ok"], true, "{}", payments.audit());
}

/// The payments were delivered again and again, and none has an outcome without its letter.
async fn none_is_settled(payments: &Payments) {
    let deliveries = payments.deliveries().await.expect("the broker is there");
    payments.until_deliveries(deliveries + 3 * PAYMENTS as u64).await;
    assert_eq!(payments.count("payment-ledger").await, 0);
    assert_eq!(payments.count("payment-requests").await, PAYMENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_of_letters_keeps_payments_waiting_and_the_letters_come_once_it_can() {
    let full =
        |config: &Config| Config { max_messages: 1, discard: DiscardPolicy::New, ..config.clone() };
    let small =
        |config: &Config| Config { max_bytes: 300, discard: DiscardPolicy::New, ..config.clone() };
    for narrowed in [&full as &dyn Fn(&Config) -> Config, &small] {
        let payments = Payments::new(FAILING).await;
        let serve = payments.serve();
        let config = config(&payments).await;
        // One that somebody else left takes the place.
        let foreign =
            payments.jetstream.publish("payments.dead-letters.0-0", vec![b'x'; 200].into());
        foreign.await.unwrap().await.unwrap();
        payments.jetstream.update_stream(&narrowed(&config)).await.unwrap();
        payments.pay(PAYMENTS).await;
        none_is_settled(&payments).await;
        letters(&payments).await.delete_message(1).await.unwrap();
        payments.jetstream.update_stream(&config).await.unwrap();
        payments.all_settled(PAYMENTS).await;
        assert_eq!(payments.count(LETTERS).await, PAYMENTS);
        assert_eq!(ever(&payments).await, 1 + PAYMENTS as u64, "each letter once");
        payments.end(serve).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_or_deleted_stream_of_letters_loses_no_payment() {
    for sealed in [true, false] {
        let payments = Payments::new(FAILING).await;
        let serve = payments.serve();
        let config = config(&payments).await;
        if sealed {
            let sealed = Config { sealed: true, ..config.clone() };
            payments.jetstream.update_stream(&sealed).await.unwrap();
        } else {
            payments.jetstream.delete_stream(LETTERS).await.unwrap();
        }
        payments.pay(PAYMENTS).await;
        none_is_settled(&payments).await;
        if sealed {
            // No other way leads back from there.
            payments.jetstream.delete_stream(LETTERS).await.unwrap();
        }
        payments.jetstream.create_stream(config).await.unwrap();
        each_has_its_letter(&payments, PAYMENTS, 1).await;
        payments.end(serve).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_was_filed_before_is_enough_though_its_stream_takes_no_more() {
    let payments = Payments::new(FAILING).await;
    let serve = payments.serve();
    serve.signal("TERM");
    serve.ended();
    payments.pay(1).await;
    // As a service that was killed after it had filed it.
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    let request = requests.get_last_raw_message_by_subject("services.payment.payment-process");
    let request = request.await.unwrap();
    let name = format!("{}-{}", request.sequence, request.time.unix_timestamp_nanos());
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("Kind", "exhausted"),
        ("Sequence", "1"),
        ("Reason", "gateway unavailable (after 1 attempt)"),
    ] {
        headers.insert(format!("Mono-Dead-Letter-{name}"), value);
    }
    let subject = format!("payments.dead-letters.{name}");
    let letter = payments.jetstream.publish_with_headers(subject, headers, request.payload);
    letter.await.unwrap().await.unwrap();
    let full = Config { max_messages: 1, ..config(&payments).await };
    payments.jetstream.update_stream(&full).await.unwrap();
    let serve = payments.serve();
    each_has_its_letter(&payments, 1, 1).await;
    payments.end(serve).await;
}

/// 200 payments are given up, the service is killed in the middle of that, and what it has filed is
/// taken away while the originals come again.
async fn removed_meanwhile(command: &str) {
    const MANY: usize = 200;
    let payments = Payments::new(FAILING).await;
    let serve = payments.serve();
    payments.pay(MANY).await;
    payments.until_count(LETTERS, |letters| letters >= 20).await;
    serve.signal("KILL");
    drop(serve);
    let before = payments.count(LETTERS).await;
    let url = payments.broker.url().to_owned();
    let dlq = |args: &[&str]| {
        let said = payments.home.run(&[&["--json", "-s", &url, "dlq"], args].concat());
        serde_json::from_str::<Value>(&said.ok()).unwrap()
    };
    let first = dlq(&[command, "--all"]);
    let serve = payments.serve();
    let mut removed = counted(&first);
    assert!(removed >= before, "{first}");
    let deadline = Instant::now() + LIMIT;
    while payments.count("payment-ledger").await < MANY
        || payments.count("payment-requests").await > 0
    {
        assert!(Instant::now() < deadline, "not all payments came to an end");
        removed += counted(&dlq(&[command, "--all"]));
    }
    let left = payments.count(LETTERS).await;
    let stored = usize::try_from(ever(&payments).await).unwrap();
    assert_eq!(stored, removed + left, "`dlq` removed each letter that is gone");
    if command == "purge" {
        assert_eq!(stored, MANY, "each has its letter once, also one that was purged");
    } else {
        assert!(stored >= MANY, "{stored}");
    }
    let deadline = Instant::now() + LIMIT;
    loop {
        let audit = payments.audit();
        if audit["ok"] == true {
            break;
        }
        assert!(Instant::now() < deadline, "the audit does not agree: {audit}");
    }
    for n in 0..MANY {
        assert_eq!(payments.outcome(&format!("p-{n}")).await["status"], "failed");
    }
    payments.end(serve).await;
}

fn counted(said: &Value) -> usize {
    let count = said["purged"].as_u64().or(said["replayed"].as_u64());
    usize::try_from(count.expect("a count")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_are_purged_while_their_originals_come_again_do_not_come_back() {
    removed_meanwhile("purge").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_are_sent_again_while_their_originals_come_again_lose_nothing() {
    removed_meanwhile("replay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_away_while_letters_are_filed_loses_none_and_the_audit_finds_one_that_is_missing()
{
    const KILLS: u64 = 6;
    let mut payments = Payments::new(FAILING).await;
    let serve = payments.serve();
    payments.pay(PAYMENTS).await;
    for _ in 0..KILLS {
        payments.broker.kill_and_restart().await.unwrap();
    }
    // A killed broker forgets deliveries: one that was forgotten comes as a first one, and is tried.
    each_has_its_letter(&payments, PAYMENTS, 1 + KILLS).await;
    letters(&payments).await.delete_message(3).await.unwrap();
    let said = payments.audit();
    assert_eq!(said["ok"], false);
    assert!(said.to_string().contains("dead letter 3 is gone"), "{said}");
    payments.end(serve).await;
}
