//! Faults by message: what becomes of which messages, and whose.

use super::findings::Findings;
use super::reader::Fields;
use crate::broker::{Fate, Fault, Matching, MessageKind, Side, Turn, What};

/// What goes with every fault by message.
const KEYS: [&str; 8] = ["what", "subject", "header", "body", "of", "nth", "every", "times"];

/// `delay` is about messages where it says `what`.
pub(in crate::e2e) fn meant(what: What, fields: &Fields<'_, '_>) -> What {
    match what {
        What::Delay { latency, .. } if fields.get("what").is_some() => {
            What::Message(Fate::Delay(latency))
        }
        what => what,
    }
}

/// The keys that go with one.
pub(in crate::e2e) fn takes(fate: Fate) -> Vec<&'static str> {
    let own: &[&str] = match fate {
        Fate::Delay(_) => &["latency"],
        Fate::Disconnect(_) => &["when"],
        _ => &[],
    };
    [&KEYS, own].concat()
}

/// Which messages, and whose. Under a load, `times` is how often there is such a fault.
pub(in crate::e2e) fn read(
    what: What,
    fields: &Fields<'_, '_>,
    with_times: bool,
    findings: &mut Findings,
) -> Fault {
    let kinds = MessageKind::ALL.map(|kind| (kind.word(), kind));
    let kind = fields.one_of("what", "kind of message", &kinds, findings);
    if fields.get("what").is_none() {
        let message = format!("`{}` must say which messages: `what`", what.word());
        let help = format!("it is one of {}", kinds.map(|(word, _)| word).join(", "));
        findings.add_with_help(fields.span.clone(), message, help);
    }
    let (nth, every) = (fields.count("nth", 1, findings), fields.count("every", 1, findings));
    if nth.is_some() && every.is_some() {
        let message = "`nth` and `every` both say which of those that match";
        findings.add_with_help(fields.key_span("every"), message, "take one of them");
    }
    let messages = Matching {
        kind: kind.unwrap_or(MessageKind::Publish),
        subject: subject(fields, findings),
        header: header(fields, findings),
        body: fields.text("body", findings),
        turn: every.map_or(Turn::Nth(nth.unwrap_or(1)), Turn::Every),
        times: fields.count("times", 1, findings).filter(|_| with_times),
    };
    let (on, service) = whose(fields, findings);
    Fault { on, service, messages: Some(messages), ..Fault::new(what) }
}

fn subject(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let subject = fields.text("subject", findings)?;
    let blank = |c: char| c.is_whitespace() || c.is_control();
    if subject.split('.').any(|token| token.is_empty() || token.contains(blank)) {
        let message = format!("`{subject}` is not a subject");
        let help =
            "tokens with dots between them, as in \"orders.new\", \"orders.*\" or \"orders.>\"";
        findings.add_with_help(fields.value_span("subject"), message, help);
    }
    Some(subject)
}

fn header(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let header = fields.text("header", findings)?;
    let name = header.split(':').next().unwrap_or_default();
    if name.is_empty() || name.contains(|c: char| !c.is_ascii_graphic()) {
        let message = format!("`{header}` is not a header");
        let help = "its name, as in \"Nats-Msg-Id\", or name and value, as in \"Nats-Msg-Id: o-7\"";
        findings.add_with_help(fields.value_span("header"), message, help);
    }
    Some(header)
}

/// `of = "client"`, or the name of a service.
fn whose(fields: &Fields<'_, '_>, findings: &mut Findings) -> (Option<Side>, Option<String>) {
    let Some(name) = fields.text("of", findings) else { return (None, None) };
    if name == Side::Client.word() {
        return (Some(Side::Client), None);
    }
    if !findings.services.contains(&name) {
        let services = findings.services.clone();
        let known: Vec<&str> =
            [Side::Client.word()].into_iter().chain(services.iter().map(String::as_str)).collect();
        findings.unknown(fields.value_span("of"), "client or service", &name, &known);
    }
    (Some(Side::Services), Some(name))
}
