//! The HTML report: a whole page of real runs, read as text and in a browser.
//!
//! The browser is Chromium, where it is on `PATH`; without it one line says so. With `AXE` set to
//! the file `axe.min.js` of the package axe-core, its accessibility rules are held too.

mod browser;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::expected::left_out;
use crate::support::program::{Home, Said};
use browser::Browser;
use serde_json::{Value, json};

/// A step that changes nothing.
const CALL: &str = "[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nreply = 3\n";

/// What is run once for all tests: it passes, fails, is flaky, is skipped, breaks and mends.
fn scenarios() -> Vec<(&'static str, String)> {
    let redelivered = "[services.payment]\nack_wait = \"500ms\"\ngateway = [{ id = \"pay-12\", delay = \"300ms\" }]\n\
        [[step]]\nsubmit = \"services.payment.payment-process\"\nbody = { payment_id = \"pay-12\", amount = 9.99 }\n\
        [[step]]\ncall = \"payment.get_status\"\nargs = [\"pay-12\"]\nreply = { status = \"processing\" }\nwithin = \"5s\"\n\
        [[step]]\nfault = \"kill-services\"\n\
        [[step]]\ncall = \"payment.get_status\"\nargs = [\"pay-12\"]\nreply = { status = \"completed\" }\ntimeout = \"1s\"\nwithin = \"20s\"\n\
        [[step]]\nsettle = true\nwithin = \"20s\"\n\
        [[check]]\ncharged_once = \"pay-12\"\n";
    let submit = "[[step]]\nsubmit = \"services.payment.payment-process\"\nbody = { payment_id = \"pay-2\", amount = 20 }\nheaders = { Nats-Msg-Id = \"pay-2\" }\n";
    let hostile = "[[step]]\nrequest = \"services.math.calculate\"\ntext = \"</script><img src=x onerror=alert(1)>\\u001b[31m\\u202e\"\n\
        reply = { result = 4 }\n";
    let flaky =
        "[[step]]\nrun = [\"sh\", \"-c\", \"test -e seen || { : > seen; exit 1; }\"]\nexit = 0\n";
    vec![
        ("calls", CALL.to_owned()),
        ("differs", CALL.to_owned()),
        ("duplicate", format!("{submit}{submit}")),
        ("flaky", flaky.to_owned()),
        ("hostile", hostile.to_owned()),
        (
            "nobody",
            "[[step]]\nrequest = \"services.nobody.there\"\nerror = \"no_responders\"\n".to_owned(),
        ),
        ("redelivered", redelivered.to_owned()),
        ("skipped", "[[step]]\ncall = \"math.unheard_of\"\n".to_owned()),
    ]
}

struct Made {
    home: Home,
    page: String,
}

impl Made {
    fn path(&self) -> PathBuf {
        self.home.path().join("report.html")
    }

    /// The part of the page about one run.
    fn run(&self, name: &str) -> &str {
        let from = self.page.find(&format!("data-name=\"{name} [rust]\"><details"));
        let rest = &self.page[from.unwrap_or_else(|| panic!("{name} is not there"))..];
        &rest[..rest.find("</section>").unwrap()]
    }
}

/// The report of all scenarios with the Rust client.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let home = Home::new();
        write_suite(&home, &scenarios());
        let run = |args: &[&str]| Said::from(command(&home, args).output().unwrap());
        let seen = home.path().join("seen");
        std::fs::write(&seen, "").unwrap();
        run(&["--update"]);
        std::fs::remove_file(seen).unwrap();
        let golden = home.path().join("fixtures/differs.snap");
        let text = std::fs::read_to_string(&golden).unwrap();
        std::fs::write(&golden, text.replace("= 3", "= 4")).unwrap();
        let said = run(&["--retries", "1", "--report", "html=report.html"]);
        let page = std::fs::read_to_string(home.path().join("report.html")).unwrap();
        assert!(page.contains("1 flaky"), "{}", said.stdout);
        Made { home, page }
    })
}

fn write_suite(home: &Home, scenarios: &[(&str, String)]) {
    let folder = home.path().join("fixtures");
    std::fs::create_dir(&folder).unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"It is {name}\"\n{steps}");
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
}

fn command(home: &Home, args: &[&str]) -> std::process::Command {
    let mut command = home.command(["e2e", "--client", "rust"]);
    command.args(args);
    command
}

fn chromium() -> Option<PathBuf> {
    let found = ["chromium", "chromium-browser", "google-chrome"];
    let found = found.into_iter().find_map(|name| which::which(name).ok());
    if found.is_none() {
        left_out("chromium", "none is on PATH");
    }
    found
}

#[test]
fn every_run_is_in_the_table_with_its_verdict_in_words() {
    let made = made();
    for (name, verdict) in [
        ("calls", "passed"),
        ("differs", "failed"),
        ("duplicate", "passed"),
        ("flaky", "flaky"),
        ("hostile", "failed"),
        ("nobody", "passed"),
        ("redelivered", "passed"),
        ("skipped", "skipped"),
    ] {
        let cell = format!(
            "<a class=\"cell\" href=\"#{name}/rust\" data-verdict=\"{verdict}\" data-name=\"{name} [rust]\">"
        );
        assert!(made.page.contains(&cell), "{cell}");
        assert!(made.page.contains(&format!("<div class=\"body\" id=\"{name}/rust\"")), "{name}");
        assert!(made.page.contains(&format!("It is {name}")));
    }
    assert!(made.page.contains("2 failed, 1 flaky, 1 skipped, 4 passed"));
    assert!(made.page.contains("⚡ kill-services</span>"));
}

#[test]
fn a_failure_shows_the_difference_and_where_the_run_ended() {
    let made = made();
    let differs = made.run("differs");
    assert!(
        differs.contains("<del>-  = 4</del>") && differs.contains("<ins>+  = 3</ins>"),
        "{differs}"
    );
    assert!(!differs.contains("the run ended here"), "it got to its end");
    let hostile = made.run("hostile");
    assert!(hostile.contains("✗ the run ended here"), "{hostile}");
    assert!(made.run("flaky").contains("1 attempt did not pass"));
}

#[test]
fn a_redelivery_a_duplicate_and_a_missing_reply_are_marked_in_picture_and_table() {
    let made = made();
    let marked = |name: &str, mark: &str| {
        assert_eq!(made.run(name).matches(mark).count(), 2, "{name}: {mark}\n{}", made.run(name));
    };
    marked("redelivered", "↻ redelivery, attempt 2");
    marked("duplicate", "⧉ duplicate: the stream had it");
    marked("nobody", "∅ no reply seen");
    for name in ["calls", "duplicate"] {
        assert!(!made.run(name).contains("redelivery"), "{name}");
    }
    let redelivered = made.run("redelivered");
    assert!(redelivered.contains("class=\"band\""));
    assert_eq!(redelivered.matches("⚡ fault kill-services begins").count(), 2, "table and logs");
    assert!(redelivered.contains("charge of pay-12: approved, 9.99 USD"));
    assert!(redelivered.contains(">payments.ledger.pay-12<"));
    assert!(redelivered.contains(">+ACK payment-requests 1<"));
}

#[test]
fn what_comes_from_outside_is_text() {
    let page = &made().page;
    assert!(!page.contains("<img"), "a tag came through");
    assert!(page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"));
    let raw = page.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(raw, None);
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains("http://") && !page.contains("https://"));
}

#[test]
fn a_trace_changes_no_outcome() {
    // The golden files were written without one.
    let made = made();
    for name in ["duplicate", "nobody", "redelivered"] {
        assert!(made.run(name).contains("✓"), "{name}");
    }
    let logs = made.run("redelivered");
    assert!(!logs.contains("[TRC]"), "the broker's trace is no log for people");
}

#[test]
fn a_page_that_cannot_be_written_costs_no_run() {
    let home = Home::new();
    write_suite(&home, &[("calls", CALL.to_owned())]);
    let output = command(&home, &["--report", "html=no/such/folder.html"]).output().unwrap();
    let said =
        Said::from(output).failed(2, "--report no/such/folder.html: there is no folder no/such");
    assert!(!said.stdout.contains("calls [rust]"), "{}", said.stdout);
}

#[test]
fn a_browser_shows_it_without_network_and_a_keyboard_opens_a_run() {
    let Some(chromium) = chromium() else { return };
    let made = made();
    for scheme in ["light", "dark"] {
        let mut browser = Browser::start(&chromium);
        browser.prefer(scheme);
        browser.open(&made.path());
        let rows = browser.evaluate("document.querySelectorAll('.overview tbody tr').length");
        assert_eq!(rows, json!(8));
        let shown = browser.evaluate("document.getElementById('shown').textContent");
        assert_eq!(shown, json!("8 of 8 runs"), "the script runs");
        keyboard(&mut browser);
        filter(&mut browser);
        axe(&mut browser);
        assert_eq!(browser.complaints(), [""; 0]);
        assert_eq!(browser.requests().len(), 1, "only the page: {:?}", browser.requests());
    }
}

/// From the beginning of the page, with Tab and Enter alone.
fn keyboard(browser: &mut Browser) {
    let at = "document.activeElement.getAttribute('href') ?? document.activeElement.textContent";
    let mut path = Vec::new();
    while path.last() != Some(&json!("#duplicate/rust")) {
        assert!(path.len() < 60, "never got there: {path:?}");
        browser.press("Tab");
        path.push(browser.evaluate(at));
    }
    assert_eq!(path[0], json!("#runs"), "the first is the way past the table");
    let open = "document.getElementById('duplicate/rust').closest('details').open";
    assert_eq!(browser.evaluate(open), json!(false));
    browser.press("Enter");
    assert_eq!(browser.evaluate(open), json!(true));
    let focus = "document.activeElement.tagName + document.activeElement.textContent";
    let focused = browser.evaluate(focus);
    assert!(focused.as_str().unwrap().starts_with("SUMMARY✓ passed duplicate [rust]"), "{focused}");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline), json!("solid"), "the focus can be seen");
    browser.press("Enter");
    assert_eq!(browser.evaluate(open), json!(false));
}

fn filter(browser: &mut Browser) {
    browser.evaluate("document.querySelector('input[value=passed]').click()");
    let shown = "[...document.querySelectorAll('.run')].filter((r) => !r.hidden).length";
    assert_eq!(browser.evaluate(shown), json!(4));
    browser.evaluate("document.querySelector('input[value=passed]').click()");
    browser.evaluate("document.getElementById('open-all').click()");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('.run > details[open]').length"),
        json!(8)
    );
}

/// Every rule of axe-core, on the page with all runs open.
fn axe(browser: &mut Browser) {
    let Some(script) = std::env::var_os("AXE") else { return };
    browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })");
    browser.evaluate(&std::fs::read_to_string(script).expect("axe.min.js"));
    let violations =
        "axe.run(document).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes[0].html))";
    assert_eq!(browser.evaluate(violations), json!([]));
}

#[test]
fn the_browser_test_sees_what_it_looks_for() {
    let Some(chromium) = chromium() else { return };
    let made = made();
    let tampered = |name: &str, with: &str| -> PathBuf {
        let path = made.home.path().join(name);
        std::fs::write(&path, made.page.replace("</main>", &format!("{with}</main>"))).unwrap();
        path
    };
    let complaints = |path: &Path| {
        let mut browser = Browser::start(&chromium);
        browser.open(path);
        browser.complaints().join("\n")
    };
    // The page's own policy stops both.
    let script = complaints(&tampered("script.html", "<script>console.log('x')</script>"));
    assert!(script.contains("Content Security Policy"), "{script}");
    let image = complaints(&tampered("image.html", "<img src='https://example.invalid/x.png'>"));
    assert!(image.contains("Content Security Policy"), "{image}");
    // Without the policy, what a script says and asks for is seen.
    let open = made.page.replace("Content-Security-Policy", "X-None");
    let path = made.home.path().join("open.html");
    std::fs::write(
        &path,
        open.replace("</main>", "<img src='x.png'><script>oops()</script></main>"),
    )
    .unwrap();
    let mut browser = Browser::start(&chromium);
    browser.open(&path);
    assert!(browser.complaints().join("\n").contains("oops"), "{:?}", browser.complaints());
    assert_eq!(browser.requests().len(), 2);
    let value: Value = browser.evaluate("1 + 1");
    assert_eq!(value, json!(2));
}
