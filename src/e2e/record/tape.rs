//! What was done when: a step begins, and ends when the next one does.

use super::history::clock::Clock;
use super::trace::Step;
use crate::e2e::record::outcome::Stop;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Step as Asked;
use crate::e2e::verdict::transcript::heading::heading;
use crate::e2e::verdict::transcript::writer::Transcript;

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
    /// A step of the fixture begins.
    pub(in crate::e2e) fn step(
        &mut self,
        clock: Clock,
        written: &Transcript,
        fixture: &Fixture,
        step: &Asked,
    ) {
        let text = heading(step, &step.action);
        let line = Some(fixture.source.line(&step.span));
        self.begin(
            clock,
            written,
            line,
            step.action.verb(),
            text.lines().next().unwrap_or_default(),
        );
    }

    /// Something else begins.
    pub(in crate::e2e) fn begin(
        &mut self,
        clock: Clock,
        written: &Transcript,
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
        self.steps.push(Begun { step, from: written.text().len() });
    }

    /// All steps, the last of which ends now.
    pub(in crate::e2e) fn end(
        self,
        clock: Clock,
        written: &Transcript,
        ended: &Result<(), Stop>,
    ) -> Vec<Step> {
        let text = written.text();
        let ends = self.steps.iter().skip(1).map(|next| (next.step.at_ns, next.from));
        let ends: Vec<_> = ends.chain([(clock.now_ns(), text.len())]).collect();
        let mut steps: Vec<Step> = self
            .steps
            .into_iter()
            .zip(ends)
            .map(|(Begun { mut step, from }, (until_ns, to))| {
                step.took_ns = until_ns.saturating_sub(step.at_ns);
                let block = text.get(from..to).unwrap_or_default().trim();
                step.block = block.chars().take(LONGEST).collect();
                if step.block.len() < block.len() {
                    step.block.push('…');
                }
                step
            })
            .collect();
        if let (Err(_), Some(last)) = (ended, steps.last_mut()) {
            last.stopped_here = true;
        }
        steps
    }
}
