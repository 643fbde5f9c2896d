//! `status`: what the `serve` processes of this user run, and whether they answer.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::running::{self, Runtime};
use crate::broker::Role;

pub async fn run(context: &Context, output: &Output) -> Result<Exit, CliError> {
    let living = running::all("status", context)?;
    let (mut objects, mut silent) = (Vec::new(), 0);
    for runtime in &living {
        let answers = match running::open(runtime, Role::Client).await {
            Ok(connection) => {
                connection.close(running::CLOSES).await;
                Ok(())
            }
            Err(why) => Err(why),
        };
        silent += usize::from(answers.is_err());
        show(runtime, answers.as_ref().err().map(String::as_str), output);
        objects.push(object(runtime, answers.as_ref().err().map(String::as_str)));
    }
    output.object(&json!({ "ok": silent == 0, "serve": objects }));
    Ok(if silent == 0 { Exit::Success } else { Exit::Connection })
}

fn show(runtime: &Runtime, silent: Option<&str>, output: &Output) {
    let Runtime { process, since_ms, version, .. } = runtime;
    let whether = match silent {
        None => "serves".to_owned(),
        Some(why) => format!("does not answer: {why}"),
    };
    let version = version.as_deref().unwrap_or("of an older version");
    output.line(format!("serve (pid {}, mono-demo {version}) {whether}", process.pid));
    let now = Duration::from_millis(Runtime::now_ms().saturating_sub(*since_ms));
    output.line(format!("  since     {}, for {}", date(*since_ms), spoken(now)));
    output.line(format!("  services  {}", runtime.modules.join(", ")));
    output.line(format!("  url       {}", runtime.url));
    let broker = runtime.broker_version.as_deref().unwrap_or("of unknown version");
    let whose = if runtime.runs_broker { "its own" } else { "joined" };
    output.line(format!("  broker    nats-server {broker}, {whose}"));
    if let Some(store) = &runtime.store {
        let kept = if store.kept { "kept" } else { "temporary" };
        output.line(format!("  store     {} ({kept})", store.folder.display()));
    }
    output.line(format!("  journals  {}", runtime.journals.display()));
}

fn object(runtime: &Runtime, silent: Option<&str>) -> Value {
    json!({
        "pid": runtime.process.pid,
        "version": runtime.version,
        "serves": silent.is_none(),
        "why_not": silent,
        "since": date(runtime.since_ms),
        "since_ms": runtime.since_ms,
        "services": runtime.modules,
        "url": runtime.url,
        "broker": { "version": runtime.broker_version, "own": runtime.runs_broker, "name": runtime.name },
        "store": runtime.store,
        "journals": runtime.journals,
    })
}

/// As RFC 3339 has it, to the second.
fn date(ms: u64) -> String {
    let found = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    found.map_or_else(|| "an unknown time".to_owned(), |time| format!("{time:.0}"))
}

/// `2 d 3 h`, `3 h 4 min`, `4 min 5 s`, `5 s`.
fn spoken(span: Duration) -> String {
    let s = span.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_span_are_told_to_people() {
        assert_eq!(date(1_700_000_000_123), "2023-11-14T22:13:20Z");
        let told = |s| spoken(Duration::from_secs(s));
        assert_eq!(told(5), "5 s");
        assert_eq!(told(245), "4 min 5 s");
        assert_eq!(told(3 * 3600 + 240), "3 h 4 min");
        assert_eq!(told(2 * 86_400 + 3 * 3600), "2 d 3 h");
    }
}
