//! What services and programs print, while they print it: beside a report for machines.

use std::io::{self, Write};

use console::Style;

use crate::e2e::record::run::RunId;
use crate::e2e::report::Reporter;
use crate::e2e::verdict::event::Event;
use crate::process::clean;

/// Writes these lines, and nothing else.
pub struct Aloud<W> {
    out: W,
    color: bool,
    side_by_side: bool,
}

impl<W: Write> Aloud<W> {
    /// Lines on `out`, in colours or without.
    pub fn new(out: W, color: bool) -> Self {
        Self { out, color, side_by_side: false }
    }
}

impl<W: Write> Reporter for Aloud<W> {
    fn name(&self) -> String {
        "what is printed".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { runs, jobs, .. } => self.side_by_side = *jobs > 1 && *runs > 1,
            Event::Printed { run, by, line } => {
                writeln!(self.out, "{} {line}", whose(run, by, self.side_by_side, self.color))?;
                self.out.flush()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whose line it is, and of which run where several may print at a time.
pub(in crate::e2e) fn whose(run: &RunId, by: &str, side_by_side: bool, color: bool) -> String {
    let whose = match side_by_side {
        true => format!("{run} {by} |"),
        false => format!("{by} |"),
    };
    Style::new().dim().force_styling(color).apply_to(clean(&whose)).to_string()
}
