//! Each promise of docs/guarantees.md that a history can witness: its properties, and the mutations that
//! break it. What has no mutation is not held by anything.

use mono_demo::e2e::verdict::promises::FINAL;
use mono_demo::e2e::verdict::replies::REPLIES;
use mono_demo::e2e::verdict::{Property, order::ORDER};
use mono_demo::proof::{ACKNOWLEDGED, ASKED, FIRST, LETTERS, ONCE, QUEUE, SETTLED, STATUS};

use super::model::{Size, valid_history};
use super::mutate::{MUTATIONS, Mutation};

/// A row of docs/guarantees.md, by how it begins.
struct Promise<'a> {
    row: &'a str,
    properties: &'a [Property],
    mutations: &'a [&'a str],
}

const fn promise<'a>(
    row: &'a str,
    properties: &'a [Property],
    mutations: &'a [&'a str],
) -> Promise<'a> {
    Promise { row, properties, mutations }
}

const PROMISES: &[Promise<'_>] = &[
    promise(
        "An acknowledged payment is never lost",
        &[ACKNOWLEDGED, STATUS],
        &["drop an outcome", "told, and not on record"],
    ),
    promise(
        "A payment is charged at most once",
        &[ONCE, SETTLED, ASKED],
        &[
            "duplicate a charge",
            "a cent more completed",
            "drop a charge",
            "charged, and never final",
            "charged after completed",
            "a cent more charged",
            "charge what nobody submitted",
            "charged before it was submitted",
            "a submit that failed was charged",
            "asked again after it was final",
            "another content refused",
            "refused what nobody submitted",
            "charged less than nothing",
        ],
    ),
    promise(
        "A payment is stored also if somebody has used its id",
        &[REPLIES],
        &["two acknowledgements of one sequence", "a sequence that goes back"],
    ),
    promise(
        "The same id with other content never changes the outcome",
        &[ACKNOWLEDGED, ASKED],
        &[
            "another content completed",
            "a second outcome",
            "another content charged",
            "an outcome of a content that nobody submitted",
            "an outcome before its submit",
            "an outcome of another message",
        ],
    ),
    promise(
        "Of two contents of one id",
        &[FIRST],
        &["the second content stands", "the second content stands, by its amount"],
    ),
    promise("Writes of one id by several", &[LETTERS], &["a repetition filed as a conflict"]),
    promise(
        "A message that is refused makes its payment `failed`",
        &[LETTERS, ASKED],
        &[
            "failed, and nobody said why",
            "an outcome that nobody asked for",
            "an outcome of a submit that failed",
        ],
    ),
    promise(
        "Everything submitted is final within 10 s",
        &[FINAL],
        &["an outcome long after the last fault", "a dead letter long after the last fault"],
    ),
    promise(
        "What cannot be accepted is a dead letter, once, with its reason",
        &[ACKNOWLEDGED, LETTERS, ASKED],
        &[
            "drop a dead letter",
            "a second dead letter",
            "a dead letter without its reason",
            "a dead letter of what nobody submitted",
            "a dead letter of another payment",
            "a dead letter with another content",
            "a dead letter that names no message",
            "a dead letter before its submit",
            "more dead letters than submits",
            "a dead letter that gives no reason",
        ],
    ),
    promise(
        "A payment that is given up has its dead letter",
        &[LETTERS],
        &[
            "given up without a letter",
            "completed and a dead letter",
            "completed and a letter of no message",
            "a dead letter filed after the outcome",
        ],
    ),
    promise(
        "`completed` and `failed` never change",
        &[STATUS],
        &[
            "move a status back",
            "change a final status",
            "a status with another amount",
            "not final long after the outcome",
            "told before it was on record",
        ],
    ),
    promise(
        "A decline is final at once",
        &[SETTLED, ONCE],
        &[
            "approved after declined",
            "approved after cancelled",
            "declined, and tried again",
            "charge what failed",
        ],
    ),
    promise(
        "Each request that reaches a service is answered",
        &[REPLIES],
        &[
            "a second reply",
            "an inbox with two replies",
            "drop a reply",
            "drop an invoke",
            "a reply of another client",
            "a reply before its question",
        ],
    ),
    promise(
        "Each message goes to at most one worker",
        &[QUEUE, ASKED],
        &[
            "deliver to two workers",
            "send an email twice",
            "send an email to another worker too",
            "an email that nobody published",
            "an email of a publish that failed",
            "a delivery of what nobody published",
            "a delivery of a payment that nobody submitted",
            "delivered on another subject",
            "an email before it was published",
            "sent by another worker",
            "sent and a dead letter",
        ],
    ),
    promise("A worker begins messages in the order", &[ORDER], &["reorder deliveries"]),
];

/// What no event of a history can contradict, and why.
const UNSEEN: &[(&str, &str)] = &[
    ("Replaying dead letters", "`dlq` is a program: what it does is on record nowhere"),
    ("A stored message whose headers no library can read", "the bytes are not in a history"),
    ("Only its own failures count", "why a delivery failed is not in a history"),
    ("A journal of the simulated gateway that is torn", "of logs, and of other payments' progress"),
    ("A journal that another process holds", "of other services' progress"),
    ("What somebody else does to a stream", "of warnings"),
    ("Where servers with a JetStream each are joined as leaf nodes", "of warnings"),
    ("A broker that stores nothing", "of warnings, and of a broker that is started again"),
    ("A `serve` that joins the broker", "of two programs"),
    ("Whatever lies in a journal's place", "of logs, and of other services' progress"),
    ("A stream handler that hangs", "of a worker's progress"),
    ("A worker that is stopped in order", "a loss is a figure: `queue_lost = 0` asks for it"),
    ("What a worker cannot accept is published", "who hears of it is not in a history"),
    ("*No* promise of delivery", "it is none"),
];

/// Sections whose every row is in one of the tables.
const SECTIONS: [&str; 2] = ["Payments", "Queue group"];

/// The first cells of the promises of these sections.
fn rows(page: &str) -> Vec<&str> {
    let sections = page
        .split("\n## ")
        .filter(|text| SECTIONS.iter().any(|name| text.lines().next() == Some(*name)));
    let tables = sections.map(|text| {
        let from = text.lines().skip_while(|line| !line.starts_with("| promise |")).skip(2);
        from.take_while(|line| line.starts_with("| "))
    });
    tables.flatten().filter_map(|line| line.strip_prefix("| ")).collect()
}

/// What is held by nothing, a line each.
fn gaps(
    page: &str,
    promises: &[Promise<'_>],
    mutations: &[Mutation],
    judged: &[Property],
) -> Vec<String> {
    let mut gaps = Vec::new();
    let known = || promises.iter().map(|promise| promise.row);
    for row in rows(page) {
        let mut all = known().chain(UNSEEN.iter().map(|(row, _)| *row));
        if !all.any(|start| row.starts_with(start)) {
            gaps.push(format!("a promise that no history is held against: {row}"));
        }
    }
    for start in known().chain(UNSEEN.iter().map(|(row, _)| *row)) {
        if !page.lines().any(|line| line.strip_prefix("| ").is_some_and(|r| r.starts_with(start))) {
            gaps.push(format!("nobody promises: {start}"));
        }
    }
    let breaks = |name: &str, property: Property| {
        mutations.iter().any(|mutation| mutation.name == name && mutation.property == property)
    };
    for Promise { row, properties, mutations: names } in promises {
        for property in *properties {
            if !names.iter().any(|name| breaks(name, *property)) {
                gaps.push(format!("`{property}` of `{row}` is broken by no mutation"));
            }
        }
        for name in *names {
            if !properties.iter().any(|property| breaks(name, *property)) {
                gaps.push(format!("`{name}` breaks nothing of `{row}`"));
            }
        }
    }
    for property in judged {
        if !mutations.iter().any(|mutation| mutation.property == *property) {
            gaps.push(format!("`{property}` is judged, and broken by no mutation"));
        }
    }
    for mutation in mutations {
        if !promises.iter().any(|promise| promise.mutations.contains(&mutation.name)) {
            gaps.push(format!("`{}` breaks no promise", mutation.name));
        }
    }
    gaps
}

const PAGE: &str = include_str!("../../docs/guarantees.md");

/// All that a run is held against.
fn judged() -> Vec<Property> {
    let size = Size { seed: 1, payments: 9, emails: 9, requests: 9, late: false };
    let findings = super::judged(&valid_history(size)).findings;
    findings.into_iter().map(|finding| finding.property).collect()
}

#[test]
fn each_promise_has_a_mutation_that_breaks_it() {
    assert_eq!(rows(PAGE).len(), PROMISES.len() - 1 + UNSEEN.len(), "{:#?}", rows(PAGE));
    assert_eq!(gaps(PAGE, PROMISES, MUTATIONS, &judged()), [""; 0]);
}

#[test]
fn a_promise_a_property_or_a_mutation_that_stands_alone_is_found() {
    let (all, judged) = (MUTATIONS.len(), judged());
    let without = |name: &str| {
        let mut left = MUTATIONS.to_vec();
        left.retain(|mutation| mutation.name != name);
        assert_eq!(left.len(), all - 1);
        gaps(PAGE, PROMISES, &left, &judged)
    };
    assert_eq!(
        without("reorder deliveries"),
        [
            "`order for each subject and publisher` of `A worker begins messages in the order` is broken by no mutation",
            "`reorder deliveries` breaks nothing of `A worker begins messages in the order`",
            "`order for each subject and publisher` is judged, and broken by no mutation",
        ]
    );
    let fewer = gaps(PAGE, &PROMISES[1..], MUTATIONS, &judged);
    assert_eq!(fewer.len(), 3, "{fewer:#?}");
    assert!(fewer[0].starts_with("a promise that no history is held against: An acknowledged"));
    let page = PAGE.replace("| A decline is final at once", "| A decline is final some day");
    let other = gaps(&page, PROMISES, MUTATIONS, &judged);
    assert_eq!(other.len(), 2, "{other:#?}");
}

#[test]
fn the_table_of_mutations_is_the_documented_one() {
    let page = include_str!("../../docs/promises.md");
    let section = page.split("\n## ").find(|text| text.starts_with("Mutations\n")).unwrap();
    let told: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let row = |p: &Promise<'_>| format!("| {} … | {} |", p.row, p.mutations.join(", "));
    assert_eq!(told, PROMISES.iter().map(row).collect::<Vec<_>>());
}
