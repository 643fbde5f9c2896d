//! Whether a command printed what the page says.
//!
//! What differs from run to run counts as equal where [`MASKS`] has it; a page may also write `…`
//! for any text within a line, and for any lines where it stands alone. Runs of scenarios go side by
//! side, so their lines may come in any order. Warnings in the log are left out: a slow disk has some.

use regex_lite::Regex;

/// What stands for each of these, on both sides.
const MASKS: [(&str, &str); 8] = [
    (r"(?m)^\d{4}-\d\d-\d\dT\S+Z +WARN [^\n]*\n", ""),
    (r"/tmp/mono-demo-\w+", "<run>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"\bpid \d+", "pid <pid>"),
    (r"final (when the last fault ended|\S+ after the last fault)", "final <then>"),
    (r"\b\d+(\.\d+)? ?(ns|µs|ms|s)\b", "<time>"),
    (r"\b\d+ deliver(y|ies), \d+ redelivered", "<deliveries>"),
    // A reporter's column is as wide as its times are.
    (r" +<time>", " <time>"),
];

fn masked(text: &str) -> String {
    let text = MASKS.iter().fold(text.to_owned(), |text, (pattern, word)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, *word).into_owned()
    });
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_run = |line: &&str| line.starts_with("ok   ") || line.starts_with("new  ");
    lines.chunk_by_mut(|one, next| is_run(one) && is_run(next)).for_each(<[&str]>::sort);
    lines.concat()
}

/// Nothing, or how what was said differs from what is written.
pub fn difference(written: &[String], said: &str) -> Option<String> {
    let (written, said) = (masked(&lines(written)), masked(said));
    let pattern: String = written
        .lines()
        .map(|line| match line {
            "…" => r"([^\n]*\n)*".to_owned(),
            line => regex_lite::escape(line).replace('…', r"[^\n]*") + r"\n",
        })
        .collect();
    let same = Regex::new(&format!("^{pattern}$")).expect("a pattern").is_match(&said);
    let differs = || similar::TextDiff::from_lines(&written, &said).unified_diff().to_string();
    (!same).then(differs)
}

fn lines(written: &[String]) -> String {
    written.iter().map(|line| format!("{line}\n")).collect()
}
