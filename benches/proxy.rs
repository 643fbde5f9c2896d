//! What a proxy costs: request-reply with 64 in flight, directly, through a proxy, and through one with
//! rules about messages that match none. `cargo xtask proxy` runs it; nothing is held in CI.
//!
//! The proxy has a thread of its own, as it has a process of its own for the clients of a scenario. The
//! three take turns, so that what else the machine does hits all of them.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::Client;
use futures_util::{StreamExt as _, stream};
use mono_demo::broker::{
    Broker, Fate, Fault, Faults, Matching, MessageKind, Proxy, Servers, Settings, Side, Turn,
};
use mono_demo::process::Reaper;
use mono_demo::provision;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const IN_FLIGHT: usize = 64;
/// So many turns, each of so many requests.
const TURNS: usize = 15;
const REQUESTS: usize = 20_000;
/// What rules may cost against a direct connection, in percent.
const GOAL: f64 = 15.0;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    let mut broker = runtime.block_on(broker())?;
    let service = Thread::start(serve(broker.url().to_owned()))?;
    let (plain, ruled) = (proxies(broker.port())?, proxies(broker.port())?);
    let took = runtime.block_on(async {
        let mut faults =
            Faults::new(Servers::One(&mut broker), 1).network(Side::Client, &ruled.value);
        for kind in MessageKind::ALL {
            let never = Matching { turn: Turn::Every(1), ..Matching::next(kind).on("nobody.>") };
            faults.inject(&Fault::of_messages(Fate::Lose, never)).await?;
        }
        drop(faults);
        let urls = [broker.url().to_owned(), plain.value[0].url(), ruled.value[0].url()];
        let mut took = [const { Vec::new() }; 3];
        let mut clients = Vec::new();
        for url in &urls {
            clients.push(async_nats::connect(url).await?);
        }
        for turn in 0..=TURNS {
            for (client, took) in clients.iter().zip(&mut took) {
                let time = requests(client).await?;
                // The first is for warming up.
                took.extend((turn > 0).then_some(time));
            }
        }
        Ok::<_, Box<dyn Error>>(took)
    })?;
    let [direct, plain_rate, ruled_rate] = took.map(rate);
    println!("{REQUESTS} requests, {IN_FLIGHT} in flight, the median of {TURNS} turns");
    for (name, rate) in [
        ("directly", direct),
        ("through a proxy", plain_rate),
        ("through a proxy with rules", ruled_rate),
    ] {
        let cost = 100.0 * (1.0 - rate / direct);
        println!("{name:<28}{rate:>9.0} a second, {cost:>5.1} % less than directly");
    }
    let rules = 100.0 * (1.0 - ruled_rate / plain_rate);
    println!(
        "rules cost {rules:.1} % of a proxy's throughput; the goal is {GOAL} % of a direct one's"
    );
    drop((service, plain, ruled));
    runtime.block_on(broker.stop())?;
    Ok(())
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn broker() -> Result<Broker, Box<dyn Error>> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let mut settings = provision::Settings::new(cache);
    settings.path = std::env::var_os("PATH");
    let server = provision::nats_server(&settings, &|line| eprintln!("{line}")).await?;
    let reaper = Reaper::new(env!("CARGO_BIN_EXE_mono-demo"), std::env::temp_dir());
    Ok(Broker::start(Settings::new(server, reaper)).await?)
}

/// Something that runs on a thread of its own until it is dropped.
struct Thread<T> {
    value: T,
    _end: oneshot::Sender<()>,
}

impl<T: Send + 'static> Thread<T> {
    fn start(
        begin: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let runtime = runtime()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let _ = tell.send(begin.await);
                let _ = ended.await;
            });
        });
        Ok(Self { value: told.recv()??, _end: end })
    }
}

fn proxies(port: u16) -> Result<Thread<[Proxy; 1]>, Box<dyn Error>> {
    Thread::start(
        async move { Ok([Proxy::start(port, 1).await.map_err(|error| error.to_string())?]) },
    )
}

/// Answers with what it was asked.
async fn serve(url: String) -> Result<(), String> {
    let client = async_nats::connect(url).await.map_err(|error| error.to_string())?;
    let mut asked = client.subscribe("echo").await.map_err(|error| error.to_string())?;
    client.flush().await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            if let Some(reply) = message.reply {
                // Whoever asks hears of it.
                let _ = client.publish(reply, message.payload).await;
            }
        }
    });
    Ok(())
}

async fn requests(client: &Client) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    let all = stream::iter(0..REQUESTS).map(|_| client.request("echo", "x".repeat(128).into()));
    let mut all = all.buffer_unordered(IN_FLIGHT);
    while let Some(reply) = all.next().await {
        reply?;
    }
    Ok(began.elapsed())
}

/// Requests a second, of the turn in the middle.
fn rate(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    REQUESTS as f64 / took[took.len() / 2].as_secs_f64()
}
