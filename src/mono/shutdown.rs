//! The two moments of a shutdown that every worker can wait for: the drain, and the end of its
//! limit.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Expired,
}

/// Held by the one who shuts down.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<Phase>);

/// Held by everyone who is shut down.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<Phase>);

pub(crate) fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Take nothing new; finish what is in hand.
    pub(crate) fn drain(&self) {
        self.0.send_replace(Phase::Draining);
    }

    /// The drain limit has passed: answer or give back what is still in hand.
    pub(crate) fn expire(&self) {
        self.0.send_replace(Phase::Expired);
    }
}

impl Shutdown {
    /// Returns when nothing new is to be taken. A dropped trigger counts.
    pub(crate) async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Returns when the drain limit has passed.
    pub(crate) async fn expired(&self) {
        self.reached(Phase::Expired).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // An error means that the trigger is gone, and the application with it.
        let _ = receiver.wait_for(|now| *now >= phase).await;
    }
}
