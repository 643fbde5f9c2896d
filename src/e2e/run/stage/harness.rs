//! The harness's own connection: one for a run, which is asked every few milliseconds.

use std::sync::Arc;

use async_nats::connection::State;
use tokio::sync::Mutex;

use super::brokers::Access;

/// Connects as the harness, who may see everything; clones share one connection.
#[derive(Clone)]
pub(in crate::e2e) struct Harness {
    access: Access,
    open: Arc<Mutex<Option<async_nats::Client>>>,
}

impl Harness {
    /// Not yet connected.
    pub(in crate::e2e) fn new(access: Access) -> Self {
        Self { access, open: Arc::default() }
    }

    /// How it connects.
    pub(in crate::e2e) fn access(&self) -> &Access {
        &self.access
    }

    /// The connection; a new one where there is none, or where it broke: a client that waits to
    /// reconnect learns late that its broker is back.
    ///
    /// # Errors
    /// The client library's words.
    pub(in crate::e2e) async fn client(
        &self,
    ) -> Result<async_nats::Client, async_nats::ConnectError> {
        let mut open = self.open.lock().await;
        let stands = |client: &&async_nats::Client| client.connection_state() == State::Connected;
        match open.as_ref().filter(stands) {
            Some(client) => Ok(client.clone()),
            None => Ok(open.insert(self.access.connect().await?).clone()),
        }
    }
}
