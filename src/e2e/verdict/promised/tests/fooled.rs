//! What somebody who tried to fool the judge got past it, once.

use super::*;
use crate::e2e::scenario::ast::promise::Ending;
use crate::e2e::verdict::promised::facts::{
    ASKED, EFFECT, GAP, IN_FLIGHT, InFlight, PROMISE as WORD,
};

/// The same as the suite declares it.
fn suites() -> Promise {
    Promise { own: false, ..promise() }
}

#[test]
fn an_effect_is_nobodys_where_no_such_operation_was_done_at_all() {
    let only_an_effect = |whole| {
        let mut told = Told(Vec::new());
        told.effect(5, "o-9", "shipped");
        told.end(whole);
        told
    };
    let (breach, message, evidence) = one(only_an_effect(true), &suites());
    assert_eq!((breach, evidence), (UNASKED, 1), "{message}");
    assert_eq!(message, "nobody asked for `o-9`: RECEIPTS sequence 5");
    // A program may have asked unseen, or others do such operations.
    assert_eq!(only_an_effect(false).judged(&suites()).findings, []);
    let ignored = serde_json::from_value(json!("ignore")).unwrap();
    let ignored = Promise { unasked: ignored, ..suites() };
    assert_eq!(only_an_effect(true).judged(&ignored).findings, []);
    // It went to the same subject in another way, or another promise has an operation with this key.
    let mut published = only_an_effect(true);
    let invoke = Invoke {
        process: "rust".to_owned(),
        op: 1,
        kind: Kind::Publish,
        subject: "orders.new".to_owned(),
        about: None,
    };
    published.0.insert(0, (1, What::Invoke(invoke)));
    assert_eq!(published.judged(&suites()).findings, []);
    let mut elsewhere = Told(Vec::new());
    elsewhere.invoke(1, 1, Some("o-9"));
    elsewhere.ok(2, 1);
    elsewhere.effect(3, "o-9", "shipped");
    elsewhere.fact(1, WORD, &Promise { name: "other".to_owned(), ..suites() });
    let effect = Effect {
        promise: "other".to_owned(),
        effect: 0,
        key: Some("o-9".to_owned()),
        value: None,
        absent_ns: None,
        place: "x".to_owned(),
    };
    elsewhere.fact(4, EFFECT, &effect);
    elsewhere.end(true);
    let judged = elsewhere.judged(&promise());
    assert_eq!(judged.findings.len(), 1, "{judged:#?}");
}

#[test]
fn an_effect_before_its_operation_is_of_something_else() {
    let early = |at| {
        good(move |told| {
            told.invoke(20, 3, Some("o-3"));
            told.ok(21, 3);
            told.effect(at, "o-3", "shipped");
        })
    };
    let (breach, message, evidence) = one(early(18), &promise());
    assert_eq!((breach, evidence), (UNASKED, 2), "{message}");
    let said = "`o-3` was done 2.0s before anybody asked for it: RECEIPTS sequence 18";
    assert_eq!(message, said);
    // Two clocks may differ by so much.
    assert_eq!(broken(&early(19).judged(&promise())), []);
    let mut known = early(19);
    for (_, what) in &mut known.0 {
        if let What::End(end) = what {
            end.clocks_us = Some(20);
        }
    }
    let (breach, _, evidence) = one(known, &promise());
    assert_eq!((breach, evidence), (UNASKED, 3), "the end says that the clocks agree");
    let ignored = serde_json::from_value(json!("ignore")).unwrap();
    assert_eq!(broken(&early(9).judged(&Promise { unasked: ignored, ..promise() })), []);
}

/// An effect of which it is not known whose it is may be the second of somebody's.
#[test]
fn an_effect_of_nobody_knows_whom_is_not_passed_over() {
    let keyless = || {
        good(|told| {
            let effect = Effect {
                promise: "order".to_owned(),
                effect: 0,
                key: None,
                value: None,
                absent_ns: None,
                place: "RECEIPTS sequence 8".to_owned(),
            };
            told.fact(8, EFFECT, &effect);
        })
    };
    let said = why(keyless(), &promise());
    assert_eq!(said, "1 effect in stream RECEIPTS had no key: whose they are is not known");
    // A program of a `run` step may have asked unseen.
    let mut unseen = good(|told| told.effect(8, "o-9", "shipped"));
    for (_, what) in &mut unseen.0 {
        if let What::End(end) = what {
            end.whole.remove(OPERATIONS);
        }
    }
    let said = why(unseen.clone(), &promise());
    assert!(said.starts_with("1 effect that no client asked for on record: a step"), "{said}");
    let ignored = serde_json::from_value(json!("ignore")).unwrap();
    let ignored = Promise { unasked: ignored, ..promise() };
    for told in [keyless(), unseen] {
        assert_eq!(told.judged(&ignored).findings[0].verdict, Verdict::Valid);
    }
}

#[test]
fn a_judge_that_saw_nothing_says_so() {
    let mut nothing = Told(Vec::new());
    nothing.invoke(1, 1, Some("o-1"));
    nothing.ok(2, 1);
    nothing.end(true);
    let at_most =
        Promise { times: serde_json::from_value(json!("at-most-once")).unwrap(), ..promise() };
    assert!(why(nothing, &at_most).starts_with("nothing was ever seen in stream RECEIPTS"));
    for surely in [true, false] {
        let mut refused = Told(Vec::new());
        refused.invoke(1, 1, Some("o-1"));
        refused.refused(2, 1, surely);
        refused.end(true);
        assert!(why(refused, &suites()).contains("was acknowledged: nothing was promised"));
    }
    let orderless = good(|told| {
        for (_, what) in &mut told.0 {
            if let What::Fact(fact) = what
                && fact.word == ASKED
            {
                let mut asked: Asked = fact.record.read().unwrap();
                asked.order = None;
                fact.record = Json::of(&asked).unwrap();
            }
        }
    });
    let said = "2 operations on `orders.new` had nothing at the place that `order` names";
    assert_eq!(why(orderless, &promise()), said);
}

#[test]
fn a_history_that_says_what_cannot_be_is_not_judged() {
    let wrong = |last: &dyn Fn(&mut Told)| good(last).read(&promise()).unwrap_err().to_string();
    let effect = |promise: &str, effect| Effect {
        promise: promise.to_owned(),
        effect,
        key: Some("o-1".to_owned()),
        value: None,
        absent_ns: None,
        place: "x".to_owned(),
    };
    let said = wrong(&|told| told.fact(8, EFFECT, &effect("ordre", 0)));
    assert_eq!(said, "history line 11: effect: there is no promise `ordre`");
    let said = wrong(&|told| told.fact(8, EFFECT, &effect("order", 1)));
    assert!(said.ends_with("there is no effect 1: `order` has 1 effect, from 0 on"), "{said}");
    let gap = Gap { promise: "order".to_owned(), effect: 7, why: "gone".to_owned() };
    let said = wrong(&|told| told.fact(8, GAP, &gap));
    assert!(said.contains("gap: there is no effect 7"), "{said}");
    let asked = |promise: &str, op| Asked {
        promise: promise.to_owned(),
        op,
        key: Some("o-1".to_owned()),
        order: None,
    };
    let said = wrong(&|told| told.fact(8, ASKED, &asked("order", 99)));
    assert!(said.contains("asked: there is no operation 99"), "{said}");
    let said = wrong(&|told| told.fact(8, ASKED, &asked("ordre", 1)));
    assert!(said.contains("asked: there is no promise `ordre`"), "{said}");
    let said = wrong(&|told| told.fact(8, WORD, &suites()));
    assert!(said.contains("promise: `order` is promised a second time"), "{said}");
    let none = Promise { effects: Vec::new(), name: "none".to_owned(), ending: None, ..suites() };
    let said = wrong(&|told| told.fact(8, WORD, &none));
    assert!(said.contains("promise: `none` has no effect"), "{said}");
    let ending = promise().ending.map(|ending| Ending { effect: 5, ..ending });
    let beyond = Promise { name: "beyond".to_owned(), ending, ..suites() };
    let said = wrong(&|told| told.fact(8, WORD, &beyond));
    assert!(said.contains("promise: there is no effect 5: `beyond` has 1 effect"), "{said}");
}

/// With these records whole, and no others.
fn with_whole(mut told: Told, whole: &[&str]) -> Told {
    for (_, what) in &mut told.0 {
        if let What::End(end) = what {
            end.whole = whole.iter().map(|name| (*name).to_owned()).collect();
        }
    }
    told
}

#[test]
fn an_effect_before_its_operation_may_be_of_somebody_unseen_and_is_not_passed_over() {
    let early = good(|told| {
        told.invoke(20, 3, Some("o-3"));
        told.ok(21, 3);
        told.effect(8, "o-3", "shipped");
    });
    let said = why(with_whole(early, &[EFFECTS]), &promise());
    assert!(said.starts_with("1 effect before any client on record asked for it"), "{said}");
}

#[test]
fn two_promises_may_have_their_effects_in_one_place() {
    let both = |place: &str| {
        let other = Promise { name: "other".to_owned(), ..promise() };
        let other = serde_json::to_string(&other).unwrap().replace("RECEIPTS", place);
        let other: Promise = serde_json::from_str(&other).unwrap();
        let mut told = good(|told| {
            told.invoke(8, 3, None);
            told.ok(9, 3);
            told.effect(10, "r-1", "shipped");
        });
        told.0.retain(|(at, what)| !(*at == 8 && matches!(what, What::Fact(_))));
        told.fact(0, WORD, &other);
        let promise = "other".to_owned();
        let key = Some("r-1".to_owned());
        told.fact(8, ASKED, &Asked { promise, op: 3, key, order: Some("c-1".to_owned()) });
        let end = told.0.iter().position(|(_, what)| matches!(what, What::End(_))).unwrap();
        let end = told.0.remove(end);
        told.0.push(end);
        told
    };
    let of_order = |told: Told| told.judged(&promise()).findings[0].verdict.is_invalid();
    assert!(!of_order(both("RECEIPTS")), "it is the other promise's");
    assert!(of_order(both("ELSEWHERE")));
}

#[test]
fn what_has_no_time_of_its_own_is_late_where_it_was_seen_absent_too_late() {
    let seen = |absent_ns: Option<u64>| {
        let second = 1_000_000_000;
        let told = good(|told| {
            told.invoke(8, 3, Some("o-3"));
            told.ok(9, 3);
            let effect = Effect {
                promise: "order".to_owned(),
                effect: 0,
                key: Some("o-3".to_owned()),
                value: Some("shipped".to_owned()),
                absent_ns: absent_ns.map(|at| at * second),
                place: "shipped.jsonl line 3".to_owned(),
            };
            told.fact(30, EFFECT, &effect);
        });
        broken(&told.judged(&promise())).iter().map(|(breach, _)| *breach).collect::<Vec<_>>()
    };
    assert_eq!(seen(None), [LATE]);
    assert_eq!(seen(Some(20)), [LATE]);
    assert_eq!(seen(Some(19)), [""; 0], "it may have come a moment later");
    assert_eq!(seen(Some(0)), [""; 0]);
}

#[test]
fn what_is_still_in_flight_may_be_done_again_or_at_last() {
    let busy = InFlight { why: "consumer w of stream S has 1 unacknowledged".to_owned() };
    let in_flight = |lost: bool| {
        good(|told| {
            if lost {
                told.invoke(8, 3, Some("o-3"));
                told.ok(9, 3);
            }
            told.fact(40, IN_FLIGHT, &busy);
        })
    };
    let said = why(in_flight(false), &promise());
    assert!(said.starts_with("what is in flight may be done once more: consumer w"), "{said}");
    let (breach, message, _) = one(in_flight(true), &promise());
    assert_eq!(breach, LOST);
    assert!(
        message.contains("is not in stream RECEIPTS; still in flight: consumer w"),
        "{message}"
    );
    let at_least = serde_json::from_value(json!("at-least-once")).unwrap();
    let at_least = Promise { times: at_least, ending: None, order: None, ..promise() };
    assert_eq!(broken(&in_flight(false).judged(&at_least)), []);
    assert!(!matches!(
        in_flight(false).judged(&at_least).findings[0].verdict,
        Verdict::Unknown { .. }
    ));
}
