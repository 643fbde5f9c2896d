//! How much a broker is asked to trace: for checks that read messages, and for pictures.

use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::scenario::Fixture;

/// More lines of nats-server's config, for brokers whose messages are to be seen. The server puts
/// `[REDACTED]` in the place of every secret that a client shows.
const CONFIG: &str = "trace: true\nmax_traced_msg_len: 1024\nlogtime_utc: true\n";
/// The same with whole bodies, for checks that read them.
const CONFIG_WHOLE: &str = "trace: true\nlogtime_utc: true\n";
/// The same for brokers under a load, whose messages are too many: only the clock is told.
const CONFIG_WITHOUT: &str = "logtime_utc: true\n";

/// With more repetitions than this of one step, its messages are not drawn.
const MOST_DRAWN: u32 = 200;
/// With more than this, the broker is not asked to trace them.
const MOST_TRACED: u32 = 2000;

/// The lines of nats-server's config for a run of this scenario, `traced` for a report or not, and
/// `is_read` for verdicts or not.
pub(in crate::e2e) fn config(fixture: &Fixture, traced: bool, is_read: bool) -> &'static str {
    match (holds_schemas(fixture), traced || is_read || listens(fixture)) {
        (true, _) => CONFIG_WHOLE,
        (false, true) if !is_too_much(fixture) => CONFIG,
        (false, _) if traced => CONFIG_WITHOUT,
        (false, _) => "",
    }
}

/// Whether the messages of a scenario are traced for a step that may have to tell what came instead
/// of the one that it waits for.
pub(in crate::e2e) fn tells_what_came(fixture: &Fixture) -> bool {
    listens(fixture) && (holds_schemas(fixture) || !is_too_much(fixture))
}

fn listens(fixture: &Fixture) -> bool {
    fixture.all_steps().any(|step| step.action.listens().is_some())
}

/// Why the messages of this scenario are not drawn; `None` where they are.
pub(in crate::e2e) fn undrawn(fixture: &Fixture) -> Option<&'static str> {
    let many = most_repeated(fixture) > MOST_DRAWN;
    many.then_some("This scenario puts a load on the broker: its messages are not drawn")
}

/// Whether the messages of this scenario are too many to trace.
pub(in crate::e2e) fn is_too_much(fixture: &Fixture) -> bool {
    most_repeated(fixture) > MOST_TRACED
}

/// How often a step is done, at the most.
fn most_repeated(fixture: &Fixture) -> u32 {
    let times = fixture.steps.iter().filter_map(|step| {
        let copies = step.load.as_ref().map_or(1, |load| load.copies);
        Some(step.repeat?.saturating_mul(copies))
    });
    times.max().unwrap_or_default()
}

/// Whether a scenario wants the broker to trace its messages, whole.
fn holds_schemas(fixture: &Fixture) -> bool {
    fixture.checks.iter().any(|check| matches!(check.kind, CheckKind::Schema { .. }))
}
