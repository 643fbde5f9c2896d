//! Random input for every parser: nothing panics, nothing hangs, and accepted input can be written
//! and read again.
//!
//! Each target replays `tests/corpus/<target>/` and then a bounded number of mutations of it;
//! `PROPTEST_CASES=100000` makes it a long run. What is found goes into that folder.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mono_demo::e2e::record::history::History;
use mono_demo::e2e::scenario;
use mono_demo::e2e::session::{Comparison, Golden};
use mono_demo::e2e::text::Schemas;
use mono_demo::e2e::text::{Name, Source};
use mono_demo::e2e::verdict::Policy;
use mono_demo::modules::duration;
use mono_demo::modules::payment::{Money, Payment, PaymentRequest};
use mono_demo::proof::{CHECKS, Proof};
use mono_demo::wire::driver::{Command, Reply};
use mono_demo::wire::{headers, subjects};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestCaseError, TestRunner};

/// The most that one input may take; a debug build on a busy machine is far below.
const HANGS_AFTER: Duration = Duration::from_secs(2);
/// The most that a target's mutations take, unless `PROPTEST_CASES` asks for more of them.
const BUDGET: Duration = Duration::from_secs(4);

/// What breaks parsers.
const PIECES: [&[u8]; 34] = [
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"\r\n",
    b"-",
    b"e999",
    b"99999999999999999999",
    b"null",
    b"NaN",
    b"'''",
    b"\"\"\"",
    b"#",
    b"=",
    b".",
    b"\xe2\x80\xae",
    b"\\ud800",
    b"{{n}}",
    b"{{",
    b"}}",
    b",",
    b":",
    b"---\n",
    b"\x1b[31m",
    b"0",
];

#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Insert(Index, usize, usize),
    Remove(Index, usize),
    Double(Index, usize),
    Cut(Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), 0..PIECES.len(), prop_oneof![9 => 1..3usize, 1 => 1..2000usize])
            .prop_map(|(at, piece, times)| Edit::Insert(at, piece, times)),
        (any::<Index>(), 1..40usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1..80usize).prop_map(|(at, length)| Edit::Double(at, length)),
        any::<Index>().prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 0..6)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = bytes.len();
        let place = |at: &Index| at.index(length + 1);
        match edit {
            Edit::Set(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Edit::Set(..) => {}
            Edit::Insert(at, piece, times) => {
                let at = place(at);
                bytes.splice(at..at, PIECES[*piece].repeat(*times));
            }
            Edit::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(length));
            }
            Edit::Double(at, count) => {
                let at = place(at);
                let again = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, again);
            }
            Edit::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{} has {} files only", folder.display(), files.len());
    files
}

/// Replays the corpus of a target, then mutates it.
fn fuzz(target: &str, run: impl Fn(&[u8])) {
    let timed = |input: &[u8]| {
        let started = Instant::now();
        run(input);
        assert!(started.elapsed() < HANGS_AFTER, "{:?} for one input", started.elapsed());
    };
    let corpus = corpus(target);
    for (_, input) in &corpus {
        timed(input);
    }
    let started = Instant::now();
    let asked_for_more = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig::default();
    let cases = if asked_for_more { config.cases } else { 3000 };
    let config = ProptestConfig { cases, failure_persistence: None, ..config };
    let inputs = prop_oneof![
        8 => (any::<Index>(), edits())
            .prop_map(|(of, edits)| edited(of.get(&corpus).1.clone(), &edits)),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "\\PC{0,60}".prop_map(String::into_bytes),
    ];
    let ended = TestRunner::new(config).run(&inputs, |input| {
        if asked_for_more || started.elapsed() < BUDGET {
            timed(&input);
        }
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = ended {
        panic!("{error}\nthe input belongs into tests/corpus/{target}/");
    }
}

/// As much of it as is text.
fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[test]
fn fixtures_are_read_or_every_mistake_is_shown() {
    let validate = |settings: &toml::Table| {
        settings.get("payment").map_or(Ok(()), |_| Err("no payments here".to_owned()))
    };
    let context = scenario::Context {
        validate_services: &validate,
        variables: ["n".to_owned()].into(),
        clients: ["rust".to_owned()].into(),
        defaults: Default::default(),
        promises: Default::default(),
        checks: CHECKS,
        leaders: true,
        schema: &|word| Schemas::default().find(word),
        include: &|_| Ok("params = [\"id\"]\n[[step]]\nsubmit = \"{{id}}\"\n".to_owned()),
        services: Default::default(),
        commands: None,
    };
    fuzz("fixture", |input| {
        let name = Name::new("any/name").unwrap();
        if let Err(error) = scenario::parse(name, Source::new("any.toml", &text(input)), &context) {
            assert!(!error.problems.is_empty());
            assert!(error.to_string().contains("error"));
        }
    });
}

#[test]
fn driver_lines_are_read_and_written_alike_or_refused() {
    fuzz("driver", |input| {
        if let Ok(command) = serde_json::from_slice::<Command>(input) {
            let line = serde_json::to_string(&command).unwrap();
            assert_eq!(serde_json::from_str::<Command>(&line).unwrap(), command);
        }
        if let Ok(reply) = serde_json::from_slice::<Reply>(input) {
            let line = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }
    });
}

#[test]
fn payments_are_accepted_exactly_or_refused_in_one_line() {
    fuzz("payment", |input| {
        let read = mono_demo::mono::decode::<mono_demo::mono::Object<PaymentRequest>>(input)
            .map(|object| object.0);
        match read.and_then(|request| Payment::check(&request)) {
            Ok(payment) => {
                let again = Money::parse(&payment.money.amount_text(), payment.money.currency());
                assert_eq!(again, Ok(payment.money));
                assert_eq!(payment.content().len(), 64);
            }
            Err(error) => assert!(error.len() < 700 && !error.contains('\n'), "{error}"),
        }
    });
}

#[test]
fn golden_files_are_compared_or_said_to_be_none_and_what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let golden = Golden::new(folder.path().join("a.snap"), "fixtures/a.toml", "a.toml", "\"a\": b");
    fuzz("snapshot", |input| {
        std::fs::write(golden.path(), input).unwrap();
        if let Err(error) = golden.compare("anything") {
            assert!(!error.to_string().is_empty());
        }
        let transcript = text(input);
        golden.update(&transcript, None).unwrap();
        assert_eq!(golden.compare(&transcript).unwrap(), Comparison::Same);
    });
}

#[test]
fn histories_are_read_and_judged_or_refused_by_line() {
    fuzz("history", |input| match History::read(input) {
        Ok(history) => {
            let lines = history.to_json_lines().unwrap();
            assert_eq!(History::read(lines.as_bytes()).unwrap(), history);
            match mono_demo::e2e::verdict::check(
                &history,
                Policy::default(),
                &[Arc::new(Proof::default())],
            ) {
                Ok(report) => {
                    assert!(["valid", "invalid", "unknown"].contains(&report.word()));
                    assert!(report.to_string().contains("status never goes back"));
                }
                Err(error) => assert!(error.to_string().starts_with("history line "), "{error}"),
            }
        }
        Err(error) => assert!(error.to_string().starts_with("history line "), "{error}"),
    });
}

#[test]
fn durations_are_read_or_quoted() {
    fuzz("duration", |input| {
        let text = text(input);
        match duration::parse(&text) {
            Ok(_) => assert!(text.is_ascii() && !text.is_empty()),
            Err(error) => assert!(error.contains("is not a duration"), "{error}"),
        }
    });
}

#[test]
fn subjects_names_and_headers_that_pass_cannot_break_a_line() {
    let breaks = |text: &str| text.chars().any(|c| c.is_control() || c.is_whitespace());
    fuzz("subject", |input| {
        let text = text(input);
        if subjects::check_publish_subject(&text).is_ok() {
            assert!(!breaks(&text) && !text.starts_with('.') && text.len() <= 1024);
        }
        if subjects::Token::new(&text).is_ok() || Name::new(&text).is_ok() {
            assert!(text.is_ascii() && !breaks(&text) && !text.contains(".."));
        }
        if headers::check("A", &text).is_ok() {
            let mut map = async_nats::HeaderMap::new();
            map.append("A", text.as_str());
        }
        let line = headers::one_line(&text);
        assert!(line.len() <= headers::MAX_VALUE_BYTES && !line.chars().any(char::is_control));
    });
}

#[test]
fn requests_are_answered_with_finite_numbers_or_refused_in_one_line() {
    use mono_demo::modules::{math, notification, payment};
    use mono_demo::mono::{Object, decode};
    let one_line = |error: &str| assert!(error.len() < 700 && !error.contains('\n'), "{error}");
    fuzz("request", |input| {
        match decode::<Object<math::Request>>(input) {
            Ok(Object(request)) => {
                let Ok(reply) = math::calculate(&request) else { return };
                let text = serde_json::to_string(&reply).unwrap();
                assert!(!text.contains(":null") && text.contains("operation"), "{text}");
            }
            Err(error) => one_line(&error),
        }
        match decode::<Object<notification::Email>>(input) {
            Ok(Object(email)) => {
                let _ = notification::check(&email).map_err(|error| one_line(&error));
            }
            Err(error) => one_line(&error),
        }
        match decode::<Object<payment::StatusRequest>>(input) {
            Ok(Object(request)) => {
                let _ = payment::PaymentId::new(&request.payment_id).map_err(|e| one_line(&e));
            }
            Err(error) => one_line(&error),
        }
    });
}

#[test]
fn an_id_that_is_found_in_a_body_is_usable_and_the_one_that_a_whole_body_names() {
    use mono_demo::modules::payment::usable_id;
    fuzz("payment", |input| {
        let found = usable_id(input);
        if let Some(id) = &found {
            assert!(subjects::is_payment_id(id.as_str()));
            let escaped = input.contains(&b'\\');
            assert!(escaped || text(input).contains(id.as_str()), "{id} is not there");
        }
        let whole = serde_json::from_slice::<mono_demo::mono::Object<PaymentRequest>>(input);
        if let Ok(mono_demo::mono::Object(request)) = whole {
            let named = Some(request.payment_id).filter(|id| subjects::is_payment_id(id));
            assert_eq!(found.map(|id| id.to_string()), named);
        }
    });
}

#[test]
fn journals_are_read_line_by_line_or_refused() {
    use mono_demo::modules::payment::Seen;
    use mono_demo::wire::journal::{ChargeRecord, CrashRecord, EmailRecord};
    fn again<T>(line: &[u8])
    where
        T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        if let Ok(record) = serde_json::from_slice::<T>(line) {
            let text = serde_json::to_vec(&record).unwrap();
            assert_eq!(serde_json::from_slice::<T>(&text).unwrap(), record);
        }
    }
    fuzz("journal", |input| {
        for line in input.split(|byte| *byte == b'\n') {
            again::<ChargeRecord>(line);
            again::<EmailRecord>(line);
            again::<CrashRecord>(line);
            again::<Seen>(line);
        }
        if let Ok(seen) = serde_json::from_slice::<Seen>(input) {
            assert!(seen.lost(&seen).is_empty(), "{seen:?}");
            let _ = (seen.gone(), seen.lost(&Seen::default()), Seen::default().lost(&seen));
        }
    });
}

#[test]
fn settings_and_rules_are_read_or_the_mistake_is_shown() {
    use mono_demo::modules::{math, notification, payment};
    fn read<T: serde::de::DeserializeOwned>(text: &str) {
        if let Err(error) = toml::from_str::<T>(text) {
            assert!(!error.message().is_empty());
        }
    }
    fuzz("settings", |input| {
        let text = text(input);
        read::<payment::Settings>(&text);
        read::<payment::GatewayRule>(&text);
        read::<math::Settings>(&text);
        read::<notification::Settings>(&text);
    });
}
