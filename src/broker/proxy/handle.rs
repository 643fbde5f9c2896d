//! The switches of a proxy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::counts::Counts;
use super::direction::Direction;
use super::gauge::Gauge;
use super::listen;
use super::messages::rule::MessageRule;
use super::messages::tap::Tap;
use super::network::Network;
use super::plan::{Cut, Plan, dice};
use crate::broker::ports::Placeholder;
use crate::broker::settings::Port;

/// A bad network on demand: listens on a random port of 127.0.0.1 and passes bytes on to a server.
///
/// Faults are switched at run time, add up, and last until [`heal`](Self::heal). What is left to
/// chance is drawn from the seed: the same seed, the same numbers in the same order for each
/// connection. [`stop`](Self::stop) is the orderly end; dropping it ends everything soon after.
///
/// ```no_run
/// # async fn example(broker: mono_demo::broker::Broker) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use mono_demo::broker::Proxy;
/// let proxy = Proxy::start(broker.port(), 42).await?;
/// let client = async_nats::connect(proxy.url()).await?;
/// proxy.delay(Duration::from_millis(50));
/// client.flush().await?; // takes 100 ms
/// proxy.heal();
/// proxy.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    seed: u64,
    draws: AtomicU64,
    plan: Arc<watch::Sender<Plan>>,
    counts: watch::Receiver<Counts>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port, and passes connections on to `port` of 127.0.0.1.
    ///
    /// # Errors
    /// If the system has no port.
    pub async fn start(port: u16, seed: u64) -> io::Result<Proxy> {
        Self::start_on(Port::Any, port, seed).await
    }

    /// The same on a port of one's own, for programs that connect nowhere else.
    ///
    /// # Errors
    /// If it is another's.
    pub async fn start_on(listen: Port, port: u16, seed: u64) -> io::Result<Proxy> {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let plan = Arc::new(watch::Sender::new(Plan::healthy(target)));
        let (count, counts) = watch::channel(Counts::default());
        // Held for life, so that the port is still ours while connections are refused.
        let placeholder = match listen {
            Port::Any => Placeholder::any()?,
            Port::Fixed(port) => Placeholder::bind(port)?,
        };
        let port = placeholder.port();
        let placeholder = Placeholder::LETS_THE_SERVER_IN.then_some(placeholder);
        let listener = listen::listen(port)?;
        let network = Network { plan: plan.clone(), counts: Arc::new(count), seed };
        let task = tokio::spawn(async move {
            network.serve(port, listener).await;
            drop(placeholder);
        });
        Ok(Proxy { port, seed, draws: AtomicU64::new(0), plan, counts, task })
    }

    /// Where clients connect: `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes new connections on to another port of 127.0.0.1; those that are open stay.
    pub fn set_target(&self, port: u16) {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.plan.send_modify(|plan| plan.target = target);
    }

    /// Every byte takes so much longer, each way; the bandwidth is not limited.
    pub fn delay(&self, each_way: Duration) {
        self.delay_within(each_way..=each_way);
    }

    /// Every read takes longer by a time within the range, drawn for it; order is kept.
    pub fn delay_within(&self, each_way: RangeInclusive<Duration>) {
        self.plan.send_modify(|plan| plan.delay = each_way);
    }

    /// Cuts every open connection now; new ones are accepted.
    pub fn cut(&self, how: Cut) {
        self.plan.send_modify(|plan| plan.cuts = (plan.cuts.0 + 1, how));
    }

    /// Lets so many more bytes pass in one direction, over all connections together, and then cuts
    /// the connection that passed the last of them, in the middle of whatever it was; once.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.plan.send_modify(|plan| match bytes {
            // Nothing more: there is no last byte to wait for.
            0 => plan.cuts = (plan.cuts.0 + 1, Cut::Finish),
            _ => plan.budget = Some((direction, bytes)),
        });
    }

    /// [`cut_after`](Self::cut_after) a number of bytes within the range, which is drawn and returned.
    pub fn cut_after_within(&self, direction: Direction, bytes: RangeInclusive<u64>) -> u64 {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        // Connections are counted from 0, draws down from the top: their dice never meet.
        let bytes = dice(self.seed, u64::MAX - draw, direction).within(&bytes);
        self.cut_after(direction, bytes);
        bytes
    }

    /// How many bytes are still to pass before a connection is cut, if one is to be.
    #[must_use]
    pub fn bytes_before_cut(&self) -> Option<u64> {
        self.plan.borrow().budget.map(|(_, bytes)| bytes)
    }

    /// Swallows everything, both ways: connections are accepted and stay open, and nothing arrives,
    /// not even that one end has closed.
    ///
    /// A connection that lost bytes cannot go on: when the fault is over, it is reset.
    pub fn black_hole(&self) {
        self.plan.send_modify(|plan| {
            plan.swallow_to_server = true;
            plan.swallow_to_client = true;
        });
    }

    /// Swallows what goes in one direction, and lets the other pass; else as
    /// [`black_hole`](Self::black_hole).
    pub fn half_open(&self, swallowed: Direction) {
        self.plan.send_modify(|plan| {
            plan.swallow_to_server = swallowed == Direction::ToServer;
            plan.swallow_to_client = swallowed == Direction::ToClient;
        });
    }

    /// Writes at most so many bytes at once, with a pause after each write.
    pub fn trickle(&self, bytes: usize, pause: Duration) {
        self.plan.send_modify(|plan| plan.trickle = Some((bytes.max(1), pause)));
    }

    /// Refuses new connections, as if nobody listened; those that are open stay.
    pub fn refuse(&self) {
        self.plan.send_modify(|plan| plan.refuse = true);
    }

    /// From now on messages that match it meet their fate, on every connection.
    pub(in crate::broker) fn rule(&self, rule: &Arc<MessageRule>) {
        self.plan.send_modify(|plan| {
            plan.rules.retain(|rule| !rule.is_over());
            plan.rules.push(rule.clone());
        });
    }

    /// From now on this one hears every message, on every connection; `None` is nobody.
    pub fn tap(&self, tap: Option<&Arc<Tap>>) {
        self.plan.send_modify(|plan| plan.tap = tap.cloned());
    }

    /// Ends every fault. Bytes that are under way still take their time.
    pub fn heal(&self) {
        self.plan.send_modify(Plan::heal);
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// What reads the same, also when the proxy has gone.
    pub(in crate::broker) fn gauge(&self) -> Gauge {
        Gauge { plan: self.plan.clone(), counts: self.counts.clone() }
    }

    /// Waits until the counts are as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.counts.clone();
        let found = counts.wait_for(wanted).await.ok().map(|counts| *counts);
        match found {
            Some(counts) => counts,
            // The task ends with the proxy only.
            None => std::future::pending().await,
        }
    }

    /// Ends every connection, closes the port, and waits until that is done.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
