//! The tasks of an application, each with its name; the end of a task is noticed at once.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

use super::dispatch::panic_text;

/// The tasks that work for an application until it is drained.
#[derive(Default)]
pub(crate) struct Tasks {
    set: JoinSet<()>,
    /// Names by task id: a task that panicked cannot report its own name.
    names: HashMap<Id, String>,
}

/// A task that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) name: String,
    /// `None` where it just returned.
    pub(crate) panic: Option<String>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The next task that has ended; `None` where none is left. Dropping this loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Ended> {
        let (id, panic) = match self.set.join_next_with_id().await? {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(words(error))),
        };
        Some(Ended { name: self.names.remove(&id).unwrap_or_default(), panic })
    }
}

fn words(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic_text(&*panic),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_returns_is_named_and_one_that_works_is_not() {
        let mut tasks = Tasks::default();
        tasks.spawn("works".to_owned(), std::future::pending());
        tasks.spawn("panics".to_owned(), async { panic!("asked\nto") });
        let panicked = Ended { name: "panics".to_owned(), panic: Some("asked to".to_owned()) };
        assert_eq!(tasks.next().await, Some(panicked));
        tasks.spawn("returns".to_owned(), async {});
        let returned = Ended { name: "returns".to_owned(), panic: None };
        assert_eq!(tasks.next().await, Some(returned));
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, tasks.next()).await.is_err(), "the other one works");
    }
}
