//! What the pure hot paths take. By the clock: `cargo bench --bench hot_paths`, with criterion. In
//! instructions, which nothing else on the machine changes: `cargo xtask instructions`, which runs this
//! program with `count NAME N`.

#[path = "../tests/history/model/mod.rs"]
#[expect(dead_code, reason = "the tests of the history use more of it")]
mod model;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use mono_demo::broker::subject_matches;
use mono_demo::e2e::record::history::History;
use mono_demo::e2e::scenario::format;
use mono_demo::e2e::text::{Data, Name, Source, compare};
use mono_demo::e2e::verdict::{Policy, check, in_words_of};
use mono_demo::e2e::{scenario, scenario::Context};
use mono_demo::modules::math;
use mono_demo::modules::payment::{Money, PaymentRequest};
use mono_demo::proof::Proof;
use serde_json::json;

use model::{Size, valid_history};

/// Prepares a path, and says how to go it once.
type Path = fn() -> Box<dyn FnMut()>;

/// All of them. `xtask/src/instructions.rs` has how many instructions each may take.
const PATHS: [(&str, Path); 8] = [
    ("matcher", matcher),
    ("fixture", fixture),
    ("format", formatting),
    ("transcript", transcript),
    ("history", history),
    ("judge", judge),
    ("request", request),
    ("subject", subject),
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let ["count", name, times] = args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        let found = PATHS.iter().find(|(path, _)| path == name).ok_or("there is no such path")?;
        let mut once = found.1();
        (0..times.parse::<u32>()?).for_each(|_| once());
        return Ok(());
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (name, prepare) in PATHS {
        let mut once = prepare();
        criterion.bench_function(name, |bencher| bencher.iter(&mut once));
    }
    criterion.final_summary();
    Ok(())
}

/// A pattern of twenty orders over their JSON, read each time.
fn matcher() -> Box<dyn FnMut()> {
    let order =
        |n: u32| json!({ "id": format!("o-{n}"), "at": "2026-01-02T03:04:05Z", "total": 12.50 });
    let seen = json!({ "orders": (0..20).map(order).collect::<Vec<_>>() }).to_string();
    let one = |n: u32| json!({ "id": format!("o-{n}"), "at": "#timestamp", "total": "#number" });
    let pattern = json!({ "orders": (0..20).map(one).collect::<Vec<_>>() });
    Box::new(move || {
        let seen = Data::read(black_box(seen.as_bytes()));
        compare(&pattern, &seen, false, "reply").expect("it matches");
    })
}

const FIXTURE: &str = include_str!("../fixtures/math/division-by-zero.toml");

/// A fixture to its scenario.
fn fixture() -> Box<dyn FnMut()> {
    Box::new(|| {
        let name = Name::new("math/division-by-zero").expect("a name");
        let source = Source::new("division-by-zero.toml", black_box(FIXTURE));
        black_box(scenario::parse(name, source, &Context::default()).expect("it makes sense"));
    })
}

/// The same as `e2e fmt` writes it.
fn formatting() -> Box<dyn FnMut()> {
    Box::new(|| {
        let source = Source::new("division-by-zero.toml", black_box(FIXTURE));
        black_box(format(&source, &[]).expect("it has a form"));
    })
}

/// A golden text with matchers over the transcript of a hundred steps.
fn transcript() -> Box<dyn FnMut()> {
    let lines = |reply: &str| -> String {
        (0..100).map(|n| format!("step {n}: call orders.get o-{n}\n  = {reply}\n")).collect()
    };
    let golden = lines(r##"{ "id": "#string", "total": "#number" }"##);
    let seen = lines(r#"{ "id": "o-7", "total": 12.50 }"#);
    Box::new(move || {
        let told = in_words_of(black_box(golden.trim_end()), black_box(seen.trim_end()));
        assert_eq!(told, golden.trim_end());
    })
}

fn a_history() -> History {
    valid_history(Size { seed: 1, payments: 40, emails: 20, requests: 10, late: true })
}

/// A history of some 600 events, from its lines.
fn history() -> Box<dyn FnMut()> {
    let lines = a_history().to_json_lines().expect("it can be written");
    Box::new(move || drop(black_box(History::read(black_box(lines.as_ref())))))
}

/// The same, judged.
fn judge() -> Box<dyn FnMut()> {
    let history = a_history();
    let oracle: [Arc<dyn mono_demo::e2e::verdict::promises::Promises>; 1] =
        [Arc::new(Proof::default())];
    Box::new(move || {
        let report = check(black_box(&history), Policy::default(), &oracle).expect("it is judged");
        assert_eq!(report.word(), "valid");
    })
}

/// A payment and a sum from their bytes.
fn request() -> Box<dyn FnMut()> {
    Box::new(|| {
        let body = black_box(br#"{"payment_id":"pay-001","amount":9.99,"currency":"EUR"}"#);
        let payment: PaymentRequest = mono_demo::mono::decode(body).expect("it is a payment");
        let money = Money::parse(payment.amount.get(), "EUR");
        black_box(money.expect("it is an amount"));
        let body = black_box(br#"{"operation":"add","a":10,"b":5}"#);
        let sum: math::Request = mono_demo::mono::decode(body).expect("it is a sum");
        black_box(math::calculate(&sum).expect("it has a result"));
    })
}

/// A thousand subjects against a pattern.
fn subject() -> Box<dyn FnMut()> {
    let subjects: Vec<String> = (0..1000).map(|n| format!("orders.eu.{n}.created")).collect();
    Box::new(move || {
        let matched = subjects.iter().filter(|on| subject_matches(black_box("orders.*.*.>"), on));
        assert_eq!(matched.count(), 1000);
    })
}
