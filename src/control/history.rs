//! Histories: what a test does, what is broken meanwhile, and whether what was promised is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use tempfile::TempPath;

use super::refused::{bad_input, failed, no_such};
use super::thing::{Address, Kind, Login, Thing};
use super::world::World;
use crate::broker::Credentials;
use crate::e2e::run::{OpenHistory, Proved};
use crate::e2e::scenario::{Elsewhere, Promise, parse_promise};
use crate::e2e::verdict::{Finding, Verdict};
use crate::wire::control::{
    ControlError, Ending, Hazard, History, Invoked, Judged, PromiseJudged, Verb,
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
    let dir = dir.map_or_else(|| world.machine.cwd.clone(), |dir| world.path(&dir));
    let (file, reaper) = (world.new_file()?, world.machine.reaper().clone());
    let open = OpenHistory::begin(promises, &elsewhere(address), &dir, file, reaper).await;
    let open = Arc::new(open.map_err(failed)?);
    world.noted.tell(&open);
    let told = History { name: name.name.clone() };
    let broker = thing.broker();
    name.is(Kind::History { open, broker, is_judged: AtomicBool::new(false) }, None);
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
        let promise = parse_promise(name, table).map_err(|problems| {
            let told: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
            let hint = problems.iter().find_map(|problem| problem.help.clone());
            ControlError { hint, ..wrong(&told.join("; ")) }
        })?;
        match OpenHistory::cannot_judge(&promise) {
            Some(why) => Err(wrong(&why)),
            None => Ok(promise),
        }
    };
    promises.iter().map(promise).collect()
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

pub(super) fn invoke(world: &Arc<World>, of: &str, begun: Begun) -> Result<Invoked, ControlError> {
    let Begun { verb, subject, payload_base64, headers, client } = begun;
    let op = match verb {
        Verb::Submit => Op::Submit { subject, payload_base64, headers, timeout_ms: NO_TIME },
        Verb::Request => Op::Request { subject, payload_base64, headers, timeout_ms: NO_TIME },
        Verb::Publish => Op::Publish { subject, payload_base64, headers },
    };
    let client = client.unwrap_or_else(|| TEST.to_owned());
    let thing = world.find(of)?;
    let operation = open(&thing)?.invoke(&client, &op);
    let operation = operation.ok_or_else(|| failed("nothing is sent by it"))?;
    Ok(Invoked { operation })
}

pub(super) fn end(
    world: &Arc<World>,
    of: &str,
    number: u64,
    ended: Ended,
) -> Result<(), ControlError> {
    let thing = world.find(of)?;
    let Some(operation) = open(&thing)?.under_way(number) else {
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

/// One that nobody judges yet.
fn open(thing: &Thing) -> Result<&OpenHistory, ControlError> {
    let Kind::History { open, is_judged, .. } = &thing.kind else {
        return Err(thing.is_no("history"));
    };
    match is_judged.load(Ordering::Acquire) {
        true => Err(is_being_judged(thing)),
        false => Ok(open),
    }
}

fn is_being_judged(thing: &Thing) -> ControlError {
    no_such(format!("of: {} is being judged, which ends it", thing.name))
}

/// A broker that stands still says nothing of what was promised, however long it is waited for.
fn answers(world: &World, broker: &Thing) -> Result<(), ControlError> {
    if world.noted.paused(&broker.name) < broker.address()?.ports.len() {
        return Ok(());
    }
    let name = &broker.name;
    let why = format!("of: {name} is paused, and what was promised is looked for there");
    let hint = Some(format!("`resume` {name} first; until then the history goes on"));
    Err(ControlError { hint, ..failed(why) })
}

/// It has its name, and hears of faults, until the verdict is there.
pub(super) async fn judge(
    world: &Arc<World>,
    of: &str,
    into: Option<&Path>,
) -> Result<Judged, ControlError> {
    let thing = world.find(of)?;
    let Kind::History { open, broker, is_judged } = &thing.kind else {
        return Err(thing.is_no("history"));
    };
    answers(world, broker)?;
    if is_judged.swap(true, Ordering::AcqRel) {
        return Err(is_being_judged(&thing));
    }
    let kept = into.map(|into| Kept::create(world.path(into))).transpose();
    // Nothing is lost: whoever names another file asks again.
    let kept = kept.inspect_err(|_| is_judged.store(false, Ordering::Release))?;
    let proved = open.judge().await;
    world.forget(&thing);
    if let Some(kept) = kept {
        kept.keeps(open).await?;
    }
    judged(proved.map_err(failed)?)
}

/// A file that keeps a history. Dropped before it does, it is gone.
struct Kept(TempPath);

impl Kept {
    fn create(path: PathBuf) -> Result<Self, ControlError> {
        match std::fs::File::create_new(&path) {
            Ok(_) => {
                let path = TempPath::try_from_path(path);
                Ok(Self(path.map_err(failed)?))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(bad_input(format!("into: {} is there already", path.display())))
            }
            Err(error) => Err(bad_input(format!("into: write {}: {error}", path.display()))),
        }
    }

    async fn keeps(self, history: &OpenHistory) -> Result<(), ControlError> {
        let written = |error| failed(format!("into: write {}: {error}", self.0.display()));
        history.copy_to(&self.0).await.map_err(written)?;
        self.0.keep().map(drop).map_err(failed)
    }
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
    let (declared, properties): (Vec<&Finding>, Vec<&Finding>) =
        report.findings.iter().partition(|finding| finding.name.is_some());
    let by_name = |findings: Vec<&Finding>| {
        findings.into_iter().map(of_one).map(|one| (one.name.clone(), one)).collect()
    };
    Ok(Judged {
        verdict: report.word().to_owned(),
        report: report.to_string(),
        declared: by_name(declared),
        properties: by_name(properties),
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
