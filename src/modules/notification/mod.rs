//! Notification: queue group, fire-and-forget. `services.notification.email-send`.

mod client;
mod mailer;
mod module;
mod sabotage;
mod service;
mod types;

pub use client::EmailClient;
pub use mailer::{MailError, Mailer, MailerRule};
pub use module::{NotificationModule, Settings, WORKERS};
pub use sabotage::Sabotage;
pub use service::check;
pub use types::Email;
