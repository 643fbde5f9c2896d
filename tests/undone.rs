//! Changes that somebody else makes to streams and consumer and takes back, also between two looks of
//! `serve`: what they leave behind is told, and freed where that can be done.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer;
use async_nats::jetstream::stream::{self, SubjectTransform};

use crate::changed_streams::{TOLD, change, jetstream, said_once, serve};
use crate::support::payments::{Payments, SUBJECT};
use crate::support::program::Home;
use crate::support::{nats_server, reaper, steady_port};
use mono_demo::broker::{Broker, Settings};

const CONSUMER: &str = "payment-payment-process";

/// For as long as one payment takes to be submitted.
async fn transformed(home: &Home, jetstream: &Context, stream: &str, to: [&str; 2], pay: &str) {
    let [source, destination] = to.map(str::to_owned);
    let to = Some(SubjectTransform { source, destination });
    change(jetstream, stream, |config| config.subject_transform = to).await;
    home.run(&["pay", pay, "1", "--no-wait"]).ok();
    let stored = async || {
        let found = jetstream.get_stream(stream).await.unwrap();
        found.cached_info().state.messages
    };
    while stored().await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    change(jetstream, stream, |config| config.subject_transform = None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transform_left_astray_between_two_looks_is_told() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    let to = ["payments.ledger.*", "payments.ledger2.{{wildcard(1)}}"];
    transformed(&home, &jetstream, "payment-ledger", to, "p-1").await;
    let to = ["services.payment.payment-process", "elsewhere.x"];
    transformed(&home, &jetstream, "payment-requests", to, "p-2").await;
    let lines = [
        "warning: stream `payment-ledger` has 1 message on subjects that are not its own",
        "warning: stream `payment-requests` has 1 message on subjects that are not its own",
    ];
    lines.iter().for_each(|line| serve.says(TOLD, line));
    // As it says: what has no outcome for it gets one.
    home.run(&["pay", "p-1", "1"]).ok();
    said_once(serve, &lines);
}

/// A claim that lies astray is made once more: no payment lacks its request for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_astray_is_no_request_that_was_purged() {
    let payments = Payments::new("[payment]\ngateway = [{ fail_times = 1 }]\n").await;
    let serve = payments.serve();
    let to = SubjectTransform {
        source: "payments.intent.*".to_owned(),
        destination: "payments.intent2.{{wildcard(1)}}".to_owned(),
    };
    let jetstream = &payments.jetstream;
    change(jetstream, "payment-intents", |config| config.subject_transform = Some(to)).await;
    payments.pay(1).await;
    payments.until_count("payment-intents", |count| count == 1).await;
    change(jetstream, "payment-intents", |config| config.subject_transform = None).await;
    payments.all_completed(1).await;
    payments.all_settled(1).await;
    assert_eq!(payments.count("payment-intents").await, 2);
    let astray = "stream `payment-intents` has 1 message on subjects that are not its own";
    serve.says(TOLD, astray);
    said_once(serve, &[astray]);
    let again = payments.serve();
    again.says(TOLD, astray);
    assert!(!again.stderr().contains("payments are claimed"), "{}", again.stderr());
    said_once(again, &[astray]);
    payments.broker.stop().await.unwrap();
}

async fn set_max_deliver(payments: &Payments, max_deliver: i64) {
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    let mut config = requests.consumer_info(CONSUMER).await.unwrap().config;
    config.max_deliver = max_deliver;
    requests.update_consumer::<consumer::Config>(config).await.unwrap();
}

/// Each fails once, and is never delivered again.
async fn all_are_forgotten(payments: &Payments, count: u64) {
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    payments.pay(usize::try_from(count).unwrap()).await;
    payments.until_deliveries(count).await;
    payments.until_count("payment-failures", |failures| failures as u64 >= count).await;
    while requests.consumer_info(CONSUMER).await.unwrap().num_ack_pending > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(requests.get_info().await.unwrap().state.messages, count);
}

const FREED: &str = "warning: consumer `payment-payment-process` gave messages of stream \
                     `payment-requests` to no worker any more, as where somebody else has set \
                     `max_deliver` on it: it was reset, and gives all from message 1 on again";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_forgot_is_given_to_workers_again() {
    for undone in [true, false] {
        let payments = Payments::new("[payment]\ngateway = [{ fail_times = 1 }]\n").await;
        let serve = payments.serve();
        set_max_deliver(&payments, 1).await;
        all_are_forgotten(&payments, 3).await;
        if undone {
            set_max_deliver(&payments, -1).await;
        }
        payments.all_completed(3).await;
        payments.all_settled(3).await;
        serve.says(TOLD, FREED);
        said_once(serve, &[FREED]);
        let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
        let info = requests.consumer_info(CONSUMER).await.unwrap();
        assert_eq!(info.config.max_deliver, -1);
        assert_eq!(payments.audit()["audit"]["problems"].as_array().unwrap().len(), 0);
        payments.broker.stop().await.unwrap();
    }
}

/// One in hand hides it from the consumer's floor, and others come and go all the time.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_forgot_is_given_again_while_others_are_submitted() {
    let fails = |id| format!("{{ id = \"{id}\", fail_times = 1 }}");
    let fails = ["p-0", "p-1", "p-2"].map(fails).join(", ");
    let hangs = "{ id = \"hangs\", outcome = \"hang\" }";
    let settings = format!("[payment]\ngateway = [{fails}, {hangs}]\n");
    let payments = Payments::new(&settings).await;
    let serve = payments.serve();
    payments.submit("hangs").await;
    payments.until_deliveries(1).await;
    set_max_deliver(&payments, 1).await;
    payments.pay(3).await;
    payments.until_count("payment-failures", |failures| failures >= 3).await;
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    while requests.consumer_info(CONSUMER).await.unwrap().num_ack_pending > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    set_max_deliver(&payments, -1).await;
    let others = async {
        for n in 0.. {
            payments.submit(&format!("other-{n}")).await;
            // One after the other, as from somebody who waits for the answer.
            while requests.consumer_info(CONSUMER).await.unwrap().num_ack_pending > 1 {}
        }
    };
    let freed = async {
        for n in 0..3 {
            assert_eq!(payments.outcome(&format!("p-{n}")).await["status"], "completed");
        }
    };
    tokio::select! { () = others => unreachable!(), () = freed => {} }
    serve.says(TOLD, FREED);
    drop(serve);
    payments.broker.stop().await.unwrap();
}

/// Also by the `serve` that is started later, and until then `audit` names them.
#[tokio::test(flavor = "multi_thread")]
async fn audit_names_what_a_consumer_forgot_and_the_next_serve_frees_it() {
    let payments = Payments::new("[payment]\ngateway = [{ fail_times = 1 }]\n").await;
    let serve = payments.serve();
    set_max_deliver(&payments, 1).await;
    all_are_forgotten(&payments, 2).await;
    said_once(serve, &[]);
    set_max_deliver(&payments, -1).await;
    let found = payments.audit()["audit"]["problems"].to_string();
    assert!(found.contains("given to no worker any more, as where"), "{found}");
    let again = payments.serve();
    payments.all_completed(2).await;
    again.says(TOLD, FREED);
    assert!(!again.stderr().contains("reset by somebody else"), "{}", again.stderr());
    assert_eq!(payments.audit()["audit"]["problems"].as_array().unwrap().len(), 0);
    said_once(again, &[FREED]);
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_cluster_that_has_fewer_copies_for_a_while_is_told_once_and_its_way_back_once()
 {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0", "--cluster", "3"]);
    let jetstream = jetstream(&serve.url()).await;
    change(&jetstream, "payment-requests", |config| config.num_replicas = 1).await;
    let lines = [
        "warning: stream `payment-requests` was changed by somebody else: `num_replicas` was 3 and is 1",
        "note: stream `payment-requests` is again as it was\n",
    ];
    serve.says(TOLD, lines[0]);
    change(&jetstream, "payment-requests", |config| config.num_replicas = 3).await;
    serve.says(TOLD, lines[1]);
    said_once(serve, &lines);
}

const MISSING: &str = "stream `payment-requests` has lost messages of which no delivery is known";

/// Five that wait behind one that hangs are purged, and the broker is started again.
async fn purged_and_started_again(payments: &mut Payments) {
    payments.pay(5).await;
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    requests.purge().await.unwrap();
    payments.broker.kill().await.unwrap();
    payments.broker.restart().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_while_nothing_served_is_told_also_if_the_broker_was_started_again() {
    let mut payments = Payments::new("").await;
    said_once(payments.serve(), &[]);
    purged_and_started_again(&mut payments).await;
    let again = payments.serve();
    again.says(TOLD, MISSING);
    said_once(again, &[MISSING]);
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_while_serve_was_paused_is_told_also_if_the_broker_was_started_again() {
    let mut payments = Payments::new("").await;
    let serve = payments.serve();
    serve.signal("STOP");
    purged_and_started_again(&mut payments).await;
    serve.signal("CONT");
    serve.says(TOLD, MISSING);
    payments.submit("after").await;
    payments.outcome("after").await;
    said_once(serve, &[MISSING]);
    payments.broker.stop().await.unwrap();
}

/// What was handled before the broker was killed is missed by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn payments_that_were_settled_before_the_broker_was_killed_are_no_loss() {
    let mut payments = Payments::new("").await;
    let serve = payments.serve();
    for _ in 0..3 {
        payments.pay(50).await;
        payments.all_settled(50).await;
        payments.broker.kill().await.unwrap();
        payments.broker.restart().await.unwrap();
    }
    payments.submit("last").await;
    payments.outcome("last").await;
    let alarm = |said: &str| said.contains("has lost") || said.contains("purged");
    serve.signal("TERM");
    let (_, _, stderr) = serve.ended();
    assert!(!alarm(&stderr), "{stderr}");
    // Told by the look at which this is told too.
    let again = payments.serve();
    change(&payments.jetstream, "payment-failures", |config| config.max_messages = 7).await;
    again.says(TOLD, "stream `payment-failures` was changed by somebody else");
    assert!(!alarm(&again.stderr()), "{}", again.stderr());
    payments.end(again).await;
}

/// Two servers with a JetStream each, one a leaf node of the other.
#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_leaf_nodes_store_twice_are_told() {
    let home = Home::new();
    let port = steady_port();
    let broker = async |name: &str, text: String| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut settings = Settings::new(nats_server().await, reaper());
        settings.include = Some(path);
        Broker::start(settings).await.unwrap()
    };
    let listen = format!("leafnodes {{ listen: \"127.0.0.1:{port}\" }}\n");
    let hub = broker("hub.conf", listen).await;
    let alone = ["--server", hub.url(), "--journal-dir", "hub"];
    let first = serve(&home, &alone);
    let remote = format!("leafnodes {{ remotes: [ {{ url: \"nats://127.0.0.1:{port}\" }} ] }}\n");
    let leaf = broker("leaf.conf", remote).await;
    let second = serve(&home, &["--server", leaf.url(), "--journal-dir", "leaf"]);
    let twice =
        "warning: what is submitted to `services.payment.payment-process` is stored by 2 streams";
    first.says(TOLD, twice);
    second.says(TOLD, twice);
    for serve in [first, second] {
        said_once(serve, &[twice]);
    }
    for broker in [leaf, hub] {
        let stored = jetstream(broker.url()).await.get_stream("payment-requests").await.unwrap();
        assert_eq!(stored.cached_info().state.last_sequence, 0, "to ask stores nothing");
        broker.stop().await.unwrap();
    }
}

/// Also a cluster, which a header of a message may stop, is asked without harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_joined_is_asked_who_stores_submissions_and_goes_on() {
    let home = Home::new();
    let ours = serve(&home, &["--port", "0", "--cluster", "3"]);
    let joined = serve(&home, &["--server", &ours.url()]);
    // Two looks of the one that joined are over when it has told this.
    let jetstream = jetstream(&ours.url()).await;
    change(&jetstream, "payment-failures", |config| config.max_messages = 7).await;
    joined.says(TOLD, "stream `payment-failures` was changed by somebody else");
    home.run(&["pay", "p-1", "1"]).ok();
    ours.says(TOLD, "stream `payment-failures` was changed by somebody else");
    said_once(joined, &["was changed by somebody else"]);
    said_once(ours, &["was changed by somebody else"]);
}

/// What a mirror has not read yet stays in the stream although it is settled: it is neither purged nor
/// forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_the_requests_is_no_purge_and_resets_nothing() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    let mirror = |name: &str| stream::Config {
        name: name.to_owned(),
        mirror: Some(stream::Source { name: "payment-requests".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    for name in ["one", "two"] {
        payments.jetstream.create_stream(mirror(name)).await.unwrap();
    }
    // Over several looks, each of which sees the stream shrink at another time than the consumer.
    for round in 0..30 {
        for n in 0..40 {
            payments.submit(&format!("m-{round}-{n}")).await;
        }
        payments.until_count("payment-ledger", |count| count >= (round + 1) * 40).await;
    }
    payments.jetstream.delete_stream("one").await.unwrap();
    payments.jetstream.delete_stream("two").await.unwrap();
    change(&payments.jetstream, "payment-failures", |config| config.max_messages = 7).await;
    serve.says(TOLD, "stream `payment-failures` was changed by somebody else");
    let said = serve.stderr();
    assert!(!said.contains("purged") && !said.contains("reset"), "{said}");
    payments.end(serve).await;
}

/// The consumer is told to go on behind everything, and workers are given nothing of what is stored.
async fn consumer_passes_all(payments: &Payments) {
    let subject = format!("CONSUMER.RESET.payment-requests.{CONSUMER}");
    let answer: serde_json::Value = payments
        .jetstream
        .request(subject, &serde_json::json!({ "seq": 1_000_000 }))
        .await
        .unwrap();
    assert_eq!(answer["error"], serde_json::Value::Null, "{answer}");
}

/// What has no usable id, and what another content has the id of, end as dead letters.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_end_as_dead_letters_are_freed_too() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    payments.submit("taken").await;
    payments.outcome("taken").await;
    payments.all_settled(1).await;
    said_once(serve, &[]);
    for body in ["no id at all", r#"{"payment_id":"taken","amount":2}"#] {
        let subject = "services.payment.payment-process";
        payments.jetstream.publish(subject, body.into()).await.unwrap().await.unwrap();
    }
    consumer_passes_all(&payments).await;
    let audit = payments.audit();
    let found = audit["audit"]["problems"].to_string();
    let told = "has neither an outcome nor a dead letter, and is given to no worker any more";
    assert_eq!(found.matches(told).count(), 2, "{audit}");
    let again = payments.serve();
    payments.until_count("payment-dead-letters", |letters| letters == 2).await;
    again.says(TOLD, "gave messages of stream `payment-requests` to no worker any more");
    assert_eq!(payments.audit()["audit"]["problems"].as_array().unwrap().len(), 0);
    drop(again);
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_made_anew_while_nothing_served_is_told() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    payments.submit("before").await;
    payments.outcome("before").await;
    payments.all_settled(1).await;
    said_once(serve, &[]);
    for stream in ["payment-requests", "payment-dead-letters"] {
        let found = payments.jetstream.get_stream(stream).await.unwrap();
        let config = found.cached_info().config.clone();
        payments.jetstream.delete_stream(stream).await.unwrap();
        payments.jetstream.create_stream(config).await.unwrap();
    }
    let again = payments.serve();
    for stream in ["payment-requests", "payment-dead-letters"] {
        again.says(TOLD, &format!("stream `{stream}` was deleted by somebody else, and made anew"));
    }
    drop(again);
    payments.broker.stop().await.unwrap();
}

/// A killed `serve` writes nothing at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_after_a_serve_was_killed_is_told() {
    let payments = Payments::new("[payment]\ngateway = [{ fail_times = 1 }]\n").await;
    let serve = payments.serve();
    payments.pay(3).await;
    payments.all_completed(3).await;
    payments.all_settled(3).await;
    // Its redeliveries are on record by its next look; else they could be those of what is purged.
    let looked = payments.home.path().join("books/looked.json");
    while !std::fs::read_to_string(&looked).unwrap().contains("\"delivered\":6,") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serve.signal("KILL");
    serve.ended();
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    for n in 0..3 {
        payments.submit(&format!("purged-{n}")).await;
    }
    requests.purge().await.unwrap();
    let again = payments.serve();
    again.says(TOLD, MISSING);
    said_once(again, &[MISSING]);
    payments.broker.stop().await.unwrap();
}

/// An outcome on the subject of another payment is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_was_moved_to_another_payment_is_not_told_as_its_own() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    let to = SubjectTransform {
        source: "payments.ledger.*".to_owned(),
        destination: "payments.ledger.victim".to_owned(),
    };
    change(&payments.jetstream, "payment-ledger", |config| config.subject_transform = Some(to))
        .await;
    payments.submit("moved").await;
    payments.until_count("payment-ledger", |count| count == 1).await;
    let url = payments.broker.url();
    let asked = ["--server", url, "call", "payment", "status", "victim"];
    let told = payments.home.run(&asked);
    told.failed(7, "it is about `moved`");
    drop(serve);
    payments.broker.stop().await.unwrap();
}

/// Sets the consumer's filter, which only a subject of the stream can be.
async fn set_filter(payments: &Payments, subject: &str) {
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    let mut config = requests.consumer_info(CONSUMER).await.unwrap().config;
    config.filter_subject = subject.to_owned();
    requests.update_consumer::<consumer::Config>(config).await.unwrap();
}

/// Another filter counts other messages; what it passes over is forgotten, and nobody has purged it.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_was_changed_and_restored_is_no_purge() {
    let payments = Payments::new("").await;
    let subjects = vec![SUBJECT.to_owned(), "elsewhere.x".to_owned()];
    let serve = payments.serve();
    change(&payments.jetstream, "payment-requests", |config| config.subjects = subjects).await;
    payments.pay(3).await;
    payments.all_settled(3).await;
    // Each state is seen by looks.
    set_filter(&payments, "elsewhere.x").await;
    serve.says(TOLD, "consumer `payment-payment-process` was changed by somebody else");
    payments.submit("p-3").await;
    payments.submit("p-4").await;
    set_filter(&payments, SUBJECT).await;
    serve.says(TOLD, "note: consumer `payment-payment-process` is again as it was");
    payments.all_completed(5).await;
    payments.all_settled(5).await;
    // None sees the other one.
    serve.signal("STOP");
    set_filter(&payments, "elsewhere.x").await;
    payments.submit("p-5").await;
    payments.submit("p-6").await;
    set_filter(&payments, SUBJECT).await;
    serve.signal("CONT");
    payments.all_completed(7).await;
    payments.all_settled(7).await;
    let said = serve.stderr();
    assert!(!said.contains("purged") && !said.contains("has lost"), "{said}");
    payments.end(serve).await;
}
