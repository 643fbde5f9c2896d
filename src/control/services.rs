//! Starts programs, and sees when they are ready.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::refused::{bad_input, failed};
use super::thing::{Address, Kind, Running, Waiting};
use super::world::World;
use crate::e2e::run::until_replied;
use crate::process::{Child, NotReady, Reaper, Spawn, until_ready};
use crate::web::{Page, Readiness};
use crate::wire::control::{ControlError, Ready, Service};

/// A port that opens cannot be awaited: it is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// What is wanted of a program.
pub(super) struct Wanted {
    pub(super) run: Vec<String>,
    pub(super) of: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) ready: Option<Ready>,
    /// Until it is ready, and until it has ended; milliseconds.
    pub(super) limits: (u64, u64),
}

pub(super) async fn start(
    world: &Arc<World>,
    name: Option<String>,
    wanted: Wanted,
) -> Result<Service, ControlError> {
    let Wanted { run, of, env, cwd, ready, limits: (ready_within, stop_within) } = wanted;
    let (program, arguments) = match run.split_first() {
        Some((program, arguments)) if !program.is_empty() => (program, arguments),
        _ => return Err(bad_input("run: it names no program")),
    };
    let address = match &of {
        None => None,
        Some(of) => Some(world.find(of)?.address()?.clone()),
    };
    if let (Some(Ready::Subject(_) | Ready::Service(_)), None) = (&ready, &address) {
        return Err(bad_input("ready: without `of` there is no broker to ask"));
    }
    if let Some(Ready::Http(url)) = &ready {
        page_at(url)?;
    }
    let name = world.name(name, "service")?;
    let mut spawn = Spawn::new(&name.name, program).args(arguments);
    if let Some(address) = &address {
        spawn = spawn.env("NATS_URL", address.url());
    }
    for (variable, value) in env {
        if variable.is_empty() || variable.contains(['=', '\0']) || value.contains('\0') {
            return Err(bad_input(format!("env: {variable:?} cannot be a variable")));
        }
        spawn = spawn.env(variable, value);
    }
    // A program with a folder in its name is meant from where the command is read.
    spawn.cwd = Some(cwd.map_or_else(|| world.machine.cwd.clone(), |cwd| world.path(&cwd)));
    let within = Duration::from_millis(ready_within);
    let ready = Waiting { ready, within, address };
    let child = ready_child(world.machine.reaper(), &spawn, &ready).await?;
    let service = Service { name: name.name.clone(), pid: child.pid() };
    let stop_within = Duration::from_millis(stop_within);
    let running = Running { child: Some(child), spawn, ready, stop_within, said: Vec::new() };
    name.is(Kind::Service(Mutex::new(running)), None);
    Ok(service)
}

/// Starts a process of it, and waits until it is ready.
pub(super) async fn ready_child(
    reaper: &Reaper,
    spawn: &Spawn,
    waiting: &Waiting,
) -> Result<Child, ControlError> {
    let child = Child::spawn(reaper, spawn.clone()).await.map_err(failed)?;
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    let Some(ready) = &waiting.ready else { return Ok(child) };
    let Some(told) = not_ready(&child, ready, waiting).await else { return Ok(child) };
    let log = child.tail();
    child.close().await;
    let said = log.iter().rfind(|line| !line.trim().is_empty());
    let said = said.map_or("it said nothing".to_owned(), |line| format!("its last line: `{line}`"));
    Err(ControlError { log, ..failed(format!("{told}; {said}")) })
}

fn page_at(url: &str) -> Result<Page, ControlError> {
    Page::at(url).map_err(|error| bad_input(format!("ready.http: {error}")))
}

/// Why it is not ready, once that is certain; `None` where it is.
async fn not_ready(child: &Child, ready: &Ready, waiting: &Waiting) -> Option<String> {
    let Sign { seen, how, page } = match sign(child, ready, waiting.address.as_ref()) {
        Ok(sign) => sign,
        Err(error) => return Some(error.message),
    };
    Some(match until_ready(&[child], seen, waiting.within).await.err()? {
        NotReady::Ended { status, .. } => {
            format!("it ended with {status} before it was ready: it was to {how}")
        }
        NotReady::Late => {
            let instead = page.map(|page| format!(": {}", page.instead())).unwrap_or_default();
            format!("it did not {how} within {:?}{instead}", waiting.within)
        }
    })
}

/// What is awaited.
struct Sign<'a> {
    seen: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
    /// What the program was to do.
    how: String,
    /// Where it is a page, which says something else until then.
    page: Option<Arc<Readiness>>,
}

fn sign<'a>(
    child: &'a Child,
    ready: &'a Ready,
    address: Option<&'a Address>,
) -> Result<Sign<'a>, ControlError> {
    let mut page = None;
    let (seen, how): (Pin<Box<dyn Future<Output = ()> + Send + 'a>>, _) = match ready {
        Ready::Line(text) => (Box::pin(child.prints(text)), format!("print a line with `{text}`")),
        Ready::Port(port) => {
            (Box::pin(accepts(*port)), format!("accept connections on 127.0.0.1:{port}"))
        }
        Ready::Http(url) => {
            let asked = page.insert(Arc::new(Readiness::of(page_at(url)?)));
            let (asked, how) = (asked.clone(), asked.wanted());
            (Box::pin(async move { asked.seen().await }), how)
        }
        Ready::Subject(subject) => {
            (Box::pin(answers(address, subject.clone())), format!("answer a request on {subject}"))
        }
        Ready::Service(name) => {
            let subject = format!("$SRV.PING.{name}");
            let how = format!("answer {subject}");
            (Box::pin(answers(address, subject)), how)
        }
    };
    Ok(Sign { seen, how, page })
}

async fn accepts(port: u16) {
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn answers(address: Option<&Address>, subject: String) {
    let Some(address) = address else { return std::future::pending().await };
    until_replied(|| address.connect(), &subject).await
}
