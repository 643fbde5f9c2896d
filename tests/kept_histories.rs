//! `e2e --history DIR` and `history check`: what a run keeps, and how it is judged afterwards.

use std::path::{Path, PathBuf};

use crate::support::program::{Home, Said};
use serde_json::{Value, json};

fn e2e(home: &Home, args: &[&str]) -> Said {
    let mut command = home.command(["e2e", "--client", "rust", "--ci"]);
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    Said::from(command.output().unwrap())
}

/// A run of the naive worker, of an honest one, and where their histories and reports are.
struct Kept {
    home: Home,
    folder: PathBuf,
}

const SCENARIO: &str = "payment/killed-before-acknowledging";

impl Kept {
    fn of(args: &[&str]) -> (Self, Said) {
        let home = Home::new();
        let folder = home.path().join("histories");
        let flags = ["--history", folder.to_str().unwrap(), SCENARIO];
        let said = e2e(&home, &[&flags, args].concat());
        (Self { home, folder }, said)
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{SCENARIO}.rust.jsonl"))
    }

    fn check(&self, path: &Path, more: &[&str]) -> Said {
        self.home.run(&[&["history", "check", path.to_str().unwrap()], more].concat())
    }
}

#[test]
fn an_honest_run_is_reported_in_numbers_and_its_history_is_valid() {
    let reports = tempfile::tempdir().unwrap();
    let [json, junit] = ["json", "junit"].map(|kind| reports.path().join(kind));
    let flags = [
        format!("--report=json={}", json.display()),
        format!("--report=junit={}", junit.display()),
    ];
    let (kept, said) = Kept::of(&flags.each_ref().map(String::as_str));
    let stdout = said.ok();
    let line = "3 payments: 3 acknowledged, 3 completed, 0 failed, 0 lost, 0 charged twice; \
                charged 29.97 USD, to the cent what is completed";
    assert!(stdout.contains(line), "{stdout}");

    let text = std::fs::read_to_string(json).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let history = &report["runs"][0]["history"];
    assert_eq!(history["verdict"], "valid");
    assert_eq!(history["figures"]["charges"], 3);
    assert_eq!(history["figures"]["charged"], json!({ "USD": "29.97" }));
    assert_eq!(report["runs"][0]["history_file"], kept.file().to_str().unwrap());
    let junit = std::fs::read_to_string(junit).unwrap();
    for (name, value) in
        [("history", "valid"), ("history.charges", "3"), ("history.charged.USD", "29.97")]
    {
        assert!(junit.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{junit}");
    }

    // The file, and the folder that it lies in.
    for path in [kept.file(), kept.folder.clone()] {
        let said = kept.check(&path, &[]).ok();
        assert!(said.contains("killed-before-acknowledging.rust.jsonl: valid"), "{said}");
        assert!(said.contains(line), "{said}");
    }
    // Nothing was broken from outside, so that a bound after the last fault is about nothing.
    let said = kept.check(&kept.file(), &["--final-within", "1s"]).failed(3, "");
    assert!(said.stdout.contains(": unknown"), "{}", said.stdout);
}

#[test]
fn a_history_of_a_broken_promise_is_invalid_with_its_evidence() {
    let (kept, said) = Kept::of(&["--sabotage", "duplicate"]);
    let told = said.failed(1, "").stdout;
    assert!(told.contains(&format!("history: {}", kept.file().display())), "{told}");
    let said = kept.check(&kept.file(), &[]).failed(1, "").stdout;
    assert!(said.contains(": invalid: "), "the summary names what is broken: {said}");
    assert!(said.contains("pay-1 was charged 2 times, not once"), "{said}");
    let charges = said.lines().filter(|line| line.contains(r#""charge":{"payment_id":"pay-1""#));
    // The two of it, and the second as one after the outcome.
    assert_eq!(charges.count(), 3, "{said}");

    let json = kept.home.run(&["--json", "history", "check", kept.file().to_str().unwrap()]);
    let object: Value = serde_json::from_str(&json.failed(1, "").stdout).unwrap();
    assert_eq!(
        (&object["ok"], &object["histories"][0]["verdict"]),
        (&json!(false), &json!("invalid"))
    );
}

#[test]
fn a_history_that_was_cut_off_says_too_little_and_a_damaged_one_is_none() {
    let (kept, said) = Kept::of(&[]);
    said.ok();
    let text = std::fs::read_to_string(kept.file()).unwrap();
    let cut = kept.home.path().join("cut.jsonl");
    std::fs::write(&cut, text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    let said = kept.check(&cut, &[]).failed(3, "").stdout;
    assert!(said.contains(": unknown") && said.contains("cut off"), "{said}");
    let damaged = kept.home.path().join("damaged.jsonl");
    std::fs::write(&damaged, text.replacen("\"seq\":3,", "\"seq\":4,", 1)).unwrap();
    kept.check(&damaged, &[]).failed(2, "lines are missing or moved");
    std::fs::remove_file(&damaged).unwrap();
    kept.check(&kept.home.path().join("none.jsonl"), &[]).failed(2, "No such file");
    kept.home.run(&["history", "check", "."]).failed(3, "");
    std::fs::create_dir(kept.home.path().join("empty")).unwrap();
    kept.home.run(&["history", "check", "empty"]).failed(2, "no .jsonl files");
}

#[test]
fn a_folder_that_cannot_be_written_costs_no_run() {
    let home = Home::new();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = e2e(&home, &["--history", file.to_str().unwrap(), SCENARIO]).failed(2, "--history");
    assert_eq!(said.stdout, "");
    let said = e2e(&home, &["--history", "/proc/none", SCENARIO]).failed(2, "--history /proc/none");
    assert_eq!(said.stdout, "");
}
