//! Waits until a subject is answered.

use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;

/// NATS has no event for a new subscription: a service is asked until it answers.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Returns once anything answers a request there; `connect` gives a connection, and another one where that has
/// ended.
pub async fn until_replied<E, C>(connect: impl Fn() -> C, subject: &str)
where
    C: Future<Output = Result<Client, E>>,
{
    loop {
        if let Ok(client) = connect().await {
            // Nobody listens there yet, or the connection has ended, and there is another one.
            while client.connection_state() == State::Connected {
                if client.request(subject.to_owned(), "".into()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
