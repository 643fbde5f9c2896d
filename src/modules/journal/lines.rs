//! Lines that are appended together, by one write for all that have come in.

use tokio::sync::oneshot;

use super::error::JournalError;
use super::file::Follow;

/// What is told of something that was done, once all is synced.
pub(super) type Told = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// One line, and who waits for it.
pub(super) struct Line {
    /// With its end.
    pub(super) text: Vec<u8>,
    pub(super) tell: oneshot::Sender<Result<(), JournalError>>,
}

/// Lines that are to be appended, in their order.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// One more, unless it was given up.
    pub(super) fn add(&mut self, line: Line) {
        if !line.tell.is_closed() {
            self.0.push(line);
        }
    }

    /// Appends all of them; nothing is left to append. What is to be told, where anybody waits.
    pub(super) fn append(&mut self, file: &mut Result<Follow<'_>, JournalError>) -> Option<Told> {
        let lines = std::mem::take(&mut self.0);
        if lines.is_empty() {
            return None;
        }
        let appended = match file {
            Ok(follow) => appended(&lines, follow),
            Err(error) => vec![Err(error.clone()); lines.len()],
        };
        Some(Box::new(move |synced| {
            for (line, appended) in lines.into_iter().zip(appended) {
                let _ = line.tell.send(synced.clone().and(appended));
            }
        }))
    }
}

/// What came of each line. Where they do not go in together, as on a disk that is nearly full, each is
/// tried by itself.
fn appended(lines: &[Line], follow: &mut Follow<'_>) -> Vec<Result<(), JournalError>> {
    let all: Vec<u8> = lines.iter().flat_map(|line| &line.text).copied().collect();
    match follow.append_text(&all) {
        Ok(()) => vec![Ok(()); lines.len()],
        Err(error) if lines.len() == 1 => vec![Err(error)],
        Err(_) => lines.iter().map(|line| follow.append_text(&line.text)).collect(),
    }
}
