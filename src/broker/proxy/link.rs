//! One connection through a proxy: a pump for each direction, and its end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::direction::Direction;
use super::messages::sieve::{Conversation, Sieve};
use super::network::Network;
use super::plan::{Cut, Plan, dice};
use crate::seeded::Dice;

const CHUNK: usize = 16 * 1024;
/// How many chunks may be under way in one direction while they are delayed.
const UNDER_WAY: usize = 1024;

/// Why a connection ends before both ends have closed it.
#[derive(Debug)]
enum End {
    /// It is cut.
    Cut(Cut),
    /// One end was reset or cannot be written to: the other must see it too.
    Broken,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        End::Broken
    }
}

/// Passes bytes both ways until both ends have closed, or one is broken, or it is cut.
pub(super) async fn join(
    mut client: TcpStream,
    mut server: TcpStream,
    network: &Network,
    number: u64,
    cuts_before: u64,
) {
    // Each write is to arrive as it is.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let end = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let conversation = Arc::<Conversation>::default();
        let pump = |direction| Pump {
            network,
            plan: network.plan.subscribe(),
            direction,
            dice: dice(network.seed, number, direction),
            sieve: Sieve::new(direction, conversation.clone()),
            is_held: false,
        };
        tokio::select! {
            biased;
            how = ordered_cut(network, cuts_before) => Err(End::Cut(how)),
            ended = async {
                tokio::try_join!(
                    pump(Direction::ToServer).run(client_read, server_write),
                    pump(Direction::ToClient).run(server_read, client_write),
                )
            } => ended.map(|_| ()),
        }
    };
    match end {
        Ok(()) => {}
        Err(End::Broken) => [&client, &server].into_iter().for_each(reset),
        Err(End::Cut(how)) => {
            cut(how, &mut client).await;
            cut(how, &mut server).await;
            network.counts.send_modify(|counts| counts.cut += 1);
        }
    }
}

/// Holds a connection that goes nowhere, until the fault is over or it is cut.
pub(super) async fn swallow(mut client: TcpStream, network: &Network, cuts_before: u64) {
    let mut plan = network.plan.subscribe();
    let mut buffer = [0; 1024];
    let swallowing = async {
        while let Ok(read @ 1..) = client.read(&mut buffer).await {
            network.counts.send_modify(|counts| counts.bytes_swallowed += read as u64);
        }
        // It has closed; nobody is told.
        std::future::pending::<Infallible>().await
    };
    let how = tokio::select! {
        how = ordered_cut(network, cuts_before) => how,
        _ = plan.wait_for(|plan| !plan.is_black_hole()) => Cut::Reset,
        never = swallowing => match never {},
    };
    cut(how, &mut client).await;
    network.counts.send_modify(|counts| counts.cut += 1);
}

/// Makes the end of a connection a reset, once it is dropped.
pub(super) fn reset(stream: &TcpStream) {
    // Else it ends in an orderly way, which is still an end.
    let _ = stream.set_zero_linger();
}

async fn cut(how: Cut, stream: &mut TcpStream) {
    match how {
        Cut::Reset => reset(stream),
        Cut::Finish => {
            // If it cannot be shut down, it is gone already.
            let _ = stream.shutdown().await;
        }
    }
}

/// Waits until all connections are cut once more than `before`.
async fn ordered_cut(network: &Network, before: u64) -> Cut {
    let mut plan = network.plan.subscribe();
    if let Ok(plan) = plan.wait_for(|plan| plan.cuts.0 != before).await {
        return plan.cuts.1;
    }
    std::future::pending().await
}

/// One direction of a connection.
struct Pump<'a> {
    network: &'a Network,
    plan: watch::Receiver<Plan>,
    direction: Direction,
    dice: Dice,
    sieve: Sieve,
    /// Nothing more passes, until one end has closed.
    is_held: bool,
}

/// What is under way.
enum Parcel {
    Bytes { due: Instant, bytes: Vec<u8> },
    Cut,
}

impl Pump<'_> {
    /// Ends with `Ok` once the one end has closed and the other was told.
    async fn run(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), End> {
        let (sender, receiver) = mpsc::channel(UNDER_WAY);
        let (network, direction, plan) = (self.network, self.direction, self.plan.clone());
        let deliver = deliver(to, receiver, network, direction, plan);
        tokio::try_join!(self.collect(from, sender), deliver).map(|_| ())
    }

    /// Reads, and says of each chunk when it is due.
    async fn collect(
        mut self,
        mut from: ReadHalf<'_>,
        under_way: mpsc::Sender<Parcel>,
    ) -> Result<(), End> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                () = until(self.sieve.next_due()), if !self.is_held => {
                    self.send_late(&under_way).await;
                    continue;
                }
            };
            let tap = self.plan.borrow().tap.clone();
            self.is_held |= tap.as_ref().is_some_and(|tap| tap.holds());
            if self.is_held {
                let Ok(swallowed @ 1..) = read else { return Ok(()) };
                self.swallowed(swallowed);
                continue;
            }
            if self.plan.borrow().swallows(self.direction) {
                let Err(end) = self.lose(read, &mut from, &mut buffer).await;
                return Err(end);
            }
            let read = read?;
            if read == 0 {
                while self.sieve.next_due().is_some() {
                    until(self.sieve.next_due()).await;
                    self.send_late(&under_way).await;
                }
                let rest = self.sieve.end();
                self.send(rest, &under_way).await;
                return Ok(());
            }
            let mut spent = (read, false);
            self.network.plan.send_if_modified(|plan| {
                spent = plan.spend(self.direction, read);
                // What is left of it matters to nobody who waits for a change.
                false
            });
            let (allowed, cut) = spent;
            let rules = self.plan.borrow().rules.clone();
            self.sieve.heard_by(tap);
            let mut sifted = self.sieve.read(&buffer[..allowed], &rules, Instant::now());
            self.is_held = sifted.held;
            if cut {
                // In the middle of whatever it was.
                sifted.pass.append(&mut self.sieve.end());
            }
            if sifted.lost > 0 || sifted.unreadable {
                self.network.counts.send_modify(|counts| {
                    counts.bytes_swallowed += sifted.lost as u64;
                    counts.unreadable += u64::from(sifted.unreadable);
                });
            }
            self.send(sifted.pass, &under_way).await;
            if cut || sifted.cut {
                let _ = under_way.send(Parcel::Cut).await;
                return Ok(());
            }
        }
    }

    fn swallowed(&self, bytes: usize) {
        self.network.counts.send_modify(|counts| counts.bytes_swallowed += bytes as u64);
    }

    async fn send_late(&mut self, under_way: &mpsc::Sender<Parcel>) {
        let late = self.sieve.due(Instant::now());
        self.send(late, under_way).await;
    }

    /// Has bytes be under way, for as long as the network takes just now.
    async fn send(&mut self, bytes: Vec<u8>, under_way: &mpsc::Sender<Parcel>) {
        if bytes.is_empty() {
            return;
        }
        let delay = self.plan.borrow().delay.clone();
        if !delay.end().is_zero() {
            let late = bytes.len() as u64;
            self.network.counts.send_modify(|counts| counts.bytes_delayed += late);
        }
        let due = Instant::now() + self.dice.duration(&delay);
        // Nobody receives it any more: then the other side says why.
        let _ = under_way.send(Parcel::Bytes { due, bytes }).await;
    }

    /// Swallows, the end too, until the fault is over; then the connection, which has a hole, is cut.
    async fn lose(
        &mut self,
        mut read: io::Result<usize>,
        from: &mut ReadHalf<'_>,
        buffer: &mut [u8],
    ) -> Result<Infallible, End> {
        let direction = self.direction;
        loop {
            let more = async {
                match read {
                    Ok(1..) => from.read(buffer).await,
                    Ok(0) | Err(_) => std::future::pending().await,
                }
            };
            if let Ok(swallowed) = read {
                self.swallowed(swallowed);
            }
            read = tokio::select! {
                _ = self.plan.wait_for(|plan| !plan.swallows(direction)) => {
                    return Err(End::Cut(Cut::Reset));
                }
                read = more => read,
            };
        }
    }
}

/// Returns when it is due; never where nothing is.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Writes each chunk when it is due.
async fn deliver(
    mut to: WriteHalf<'_>,
    mut under_way: mpsc::Receiver<Parcel>,
    network: &Network,
    direction: Direction,
    plan: watch::Receiver<Plan>,
) -> Result<(), End> {
    while let Some(parcel) = under_way.recv().await {
        let Parcel::Bytes { due, bytes } = parcel else {
            return Err(End::Cut(Cut::Finish));
        };
        // The runtime's clock has ticks of a millisecond: what is due now would wait for the next.
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let trickle = plan.borrow().trickle;
            let size = trickle.map_or(rest.len(), |(size, _)| size.min(rest.len()));
            to.write_all(&rest[..size]).await?;
            network.counts.send_modify(|counts| {
                counts.passed(direction, size);
                counts.bytes_chopped += if trickle.is_some() { size as u64 } else { 0 };
            });
            rest = &rest[size..];
            if let Some((_, pause)) = trickle {
                tokio::time::sleep(pause).await;
            }
        }
    }
    to.shutdown().await?;
    Ok(())
}
