//! Looks at the lines of files and programs, which have no times of their own.

use serde_json::value::RawValue;

use super::eyes::{Eye, Surroundings};
use super::pick::Message;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::probe::evidence;
use crate::e2e::run::steps::program;
use crate::e2e::scenario::ast::step::Program;
use crate::e2e::text::data::Data;
use crate::wire::driver::Headers;

impl Eye {
    pub(super) fn file(&mut self, around: &Surroundings, path: &str) -> Result<(), String> {
        let begun_ns = around.clock.now_ns();
        let (lines, half) = evidence::lines::<Box<RawValue>>(&around.dir.join(path))?;
        // Another look may find the rest of it.
        self.gap = half.then(|| {
            format!("file {path} ends with half a line: whose effect that is is not known")
        });
        if let Some(how) = self.lines.rewritten(lines.iter().map(|line| line.get())) {
            self.lost.get_or_insert_with(|| format!("file {path} {how}"));
        }
        let lines = lines.iter().map(|line| Data::json(line.get())).collect();
        self.add_lines(lines, &format!("{path} line"), begun_ns, around);
        Ok(())
    }

    pub(super) async fn command(
        &mut self,
        around: &Surroundings,
        words: &[String],
    ) -> Result<(), String> {
        let Surroundings { reaper, root, access, dir, .. } = around;
        let begun_ns = around.clock.now_ns();
        let program = &Program { words: words.to_vec(), ..Program::default() };
        let limit = program::DEFAULT_TIMEOUT;
        let ran = program::run(reaper, program, root, (access, dir), limit, None).await;
        let shown = words.join(" ");
        let failed = |why: String| format!("`{shown}` {why}");
        let seen = match ran {
            Ok(Seen::Ok(seen)) => seen,
            Ok(_) => return Err(failed("gave no outcome".to_owned())),
            Err(program::Failed::Start(why)) => {
                return Err(failed(format!("could not be started: {why}")));
            }
            Err(program::Failed::Ended(why)) => return Err(failed(why)),
        };
        let part = |name: &str| seen.get(name).map(Data::nearest).unwrap_or_default();
        if part("exit") != 0 {
            return Err(failed(format!("ended with {}: {}", part("exit"), part("stderr"))));
        }
        let stdout = seen.get("stdout").and_then(Data::as_str).unwrap_or_default();
        let lines = stdout.lines().filter(|line| !line.trim().is_empty()).enumerate();
        let lines = lines.map(|(n, line)| {
            let json = Data::json(line);
            json.map(Some)
                .ok_or_else(|| failed(format!("printed no JSON on line {}: {line}", n + 1)))
        });
        let lines = lines.collect::<Result<_, _>>()?;
        // It says all each time, in an order of its own.
        self.afresh();
        self.add_lines(lines, &format!("`{shown}` line"), begun_ns, around);
        Ok(())
    }

    /// Each line is an effect; one that cannot be read may be anybody's.
    fn add_lines(
        &mut self,
        lines: Vec<Option<Data>>,
        place: &str,
        begun_ns: u64,
        around: &Surroundings,
    ) {
        // What is there before the first step is there from the beginning.
        let now = if self.is_opening { 0 } else { around.clock.now_ns() };
        if let Some(n) = lines.iter().position(Option::is_none) {
            self.gap = Some(format!(
                "{place} {} is JSON that cannot be read (a lone surrogate, or too deep): whose effect \
                 that is is not known",
                n + 1
            ));
        }
        for (n, body) in lines.iter().enumerate().skip(self.seen) {
            self.seen += 1;
            let Some(body) = body else { continue };
            let message = Message { subject: "", headers: &Headers::new(), body };
            let (at_ns, absent_ns) = self.lines.add(self.told_by(&message), now);
            self.add(&message, at_ns, Some(absent_ns), format!("{place} {}", n + 1));
        }
        self.lines.looked(begun_ns);
    }
}
