//! The lines of all servers of a run, read on from where the last look ended.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::line::{self, Line, Op, What};

/// What was traced so far.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Reading {
    /// How much of each log has been read.
    ends: HashMap<PathBuf, u64>,
    lines: Vec<Line>,
    /// Whose each connection is, as it said itself.
    whose: HashMap<(u32, u64), String>,
}

impl Reading {
    /// Reads what has come since, and says whether that is all of it: no more than the first `most`
    /// bytes of a log are read. A line that is being written is left for the next look.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(in crate::e2e) fn read_on(&mut self, path: &Path, most: u64) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let whole = file.metadata()?.len() <= most;
        let end = self.ends.get(path).copied().unwrap_or_default();
        file.seek(SeekFrom::Start(end))?;
        let mut bytes = Vec::new();
        file.take(most.saturating_sub(end)).read_to_end(&mut bytes)?;
        let lines = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let text = String::from_utf8_lossy(&bytes[..lines]);
        for line in text.lines().filter_map(line::parse) {
            let line = self.with_whose(line);
            self.lines.extend(line);
        }
        self.ends.insert(path.to_owned(), end + lines as u64);
        Ok(whole)
    }

    /// The line, with whose its connection is where the server does not say that; `None` for what is said
    /// of a connection alone.
    fn with_whose(&mut self, mut line: Line) -> Option<Line> {
        if let What::Trace { connection, op } = &mut line.what {
            if let Op::Connect { whose } = op {
                self.whose.insert(connection.id, std::mem::take(whose));
                return None;
            }
            if connection.whose.is_empty()
                && let Some(whose) = self.whose.get(&connection.id)
            {
                connection.whose.clone_from(whose);
            }
        }
        Some(line)
    }

    /// All of it, by time; what a server has traced at one moment in its own order.
    pub(in crate::e2e) fn lines(&mut self) -> &[Line] {
        self.lines.sort_by_key(|line| line.at);
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::broker::Role;

    fn line(second: u8, text: &str) -> String {
        format!("[8] 2026/11/23 15:24:{second:02}.000000 [INF] {text}\n")
    }

    fn told(reading: &mut Reading) -> Vec<String> {
        let text = |line: &Line| match &line.what {
            line::What::Plain(text) => text.trim_start_matches("[INF] ").to_owned(),
            other => panic!("{other:?}"),
        };
        reading.lines().iter().map(text).collect()
    }

    #[test]
    fn a_look_goes_on_where_the_last_one_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut reading) = (folder.path().join("log"), Reading::default());
        fs::write(&path, line(1, "a") + &line(3, "c")[..20]).unwrap();
        assert!(reading.read_on(&path, 1000).unwrap());
        assert_eq!(told(&mut reading), ["a"], "half a line is none yet");
        // What is before is not read again: it would be found out now.
        fs::write(&path, line(1, "x") + &line(3, "c")).unwrap();
        assert!(reading.read_on(&path, 1000).unwrap());
        assert!(reading.read_on(&path, 1000).unwrap());
        assert_eq!(told(&mut reading), ["a", "c"]);
    }

    #[test]
    fn an_old_server_says_only_at_first_whose_a_connection_is() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut reading) = (folder.path().join("log"), Reading::default());
        let trace = |second: u8, rest: &str| {
            line(second, "").replace("[INF] ", &format!("[TRC] 127.0.0.1:9 - cid:{rest}"))
        };
        let said = trace(1, r#"7 - <<- [CONNECT {"name":"a","user":"worker"}]"#);
        let known = r#"7 - "v1:go:b" - "$G/user:client" - <<- [PUB a 0]"#;
        let lines =
            [said, trace(2, "7 - <<- [PUB a 0]"), trace(3, known), trace(4, "8 - <<- [PUB a 0]")];
        fs::write(&path, lines.concat()).unwrap();
        assert!(reading.read_on(&path, 10_000).unwrap());
        let roles: Vec<Option<Role>> = reading
            .lines()
            .iter()
            .map(|line| match &line.what {
                What::Trace { connection, .. } => connection.role(),
                What::Plain(text) => panic!("{text}"),
            })
            .collect();
        assert_eq!(roles, [Some(Role::Worker), Some(Role::Client), None]);
    }

    #[test]
    fn servers_are_read_apart_and_told_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        let mut reading = Reading::default();
        fs::write(&one, line(1, "a") + &line(3, "c")).unwrap();
        fs::write(&other, line(2, "b") + &line(4, "d")).unwrap();
        for path in [&one, &other] {
            assert!(reading.read_on(path, 1000).unwrap());
        }
        assert_eq!(told(&mut reading), ["a", "b", "c", "d"]);
    }

    #[test]
    fn more_than_is_wanted_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut reading) = (folder.path().join("log"), Reading::default());
        fs::write(&path, line(1, "a") + &line(2, "b")).unwrap();
        let most = line(1, "a").len() as u64 + 5;
        for _ in 0..2 {
            assert!(!reading.read_on(&path, most).unwrap());
            assert_eq!(told(&mut reading), ["a"]);
        }
    }
}
