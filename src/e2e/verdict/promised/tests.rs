mod fooled;

use serde::Serialize;
use serde_json::json;

use super::facts::{Asked, EFFECTS, Effect, Gap};
use super::*;
use crate::e2e::record::history::event::{
    End, Event, Fault, Invoke, Kind, OPERATIONS, Phase, Refusal, Reply, What,
};
use crate::e2e::record::history::json::Json;
use crate::e2e::record::history::reader::History;
use crate::e2e::scenario::ast::promise::{Promise, Times};
use crate::e2e::verdict::finding::{Verdict, Violation};

/// A promise that asks for everything there is.
fn promise() -> Promise {
    serde_json::from_value(json!({
        "name": "order", "own": true,
        "operation": { "verb": "submit", "on": "orders.new" },
        "key": { "pointer": "/id" },
        "effects": [{ "at": { "stream": { "names": ["RECEIPTS"] } }, "key": { "pointer": "/id" } }],
        "times": "once", "within_ms": 10_000, "order": { "pointer": "/customer" },
        "final": { "effect": 0, "value": { "pointer": "/status" }, "among": ["shipped", "refused"] },
        "unasked": "fail",
    }))
    .unwrap()
}

/// What happens, second by second.
#[derive(Clone)]
struct Told(Vec<(u64, What)>);

impl Told {
    fn fact(&mut self, at: u64, word: &str, record: &impl Serialize) {
        let record = Json::of(record).unwrap();
        self.0.push((at, What::Fact(Fact { word: word.to_owned(), record })));
    }

    fn invoke(&mut self, at: u64, op: u64, key: Option<&str>) {
        self.0.push((
            at,
            What::Invoke(Invoke {
                process: "rust".to_owned(),
                op,
                kind: Kind::Submit,
                subject: "orders.new".to_owned(),
                about: None,
            }),
        ));
        let asked = Asked {
            promise: "order".to_owned(),
            op,
            key: key.map(str::to_owned),
            order: Some("c-1".to_owned()),
        };
        self.fact(at, facts::ASKED, &asked);
    }

    fn ok(&mut self, at: u64, op: u64) {
        let reply =
            Reply { process: "rust".to_owned(), op, sequence: Some(op), ..Reply::default() };
        self.0.push((at, What::Ok(reply)));
    }

    fn refused(&mut self, at: u64, op: u64, surely: bool) {
        let refusal = Refusal { process: "rust".to_owned(), op, reason: "no".to_owned() };
        self.0.push((at, if surely { What::Fail(refusal) } else { What::Unknown(refusal) }));
    }

    fn effect(&mut self, at: u64, key: &str, value: &str) {
        let effect = Effect {
            promise: "order".to_owned(),
            effect: 0,
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
            absent_ns: None,
            place: format!("RECEIPTS sequence {at}"),
        };
        self.fact(at, facts::EFFECT, &effect);
    }

    fn fault(&mut self, at: u64, phase: Phase) {
        self.0
            .push((at, What::Fault(Fault { name: "kill-services".to_owned(), phase, hit: None })));
    }

    fn end(&mut self, whole: bool) {
        let whole = [EFFECTS, OPERATIONS].into_iter().filter(|_| whole).map(str::to_owned);
        self.0.push((90, What::End(End { whole: whole.collect(), ..End::default() })));
    }

    fn judged(self, promise: &Promise) -> Judged {
        self.read(promise).unwrap()
    }

    fn read(mut self, promise: &Promise) -> Result<Judged, Unreadable> {
        self.fact(0, facts::PROMISE, promise);
        let end = self.0.iter().position(|(_, what)| matches!(what, What::End(_)));
        let promised = self.0.pop().unwrap();
        self.0.insert(0, promised);
        assert!(end.is_some());
        let seconds = |(at, what)| (at * 1_000_000_000, what);
        let history = History::from_events(self.0.into_iter().map(seconds));
        Declared.judge(&Index::new(&history.events), Policy::default())
    }
}

/// Two orders of one customer, done in order.
fn good(last: impl FnOnce(&mut Told)) -> Told {
    let mut told = Told(Vec::new());
    told.invoke(1, 1, Some("o-1"));
    told.ok(2, 1);
    told.invoke(3, 2, Some("o-2"));
    told.ok(4, 2);
    told.effect(5, "o-1", "pending");
    told.effect(6, "o-1", "shipped");
    told.effect(7, "o-2", "refused");
    last(&mut told);
    told.end(true);
    told
}

fn broken(judged: &Judged) -> Vec<(&'static str, &Violation)> {
    let shown = judged.findings.iter().flat_map(|finding| match &finding.verdict {
        Verdict::Invalid { shown, .. } => shown.as_slice(),
        _ => &[],
    });
    shown.map(|violation| (violation.breach, violation)).collect()
}

/// The one way in which it is broken, and its sentence.
fn one(told: Told, promise: &Promise) -> (&'static str, String, usize) {
    let judged = told.judged(promise);
    let [(breach, violation)] = broken(&judged)[..] else { panic!("{judged:#?}") };
    (breach, violation.message.clone(), violation.evidence.len())
}

#[test]
fn what_is_kept_is_valid_and_is_counted() {
    let judged = good(|_| {}).judged(&promise());
    assert_eq!(judged.findings[0].verdict, Verdict::Valid, "{judged:#?}");
    assert_eq!(judged.findings[0].looked_at, 2);
    let figures = &judged.figures["promises"]["order"];
    for (name, many) in [("acknowledged", 2), ("done", 2), ("lost", 0), ("twice", 0)] {
        assert_eq!(figures[name], many, "{figures}");
        assert_eq!(judged.figures[name], many);
    }
    assert_eq!(figures["slowest_ms"], 5000, "{figures}");
    assert_eq!(figures["after_last_fault_ms"], 3000, "{figures}");
    let name = judged.findings[0].name.as_deref();
    assert_eq!(name, Some("order: once, stream RECEIPTS"));
}

/// Each way in which a promise can be broken, from a history in which nothing else is.
#[test]
fn each_breach_is_found_with_the_smallest_evidence() {
    let p = promise();
    let lost = good(|told| {
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
        told.fault(7, Phase::Begin);
        told.fault(8, Phase::End);
    });
    let (breach, message, evidence) = one(lost, &p);
    assert_eq!((breach, evidence), (LOST, 3), "{message}");
    let said = "`o-3` was acknowledged to rust (sequence 3), and is not in stream RECEIPTS; broken \
                meanwhile: kill-services";
    assert_eq!(message, said);

    let (breach, message, evidence) = one(good(|told| told.effect(8, "o-1", "shipped")), &p);
    assert_eq!((breach, evidence), (TWICE, 2), "{message}");
    assert!(message.contains("2 times in stream RECEIPTS"), "{message}");
    assert!(message.contains("RECEIPTS sequence 6 and RECEIPTS sequence 8"), "{message}");

    let (breach, message, evidence) = one(good(|told| told.effect(8, "o-9", "shipped")), &p);
    assert_eq!((breach, evidence), (UNASKED, 1), "{message}");

    let refused = good(|told| {
        told.invoke(7, 3, Some("o-3"));
        told.refused(8, 3, true);
        told.effect(9, "o-3", "shipped");
    });
    let (breach, message, evidence) = one(refused, &p);
    assert_eq!((breach, evidence), (UNASKED, 3), "{message}");

    let open = good(|told| {
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
        told.effect(9, "o-3", "pending");
    });
    let (breach, message, evidence) = one(open, &p);
    assert_eq!((breach, evidence), (NOT_FINAL, 4), "{message}");
    assert!(message.contains("the last word is `pending`"), "{message}");

    let (breach, message, evidence) = one(good(|told| told.effect(8, "o-1", "pending")), &p);
    assert_eq!((breach, evidence), (CHANGED_AFTER_FINAL, 2), "{message}");
    let (breach, message, _) = one(good(|told| told.effect(8, "o-1", "refused")), &p);
    assert_eq!(breach, CHANGED_AFTER_FINAL, "{message}");

    let late = good(|told| {
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
        told.effect(19, "o-3", "shipped");
    });
    let (breach, message, evidence) = one(late, &p);
    assert_eq!((breach, evidence), (LATE, 2), "{message}");
    assert!(message.contains("done 11.0s after the last operation"), "{message}");
    assert!(!message.contains("broken"), "{message}");

    // What is broken while it is late is named; what had ended before is not.
    for (until, is_named) in [(None, true), (Some(15), true), (Some(6), false)] {
        let late = good(|told| {
            told.fault(5, Phase::Begin);
            if let Some(6) = until {
                told.fault(6, Phase::End);
            }
            told.invoke(7, 3, Some("o-3"));
            told.ok(8, 3);
            if let Some(15) = until {
                told.fault(15, Phase::End);
            }
            told.effect(30, "o-3", "shipped");
        });
        let (breach, message, _) = one(late, &p);
        assert_eq!(breach, LATE, "{message}");
        // From the end of the fault at 15 on, nothing is broken.
        let is_named = is_named && until != Some(15);
        assert_eq!(message.contains("broken meanwhile: kill-services"), is_named, "{message}");
    }

    let mut swapped = Told(Vec::new());
    swapped.invoke(1, 1, Some("o-1"));
    swapped.ok(2, 1);
    swapped.invoke(3, 2, Some("o-2"));
    swapped.ok(4, 2);
    swapped.effect(5, "o-2", "shipped");
    swapped.effect(6, "o-1", "shipped");
    swapped.end(true);
    let (breach, message, evidence) = one(swapped, &p);
    assert_eq!((breach, evidence), (OUT_OF_ORDER, 5), "{message}");
}

#[test]
fn what_is_lost_is_told_with_the_nearest_faults_and_where_it_was_seen_instead() {
    let p = promise();
    let lost = good(|told| {
        told.invoke(20, 3, Some("o-3"));
        told.ok(21, 3);
        for (at, name) in [(20, "first"), (22, "second"), (40, "third"), (50, "a"), (60, "b")] {
            let fault = Fault { name: name.to_owned(), phase: Phase::Begin, hit: None };
            told.0.push((at, What::Fault(fault)));
        }
        told.effect(23, "O-3", "shipped");
    });
    let judged = lost.judged(&p);
    let said = broken(&judged);
    let lost = said.iter().find(|(breach, _)| *breach == LOST).unwrap();
    let message = &lost.1.message;
    assert!(message.contains("nobody's has the key `O-3`: RECEIPTS sequence 23"), "{message}");
    assert!(message.ends_with("broken meanwhile: first, second, third"), "{message}");

    let mut two = promise();
    two.effects.push(two.effects[0].clone());
    let elsewhere = good(|told| {
        for (at, effect) in [(8, 1), (9, 0)] {
            let (promise, key) = ("order".to_owned(), Some(format!("o-{}", 1 + effect)));
            let (value, place) = (None, format!("OTHER sequence {at}"));
            told.fact(
                at,
                facts::EFFECT,
                &Effect { promise, effect, key, value, absent_ns: None, place },
            );
        }
    });
    let judged = elsewhere.judged(&two);
    let messages: Vec<_> = broken(&judged).iter().map(|(_, v)| v.message.clone()).collect();
    let told = "it is in RECEIPTS sequence 5";
    assert!(messages.iter().any(|message| message.contains(told)), "{messages:#?}");
}

#[test]
fn what_may_be_is_no_breach() {
    let mut p = promise();
    // One of unknown outcome may be done, or not.
    let unknown = good(|told| {
        told.invoke(7, 3, Some("o-3"));
        told.refused(8, 3, false);
        told.invoke(7, 4, Some("o-4"));
        told.refused(8, 4, false);
        told.effect(9, "o-4", "shipped");
    });
    assert_eq!(broken(&unknown.judged(&p)), []);
    // After a fault there is time again.
    let faulty = good(|told| {
        told.fault(9, Phase::Begin);
        told.fault(15, Phase::End);
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
        told.effect(24, "o-3", "shipped");
    });
    assert_eq!(broken(&faulty.judged(&p)), []);
    p.times = serde_json::from_value(json!("at-least-once")).unwrap();
    assert_eq!(broken(&good(|told| told.effect(8, "o-1", "shipped")).judged(&p)), []);
    p.times = serde_json::from_value(json!("at-most-once")).unwrap();
    let lost = |told: &mut Told| {
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
    };
    assert_eq!(broken(&good(lost).judged(&p)), []);
    p.unasked = serde_json::from_value(json!("ignore")).unwrap();
    assert_eq!(broken(&good(|told| told.effect(8, "o-9", "shipped")).judged(&p)), []);
}

/// Why it is not known.
fn why(told: Told, promise: &Promise) -> String {
    let judged = told.judged(promise);
    match &judged.findings[0].verdict {
        Verdict::Unknown { why } => why.join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_told_is_unknown_and_never_valid() {
    let p = promise();
    let nothing = |whole| {
        let mut told = Told(Vec::new());
        told.end(whole);
        told
    };
    assert!(why(nothing(true), &p).contains("no `submit orders.new` was done"));
    let mut suites = p.clone();
    suites.own = false;
    assert_eq!(nothing(true).judged(&suites).findings, [], "it is not about this scenario");
    let cut = good(|_| {}).0.into_iter().filter(|(_, what)| !matches!(what, What::End(_)));
    let mut cut = Told(cut.collect());
    cut.end(false);
    assert!(why(cut, &p).contains("ends before the effects were looked for"));
    let keyless = good(|told| {
        told.invoke(7, 3, None);
        told.ok(8, 3);
    });
    assert!(why(keyless, &p).contains("1 operation on `orders.new` had no key"));
    let gap = good(|told| {
        let gap = Gap { promise: "order".to_owned(), effect: 0, why: "3 are gone".to_owned() };
        told.fact(8, facts::GAP, &gap);
        told.invoke(7, 3, Some("o-3"));
        told.ok(8, 3);
    });
    assert_eq!(why(gap, &p), "3 are gone");
    // What is gone may have been in time, and in order.
    for earlier in [None, Some("o-2")] {
        let mut late = Told(Vec::new());
        for (op, key) in [(1, "o-1"), (2, "o-2")] {
            late.invoke(op, op, Some(key));
            late.ok(op, op);
        }
        earlier.into_iter().for_each(|key| late.effect(5, key, "shipped"));
        ["o-1", "o-2"].into_iter().for_each(|key| late.effect(19, key, "shipped"));
        let gap = Gap { promise: "order".to_owned(), effect: 0, why: "3 are gone".to_owned() };
        late.fact(20, facts::GAP, &gap);
        late.end(true);
        let mut p = p.clone();
        p.times = Times::AtLeastOnce;
        assert_eq!(why(late, &p), "3 are gone");
    }
    let mut refused = Told(Vec::new());
    refused.invoke(1, 1, Some("o-1"));
    refused.refused(2, 1, true);
    refused.end(true);
    assert!(why(refused, &p).contains("was acknowledged: nothing was promised"));
}

#[test]
fn events_have_the_shapes_that_are_documented() {
    let event: Event = serde_json::from_str(
        "{\"seq\":1,\"at_ns\":1,\"asked\":{\"promise\":\"order\",\"op\":7,\"key\":\"o-7\",\"order\":\"c-1\"}}",
    )
    .unwrap();
    let What::Fact(fact) = event.what else { panic!() };
    assert!(matches!(facts::Known::of(&fact), Ok(Some(facts::Known::Asked(_)))));
}
