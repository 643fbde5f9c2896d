//! The module: one stream consumer, one request-reply service, joined by the ledger.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::crash::{CrashPoints, CrashRule};
use super::finals::{Finals, Reply};
use super::gateway::{Chance, Gateway, GatewayRule};
use super::id::PaymentId;
use super::ledger::{Ledger, LedgerError};
use super::names;
use super::order::Order;
use super::process::Process;
use super::sabotage::{Liar, Sabotage};
use super::service;
use super::streams;
use super::types::StatusRequest;
use crate::modules::{bounded, deliveries::Deliveries, duration};
use crate::mono::{
    BoxFuture, Call, Module, ModuleError, Object, Registration, ServiceError, Services,
    StreamSettings,
};
use crate::wire::subjects::DEAD_LETTER_PREFIX;

/// Settings of the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Workers in this process, 1 to 256; default 1.
    #[serde(deserialize_with = "bounded::workers")]
    pub workers: usize,
    /// Payments that one worker has in hand at once, 1 to 4096; default 256.
    #[serde(deserialize_with = "bounded::concurrency")]
    pub concurrency: usize,
    /// How long a delivery may stay silent before another worker gets it; above 0, default 5 s.
    #[serde(deserialize_with = "bounded::above_zero")]
    pub ack_wait: Duration,
    /// How long a worker may be at work on one delivery before the payment is let go, for another
    /// worker to take; default 5 minutes. Less than `gateway_timeout` and a minute is raised to that,
    /// with a warning: a gateway that takes its time would never be heard.
    #[serde(with = "duration")]
    pub handle_limit: Duration,
    /// How often the gateway may fail a payment, 1 or more; default 5. Other trouble is not counted.
    #[serde(deserialize_with = "bounded::once_at_least")]
    pub max_deliver: u64,
    /// The wait after each failure, the last one repeats; default 100 ms to 5 s.
    #[serde(with = "duration::list")]
    pub backoff: Vec<Duration>,
    /// How long the gateway may take; above 0, default 10 s. After it the charge is unknown, and
    /// asked again with the same key.
    #[serde(deserialize_with = "bounded::above_zero")]
    pub gateway_timeout: Duration,
    /// Rules of the simulated gateway; the first that matches counts.
    pub gateway: Vec<GatewayRule>,
    /// Chance for payments that no rule matches; by default every payment is approved.
    pub chance: Chance,
    /// Crash points, for proofs only; none by default.
    pub crash: Vec<CrashRule>,
    /// Copies of each stream that is made, 1 to 5; default 1.
    #[serde(deserialize_with = "bounded::replicas")]
    pub replicas: usize,
}

impl Settings {
    /// The `handle_limit` that is kept.
    fn effective_handle_limit(&self) -> Duration {
        self.handle_limit.max(self.gateway_timeout.saturating_add(Duration::from_secs(60)))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            concurrency: 256,
            ack_wait: Duration::from_secs(5),
            handle_limit: Duration::from_secs(300),
            max_deliver: 5,
            backoff: [100, 500, 1000, 5000].map(Duration::from_millis).to_vec(),
            gateway_timeout: Duration::from_secs(10),
            gateway: Vec::new(),
            chance: Chance::default(),
            crash: Vec::new(),
            replicas: 1,
        }
    }
}

/// `services.payment.*`.
pub struct PaymentModule {
    settings: Settings,
    ledger: Ledger,
    gateway: Arc<Gateway>,
    crash: Arc<CrashPoints>,
    sabotage: Option<Sabotage>,
    deliveries: Deliveries,
}

impl PaymentModule {
    /// The module on this ledger and gateway.
    pub fn new(settings: Settings, ledger: Ledger, gateway: Gateway) -> Self {
        let crash = Arc::new(CrashPoints::default());
        let (gateway, deliveries) = (Arc::new(gateway), Deliveries::default());
        Self { settings, ledger, gateway, crash, sabotage: None, deliveries }
    }

    /// The same, noting what its workers begin with.
    #[must_use]
    pub fn noting(self, deliveries: Deliveries) -> Self {
        Self { deliveries, ..self }
    }

    /// The same, breaking its promises on purpose.
    #[must_use]
    pub fn sabotaged(self, sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..self }
    }

    /// The same, aborting its process where these say so.
    #[must_use]
    pub fn crashing_at(self, points: CrashPoints) -> Self {
        Self { crash: Arc::new(points), ..self }
    }
}

impl PaymentModule {
    fn register_status<'s>(&self, services: &'s mut Services) -> &'s mut Registration {
        let ledger = self.ledger.clone();
        let liar = Arc::new(Liar::new(self.sabotage));
        // Whoever lies does so anew each time.
        let finals = self.sabotage.is_none().then(|| Arc::new(Finals::default()));
        services
            .request_reply("status", move |Object(request): Object<StatusRequest>, _: Call| {
                let (ledger, liar, finals) = (ledger.clone(), Arc::clone(&liar), finals.clone());
                async move {
                    let asked = &request.payment_id;
                    if let Some(reply) = finals.as_ref().and_then(|finals| finals.get(asked)) {
                        return Ok(reply);
                    }
                    let id = PaymentId::new(asked).map_err(ServiceError::bad_request)?;
                    let internal = |e: LedgerError| ServiceError::internal(e.to_string());
                    // The entry is asked first: a status read in this order never moves back.
                    let entry = liar.entry(ledger.entry(&id).await.map_err(internal)?);
                    let intent = match entry {
                        Some(_) => None,
                        None => ledger.intent(&id).await.map_err(internal)?,
                    };
                    let reply = liar.reply(service::status(&id, entry, intent));
                    if let Some(finals) = &finals {
                        finals.keep(id, &reply);
                    }
                    Ok(Reply::Now(reply))
                }
            })
            .workers(self.settings.workers)
    }
}

impl Module for PaymentModule {
    fn name(&self) -> &str {
        "payment"
    }

    fn register(&self, services: &mut Services) {
        let s = &self.settings;
        let stream = StreamSettings {
            stream: streams::requests_stream(s.replicas),
            durable: names::CONSUMER.to_owned(),
            ack_wait: s.ack_wait,
            handle_limit: s.effective_handle_limit(),
            max_deliver: s.max_deliver,
            backoff: s.backoff.clone(),
            dead_letters: streams::dead_letters_stream(s.replicas),
            dead_letter_prefix: DEAD_LETTER_PREFIX.to_owned(),
            failures: streams::failures(s.replicas),
        };
        let process = Process {
            ledger: self.ledger.clone(),
            order: Order::new(self.ledger.clone()),
            gateway: Arc::clone(&self.gateway),
            gateway_timeout: s.gateway_timeout,
            crash: Arc::clone(&self.crash),
            sabotage: self.sabotage,
            deliveries: self.deliveries.clone(),
        };
        services
            .stream_consumer("payment-process", stream, process)
            .workers(s.workers)
            .bounds(s.concurrency, 0);

        self.register_status(services);
        if self.sabotage == Some(Sabotage::AnswerTwice) {
            self.register_status(services).in_group("payment-status-again");
        }
    }

    fn start(&self) -> BoxFuture<'_, Result<(), ModuleError>> {
        let (asked, kept) = (self.settings.handle_limit, self.settings.effective_handle_limit());
        if kept > asked && asked != Settings::default().handle_limit {
            tracing::warn!(
                "payment: handle_limit is {kept:?} rather than {asked:?}: a minute more than \
                 gateway_timeout, at least"
            );
        }
        Box::pin(async {
            let outcomes = self.ledger.prepare().await?;
            self.gateway.examine(outcomes).await;
            Ok(())
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // The broker may be away: a drain does not wait for it.
            let remembered = self.ledger.remember(true);
            match tokio::time::timeout(Duration::from_secs(1), remembered).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "what the streams hold is not on record"),
                Err(_) => tracing::warn!("what the streams hold is not on record: no answer"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_not_let_go_before_its_gateway_had_its_time() {
        for (settings, kept) in [
            ("", 300),
            (r#"handle_limit = "2m""#, 120),
            (r#"handle_limit = "30s""#, 70),
            (r#"gateway_timeout = "10m""#, 660),
            ("gateway_timeout = \"10m\"\nhandle_limit = \"20m\"", 1200),
        ] {
            let found: Settings = toml::from_str(settings).unwrap();
            assert_eq!(found.effective_handle_limit(), Duration::from_secs(kept), "{settings}");
        }
    }
}
