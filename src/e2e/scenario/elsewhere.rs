//! `broker = { url = "nats://…" }`: a broker that somebody else runs, and what a scenario cannot have there.

use super::ast::check::CheckKind;
use super::ast::elsewhere::Elsewhere;
use super::ast::hazard::Hazards;
use super::ast::scenario::{Fixture, Leaks, ProxyTable};
use super::ast::service::Ready;
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::text::span::Span;
use crate::mono::{one_server, without_secrets};

/// What says how a broker is started.
const OF_OWN: [&str; 5] = ["max_payload", "cluster", "auth", "port", "config"];
const NOT_OURS: &str = "`url` names a broker that somebody else runs";

/// The key `url`, if it is there; what goes only with a broker of the run's own is refused beside it.
pub(in crate::e2e) fn url(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Elsewhere> {
    let text = fields.text("url", findings)?;
    for key in OF_OWN.iter().filter(|key| fields.get(key).is_some()) {
        let message = format!("`{key}` does not go with `url`");
        let help = format!("{NOT_OURS}: it has its settings already");
        findings.add_with_help(fields.key_span(key), message, help);
    }
    match one_server(&text) {
        Ok((url, login)) => {
            let (user, secret) = login.map_or((None, None), |(user, secret)| (user, Some(secret)));
            let is_token = user.is_none() && secret.is_some();
            Some(Elsewhere {
                url: if is_token { text.clone() } else { url },
                token: secret.clone().filter(|_| is_token),
                login: user.zip(secret),
                shown: without_secrets(&text),
            })
        }
        Err(why) => {
            let help = "as in `url = \"nats://127.0.0.1:4222\"`";
            findings.add_with_help(fields.span_of("url"), why, help);
            None
        }
    }
}

/// Refuses what a scenario says and cannot have there; `proxy` is what it says itself.
pub(in crate::e2e) fn check(
    fixture: &Fixture,
    proxy: ProxyTable,
    top: &Fields<'_, '_>,
    findings: &mut Findings,
) {
    if fixture.broker.url.is_none() {
        return;
    }
    let mut refuse = |span: Span, what: &str, why: &str| {
        let message = format!("{what} needs a broker of the run's own");
        findings.add_with_help(span, message, format!("{NOT_OURS}: {why}"));
    };
    if proxy.client || proxy.services {
        refuse(top.span_of("proxy"), "`proxy`", "nothing is put between it and its clients");
    }
    if let Some(explore) = &fixture.explore {
        refuse(explore.span.clone(), "`explore`", "nobody sees which message passes");
    }
    for check in fixture.checks.iter().filter(|c| matches!(c.kind, CheckKind::Schema { .. })) {
        refuse(check.span.clone(), "a check of a `schema`", "it does not log its messages");
    }
    for service in &fixture.commands {
        let word = match service.ready {
            Ready::Connected(_) => "connected",
            Ready::Subscribes(_) => "subscribes",
            _ => continue,
        };
        let what = format!("`ready = {{ {word} = … }}` of `{}`", service.name);
        let why = "it does not say who of its clients is the service; `line`, `subject`, `service`, \
                   `consumer` and `http` go with it";
        refuse(top.span_of("broker"), &what, why);
    }
    said(fixture.leaks.as_ref(), fixture.hazards.as_ref(), findings);
}

/// Leaks and hazards are looked for in what a broker logs and counts, which here is not the run's alone.
pub(in crate::e2e) fn said(
    leaks: Option<&(Leaks, Span)>,
    hazards: Option<&(Hazards, Span)>,
    findings: &mut Findings,
) {
    let leaks = leaks.filter(|(leaks, _)| *leaks != Leaks::Ignore).map(|(_, span)| ("leaks", span));
    let hazards = hazards
        .filter(|(hazards, _)| *hazards != Hazards::Ignore)
        .map(|(_, span)| ("hazards", span));
    for (word, span) in leaks.into_iter().chain(hazards) {
        let message = format!("`{word}` needs a broker of the run's own");
        let help = format!("{NOT_OURS}: what others do there is not told apart");
        findings.add_with_help(span.clone(), message, help);
    }
}
