//! Claims and outcomes that come together are written together where every write is synced; each is refused
//! or stored as if it were written by itself.

use std::collections::HashSet;

use async_nats::jetstream::stream::Config;
use futures_util::future::join_all;
use mono_demo::broker::{Broker, Settings};
use mono_demo::modules::payment::{Claim, INTENTS, Ledger, Payment, streams};
use mono_demo::mono::{Connection, Target};

use crate::support::{nats_server, reaper};

struct House {
    broker: Broker,
    connection: Connection,
    ledger: Ledger,
}

impl House {
    async fn new() -> Self {
        let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
        let target = Target { url: broker.url().to_owned(), ..Target::default() };
        let connection = Connection::open(&target, "worker").await.unwrap();
        let ledger = Ledger::new(connection.clone(), 1).synced(true);
        Self { broker, connection, ledger }
    }

    /// Claims all of these ids at once, for this amount.
    async fn claim(&self, ids: impl Iterator<Item = usize>, amount: &str) -> Vec<Claim> {
        let claims = ids.map(async |n| {
            let payment = Payment::new(&format!("p-{n}"), amount, "USD", None, None).unwrap();
            let intent = payment.intent(payment.content(), "worker", "now".to_owned());
            self.ledger.claim(&payment.id, &intent).await.unwrap()
        });
        join_all(claims).await
    }

    /// How many claims are stored, and in how many batches.
    async fn stored(&self) -> (u64, usize) {
        let stream = self.connection.jetstream().get_stream(INTENTS).await.unwrap();
        let messages = stream.cached_info().state.messages;
        let mut batches = HashSet::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            batches.extend(message.headers.get("Nats-Batch-Id").map(ToString::to_string));
        }
        (messages, batches.len())
    }

    async fn end(self) {
        drop((self.ledger, self.connection));
        self.broker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn claims_that_come_together_are_written_together_and_each_has_its_own_answer() {
    let house = House::new().await;
    house.ledger.prepare().await.unwrap();
    assert_eq!(house.claim(0..1, "1").await, [Claim::Mine]);
    assert_eq!(house.stored().await, (1, 0), "one that comes alone waits for nobody");
    let claims = house.claim(100..400, "1").await;
    assert!(claims.iter().all(|claim| *claim == Claim::Mine), "{claims:?}");
    let (stored, batches) = house.stored().await;
    assert_eq!(stored, 301);
    assert!((1..300).contains(&batches), "{batches} batches");
    // A batch is refused for one of its claims; the others are not.
    let claims = house.claim((400..500).chain(150..151), "2").await;
    assert!(claims[..100].iter().all(|claim| *claim == Claim::Mine), "{claims:?}");
    assert_eq!(claims[100], Claim::Other);
    // One id twice at once: the first one has it.
    let twice = (0..200).map(|n| 500 + n / 2);
    let claims = house.claim(twice, "1").await;
    let mine = claims.iter().filter(|claim| **claim == Claim::Mine).count();
    let same = claims.iter().filter(|claim| **claim == Claim::Same).count();
    assert_eq!((mine, same), (100, 100));
    assert_eq!(house.stored().await.0, 501);
    house.end().await;
}

#[tokio::test]
async fn streams_that_were_made_before_there_were_batches_take_claims_one_by_one() {
    let house = House::new().await;
    for config in streams(1) {
        let before = Config { allow_atomic_publish: false, ..config };
        house.connection.jetstream().create_stream(before).await.unwrap();
    }
    house.ledger.prepare().await.unwrap();
    let claims = house.claim(0..100, "1").await;
    assert!(claims.iter().all(|claim| *claim == Claim::Mine), "{claims:?}");
    assert_eq!(house.stored().await, (100, 0));
    house.end().await;
}
