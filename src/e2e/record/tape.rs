//! The timeline of steps: a step begins, and ends when the next one begins.

use super::history::clock::Clock;
use super::trace::Step;

/// A longer part of a transcript is shown by its beginning, characters.
const LONGEST: usize = 20_000;

/// The steps of a run so far.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Tape {
    steps: Vec<Begun>,
}

#[derive(Debug)]
struct Begun {
    step: Step,
    /// Where its part of the transcript begins.
    from: usize,
}

impl Tape {
    /// A step, or something else, begins, with `written` in the transcript so far.
    pub(in crate::e2e) fn begin(
        &mut self,
        clock: Clock,
        written: &str,
        line: Option<usize>,
        verb: &'static str,
        heading: &str,
    ) {
        let step = Step {
            at_ns: clock.now_ns(),
            took_ns: 0,
            line,
            verb,
            heading: heading.to_owned(),
            block: String::new(),
            stopped_here: false,
        };
        self.steps.push(Begun { step, from: written.len() });
    }

    /// What was begun last: its heading, and the line of the fixture where it has one.
    pub(in crate::e2e) fn under_way(&self) -> Option<(&str, Option<usize>)> {
        self.steps.last().map(|begun| (begun.step.heading.as_str(), begun.step.line))
    }

    /// All steps, the last of which ends now, where the run stopped if it did.
    pub(in crate::e2e) fn end(self, clock: Clock, written: &str, stopped: bool) -> Vec<Step> {
        let ends = self.steps.iter().skip(1).map(|next| (next.step.at_ns, next.from));
        let ends: Vec<_> = ends.chain([(clock.now_ns(), written.len())]).collect();
        let mut steps: Vec<Step> = self
            .steps
            .into_iter()
            .zip(ends)
            .map(|(Begun { mut step, from }, (until_ns, to))| {
                step.took_ns = until_ns.saturating_sub(step.at_ns);
                let block = written.get(from..to).unwrap_or_default().trim();
                step.block = block.chars().take(LONGEST).collect();
                if step.block.len() < block.len() {
                    step.block.push('…');
                }
                step
            })
            .collect();
        if let (true, Some(last)) = (stopped, steps.last_mut()) {
            last.stopped_here = true;
        }
        steps
    }
}
