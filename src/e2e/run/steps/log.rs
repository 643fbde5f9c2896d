//! Waits until a service has printed something.

use std::time::{Duration, Instant};

use regex_lite::Regex;

use super::attempt::DEFAULT_TIMEOUT;
use super::running_step::{ASK_AGAIN, RunningStep};
use crate::counted::counted;
use crate::e2e::record::seen::Seen;
use crate::e2e::scenario::ast::held::LogCheck;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::headers::bounded;

/// How long the last lines of a process that has ended may take, which somebody else may hold.
const LAST_LINES: Duration = Duration::from_millis(500);
/// So much of a line is shown, bytes.
const SHOWN: usize = 200;

impl RunningStep<'_> {
    /// So many lines that match, or more, since the service was started; within the step's time.
    pub(in crate::e2e) async fn printed(&self, check: &LogCheck) -> Result<Seen, Stop> {
        let LogCheck { service, matches, count } = check;
        let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
        let deadline = Instant::now() + within;
        let wanted = usize::try_from(count.unwrap_or(1)).unwrap_or(usize::MAX);
        let regex = Regex::new(matches);
        let regex = regex.map_err(|error| self.failed(format!("/{matches}/: {error}")))?;
        // What is started again may print it yet.
        let stays_away = !self.fixture.processes.restart && self.fixture.crash.is_none();
        // When it had ended: its last lines are on their way then.
        let mut gone = None;
        loop {
            let ended = self.scene.hearing.ended(service).filter(|_| stays_away);
            let lines = self.scene.hearing.heard(service, 0);
            let found = lines.iter().filter(|heard| regex.is_match(&heard.line)).count();
            if found >= wanted {
                return Ok(Seen::Ok(Default::default()));
            }
            let gone = ended.map(|_| *gone.get_or_insert_with(Instant::now));
            let is_over = gone.is_some_and(|gone| gone.elapsed() >= LAST_LINES);
            if is_over || Instant::now() >= deadline {
                let printed = match found {
                    0 => "no line that matches".to_owned(),
                    _ => format!("{} of {wanted} that match", counted(found as u64, "line")),
                };
                let last = match lines.last() {
                    Some(last) => format!("its last line is `{}`", bounded(&last.line, SHOWN)),
                    None => "it has printed nothing".to_owned(),
                };
                let when = match ended {
                    Some(status) => format!("and has ended with {status}"),
                    None => format!("within {within:?}"),
                };
                let told = format!("{service} printed {printed} /{matches}/ {when}; {last}");
                return Err(self.failed(told));
            }
            // What another process prints comes when it comes.
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
