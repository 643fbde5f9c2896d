//! The module: one queue group.

use std::sync::Arc;

use serde::Deserialize;

use super::mailer::{MailError, Mailer, MailerRule};
use super::sabotage::{Overtaking, Sabotage};
use super::service::check;
use super::types::Email;
use crate::modules::{bounded, deliveries::Deliveries};
use crate::mono::{Call, Module, Object, ServiceError, Services};
use crate::wire::journal::{DeliveryRecord, email_id};
use crate::wire::subjects::EMAIL_SEND;

const QUEUE_GROUP: &str = "email-workers";

/// The queue group of the workers.
pub const WORKERS: &str = "email-workers";

/// Settings of the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Workers in this process, 1 to 256; default 1.
    #[serde(deserialize_with = "bounded::workers")]
    pub workers: usize,
    /// Rules of the simulated mailer; the first that matches counts.
    pub mailer: Vec<MailerRule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { workers: 1, mailer: Vec::new() }
    }
}

/// `services.notification.*`.
pub struct NotificationModule {
    workers: usize,
    mailer: Arc<Mailer>,
    deliveries: Deliveries,
    sabotage: Option<Sabotage>,
}

impl NotificationModule {
    /// The module with `workers` workers that send through `mailer`.
    pub fn new(workers: usize, mailer: Mailer) -> Self {
        let deliveries = Deliveries::default();
        Self { workers, mailer: Arc::new(mailer), deliveries, sabotage: None }
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
}

impl Module for NotificationModule {
    fn name(&self) -> &str {
        "notification"
    }

    fn register(&self, services: &mut Services) {
        let mailer = Arc::clone(&self.mailer);
        let (deliveries, sabotage) = (self.deliveries.clone(), self.sabotage);
        let overtaking: Option<Arc<Overtaking>> =
            (sabotage == Some(Sabotage::OutOfOrder)).then(Arc::default);
        let send = move |Object(email): Object<Email>, call: Call| {
            let (mailer, deliveries) = (Arc::clone(&mailer), deliveries.clone());
            let overtaking = overtaking.clone();
            async move {
                let _turn = match &overtaking {
                    Some(overtaking) => Some(overtaking.turn().await),
                    None => None,
                };
                check(&email).map_err(ServiceError::bad_request)?;
                deliveries.note(|at| delivery(at, &email, &call.worker)).await;
                if let Some(beside) = sabotage.and_then(|sabotage| sabotage.beside(&email)) {
                    let _ = mailer.send(&beside, &call.worker).await;
                }
                mailer.send(&email, &call.worker).await.map_err(|e| match e {
                    MailError::Refused => ServiceError::bad_request(e.to_string()),
                    MailError::Journal(_) => ServiceError::internal(e.to_string()),
                })
            }
        };
        services
            .queue_group("email-send", QUEUE_GROUP, Some("email-rejected"), send)
            .workers(self.workers);
    }
}

fn delivery(at: String, email: &Email, worker: &str) -> DeliveryRecord {
    DeliveryRecord {
        at,
        worker: worker.to_owned(),
        subject: EMAIL_SEND.to_owned(),
        message: email_id(&email.to, &email.subject),
        queue_group: Some(QUEUE_GROUP.to_owned()),
        sequence: None,
        attempt: 1,
    }
}
