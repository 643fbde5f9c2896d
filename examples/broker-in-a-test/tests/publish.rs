//! A test that has a broker to itself: started in five lines, and gone at the end.

use std::{env, error::Error};

use futures_util::StreamExt as _;
use mono_demo::broker::{Broker, Settings};
use mono_demo::process::Reaper;
use mono_demo::provision::{self, nats_server};

async fn broker() -> Result<Broker, Box<dyn Error>> {
    let mut search = provision::Settings::new(env!("CARGO_TARGET_TMPDIR"));
    search.path = env::var_os("PATH");
    let server = nats_server(&search, &|line| eprintln!("{line}")).await?;
    let reaper = Reaper::new(env!("CARGO_BIN_EXE_broker-in-a-test"), env::temp_dir());
    Ok(Broker::start(Settings::new(server, reaper)).await?)
}

#[tokio::test]
async fn what_is_published_arrives() -> Result<(), Box<dyn Error>> {
    let broker = broker().await?;
    let client = async_nats::connect(broker.url()).await?;
    let mut greetings = client.subscribe("greetings").await?;
    client.publish("greetings", "hello".into()).await?;
    let greeting = greetings.next().await.ok_or("the subscription ended")?;
    assert_eq!(greeting.payload, "hello");
    broker.stop().await?;
    Ok(())
}
