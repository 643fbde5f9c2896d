//! The variables of a step: filled in before it is done, and which of them it uses.

use std::collections::BTreeSet;

use super::ast::step::{Action, Expect, Outgoing, Payload, Program};
use crate::broker::{Fault, Matching};
use crate::e2e::text::matcher::canonical;
use crate::e2e::text::template;

/// The action of a step with its variables filled in.
pub(in crate::e2e) fn filled(action: &Action, variables: &template::Variables) -> Action {
    let text = |text: &str| template::fill_text(text, variables);
    let outgoing = |out: &Outgoing| Outgoing {
        subject: text(&out.subject),
        payload: match &out.payload {
            Payload::Json(value) => Payload::Json(template::fill(value, variables)),
            Payload::Text(body) => Payload::Text(text(body)),
            other => other.clone(),
        },
        headers: out
            .headers
            .iter()
            .map(|(name, values)| (name.clone(), values.iter().map(|v| text(v)).collect()))
            .collect(),
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
            match &out.payload {
                Payload::Json(value) => text(&canonical(value)),
                Payload::Text(body) => text(body),
                _ => {}
            }
            out.headers.values().flatten().for_each(|value| text(value));
        }
        Action::Run(program) => program.texts().for_each(&mut text),
        Action::Fault(Fault { messages: Some(messages), .. }) => {
            let said = [&messages.subject, &messages.header, &messages.body];
            said.into_iter().flatten().for_each(|part| text(part));
        }
        _ => {}
    }
    expects.iter().for_each(|expect| text(&canonical(&expect.pattern)));
    names
}
