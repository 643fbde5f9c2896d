//! Histories: what a test does, what is broken meanwhile, and whether what was promised is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::refused::{bad_input, failed, no_such};
use super::thing::{Address, Kind, Login, Thing};
use super::world::World;
use crate::broker::Credentials;
use crate::e2e::run::{OpenHistory, Proved};
use crate::e2e::scenario::{Elsewhere, Promise, parse_promise};
use crate::e2e::verdict::{Finding, Verdict};
use crate::wire::control::{
    ControlError, Ending, Fault, Hazard, History, Invoked, Judged, PromiseJudged, Verb,
};
use crate::wire::driver::{Headers, Op};

/// Who does what nobody else is said to have done.
const TEST: &str = "test";
/// The client itself waits, and no driver.
const NO_TIME: u64 = 0;

/// What a client begins.
pub(super) struct Begun {
    pub(super) verb: Verb,
    pub(super) subject: String,
    pub(super) payload_base64: String,
    pub(super) headers: Headers,
    pub(super) client: Option<String>,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) outcome: Ending,
    pub(super) sequence: Option<u64>,
    pub(super) duplicate: bool,
    pub(super) reason: Option<String>,
}

pub(super) async fn begin(
    world: &Arc<World>,
    name: Option<String>,
    of: &str,
    promises: &Map<String, Value>,
    dir: Option<PathBuf>,
) -> Result<History, ControlError> {
    let promises = declared(promises)?;
    let thing = world.find(of)?;
    let address = thing.address()?;
    if address.tls {
        return Err(bad_input(format!("of: {of} speaks TLS, which no history can look into yet")));
    }
    let name = world.name(name, "history")?;
    let path = run_dir(&thing).await?.join(format!("{}.jsonl", name.name));
    let dir = dir.map_or_else(|| world.machine.cwd.clone(), |dir| world.path(&dir));
    let reaper = world.machine.reaper().clone();
    let open = OpenHistory::begin(promises, &elsewhere(address), &dir, path.clone(), reaper).await;
    let open = match open {
        Ok(open) => open,
        Err(why) => {
            // Whoever asks again has the name again.
            let _ = tokio::fs::remove_file(&path).await;
            return Err(failed(why));
        }
    };
    let told = History { name: name.name.clone() };
    name.is(Kind::History { open: Mutex::new(Some(open)), path }, None);
    Ok(told)
}

/// Each as its table says, or all that is wrong with the first that is not.
fn declared(promises: &Map<String, Value>) -> Result<Vec<Promise>, ControlError> {
    if promises.is_empty() {
        return Err(bad_input("promises: none is declared, and nothing could be judged"));
    }
    let promise = |(name, table): (&String, &Value)| {
        let wrong = |why: &str| bad_input(format!("promises.{name}: {why}"));
        let table = table.as_object().ok_or_else(|| wrong("it must be a table"))?;
        parse_promise(name, table).map_err(|problems| {
            let told: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
            let hint = problems.iter().find_map(|problem| problem.help.clone());
            ControlError { hint, ..wrong(&told.join("; ")) }
        })
    };
    promises.iter().map(promise).collect()
}

/// The folder that goes with what is looked at.
async fn run_dir(thing: &Arc<Thing>) -> Result<PathBuf, ControlError> {
    match &thing.kind {
        Kind::Broker(divisible) => {
            let held = divisible.lock().await;
            let dir = held.broker.as_ref().map(|broker| broker.run_dir().to_owned());
            dir.ok_or_else(|| thing.is_gone())
        }
        Kind::Cluster(cluster) => {
            let held = cluster.lock().await;
            let dir = held.as_ref().map(|cluster| cluster.run_dir().to_owned());
            dir.ok_or_else(|| thing.is_gone())
        }
        Kind::Account { broker, .. } => Box::pin(run_dir(broker)).await,
        _ => Err(thing.is_no("broker, cluster or account")),
    }
}

fn elsewhere(address: &Address) -> Elsewhere {
    let url = |port: &u16| format!("nats://127.0.0.1:{port}");
    let url = address.ports.iter().map(url).collect::<Vec<_>>().join(",");
    let (login, token) = match address.login.clone() {
        None => (None, None),
        Some(Login::User(Credentials { user, password })) => (Some((user, password)), None),
        Some(Login::Token(token)) => (None, Some(token)),
    };
    Elsewhere { shown: url.clone(), url, login, token }
}

pub(super) async fn invoke(
    world: &Arc<World>,
    of: &str,
    begun: Begun,
) -> Result<Invoked, ControlError> {
    let Begun { verb, subject, payload_base64, headers, client } = begun;
    let op = match verb {
        Verb::Submit => Op::Submit { subject, payload_base64, headers, timeout_ms: NO_TIME },
        Verb::Request => Op::Request { subject, payload_base64, headers, timeout_ms: NO_TIME },
        Verb::Publish => Op::Publish { subject, payload_base64, headers },
    };
    let client = client.unwrap_or_else(|| TEST.to_owned());
    let thing = world.find(of)?;
    let operation = with(&thing, |open| open.invoke(&client, &op)).await?;
    let operation = operation.ok_or_else(|| failed("nothing is sent by it"))?;
    Ok(Invoked { operation })
}

pub(super) async fn end(
    world: &Arc<World>,
    of: &str,
    number: u64,
    ended: Ended,
) -> Result<(), ControlError> {
    let thing = world.find(of)?;
    let operation = with(&thing, |open| open.ends(number)).await?;
    let Some(operation) = operation else {
        let why = format!("operation: {number} has not begun in {of}, or has ended already");
        return Err(bad_input(why));
    };
    let Ended { outcome, sequence, duplicate, reason } = ended;
    match (outcome, sequence, reason) {
        (Ending::Ok, Some(sequence), _) => operation.acknowledged(sequence, duplicate),
        (Ending::Ok, None, _) => operation.ok(),
        (Ending::Fail, _, reason) => operation.fail(reason.as_deref().unwrap_or("no reason told")),
        (Ending::Unknown, _, reason) => {
            operation.unknown(reason.as_deref().unwrap_or("no reason told"));
        }
    }
    Ok(())
}

/// Does something with one that has not been judged.
async fn with<T>(thing: &Thing, does: impl FnOnce(&OpenHistory) -> T) -> Result<T, ControlError> {
    let Kind::History { open, .. } = &thing.kind else { return Err(thing.is_no("history")) };
    let held = open.lock().await;
    let open = held.as_ref().ok_or_else(|| {
        no_such(format!("of: {} was judged, or stopped: a history is judged once", thing.name))
    })?;
    Ok(does(open))
}

pub(super) async fn judge(
    world: &Arc<World>,
    of: &str,
    into: Option<&Path>,
) -> Result<Judged, ControlError> {
    let thing = world.find(of)?;
    let Kind::History { open, path } = &thing.kind else { return Err(thing.is_no("history")) };
    let into = into.map(|into| world.path(into));
    if let Some(into) = into.as_ref().filter(|into| into.exists()) {
        return Err(bad_input(format!("into: {} is there already", into.display())));
    }
    let Some(open) = open.lock().await.take() else {
        return Err(no_such(format!("of: {of} was judged already")));
    };
    world.forget(of);
    let proved = open.judge().await.map_err(failed);
    if let Some(into) = into {
        let copied = tokio::fs::copy(path, &into).await;
        copied.map_err(|error| failed(format!("into: write {}: {error}", into.display())))?;
    }
    // The broker's own folder goes with it, and may have many.
    let _ = tokio::fs::remove_file(path).await;
    judged(proved?)
}

fn judged(proved: Proved) -> Result<Judged, ControlError> {
    let Proved { report, hazards } = proved;
    let figures = serde_json::to_value(&report.figures).map_err(failed)?;
    let (hazards, no_hazards) = match hazards {
        Ok(hazards) => (hazards, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let hazards = hazards.into_iter().map(|hazard| {
        let about = hazard.kind.about();
        Hazard {
            name: about.name.to_owned(),
            seen: hazard.seen,
            leads_to: about.leads_to.to_owned(),
            remedy: about.remedy.to_owned(),
            manual: about.manual.to_owned(),
        }
    });
    Ok(Judged {
        verdict: report.word().to_owned(),
        report: report.to_string(),
        promises: report.findings.iter().map(of_one).collect(),
        figures: figures.as_object().cloned().unwrap_or_default(),
        hazards: hazards.collect(),
        no_hazards,
    })
}

fn of_one(finding: &Finding) -> PromiseJudged {
    let told = match &finding.verdict {
        Verdict::Valid => Vec::new(),
        Verdict::Unknown { why } => why.clone(),
        Verdict::Invalid { shown, .. } => {
            shown.iter().map(|violation| violation.message.clone()).collect()
        }
    };
    // What is promised follows the name, behind a colon.
    let name = finding.name.as_deref().and_then(|name| name.split(':').next());
    PromiseJudged {
        name: name.unwrap_or(finding.property.word).to_owned(),
        verdict: finding.verdict.word().to_owned(),
        looked_at: finding.looked_at as u64,
        told,
    }
}

/// A fault as histories have it.
pub(super) struct Noted {
    /// What is broken: a name, or a node below it.
    of: String,
    name: String,
    /// It brings back what is away; of what is up, it is a fault.
    returns: bool,
}

impl Noted {
    /// What is asked for.
    pub(super) fn of(of: &str, fault: &Fault) -> Self {
        let returns = matches!(fault, Fault::Restart { .. });
        let fault = serde_json::to_value(fault).unwrap_or_default();
        let word = fault["kind"].as_str().unwrap_or("a fault");
        let of = fault["node"].as_u64().map_or(of.to_owned(), |node| format!("{of}/{node}"));
        Self { name: format!("{word} {of}"), of, returns }
    }

    /// It happens now.
    pub(super) async fn breaks(&self, world: &Arc<World>) {
        let breaks = |open: &OpenHistory| {
            if !(self.returns && open.is_broken(&self.of)) {
                open.breaks(&self.of, &self.name);
            }
        };
        self.in_all(world, breaks).await;
    }

    /// It has ended.
    pub(super) async fn is_over(&self, world: &Arc<World>) {
        self.in_all(world, |open| open.mended(|_, name| name == self.name)).await;
    }

    /// Nothing of this is broken any more, whatever broke it.
    pub(super) async fn mends(&self, world: &Arc<World>) {
        let below = format!("{}/", self.of);
        let is_whole = |of: &str| of == self.of || of.starts_with(&below);
        self.in_all(world, |open| open.mended(|of, _| is_whole(of))).await;
    }

    async fn in_all(&self, world: &Arc<World>, notes: impl Fn(&OpenHistory)) {
        for thing in world.all() {
            // One that is judged meanwhile has ended.
            let _ = with(&thing, &notes).await;
        }
    }
}
