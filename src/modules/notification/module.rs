//! The module: one queue group.

use std::sync::Arc;

use serde::Deserialize;

use super::mailer::{MailError, Mailer, MailerRule};
use super::service::check;
use super::types::Email;
use crate::mono::{Call, Module, Object, ServiceError, Services};

/// Settings of the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Workers in this process; default 1.
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
}

impl NotificationModule {
    /// The module with `workers` workers that send through `mailer`.
    pub fn new(workers: usize, mailer: Mailer) -> Self {
        Self { workers, mailer: Arc::new(mailer) }
    }
}

impl Module for NotificationModule {
    fn name(&self) -> &str {
        "notification"
    }

    fn register(&self, services: &mut Services) {
        let mailer = Arc::clone(&self.mailer);
        let send = move |Object(email): Object<Email>, call: Call| {
            let mailer = Arc::clone(&mailer);
            async move {
                check(&email).map_err(ServiceError::bad_request)?;
                mailer.send(&email, &call.worker).await.map_err(|e| match e {
                    MailError::Refused => ServiceError::bad_request(e.to_string()),
                    MailError::Journal(_) => ServiceError::internal(e.to_string()),
                })
            }
        };
        services
            .queue_group("email-send", "email-workers", Some("email-rejected"), send)
            .workers(self.workers);
    }
}
