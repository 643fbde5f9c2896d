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

/// With more repetitions than this of one step, the broker is not asked to trace them.
const MOST_REPEATED: u32 = 200;
/// The lines of nats-server's config for a run of this scenario, `traced` for a report or not.
pub(in crate::e2e) fn config(fixture: &Fixture, traced: bool) -> &'static str {
    match (holds_schemas(fixture), traced || listens(fixture)) {
        (true, _) => CONFIG_WHOLE,
        (false, true) if untraced(fixture).is_none() => CONFIG,
        (false, _) if traced => CONFIG_WITHOUT,
        (false, _) => "",
    }
}

/// Whether the messages of a scenario are traced for a step that may have to tell what came instead
/// of the one that it waits for.
pub(in crate::e2e) fn tells_what_came(fixture: &Fixture) -> bool {
    listens(fixture) && (holds_schemas(fixture) || untraced(fixture).is_none())
}

fn listens(fixture: &Fixture) -> bool {
    fixture.all_steps().any(|step| step.action.listens().is_some())
}

/// Why the messages of this scenario are not looked at; `None` where they are.
pub(in crate::e2e) fn untraced(fixture: &Fixture) -> Option<&'static str> {
    let many = fixture.steps.iter().any(|step| {
        let copies = step.load.as_ref().map_or(1, |load| load.copies);
        step.repeat.is_some_and(|times| times.saturating_mul(copies) > MOST_REPEATED)
    });
    many.then_some("This scenario puts a load on the broker: its messages are not traced")
}

/// Whether a scenario wants the broker to trace its messages, whole.
fn holds_schemas(fixture: &Fixture) -> bool {
    fixture.checks.iter().any(|check| matches!(check.kind, CheckKind::Schema { .. }))
}
