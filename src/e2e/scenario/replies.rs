//! `replies` and `unordered` of a `request`: so many replies and no more.

use serde_json::{Value, json};

use super::ast::step::Expect;
use super::findings::Findings;
use super::messages;
use super::reader::Fields;

/// How many there are to be; `None` where the step does not say.
pub(in crate::e2e) fn read(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<u32> {
    if let (Some(_), Some(_)) = (fields.get("replies"), fields.get("unordered")) {
        let message = "`unordered` says how many there are: `replies` does not go with it";
        findings.add(fields.key_span("replies"), message);
    }
    if let (Some(_), Some(_)) = (fields.get("reply"), fields.get("unordered")) {
        let message = "`unordered` has the bodies: `reply` does not go with it";
        findings.add(fields.key_span("reply"), message);
    }
    let none = "`error = \"no_responders\"` says that there is none";
    messages::bodies(fields, none, findings);
    fields.count("replies", 1, findings).or_else(|| listed(fields))
}

fn listed(fields: &Fields<'_, '_>) -> Option<u32> {
    u32::try_from(fields.get("unordered")?.get_ref().as_array()?.len()).ok()
}

/// What is expected of each of several, or of their bodies in any order; of one it stays as it is.
pub(in crate::e2e) fn expects(
    exact: bool,
    one: Vec<Expect>,
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Expect> {
    // Told by `read`.
    let count = fields.count("replies", 1, &mut Findings::default());
    let many = match count.or_else(|| listed(fields)) {
        Some(many) if many > 1 || fields.get("unordered").is_some() => many as usize,
        _ => return one,
    };
    let of_each = one.into_iter().map(|expect| match expect.key {
        "reply" => Expect { key: "bodies", pattern: all(&expect.pattern, many), ..expect },
        "reply_headers" => Expect { key: "headers", pattern: all(&expect.pattern, many), ..expect },
        _ => expect,
    });
    let mut expects: Vec<Expect> = of_each.collect();
    if let Some(bodies) = fields.pattern("unordered", findings) {
        let (key, span) = ("bodies", fields.span_of("unordered"));
        expects.push(Expect { key, span, pattern: json!({ "#unordered": bodies }), exact });
    }
    expects
}

fn all(pattern: &Value, many: usize) -> Value {
    vec![pattern.clone(); many].into()
}
