//! Whether a page says that its program is ready.

use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::page::Page;
use super::question::status;

/// A page has no event for its first success: it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// One attempt: a program that accepts and does not answer is asked again.
const LIMIT: Duration = Duration::from_secs(5);

/// A page that is asked until it answers with success, and what it last said instead.
pub struct Readiness {
    page: Page,
    last: Mutex<Option<io::Result<u16>>>,
}

impl Readiness {
    /// It has not been asked yet.
    #[must_use]
    pub const fn of(page: Page) -> Self {
        Self { page, last: Mutex::new(None) }
    }

    /// Returns once a GET is answered with a status from 200 to 299.
    pub async fn seen(&self) {
        loop {
            let asked = tokio::time::timeout(LIMIT, status(&self.page)).await;
            let answer = asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
            if let Ok(200..=299) = answer {
                return;
            }
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// What was wanted of the program.
    #[must_use]
    pub fn wanted(&self) -> String {
        format!("answer a GET of {} with a status from 200 to 299", self.page.url)
    }

    /// What was seen instead.
    #[must_use]
    pub fn instead(&self) -> String {
        match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            None => "it has not answered yet".to_owned(),
            Some(Ok(status)) => format!("the last answer was {status}"),
            Some(Err(error)) => format!("the last attempt: {error}"),
        }
    }
}
