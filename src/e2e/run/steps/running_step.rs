//! A step under way: once or many times, again where it says so, and held against what is
//! expected.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::e2e::record::seen::Seen;
use crate::e2e::run::stage::scene::Scene;
use crate::e2e::run::stage::values::as_written;
use crate::e2e::scenario::ast::beside::{Kv, KvVerb};
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Expect, Step};
use crate::e2e::scenario::fill::filled;
use crate::e2e::text::matcher::Difference;
use crate::e2e::text::span::Span;
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::transcript::writer::Transcript;

/// What a step asks again about is in another process: there is nothing to wait on.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What is listened to since before the first step.
#[derive(Default)]
pub(in crate::e2e) struct Subscriptions {
    /// By subject, as the driver knows them.
    pub(in crate::e2e) subjects: BTreeMap<String, u64>,
    /// By bucket and key, which the harness watches.
    pub(in crate::e2e) watches: BTreeMap<(String, String), Mutex<kv::Watch>>,
}

/// A step under way.
pub(in crate::e2e) struct RunningStep<'a> {
    pub(in crate::e2e) scene: Scene<'a>,
    pub(in crate::e2e) fixture: &'a Fixture,
    pub(in crate::e2e) subscriptions: &'a Subscriptions,
    pub(in crate::e2e) step: &'a Step,
}

impl RunningStep<'_> {
    /// As often as the step says, so many at a time; the outcomes in order.
    pub(in crate::e2e) async fn repeated(
        &self,
        variables: &Variables,
        transcript: &mut Transcript,
    ) -> Result<Vec<Seen>, Stop> {
        let times = self.step.repeat.unwrap_or(1);
        let attempts = stream::iter(1..=times).map(|n| {
            let mut variables = variables.clone();
            if self.step.repeat.is_some() {
                variables.insert("n".to_owned(), Value::from(n));
            }
            async move { self.until_it_holds(n, &variables).await }
        });
        let mut results = pin!(attempts.buffered(self.step.concurrency as usize));
        let (mut outcomes, mut shown) = (Vec::new(), Vec::new());
        let mut failed = None;
        while let Some(result) = results.next().await {
            match result {
                Ok((seen, in_golden)) => {
                    outcomes.push(seen);
                    shown.push(in_golden);
                }
                // Nothing that comes later makes it good.
                Err((seen, stop)) => {
                    shown.extend(seen);
                    failed = Some(stop);
                    break;
                }
            }
        }
        let sent = filled(&self.step.action, &as_written(variables));
        transcript.step(self.step, &sent, &shown);
        if let Some(stop) = failed {
            return Err(stop);
        }
        let skipped = outcomes.iter().find_map(|seen| match seen {
            Seen::Skip(reason) => Some(Stop::Skipped(reason.clone())),
            _ => None,
        });
        skipped.map_or(Ok(outcomes), Err)
    }

    /// Asked again until it holds, where the step says `within`; what was seen, and what a golden file
    /// has of it.
    async fn until_it_holds(
        &self,
        n: u32,
        variables: &Variables,
    ) -> Result<(Seen, Seen), (Option<Seen>, Stop)> {
        let action = filled(&self.step.action, variables);
        let expects: Vec<Expect> = self.step.expects.iter().map(|e| e.filled(variables)).collect();
        let deadline = Instant::now() + self.patience().unwrap_or_default();
        loop {
            let seen = self.attempt(&action).await.map_err(|stop| (None, stop))?;
            let held = if self.step.open { Ok(()) } else { seen.check(&expects) };
            let (expect, difference) = match held {
                Ok(()) => {
                    let in_golden = seen.in_golden(&expects, &self.step.golden);
                    return Ok((seen, in_golden));
                }
                Err(difference) => difference,
            };
            if Instant::now() >= deadline {
                let span = expect.map_or(&self.step.span, |expect| &expect.span);
                let stop = self.differs(span, n, &difference);
                return Err((Some(seen), stop));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// How long it is asked again, where it is.
    fn patience(&self) -> Option<Duration> {
        match self.step.action {
            // The next message, or a line, is waited for; asking again would take the one after it.
            Action::ExpectMessage { .. }
            | Action::ExpectMessages { .. }
            | Action::ExpectLog(_)
            | Action::Kv(Kv { does: KvVerb::Watch, .. }) => None,
            _ => self.step.within,
        }
    }

    fn differs(&self, span: &Span, n: u32, difference: &Difference) -> Stop {
        let mut message = difference.to_string();
        if self.step.repeat.is_some() {
            message.push_str(&format!(" (repetition {n})"));
        }
        if let Some(within) = self.patience() {
            message.push_str(&format!(" (asked for {within:?})"));
        }
        Stop::failed(self.fixture, span, message)
    }

    pub(in crate::e2e) fn failed(&self, message: String) -> Stop {
        Stop::failed(self.fixture, &self.step.span, message)
    }
}
