//! Waits until a service has printed something.

use std::time::Instant;

use regex_lite::Regex;

use super::attempt::DEFAULT_TIMEOUT;
use super::running_step::{ASK_AGAIN, RunningStep};
use crate::counted::counted;
use crate::e2e::record::seen::Seen;
use crate::e2e::scenario::ast::held::LogCheck;
use crate::e2e::verdict::outcome::Stop;

impl RunningStep<'_> {
    /// So many lines that match, or more, since the service was started; within the step's time.
    pub(in crate::e2e) async fn printed(&self, check: &LogCheck) -> Result<Seen, Stop> {
        let LogCheck { service, matches, count } = check;
        let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
        let deadline = Instant::now() + within;
        let wanted = usize::try_from(count.unwrap_or(1)).unwrap_or(usize::MAX);
        let regex = Regex::new(matches);
        let regex = regex.map_err(|error| self.failed(format!("/{matches}/: {error}")))?;
        loop {
            let lines = self.scene.hearing.heard(service, 0);
            let found = lines.iter().filter(|heard| regex.is_match(&heard.line)).count();
            if found >= wanted {
                return Ok(Seen::Ok(Default::default()));
            }
            if Instant::now() >= deadline {
                let printed = match found {
                    0 => "no line that matches".to_owned(),
                    _ => format!("{} of {wanted} that match", counted(found as u64, "line")),
                };
                let last = match lines.last() {
                    Some(last) => format!("its last line is `{}`", last.line),
                    None => "it has printed nothing".to_owned(),
                };
                let told =
                    format!("{service} printed {printed} /{matches}/ within {within:?}; {last}");
                return Err(self.failed(told));
            }
            // What another process prints comes when it comes.
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
