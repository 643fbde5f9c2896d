//! The variables of a step: filled in before it is done, and which of them it uses.

use std::collections::BTreeSet;

use super::ast::beside::{Http, Kv, Object};
use super::ast::held::LogCheck;
use super::ast::payload::Payload;
use super::ast::step::{Action, Expect, Outgoing, Program};
use crate::broker::{Fault, Matching};
use crate::e2e::text::matcher::canonical;
use crate::e2e::text::template;
use crate::wire::driver::Headers;

/// The action of a step with its variables filled in.
pub(in crate::e2e) fn filled(action: &Action, variables: &template::Variables) -> Action {
    let text = |text: &str| template::fill_text(text, variables);
    let payload = |payload: &Payload| match payload {
        Payload::Json(value) => Payload::Json(template::fill(value, variables)),
        Payload::Text(body) => Payload::Text(text(body)),
        other => other.clone(),
    };
    let headers = |headers: &Headers| {
        let filled = headers
            .iter()
            .map(|(name, values)| (name.clone(), values.iter().map(|v| text(v)).collect()));
        filled.collect::<Headers>()
    };
    let outgoing = |out: &Outgoing| Outgoing {
        subject: text(&out.subject),
        payload: payload(&out.payload),
        headers: headers(&out.headers),
        reply_to: out.reply_to.as_deref().map(text),
    };
    match action {
        Action::Call { method, args, kwargs } => Action::Call {
            method: text(method),
            args: args.iter().map(|arg| template::fill(arg, variables)).collect(),
            kwargs: template::fill_map(kwargs, variables),
        },
        Action::Request(out) => Action::Request(outgoing(out)),
        Action::Publish(out) => Action::Publish(outgoing(out)),
        Action::Submit(out) => Action::Submit(outgoing(out)),
        Action::Kv(kv) => Action::Kv(Kv {
            bucket: text(&kv.bucket),
            key: text(&kv.key),
            value: payload(&kv.value),
            revision: kv.revision.as_ref().map(|revision| template::fill(revision, variables)),
            ..*kv
        }),
        Action::Object(object) => Action::Object(Object {
            store: text(&object.store),
            name: text(&object.name),
            put: object.put.as_ref().map(payload),
        }),
        Action::Http(http) => Action::Http(Http {
            url: text(&http.url),
            body: payload(&http.body),
            headers: headers(&http.headers),
            ..*http
        }),
        Action::Run(program) => Action::Run(Program {
            words: program.words.iter().map(|arg| text(arg)).collect(),
            cwd: program.cwd.as_deref().map(text),
            env: program.env.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }),
        Action::ExpectMessage { subject, none } => {
            Action::ExpectMessage { subject: text(subject), none: *none }
        }
        // Subscribed to before anything was saved.
        Action::ExpectMessages { .. } => action.clone(),
        Action::ExpectLog(log) => {
            Action::ExpectLog(LogCheck { matches: text(&log.matches), ..log.clone() })
        }
        Action::Fault(fault) => Action::Fault(fault_filled(fault, variables)),
        Action::Settle => action.clone(),
    }
}

/// A fault with its variables filled in.
pub(in crate::e2e) fn fault_filled(fault: &Fault, variables: &template::Variables) -> Fault {
    let text = |text: &String| template::fill_text(text, variables);
    let messages = fault.messages.as_ref().map(|messages| Matching {
        subject: messages.subject.as_ref().map(text),
        header: messages.header.as_ref().map(text),
        body: messages.body.as_ref().map(text),
        ..messages.clone()
    });
    Fault { messages, ..fault.clone() }
}

/// The names that a step's action and expectations use.
pub(in crate::e2e) fn used(action: &Action, expects: &[Expect]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut text = |text: &str| names.extend(template::names(text).into_iter().map(str::to_owned));
    // Each part as one line of JSON, in which a name is still a name.
    match action {
        Action::Call { method, args, kwargs } => {
            text(method);
            text(&canonical(&args.clone().into()));
            text(&canonical(&kwargs.clone().into()));
        }
        Action::Request(out) | Action::Publish(out) | Action::Submit(out) => {
            text(&out.subject);
            sent(&out.payload, &mut text);
            out.headers.values().flatten().chain(&out.reply_to).for_each(|value| text(value));
        }
        Action::Kv(kv) => {
            [&kv.bucket, &kv.key].into_iter().for_each(|part| text(part));
            sent(&kv.value, &mut text);
            kv.revision.iter().for_each(|revision| text(&canonical(revision)));
        }
        Action::Object(object) => {
            [&object.store, &object.name].into_iter().for_each(|part| text(part));
            object.put.iter().for_each(|payload| sent(payload, &mut text));
        }
        Action::Http(http) => {
            text(&http.url);
            sent(&http.body, &mut text);
            http.headers.values().flatten().for_each(|value| text(value));
        }
        Action::Run(program) => program.texts().for_each(&mut text),
        Action::ExpectLog(log) => text(&log.matches),
        Action::Fault(Fault { messages: Some(messages), .. }) => {
            let said = [&messages.subject, &messages.header, &messages.body];
            said.into_iter().flatten().for_each(|part| text(part));
        }
        _ => {}
    }
    expects.iter().for_each(|expect| text(&canonical(&expect.pattern)));
    names
}

fn sent(payload: &Payload, text: &mut impl FnMut(&str)) {
    match payload {
        Payload::Json(value) => text(&canonical(value)),
        Payload::Text(body) => text(body),
        _ => {}
    }
}
