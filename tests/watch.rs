//! `e2e --watch`: runs the scenarios again that a changed file affects.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::program::Home;

const STEP: &str = "[[step]]\nrequest = \"services.math.calculate\"\nbody = { operation = \"add\", a = 1, b = 2 }\n";

/// Ended whatever the test comes to.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_change_runs_again_what_it_touches() {
    let home = Home::new();
    let fixtures = home.path().join("fixtures");
    std::fs::create_dir_all(&fixtures).unwrap();
    let write = |name: &str, more: &str| {
        let text = format!("description = \"{name}\"\n{STEP}{more}");
        std::fs::write(fixtures.join(format!("{name}.toml")), text).unwrap();
    };
    write("a", "");
    write("b", "");
    std::fs::write(fixtures.join("asks.steps.toml"), STEP).unwrap();
    let rows = "[[row]]\nname = \"one\"\na = 1\n[[row]]\nname = \"two\"\na = 2\n[[step]]\ncall = \"math.add\"\nargs = [\"{{a}}\", 1]\n";
    write("rows", &format!("{rows}[[step]]\ninclude = \"asks.steps.toml\"\n"));
    home.run(&["e2e", "--client", "rust", "--update"]).ok();

    // One pipe for both: their order is what a person sees.
    let (read, write_end) = std::io::pipe().unwrap();
    let child = home
        .command(["e2e", "--client", "rust", "--watch"])
        .stdout(write_end.try_clone().unwrap())
        .stderr(write_end)
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(read).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    let until = |text: &str| {
        let mut seen = String::new();
        loop {
            let line = lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("no line has `{text}`:\n{seen}"));
            seen.push_str(&line);
            seen.push('\n');
            if line.contains(text) {
                return seen;
            }
        }
    };
    until("watching for changes");
    write("a", "reply = { result = 4 }\n");
    let seen = until("watching for changes");
    assert!(seen.contains("FAIL a [rust]") && seen.contains("1 scenario, 1 run"), "{seen}");
    write("b", "reply = [\n");
    let seen = until("watching for changes");
    assert!(seen.contains("fixtures/b.toml"), "a slip is shown, and the watch goes on:\n{seen}");
    write("b", "");
    let seen = until("watching for changes");
    assert!(seen.contains("ok   b [rust]") && seen.contains("1 scenario, 1 run"), "{seen}");

    // Shared steps are run again where they are included, and a row's golden file for that row.
    std::fs::write(fixtures.join("asks.steps.toml"), format!("{STEP}reply = {{ result = 3 }}\n"))
        .unwrap();
    let seen = until("watching for changes");
    assert!(
        seen.contains("ok   rows/one [rust]") && seen.contains("2 scenarios, 2 runs"),
        "{seen}"
    );
    let golden = fixtures.join("rows.two.snap");
    let text = std::fs::read_to_string(&golden).unwrap();
    std::fs::write(golden, format!("{text}more\n")).unwrap();
    let seen = until("watching for changes");
    assert!(seen.contains("FAIL rows/two [rust]") && seen.contains("1 scenario, 1 run"), "{seen}");

    Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
