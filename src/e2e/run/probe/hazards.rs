//! Looks for hazards: at what streams and consumers are configured as and hold, at who listens to
//! what, and at the broker's trace. All of it while the services are up; what they leave, at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::advisories::{Advisories, How};
use super::broker_trace::end;
use super::broker_trace::heard::heard;
use super::broker_trace::line::{Way, What};
use super::broker_trace::reading::Reading;
use super::broker_trace::said::Said;
use super::configured;
use crate::broker::Role;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::observed::Observed;
use crate::e2e::record::traffic::Traffic;
use crate::e2e::run::stage::brokers::Brokers;
use crate::e2e::run::stage::connected;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::scenario::ast::hazard::Hazards;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Action;
use crate::e2e::scenario::sent;
use crate::e2e::verdict::hazards::{self, Circumstances};
use crate::e2e::verdict::outcome::Stop;
use crate::process::{clean, groups_of_ports};

/// More of the broker's trace is not read.
const MOST_BYTES: u64 = 64 << 20;
/// How long a look may take: a broker that is paused, or has lost its quorum, says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is looked for in one run.
pub(in crate::e2e) struct HazardWatch {
    policy: Hazards,
    observed: Option<Observed>,
    traffic: Traffic,
}

impl HazardWatch {
    /// What a fixture says counts, else what is said for all.
    pub(in crate::e2e) fn new(fixture: &Fixture, of_all: &Hazards) -> Self {
        let policy = fixture.hazards.as_ref().map_or(of_all, |(policy, _)| policy).clone();
        Self { policy, observed: None, traffic: Traffic::default() }
    }

    /// Whether it looks at all.
    pub(in crate::e2e) fn looks(&self) -> bool {
        self.policy != Hazards::Ignore
    }

    /// Looks, once; `services` are their names by process group. A broker that is away or paused says
    /// nothing, and then nothing is told: whoever needs it tells that.
    pub(in crate::e2e) async fn look(
        &mut self,
        harness: &Harness,
        brokers: &Brokers,
        advisories: &Advisories,
        services: &BTreeMap<u32, String>,
        reading: &Mutex<Reading>,
    ) {
        if !self.looks() || self.observed.is_some() {
            return;
        }
        let look = async {
            let _ = end::until_all_is_traced(harness, brokers).await;
            let (traffic, slow) = {
                let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
                traced(&mut reading, brokers)?
            };
            let client = harness.client().await?;
            let streams = configured::streams(&client).await?;
            let names = streams.iter().map(|stream| stream.name.as_str());
            let consumers = configured::consumers(&client, names).await?;
            let servers = brokers.nodes().len();
            let listening = connected::services(harness, servers).await?;
            let all = listening.into_iter().flat_map(|connection| connection.subscriptions);
            let readers: BTreeSet<u16> =
                traffic.consumers.values().flat_map(|consumer| consumer.readers.clone()).collect();
            let groups = groups_of_ports(&Vec::from_iter(readers)).into_iter();
            let observed = Observed {
                streams,
                consumers,
                left: BTreeSet::new(),
                exhausted: advisories.given_up().await?.of(How::Exhausted),
                subscriptions: all.map(|one| (one.subject, one.queue)).collect(),
                services: groups
                    .filter_map(|(port, group)| Some((port, services.get(&group)?.clone())))
                    .collect(),
                slow,
            };
            Ok::<_, async_nats::Error>((observed, traffic))
        };
        if let Ok(Ok((observed, traffic))) = tokio::time::timeout(PATIENCE, look).await {
            (self.observed, self.traffic) = (Some(observed), traffic);
        }
    }

    /// Looks at what is left once everybody has gone.
    pub(in crate::e2e) async fn at_end(&mut self, harness: &Harness) {
        let Some(observed) = &mut self.observed else { return };
        if observed.consumers.iter().all(|consumer| consumer.is_durable) {
            return;
        }
        let look = async {
            let client = harness.client().await?;
            let names = observed.streams.iter().map(|stream| stream.name.as_str());
            configured::consumers(&client, names).await
        };
        if let Ok(Ok(left)) = tokio::time::timeout(PATIENCE, look).await {
            observed.left = left.into_iter().map(|seen| (seen.stream, seen.name)).collect();
        }
    }

    /// What was seen, and what that means for a run that held.
    pub(in crate::e2e) fn verdict(self, fixture: &Fixture) -> (Vec<Hazard>, Result<(), Stop>) {
        let Some(observed) = &self.observed else { return (Vec::new(), Ok(())) };
        let circumstances = Circumstances {
            publishes: &|subject| sent::sends(fixture, subject),
            was_delayed: fixture.all_steps().any(|step| {
                matches!(step.action, Action::Fault { .. })
                    || step.load.as_ref().is_some_and(|load| !load.under.is_empty())
            }),
        };
        let found = hazards::judge(observed, &self.traffic, &circumstances);
        let Hazards::Fail(accepted) = &self.policy else { return (found, Ok(())) };
        let is_accepted = |hazard: &Hazard| accepted.contains(&hazard.kind);
        let found: Vec<Hazard> = found.into_iter().filter(|hazard| !is_accepted(hazard)).collect();
        if found.is_empty() {
            return (found, Ok(()));
        }
        let told: String = found.iter().map(|hazard| format!("\n- {hazard}")).collect();
        let span = fixture.hazards.as_ref().map_or(0..0, |(_, span)| span.clone());
        let message = format!("this run has hazards{told}");
        (found, Err(Stop::failed(fixture, &span, message)))
    }
}

/// What the configurations of streams tell, where nobody traces what crosses the broker; `sent` are the
/// subjects of what was done on record.
///
/// # Errors
/// The client library's words.
pub(in crate::e2e) async fn configured(
    harness: &Harness,
    sent: &BTreeSet<&str>,
) -> Result<Vec<Hazard>, async_nats::Error> {
    let streams = configured::streams(&harness.client().await?).await?;
    let observed = Observed { streams, ..Observed::default() };
    let publishes = |subject: &str| sent.contains(subject);
    let circumstances = Circumstances { publishes: &publishes, was_delayed: false };
    Ok(hazards::judge(&observed, &Traffic::default(), &circumstances))
}

/// What the broker's log tells of hazards: what crossed it, and services that did not keep up, with its
/// words.
fn traced(
    reading: &mut Reading,
    brokers: &Brokers,
) -> Result<(Traffic, BTreeSet<(String, String)>), async_nats::Error> {
    for path in brokers.log_paths() {
        reading.read_on(path, MOST_BYTES)?;
    }
    let lines = reading.lines();
    let plain = lines.iter().filter_map(|line| match &line.what {
        What::Plain(text) => slow(text),
        What::Trace { .. } => None,
    });
    let slow = plain.collect();
    let mut traffic = Traffic::default();
    for heard in heard(lines) {
        let Said::Message { way, subject, reply, body, .. } = heard.what else { continue };
        let at_ns = u64::try_from(heard.at.as_nanosecond()).unwrap_or_default();
        match way {
            // What the fixture asks for is asked for by the harness.
            _ if heard.connection.role() == Some(Role::Harness)
                && !subject.starts_with("$JS.API.CONSUMER.") => {}
            Way::In => traffic.sent(heard.connection.port, subject, reply, body, at_ns),
            Way::Out => traffic.got(reply),
        }
    }
    Ok((traffic, slow))
}

/// Of `[INF] 127.0.0.1:5 - cid:8 - "v1:go:audit" - "$G/user:worker" - Slow Consumer Detected: …`.
fn slow(line: &str) -> Option<(String, String)> {
    let (whose, why) = line.split_once(" - Slow Consumer Detected: ")?;
    let (rest, user) = whose.rsplit_once(" - ")?;
    let name = rest.splitn(3, " - ").nth(2)?.trim_matches('"');
    let (_, user) = user.trim_matches('"').rsplit_once("/user:")?;
    (Role::of_user(user) == Some(Role::Worker)).then(|| (format!("`{name}`"), clean(why)))
}

#[cfg(test)]
mod tests {
    use super::slow;

    #[test]
    fn a_service_that_does_not_keep_up_is_read_from_the_log() {
        let line = |user: &str| {
            format!(
                "[INF] 127.0.0.1:5 - cid:8 - \"v1:go:audit - 2\" - \"$G/user:{user}\" - Slow Consumer \
                 Detected: MaxPending of 1048576 Exceeded"
            )
        };
        let told = slow(&line("worker")).unwrap();
        assert_eq!(
            told,
            ("`v1:go:audit - 2`".to_owned(), "MaxPending of 1048576 Exceeded".to_owned())
        );
        assert_eq!(slow(&line("client")), None);
        assert_eq!(slow("[INF] Slow Consumer Detected: by a publisher"), None);
    }
}
