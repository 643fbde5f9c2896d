//! Single histories, written as the lines of a file, and what is said of each.

use mono_demo::e2e::record::history::History;
use mono_demo::e2e::verdict::order::{ORDER, OUT_OF_ORDER};
use mono_demo::e2e::verdict::promises::FINAL;
use mono_demo::e2e::verdict::{Policy, Property, QueueLoss, Report, Verdict};
use mono_demo::proof::{ACKNOWLEDGED, ASKED, LETTERS, ONCE, QUEUE, SETTLED, STATUS, breach};

use crate::history::{check, count};

pub(super) const SUBMIT: &str = r#"invoke":{"process":"c","op":1,"kind":"submit","subject":"s","about":{"of":"payment","key":"p","content":{"amount":"9.99","currency":"USD","content":"a"}}}"#;
pub(super) const STORED: &str = r#"ok":{"process":"c","op":1,"sequence":1}"#;
const TIMEOUT: &str = r#"unknown":{"process":"c","op":1,"reason":"timeout"}"#;
pub(super) const CHARGE: &str = r#"charge":{"payment_id":"p","outcome":"approved","amount":"9.990","currency":"USD","worker":"w"}"#;
pub(super) const COMPLETED: &str = r#"outcome":{"payment_id":"p","reading":{"status":"completed","amount":"9.99","currency":"USD","content":"a"}}"#;
pub(super) const END: &str =
    r#"end":{"whole":["charges","outcomes","dead_letters","deliveries","emails","operations"]}"#;

/// A second lies between each line and the next.
pub(super) fn history(lines: &[&str]) -> History {
    let text: String = lines
        .iter()
        .zip(1..)
        .map(|(line, seq)| format!("{{\"seq\":{seq},\"at_ns\":{seq}000000000,\"{line}}}\n"))
        .collect();
    History::read(text.as_bytes()).unwrap()
}

pub(super) fn judged(lines: &[&str]) -> Report {
    check(&history(lines), Policy::default())
}

pub(super) fn breaches(report: &Report, property: Property) -> Vec<&'static str> {
    match report.verdict(property) {
        Some(Verdict::Invalid { shown, .. }) => shown.iter().map(|v| v.breach).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_timeout_is_neither_a_failure_nor_a_success() {
    for lines in [&[SUBMIT, TIMEOUT, END][..], &[SUBMIT, TIMEOUT, CHARGE, COMPLETED, END]] {
        let report = judged(lines);
        assert!(report.is_valid(), "{report}");
        assert_eq!(report.figures.unknown, 1);
    }
    let twice = judged(&[SUBMIT, TIMEOUT, CHARGE, CHARGE, COMPLETED, END]);
    assert_eq!(breaches(&twice, ONCE), [breach::CHARGED_TWICE]);
}

#[test]
fn what_is_not_on_record_is_unknown_until_the_record_is_whole() {
    let lost = judged(&[SUBMIT, STORED, END]);
    assert_eq!(breaches(&lost, ACKNOWLEDGED), [breach::LOST]);
    assert_eq!(count(&lost, "lost"), 1);
    let cut_off = judged(&[SUBMIT, STORED]);
    assert_eq!(cut_off.word(), "unknown", "{cut_off}");
    let unread = judged(&[SUBMIT, STORED, r#"end":{"whole":["charges"]}"#]);
    assert_eq!(unread.word(), "unknown", "{unread}");
    let no_oracle = judged(&[SUBMIT, STORED, COMPLETED, r#"end":{"whole":["outcomes"]}"#]);
    assert!(no_oracle.to_string().contains("the gateway's journal is not whole"), "{no_oracle}");
}

#[test]
fn another_content_of_the_same_id_is_a_conflict_on_record_or_a_duplicate_that_was_told() {
    let other = r#"invoke":{"process":"c","op":2,"kind":"submit","subject":"s","about":{"of":"payment","key":"p","content":{"amount":"9.98","currency":"USD","content":"b"}}}"#;
    let stored = r#"ok":{"process":"c","op":2,"sequence":2}"#;
    let known = r#"ok":{"process":"c","op":2,"sequence":1,"duplicate":true}"#;
    let letter = r#"dead_letter":{"kind":"conflict","sequence":2,"payment_id":"p","reason":"other content"}"#;
    let run = |lines: &[&str]| {
        judged(&[&[SUBMIT, STORED, other], lines, &[CHARGE, COMPLETED, END]].concat())
    };
    assert!(run(&[stored, letter]).is_valid());
    assert!(run(&[known]).is_valid());
    assert_eq!(breaches(&run(&[stored]), ACKNOWLEDGED), [breach::CONFLICT_LOST]);
}

#[test]
fn readings_that_overlap_may_come_in_any_order() {
    let begin = |op| {
        format!(
            r#"invoke":{{"process":"r","op":{op},"kind":"status","subject":"s","about":{{"of":"payment","key":"p"}}}}"#
        )
    };
    let read = |op, status| {
        format!(r#"ok":{{"process":"r","op":{op},"reading":{{"status":"{status}"}}}}"#)
    };
    let run = |lines: &[String]| judged(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let overlap = run(&[begin(1), begin(2), read(1, "processing"), read(2, "pending")]);
    assert_eq!(breaches(&overlap, STATUS), [""; 0]);
    let after = run(&[begin(1), read(1, "processing"), begin(2), read(2, "pending")]);
    assert_eq!(breaches(&after, STATUS), [breach::WENT_BACK]);
    let both = run(&[begin(1), begin(2), read(1, "completed"), read(2, "failed")]);
    assert_eq!(breaches(&both, STATUS), [breach::FINAL_CHANGED]);
}

#[test]
fn what_core_nats_loses_is_counted_and_broken_only_where_none_may_be_lost() {
    let lines = [
        r#"invoke":{"process":"c","op":1,"kind":"publish","subject":"q","about":{"of":"message","key":"m-1"}}"#,
        r#"ok":{"process":"c","op":1}"#,
        r#"invoke":{"process":"c","op":2,"kind":"publish","subject":"q","about":{"of":"message","key":"m-2"}}"#,
        r#"ok":{"process":"c","op":2}"#,
        r#"email":{"message":"m-1","worker":"w","sent":true}"#,
        END,
    ];
    let report = judged(&lines);
    assert!(report.is_valid(), "{report}");
    assert_eq!((count(&report, "queue_published"), count(&report, "queue_lost")), (2, 1));
    let strict =
        check(&history(&lines), Policy { queue_loss: QueueLoss::Forbidden, ..Policy::default() });
    assert_eq!(breaches(&strict, QUEUE), [breach::LOST_IN_QUEUE]);
}

#[test]
fn the_figures_say_how_long_writes_stopped_and_how_long_it_took_to_settle() {
    let report = judged(&[
        SUBMIT,
        STORED,
        r#"fault":{"name":"kill-broker","phase":"begin"}"#,
        r#"fault":{"name":"kill-broker","phase":"end"}"#,
        r#"invoke":{"process":"c","op":2,"kind":"publish","subject":"q"}"#,
        r#"ok":{"process":"c","op":2}"#,
        CHARGE,
        COMPLETED,
        END,
    ]);
    assert!(report.is_valid(), "{report}");
    // Each was wanted for a second; in between, nobody wanted to write.
    assert_eq!(report.figures.longest_write_gap_ns, Some(1_000_000_000));
    assert_eq!(report.figures.last_fault_to_final_ns, Some(4_000_000_000));
    assert_eq!(report.figures.faults, 1);
    assert_eq!(report.figures.promised["charged"], serde_json::json!({ "USD": "9.990" }));
    assert_eq!(report.figures.promised["paid"], serde_json::json!({ "USD": "9.99" }));
    let text = report.to_string();
    assert!(text.contains("charged 9.990 USD, to the cent what is completed"), "{text}");
    assert!(text.contains("everything final 4s after the last fault"), "{text}");
}

#[test]
fn what_is_no_payment_ends_as_a_dead_letter_in_the_stream_of_payments_only() {
    let submit = |subject: &str| {
        format!(
            r#"invoke":{{"process":"c","op":1,"kind":"submit","subject":"{subject}","about":{{"of":"message","key":"m"}}}}"#
        )
    };
    let letter = r#"dead_letter":{"kind":"malformed","sequence":1,"reason":"no JSON"}"#;
    let payments = submit("services.payment.payment-process");
    let lost = judged(&[&payments, STORED, END]);
    assert_eq!(breaches(&lost, ACKNOWLEDGED), [breach::LOST]);
    assert!(judged(&[&payments, STORED, letter, END]).is_valid());
    let twice = judged(&[&payments, STORED, letter, letter, END]);
    assert_eq!(breaches(&twice, ACKNOWLEDGED), [breach::SECOND_DEAD_LETTER]);
    // Nobody here knows what became of it.
    let strangers = judged(&[&submit("orders.new"), STORED, END]);
    assert_eq!(strangers.word(), "unknown", "{strangers}");
    assert!(strangers.to_string().contains("1 message sent, and no promise here"), "{strangers}");
}

#[test]
fn nothing_of_an_id_reaches_a_terminal_raw() {
    let charge = CHARGE.replace(r#""p""#, "\"\u{9b}31m\u{202e}p\"");
    let report = judged(&[&charge, &charge, END]);
    assert_eq!(report.word(), "invalid");
    let text = report.to_string();
    assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
}

#[test]
fn what_is_final_too_long_after_the_last_fault_is_late() {
    let fault = r#"fault":{"name":"kill-broker","phase":"end"}"#;
    let letter = r#"dead_letter":{"kind":"conflict","sequence":2,"reason":"other content"}"#;
    let run = |lines: &[&str], seconds: u64| {
        let final_within = Some(std::time::Duration::from_secs(seconds));
        check(&history(lines), Policy { final_within, ..Policy::default() })
    };
    // The outcome is three seconds after the fault, the dead letter four; somebody else sent its message.
    const END: &str = r#"end":{"whole":["charges","outcomes","dead_letters"]}"#;
    let lines = [SUBMIT, STORED, fault, TIMEOUT, CHARGE, COMPLETED, letter, END];
    let lines = [&lines[..3], &lines[4..]].concat();
    assert!(run(&lines, 3).is_valid(), "{}", run(&lines, 3));
    assert_eq!(breaches(&run(&lines, 2), FINAL), [breach::FINAL_LATE]);
    assert_eq!(breaches(&run(&lines, 1), FINAL), [breach::FINAL_LATE; 2]);
    // What was submitted after the fault is measured from then, and the letter's submit is unknown.
    let later = [fault, SUBMIT, STORED, CHARGE, COMPLETED, END];
    assert!(run(&later, 3).is_valid(), "{}", run(&later, 3));
    assert_eq!(run(&later, 3).figures.last_fault_to_final_ns, Some(3_000_000_000));
    assert_eq!(breaches(&run(&later, 2), FINAL), [breach::FINAL_LATE]);
    // A bound is not held against nothing.
    let unbroken = run(&[SUBMIT, STORED, CHARGE, COMPLETED, END], 1);
    assert_eq!(unbroken.word(), "unknown", "{unbroken}");
    let open = run(&[fault, SUBMIT, STORED], 1);
    assert_eq!(open.verdict(FINAL).unwrap().word(), "unknown", "{open}");
    assert!(judged(&lines).verdict(FINAL).is_none());
}

#[test]
fn what_was_on_its_way_while_something_broke_may_come_late() {
    let publish = |op, message| {
        [
            format!(
                r#"invoke":{{"process":"c","op":{op},"kind":"publish","subject":"q","about":{{"of":"message","key":"{message}"}}}}"#
            ),
            format!(r#"ok":{{"process":"c","op":{op}}}"#),
        ]
    };
    let delivery =
        |message| format!(r#"delivery":{{"worker":"w","subject":"q","message":"{message}"}}"#);
    let fault = r#"fault":{"name":"kill-service","phase":"begin"}"#.to_owned();
    let published = [publish(1, "a"), publish(2, "b")].concat();
    let run = |lines: &[&[String]]| {
        let lines = lines.concat();
        judged(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let swapped = [delivery("b"), delivery("a")];
    let broken = run(&[&published, &swapped]);
    assert_eq!(breaches(&broken, ORDER), [OUT_OF_ORDER]);
    let excused = run(&[&published, std::slice::from_ref(&fault), &swapped]);
    assert_eq!(breaches(&excused, ORDER), [""; 0]);
    let before = run(&[std::slice::from_ref(&fault), &published, &swapped]);
    assert_eq!(breaches(&before, ORDER), [OUT_OF_ORDER]);
    // Broken all the while, and mended later: as where a quorum is away for seconds.
    let (begin, end) = ([fault.clone()], [fault.replace("begin", "end")]);
    let during = run(&[&begin, &published, &swapped, &end]);
    assert_eq!(breaches(&during, ORDER), [""; 0]);
    let between = run(&[&begin, &end, &published, &swapped, &begin, &end]);
    assert_eq!(breaches(&between, ORDER), [OUT_OF_ORDER]);
}

#[test]
fn a_message_that_only_reached_a_worker_is_lost_where_the_mailer_would_know() {
    let lines = [
        r#"invoke":{"process":"c","op":1,"kind":"publish","subject":"q","about":{"of":"message","key":"m"}}"#,
        r#"ok":{"process":"c","op":1}"#,
        r#"delivery":{"worker":"w","subject":"q","message":"m","queue_group":"g"}"#,
    ];
    let emails = judged(&[&lines[..], &[r#"end":{"whole":["emails"]}"#]].concat());
    assert_eq!((count(&emails, "queue_lost"), count(&emails, "queue_once")), (1, 0));
    let deliveries = judged(&[&lines[..], &[r#"end":{"whole":["deliveries"]}"#]].concat());
    assert_eq!((count(&deliveries, "queue_lost"), count(&deliveries, "queue_once")), (0, 1));
}

#[test]
fn redeliveries_are_counted_also_where_the_broker_has_forgotten_the_first() {
    let delivery = |sequence, attempt| {
        format!(
            r#"delivery":{{"worker":"w","subject":"s","message":"p","sequence":{sequence},"attempt":{attempt}}}"#
        )
    };
    let lines = [delivery(1, 1), delivery(1, 2), delivery(1, 1), delivery(2, 1), delivery(3, 2)];
    let report = judged(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((report.figures.deliveries, report.figures.redelivered), (5, 3));
}

/// What says why may have been removed, or was not read.
#[test]
fn failed_without_a_reason_is_unknown_where_not_all_is_on_record() {
    const FAILED: &str = r#"outcome":{"payment_id":"p","sequence":1,"reading":{"status":"failed","amount":"9.99","currency":"USD","content":"a"}}"#;
    let cancelled = CHARGE.replace("approved", "cancelled");
    let whole = |names: &str| format!(r#"end":{{"whole":[{names}]}}"#);
    let no_letters = whole(r#""charges","outcomes","operations""#);
    let unseen = whole(r#""charges","outcomes","dead_letters""#);
    for lines in [
        &[SUBMIT, STORED, FAILED, &no_letters][..],
        &[SUBMIT, STORED, FAILED, &unseen],
        &[SUBMIT, STORED, &cancelled, FAILED, &unseen],
    ] {
        let report = judged(lines);
        assert_eq!(report.verdict(LETTERS).unwrap().word(), "unknown", "{report}");
        assert!(report.to_string().contains("nothing on record says why: 1 payment"), "{report}");
    }
    let report = judged(&[SUBMIT, STORED, FAILED, END]);
    assert_eq!(breaches(&report, LETTERS), [breach::FAILED_WITHOUT_REASON]);
    let declined = CHARGE.replace("approved", "declined");
    assert!(judged(&[SUBMIT, STORED, &declined, FAILED, END]).is_valid());
}

/// Streams are timed by a clock that is half a second behind: an outcome may seem to come before its
/// charge, its dead letter, and its submit. It is one where the run knows that no clock was moved.
#[test]
fn what_only_a_clock_contradicts_is_broken_where_the_clocks_are_known_to_agree() {
    const SUBMITTED: &str = r#"invoke":{"process":"c","op":1,"kind":"submit","subject":"services.payment.payment-process","about":{"of":"payment","key":"p","content":{"amount":"9.99","currency":"USD","content":"a"}}}"#;
    const FAILED: &str = r#"outcome":{"payment_id":"p","sequence":1,"reading":{"status":"failed","amount":"9.99","currency":"USD","content":"a"}}"#;
    const LETTER: &str = r#"dead_letter":{"kind":"exhausted","sequence":1,"payment_id":"p","content":"a","reason":"no answer"}"#;
    const ASK: &str = r#"invoke":{"process":"c","op":2,"kind":"status","subject":"s","about":{"of":"payment","key":"p"}}"#;
    const TOLD: &str = r#"ok":{"process":"c","op":2,"reading":{"status":"completed","amount":"9.99","currency":"USD"}}"#;
    let cancelled = CHARGE.replace("approved", "cancelled");
    // By milliseconds; the last is where the lines are in the file.
    let of = |lines: &[(u64, &str)], clocks: &str| {
        let end = END.replace("\"]}", &format!("\"]{clocks}}}"));
        let lines = lines.iter().copied().chain([(9000, end.as_str())]);
        let text: String = lines
            .zip(1..)
            .map(|((at, line), seq)| format!("{{\"seq\":{seq},\"at_ns\":{at}000000,\"{line}}}\n"))
            .collect();
        check(&History::read(text.as_bytes()).unwrap(), Policy::default())
    };
    let late = [(1000, SUBMITTED), (1001, STORED), (1500, CHARGE), (1010, COMPLETED)];
    let early = [(1000, SUBMITTED), (1001, STORED), (505, CHARGE), (510, COMPLETED)];
    let after =
        [(1000, SUBMITTED), (1001, STORED), (1002, &*cancelled), (1500, FAILED), (1990, LETTER)];
    let told = [
        (1000, SUBMITTED),
        (1001, STORED),
        (1002, CHARGE),
        (1003, ASK),
        (1004, TOLD),
        (1400, COMPLETED),
    ];
    for (lines, property, breach) in [
        (&late[..], SETTLED, breach::CHARGED_AFTER),
        (&early, ASKED, breach::EARLY),
        (&early, ASKED, breach::CHARGED_EARLY),
        (&after, LETTERS, breach::LETTER_AFTER),
        (&told, STATUS, breach::TOLD_EARLY),
    ] {
        for unknown in ["", ",\"clocks_us\":500000"] {
            let report = of(lines, unknown);
            assert!(report.is_valid(), "{breach} {unknown}\n{report}");
        }
        let report = of(lines, ",\"clocks_us\":20");
        assert!(breaches(&report, property).contains(&breach), "{breach}\n{report}");
    }
}
