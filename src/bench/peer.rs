//! The smallest programs that could do the same, with the same client library: the floors.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::error::BenchError;

/// Where a peer answers with what it was asked.
pub const ECHO: &str = "bench.echo";
/// Where a peer counts messages; a request there is answered with how many came since the last one.
pub const COUNT: &str = "bench.count";
/// How long a count may take: all that was published before comes first.
const COUNTED: Duration = Duration::from_secs(60);

/// A program that echoes and counts, and does nothing else.
pub struct Peer {
    client: Client,
    asked: Subscriber,
    counted: Subscriber,
}

impl Peer {
    /// It is there for whoever asks once this returns.
    ///
    /// # Errors
    /// [`BenchError::Failed`].
    pub async fn start(url: &str) -> Result<Self, BenchError> {
        let failed = |e: &dyn std::fmt::Display| BenchError::failed(format!("listen on {url}"), e);
        // The default drops messages of a burst, and the services have the same.
        let options = ConnectOptions::new().subscription_capacity(1_048_576);
        let client = options.connect(url).await.map_err(|e| failed(&e))?;
        let asked = client.subscribe(ECHO).await.map_err(|e| failed(&e))?;
        let counted = client.subscribe(COUNT).await.map_err(|e| failed(&e))?;
        // The broker handles a connection's lines in order: an answer comes after both.
        let told = crate::mono::Caller::from(client.clone());
        told.barrier(Duration::from_secs(5)).await.map_err(|e| failed(&e))?;
        Ok(Self { client, asked, counted })
    }

    /// Serves until the connection is closed.
    ///
    /// # Errors
    /// [`BenchError::Failed`] if an answer cannot be sent.
    pub async fn serve(self) -> Result<(), BenchError> {
        let Self { client, asked, counted } = self;
        let (echoing, counting) = tokio::join!(echo(&client, asked), count(&client, counted));
        echoing.and(counting).map_err(|e| BenchError::failed("answer", e))
    }
}

async fn echo(client: &Client, mut asked: Subscriber) -> Result<(), async_nats::PublishError> {
    while let Some(message) = asked.next().await {
        if let Some(reply) = message.reply {
            client.publish(reply, message.payload).await?;
        }
    }
    Ok(())
}

async fn count(client: &Client, mut counted: Subscriber) -> Result<(), async_nats::PublishError> {
    let mut count = 0_usize;
    while let Some(message) = counted.next().await {
        match message.reply {
            None => count += 1,
            Some(reply) => {
                client.publish(reply, std::mem::take(&mut count).to_string().into()).await?;
            }
        }
    }
    Ok(())
}

/// How many messages a peer has counted since it was asked the last time, with all that this client
/// published before.
///
/// # Errors
/// [`BenchError::Failed`].
pub async fn count_of(client: &Client) -> Result<usize, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed("ask for the count", e);
    let request = async_nats::client::Request::new().payload(Bytes::new()).timeout(Some(COUNTED));
    let answer = client.send_request(COUNT, request).await.map_err(|e| failed(&e))?;
    String::from_utf8_lossy(&answer.payload).parse().map_err(|e| failed(&e))
}
