//! One attempt: what the driver, or a program, is asked, and what comes of it.

use std::{path::Path, time::Duration};

use super::running_step::RunningStep;
use crate::broker::Role;
use crate::e2e::record::seen;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::record;
use crate::e2e::run::steps::program;
use crate::e2e::scenario::ast::payload::Payload;
use crate::e2e::scenario::ast::step::{Action, Outgoing, Program};
use crate::e2e::text::inside;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::{Headers, Op, Outcome};

/// Bound on one attempt where the step does not say.
pub(in crate::e2e) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

impl RunningStep<'_> {
    /// Does the action once.
    pub(in crate::e2e) async fn attempt(&self, action: &Action) -> Result<Seen, Stop> {
        let timeout_ms = millis(self.step.timeout.unwrap_or(DEFAULT_TIMEOUT));
        match action {
            Action::Call { method, args, kwargs } => {
                let (method, args, kwargs) = (method.clone(), args.clone(), kwargs.clone());
                Ok(Seen::call(self.ask(Op::Call { method, args, kwargs, timeout_ms }).await?))
            }
            Action::Request(out) => {
                if let Some(many) = self.step.replies {
                    return self.replies(out, many).await;
                }
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Request { subject, payload_base64, headers, timeout_ms };
                Ok(Seen::request(self.ask(op).await?))
            }
            Action::Publish(out) if out.reply_to.is_some() => self.publish_for_reply(out).await,
            Action::Kv(kv) => self.kv(kv).await,
            Action::Object(object) => self.object(object).await,
            Action::Http(http) => self.http(http).await,
            Action::Publish(out) => {
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Publish { subject, payload_base64, headers };
                Ok(Seen::publish(self.ask(op).await?))
            }
            Action::Submit(out) => {
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Submit { subject, payload_base64, headers, timeout_ms };
                Ok(Seen::submit(self.ask(op).await?))
            }
            Action::Run(program) => {
                let machine = self.scene.machine;
                let timeout = self.step.timeout.unwrap_or(program::DEFAULT_TIMEOUT);
                let mut access = self.scene.brokers.access(Role::Client);
                // A program may take only one; it learns of the others from that one.
                access.url = self.scene.brokers.first_url().to_owned();
                let program =
                    &Program { words: self.scene.argv(&program.words), ..program.clone() };
                let (root, dir) = (&machine.root, &self.scene.dir);
                let told = self.scene.hearing.told();
                let ran =
                    program::run(&machine.reaper, program, root, (&access, dir), timeout, told);
                match ran.await {
                    Ok(seen) => Ok(seen),
                    Err(program::Failed::Start(reason)) => Err(Stop::Broken(reason)),
                    Err(program::Failed::Ended(reason)) => Err(self.failed(reason)),
                }
            }
            Action::ExpectMessage { subject, none: true } => self.no_message(subject).await,
            Action::ExpectMessage { subject, none: false } => self.one_message(subject).await,
            Action::ExpectMessages { subject, count } => self.messages(subject, *count).await,
            Action::ExpectLog(check) => self.printed(check).await,
            Action::Fault(_) | Action::Settle => Ok(Seen::Ok(Default::default())),
        }
    }

    /// Asks the driver, and puts on record what it was asked and what came of it.
    pub(in crate::e2e) async fn ask(&self, op: Op) -> Result<Outcome, Stop> {
        let oracles = self.scene.oracles;
        let begun = record::begin(self.scene.recorder, oracles, self.scene.driver.name(), &op);
        let performed = self.scene.driver.perform(op).await;
        let outcome = performed.map_err(|fault| self.failed(fault.to_string()))?;
        if let Some(begun) = begun {
            begun.end(&outcome);
        }
        Ok(outcome)
    }

    /// Subject, body and headers as the driver takes them.
    pub(in crate::e2e) fn message(
        &self,
        out: &Outgoing,
    ) -> Result<(String, String, Headers), Stop> {
        let body = self.bytes(&out.payload)?;
        Ok((out.subject.clone(), seen::base64(&body), out.headers.clone()))
    }

    /// A body as it is sent.
    pub(in crate::e2e) fn bytes(&self, payload: &Payload) -> Result<Vec<u8>, Stop> {
        Ok(match payload {
            Payload::Json(value) => value.to_string().into_bytes(),
            Payload::Text(text) => text.clone().into_bytes(),
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Filler(size) => vec![b'x'; *size],
            Payload::File(name) => {
                let fixture = self.scene.machine.shown_from.join(&*self.fixture.source.path);
                let folder = fixture.parent().unwrap_or(Path::new("."));
                let file = folder.join(name);
                inside::read(folder, &file, inside::LARGEST_BODY).map_err(|error| {
                    self.failed(format!("cannot read {}: {error}", file.display()))
                })?
            }
        })
    }
}

/// Whole milliseconds, as the driver protocol counts them.
pub(in crate::e2e) fn millis(duration: Duration) -> u64 {
    // A driver takes none for nothing that could be done in.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
