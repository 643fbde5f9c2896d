//! A drain under load: messages that the broker has already sent are handled, and no request times
//! out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{nats_server, reaper};
use async_nats::client::RequestErrorKind;
use mono_demo::broker::{Broker, Settings};
use mono_demo::mono::{App, Call, Connection, Module, ServiceError, Services, Target};

const ROUNDS: usize = 20;
const ASKING: usize = 64;

struct Echo;

impl Module for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn register(&self, services: &mut Services) {
        services.request_reply("answer", |n: u64, _: Call| async move { Ok::<_, ServiceError>(n) });
    }
}

/// Asks without a pause until nobody is there; how often it was answered.
async fn ask_until_refused(client: async_nats::Client, answered: Arc<AtomicUsize>) {
    loop {
        match client.request("services.echo.answer", "7".into()).await {
            Ok(_) => _ = answered.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                assert_eq!(error.kind(), RequestErrorKind::NoResponders, "{error}");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_when_a_drain_begins_is_answered() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let target = Target { url: broker.url().to_owned(), ..Target::default() };
    let asker = Connection::open(&target, "asker").await.unwrap();
    for round in 0..ROUNDS {
        let connection = Connection::open(&target, "services").await.unwrap();
        let running = App::new().module(Echo).start(connection.clone()).await.unwrap();
        let answered = Arc::new(AtomicUsize::new(0));
        let asking: Vec<_> = (0..ASKING)
            .map(|_| tokio::spawn(ask_until_refused(asker.client().clone(), answered.clone())))
            .collect();
        while answered.load(Ordering::Relaxed) < 1000 {
            tokio::task::yield_now().await;
        }
        assert!(running.drain(Duration::from_secs(10)).await.complete);
        for asked in asking {
            asked.await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        assert!(connection.close(Duration::from_secs(10)).await);
    }
    broker.stop().await.unwrap();
}
