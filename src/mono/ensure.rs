//! Creates a stream or a consumer, or uses an existing one; repeats the request while a cluster
//! elects.
//!
//! A cluster that has no leader yet drops the question, and of two instances that ask for the same
//! new stream at once, one may get no answer. Both questions can be asked again without harm.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{Config, ConsumerError, ConsumerErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, consumer};

use super::connect::Connection;
use super::error::ModuleError;
use super::overlap;
use super::remedy::remedy;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For the first answer; for the next twice as long, up to `last_answer`.
    first_answer: Duration,
    /// For one answer at most.
    last_answer: Duration,
    /// Between a refusal and the next question: the end of an election cannot be observed from here.
    pause: Duration,
    /// For an answer that is not about an election.
    all: Duration,
}

/// An answer takes milliseconds, or never comes; the longest election seen took 8 s.
const ELECTION: Patience = Patience {
    first_answer: Duration::from_millis(500),
    last_answer: Duration::from_secs(2),
    pause: Duration::from_millis(50),
    all: Duration::from_secs(30),
};

/// The stream, made if it does not exist.
///
/// # Errors
/// [`ModuleError`]: at once for a refusal, after 30 s where nobody answers.
pub async fn stream(connection: &Connection, config: &Config) -> Result<Stream, ModuleError> {
    let question = Question {
        operation: format!("create stream `{}`", config.name),
        denied: denied(connection, &config.name),
    };
    let jetstream = connection.jetstream();
    let made = question
        .ask(ELECTION, || jetstream.get_or_create_stream(config), answer_about_stream)
        .await;
    named(connection, config, made).await
}

/// What was made, or the refusal with the streams that stand in the way.
async fn named(
    connection: &Connection,
    config: &Config,
    made: Result<Stream, ModuleError>,
) -> Result<Stream, ModuleError> {
    match made {
        Ok(stream) => Ok(stream),
        Err(error) => Err(overlap::explained(connection, config, error).await),
    }
}

/// The same for one that is not there, as far as is known: it is made, and where somebody was quicker, that
/// one is found.
///
/// # Errors
/// As [`stream`].
pub async fn new_stream(connection: &Connection, config: &Config) -> Result<Stream, ModuleError> {
    let question = Question {
        operation: format!("create stream `{}`", config.name),
        denied: denied(connection, &config.name),
    };
    let jetstream = connection.jetstream();
    let made = || async {
        match jetstream.create_stream(config).await {
            Err(error) if is_taken(&error) => jetstream.get_or_create_stream(config).await,
            made => made,
        }
    };
    let made = question.ask(ELECTION, made, answer_about_stream).await;
    named(connection, config, made).await
}

fn is_taken(error: &CreateStreamError) -> bool {
    let CreateStreamErrorKind::JetStream(error) = error.kind() else { return false };
    error.error_code() == ErrorCode::STREAM_NAME_EXIST
}

/// What an answer about a stream says.
fn answer_about_stream(error: &CreateStreamError) -> Refusal {
    match error.kind() {
        CreateStreamErrorKind::TimedOut => Refusal::NoAnswer,
        CreateStreamErrorKind::JetStream(error) => Refusal::Code(error.error_code()),
        _ => Refusal::Other,
    }
}

/// The stream of this name; `None` where there is none.
///
/// # Errors
/// As [`stream`].
pub async fn find(connection: &Connection, name: &str) -> Result<Option<Stream>, ModuleError> {
    let question =
        Question { operation: format!("find stream `{name}`"), denied: denied(connection, name) };
    let jetstream = connection.jetstream();
    let look = || async {
        match jetstream.get_stream(name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(e)
                    if e.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    };
    let refusal = |error: &GetStreamError| match error.kind() {
        GetStreamErrorKind::JetStream(error) => Refusal::Code(error.error_code()),
        _ => Refusal::Other,
    };
    question.ask(ELECTION, look, refusal).await
}

/// A consumer that reads the stream from its first message, for as long as somebody reads.
///
/// # Errors
/// As [`stream`], but a denial is told as no answer.
pub async fn reader(
    stream: &Stream,
) -> Result<consumer::Consumer<consumer::pull::OrderedConfig>, ModuleError> {
    let operation = format!("read stream `{}`", stream.cached_info().config.name);
    let question = Question { operation, denied: std::future::pending() };
    let made = || stream.create_consumer(consumer::pull::OrderedConfig::default());
    question.ask(ELECTION, made, answer_about_consumer).await
}

/// The pull consumer: created if it does not exist, otherwise corrected and resumed.
///
/// # Errors
/// As [`stream`].
pub(crate) async fn pull_consumer(
    connection: &Connection,
    stream: &Stream,
    config: &consumer::pull::Config,
) -> Result<(), ModuleError> {
    let durable = config.durable_name.as_deref().unwrap_or_default();
    let name = &stream.cached_info().config.name;
    let question = Question {
        operation: format!("create consumer `{durable}` on stream `{name}`"),
        denied: denied(connection, name),
    };
    let made = || async {
        let consumer = stream.create_consumer(config.clone()).await?;
        // A pause is not a setting, and stays when the settings are updated.
        if consumer.cached_info().paused {
            stream.resume_consumer(durable).await?;
            tracing::warn!("consumer `{durable}` on stream `{name}` was paused; resumed");
        }
        Ok(())
    };
    question.ask(ELECTION, made, answer_about_consumer).await
}

fn answer_about_consumer(error: &ConsumerError) -> Refusal {
    match error.kind() {
        ConsumerErrorKind::TimedOut => Refusal::NoAnswer,
        ConsumerErrorKind::JetStream(error) => Refusal::Code(error.error_code()),
        _ => Refusal::Other,
    }
}

/// The server's words when it denies a request about a stream; the request itself gets no reply.
async fn denied(connection: &Connection, stream: &str) -> String {
    let words = connection.denied().await;
    if words.contains(stream) { words } else { std::future::pending().await }
}

/// What came back instead of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nothing in time.
    NoAnswer,
    /// JetStream's own.
    Code(ErrorCode),
    Other,
}

impl Refusal {
    /// Whether it says "not now": there is no leader, or none answers.
    fn is_election(self) -> bool {
        match self {
            Self::NoAnswer => true,
            Self::Code(code) => {
                [ErrorCode::CLUSTER_NOT_AVAILABLE, ErrorCode::CLUSTER_NOT_LEADER].contains(&code)
            }
            Self::Other => false,
        }
    }

    fn code(self) -> Option<u64> {
        match self {
            Self::Code(ErrorCode(code)) => Some(code),
            Self::NoAnswer | Self::Other => None,
        }
    }
}

/// What to do where JetStream does not answer, or not this account, or has no more for it.
fn hint(evidence: &str, code: Option<u64>) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| evidence.contains(word));
    let is = |known: ErrorCode| code == Some(known.0);
    let absent = || {
        if is(ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT) || says(&["not enabled for account"]) {
            return Some(
                "the server runs JetStream, and not for this account: set `jetstream: enabled` in the \
                 account, in the server's configuration",
            );
        }
        let is_absent = is(ErrorCode::JETSTREAM_NOT_ENABLED)
            || says(&["no responders", "resource does not exist", "not enabled"]);
        is_absent.then_some(
            "the server does not run JetStream, or not for this account: start it as `nats-server -js`",
        )
    };
    remedy(evidence, code).or_else(absent)
}

/// What is asked of JetStream.
struct Question<D> {
    operation: String,
    /// Ends when the server denies it.
    denied: D,
}

impl<D: Future<Output = String>> Question<D> {
    /// Asks until there is an answer that is not about an election.
    async fn ask<T, E, F>(
        self,
        patience: Patience,
        question: impl Fn() -> F,
        refusal: impl Fn(&E) -> Refusal,
    ) -> Result<T, ModuleError>
    where
        F: Future<Output = Result<T, E>>,
        E: std::fmt::Display,
    {
        let Self { operation, denied } = self;
        let mut denied = pin!(denied);
        let began = std::time::Instant::now();
        let mut limit = patience.first_answer;
        loop {
            let answer = tokio::select! {
                biased;
                answer = tokio::time::timeout(limit, question()) => answer,
                evidence = &mut denied => return Err(ModuleError::new(operation, evidence)),
            };
            let evidence = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if refusal(&error).is_election() => error.to_string(),
                Ok(Err(error)) => {
                    let code = refusal(&error).code();
                    let hint = hint(&error.to_string(), code).map(str::to_owned);
                    return Err(ModuleError { code, hint, ..ModuleError::new(operation, error) });
                }
                Err(_) => format!("no answer within {limit:?}"),
            };
            if began.elapsed() >= patience.all {
                let evidence = format!("{evidence}; asked again for {:?}", patience.all);
                return Err(ModuleError::new(operation, evidence));
            }
            tracing::info!(%operation, %evidence, "asking again");
            tokio::time::sleep(patience.pause).await;
            limit = (limit * 2).min(patience.last_answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Said(super::Refusal);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused")
        }
    }

    /// However long a busy machine lets it wait.
    const LONG: Patience = Patience {
        first_answer: Duration::from_millis(50),
        last_answer: Duration::from_millis(80),
        pause: Duration::from_millis(1),
        all: Duration::from_secs(60),
    };
    const SHORT: Patience = Patience { all: Duration::from_millis(500), ..LONG };

    /// How often it was asked, and what came of it.
    async fn asked(
        patience: Patience,
        answer: impl Fn(u32) -> Option<Result<u32, Said>>,
    ) -> (u32, Result<u32, String>) {
        let count = Cell::new(0);
        let question = || {
            count.set(count.get() + 1);
            let answer = answer(count.get());
            async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
        };
        let denied = std::future::pending();
        let asking = Question { operation: "ask".to_owned(), denied };
        let result = asking.ask(patience, question, |e: &Said| e.0).await;
        (count.get(), result.map_err(|e| e.to_string()))
    }

    #[tokio::test]
    async fn only_an_election_is_waited_for_and_not_for_ever() {
        let refused = |code| Some(Err(Said(super::Refusal::Code(code))));
        let elects = ErrorCode::CLUSTER_NOT_AVAILABLE;
        let (count, result) =
            asked(LONG, |n| if n < 4 { refused(elects) } else { Some(Ok(n)) }).await;
        assert_eq!((count, result), (4, Ok(4)));
        let (count, result) = asked(LONG, |n| if n < 3 { None } else { Some(Ok(n)) }).await;
        assert_eq!((count, result), (3, Ok(3)));
        let (count, result) = asked(LONG, |_| refused(ErrorCode::STREAM_NOT_FOUND)).await;
        assert_eq!((count, result), (1, Err("ask: refused".to_owned())));
        let (_, result) = asked(SHORT, |_| None).await;
        let error = result.unwrap_err();
        assert!(error.starts_with("ask: no answer within "), "{error}");
        assert!(error.ends_with("; asked again for 500ms"), "{error}");
    }
}
