//! The built-in modules, made from settings: the one place that knows all three.

use std::path::Path;

use serde::Deserialize;

use super::exit::{CliError, Exit};
use super::refused::who;
use crate::broker::Role;
use crate::modules::deliveries::Deliveries;
use crate::modules::journal::Journal;
use crate::modules::{math, notification, payment};
use crate::mono::{App, Connection, ModuleError, Running, StartError, remedy};
use crate::wire::journal::EmailRecord;

/// Settings of the modules: a table each, as in `[payment]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub math: math::Settings,
    pub notification: notification::Settings,
    pub payment: payment::Settings,
}

impl Settings {
    /// Reads TOML.
    ///
    /// # Errors
    /// The parser's words, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
    }

    /// The same number of workers for each module.
    pub fn set_workers(&mut self, workers: usize) {
        self.math.workers = workers;
        self.notification.workers = workers;
        self.payment.workers = workers;
    }
}

/// Copies of each stream in a cluster: one node may be lost.
pub const REPLICAS: usize = 3;

/// Settings of modules on a cluster, where nobody says otherwise: a table each.
pub fn on_a_cluster() -> toml::Table {
    toml::Table::from_iter([(
        "payment".to_owned(),
        toml::Table::from_iter([("replicas".to_owned(), toml::Value::from(REPLICAS as i64))])
            .into(),
    )])
}

/// Options of the services for proofs; by default all off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof {
    /// Break promises on purpose.
    pub sabotage: Option<payment::Sabotage>,
    /// Note what workers begin with.
    pub note_deliveries: bool,
}

/// The content hash of a payment, from the body of its submission.
pub fn payment_content(body: &[u8]) -> Option<String> {
    let request: payment::PaymentRequest = serde_json::from_slice(body).ok()?;
    payment::Payment::check(&request).ok().map(|payment| payment.content())
}

/// How the workers of emails break their promises, where they do.
fn of_emails(sabotage: payment::Sabotage) -> Option<notification::Sabotage> {
    Some(match sabotage {
        payment::Sabotage::Reorder => notification::Sabotage::OutOfOrder,
        payment::Sabotage::EmailTwice => notification::Sabotage::Twice,
        payment::Sabotage::UnaskedEmail => notification::Sabotage::Unasked,
        _ => return None,
    })
}

/// What the modules keep, and where.
#[derive(Debug, Clone)]
pub struct Keeping<'a> {
    /// The folder of their journals.
    pub journals: &'a Path,
    /// Each of their lines is synced.
    pub synced: bool,
    /// The streams are in a store folder of our own: what they held is remembered.
    pub durable: bool,
    /// The store was made just now, with the broker: it has no stream yet.
    pub is_new: bool,
    /// Streams that were lost are made anew.
    pub recreate: bool,
    /// Where it is told whether the broker stores anything.
    pub refusals: payment::Refusals,
}

impl<'a> Keeping<'a> {
    /// For as long as a temporary broker lives.
    pub fn for_now(journals: &'a Path) -> Self {
        let refusals = payment::Refusals::default();
        Self { journals, synced: false, durable: false, is_new: true, recreate: false, refusals }
    }
}

/// Makes the streams of payments, or adopts what is there, and names the system: the same for all who
/// join it, by whatever URL, and another one for another account or a new store. Its journals are
/// found by that.
///
/// The claims say it: while they are there, so may charges be that nobody else remembers, and without
/// them the ledger still keeps what was settled from being charged again.
///
/// # Errors
/// As [`start`], for the streams.
pub async fn system(
    connection: &Connection,
    settings: &Settings,
    recreate: bool,
) -> Result<String, CliError> {
    let ledger = payment::Ledger::new(connection.clone(), settings.payment.replicas);
    let ledger = ledger.recreating(recreate);
    asked(connection, ledger.claims_made_at()).await.map(|made| format!("system-{made}"))
}

/// What the streams of payments hold now.
///
/// # Errors
/// As [`start`], for the streams.
pub async fn streams(connection: &Connection) -> Result<payment::Seen, CliError> {
    asked(connection, payment::Seen::now(connection)).await
}

/// What came of asking for streams, or the server's refusal.
async fn asked<T>(
    connection: &Connection,
    asking: impl Future<Output = Result<T, ModuleError>>,
) -> Result<T, CliError> {
    let module = "payment".to_owned();
    let answer = tokio::select! {
        biased;
        evidence = connection.denied() => Err(StartError::Denied { evidence }),
        answer = asking => answer.map_err(|source| StartError::Module { module, source }),
    };
    answer.map_err(not_started)
}

fn not_started(error: StartError) -> CliError {
    match &error {
        StartError::Denied { .. } => {
            let hint = remedy(&error.to_string(), None);
            let hint = hint.map_or_else(|| who(Role::Worker, None), str::to_owned);
            CliError::new(Exit::Connection, error).hint(hint)
        }
        _ => CliError { hint: error.hint(), ..CliError::new(Exit::Infrastructure, error) },
    }
}

/// Starts `math` alone, which needs no stream and keeps nothing.
///
/// # Errors
/// As [`start`].
pub async fn start_math(connection: &Connection) -> Result<Running, CliError> {
    let math = math::MathModule::new(math::Settings::default());
    App::new().module(math).start(connection.clone()).await.map_err(not_started)
}

/// Starts the modules on a connection.
pub async fn start(
    connection: &Connection,
    settings: Settings,
    keeping: Keeping<'_>,
    proof: Proof,
) -> Result<Running, CliError> {
    let Keeping { journals, synced, durable, is_new, recreate, refusals } = keeping;
    crate::private::folder(journals).map_err(|e| {
        CliError::infrastructure(&format!("use the journal folder {}", journals.display()), e)
            .about(&["journal-dir", "store-dir"])
    })?;
    let journal = |name: &str| {
        Journal::open(journals.join(name), synced).map_err(|e| {
            CliError::new(Exit::Infrastructure, e).about(&["journal-dir", "store-dir"])
        })
    };
    let (charges, emails) = (journal("gateway.jsonl")?, journal("mailer.jsonl")?);
    emails.examine::<EmailRecord>(None).await;
    let mailer = notification::Mailer::new(settings.notification.mailer, emails);
    let ledger = payment::Ledger::new(connection.clone(), settings.payment.replicas)
        .remembering(durable.then(|| payment::Books::beside(journals)))
        .recreating(recreate)
        .in_new_store(is_new)
        .synced(durable)
        .telling(refusals);
    let gateway =
        payment::Gateway::new(settings.payment.gateway.clone(), settings.payment.chance, charges);
    let crash = payment::CrashPoints::new(settings.payment.crash.clone(), || {
        Journal::open(journals.join("crashes.jsonl"), synced)
    })
    .map_err(|e| CliError::new(Exit::Infrastructure, e))?;
    let deliveries = match proof.note_deliveries {
        true => Deliveries::noted(&journals.join("deliveries.jsonl"))
            .map_err(|e| CliError::new(Exit::Infrastructure, e))?,
        false => Deliveries::default(),
    };
    App::new()
        .module(math::MathModule::new(settings.math))
        .module(
            notification::NotificationModule::new(settings.notification.workers, mailer)
                .noting(deliveries.clone())
                .sabotaged(proof.sabotage.and_then(of_emails)),
        )
        .module(
            payment::PaymentModule::new(settings.payment, ledger, gateway)
                .crashing_at(crash)
                .noting(deliveries)
                .sabotaged(proof.sabotage),
        )
        .start(connection.clone())
        .await
        .map_err(not_started)
}
