//! A fault of a network that reached nobody has proved nothing: its run fails, and says so.

use crate::support::own_suite::{STEP, e2e, suite};
use crate::support::program::Home;

/// It is up, connects to nobody, and so is never hit.
const IDLE: &str = "[services.idle]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\nready = { line = \"up\" }\n";

fn scenario(steps: &[&str]) -> String {
    format!("[proxy]\nclient = true\nservices = true\n{}", steps.concat())
}

#[test]
fn a_fault_of_a_network_that_reached_nobody_fails_the_run_at_its_place() {
    let home = Home::new();
    let on_services = |fault: &str| scenario(&["[[step]]\n", fault, "\non = \"services\"\n", STEP]);
    let healed = "[[step]]\nfault = \"heal-network\"\n";
    let nothing = "hit nothing: not a byte came its way while it lasted";
    let all = [
        ("delay", on_services("fault = \"delay\""), format!("`delay 50ms on services` {nothing}")),
        ("chop", on_services("fault = \"chop\""), format!("on services` {nothing}")),
        ("hole", on_services("fault = \"blackhole\""), format!("`blackhole on services` {nothing}")),
        (
            "ended",
            on_services("fault = \"half-open\"\nfor = \"10ms\""),
            format!("`half-open to-client on services for 10ms` {nothing}"),
        ),
        (
            "healed",
            on_services("fault = \"blackhole\"") + healed,
            format!("`blackhole on services` {nothing}"),
        ),
        (
            "after-bytes",
            on_services("fault = \"cut\"\nafter_bytes = 900"),
            "`cut after 900 bytes to-server on services` cut nothing: 900 more bytes had to pass first"
                .to_owned(),
        ),
        (
            "after-bytes-healed",
            on_services("fault = \"cut\"\nafter_bytes = 900") + healed,
            "`heal-network`: nothing was cut: 900 more bytes had to pass first".to_owned(),
        ),
        (
            "cut",
            on_services("fault = \"cut\""),
            "`cut on services`: nothing was cut: nobody had a connection through the proxy".to_owned(),
        ),
    ];
    let files: Vec<(&str, &str)> =
        all.iter().map(|(name, text, _)| (*name, text.as_str())).collect();
    suite(&home, IDLE, &files);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    for (name, _, told) in &all {
        let (_, red) =
            said.split_once(&format!("FAIL {name} [")).unwrap_or_else(|| panic!("{said}"));
        assert!(red.split("\nFAIL ").next().unwrap().contains(told), "{name}: {told}\n{said}");
        assert!(said.contains(&format!("{name}.toml:")), "{said}");
    }
    let sum = format!("0 passed, {} failed", all.len());
    assert!(said.contains(&sum), "{said}");
}

/// The same faults, where somebody is: each is its own, and one does not stand for another.
#[test]
fn a_fault_of_a_network_that_reached_somebody_is_green() {
    let home = Home::new();
    let on_client = |fault: &str| format!("[[step]]\n{fault}\non = \"client\"\n");
    let healed = "[[step]]\nfault = \"heal-network\"\n";
    let timeout = "[[step]]\nrequest = \"nobody\"\nerror = \"timeout\"\ntimeout = \"200ms\"\n";
    let (delay, hole) = (on_client("fault = \"delay\""), on_client("fault = \"blackhole\""));
    let cut = on_client("fault = \"cut\"\nafter_bytes = 10");
    let all = scenario(&[
        &delay,
        STEP,
        healed,
        &on_client("fault = \"chop\""),
        STEP,
        healed,
        &hole,
        timeout,
        healed,
        &on_client("fault = \"cut\""),
        STEP,
        &cut,
        "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\nwithin = \"5s\"\ntimeout = \"1s\"\n",
    ]);
    let twice = scenario(&[&hole, healed, &hole, timeout]);
    suite(&home, IDLE, &[("all", &all), ("twice", &twice)]);
    e2e(&home, &["all", "--update"]).ok();
    let said = e2e(&home, &["twice", "--ci"]).failed(1, "").stdout;
    assert_eq!(
        said.matches("`blackhole on client` hit nothing").count(),
        2,
        "once, and listed: {said}"
    );
}

#[test]
fn a_fault_of_services_where_none_runs_fails_at_its_place() {
    let home = Home::new();
    let faults = ["kill-services", "kill-service", "restart-services", "pause-services"];
    let scenario = |fault: &str| format!("services = []\n[[step]]\nfault = \"{fault}\"\n{STEP}");
    let all: Vec<(&str, String)> = faults.iter().map(|fault| (*fault, scenario(fault))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    suite(&home, IDLE, &all);
    for fault in faults {
        let said = e2e(&home, &[fault, "--update"]).failed(1, "").stdout;
        let told = format!("`{fault}`: matched nothing: no process of a service runs");
        assert!(said.contains(&told) && said.contains("4 | fault = "), "{said}");
    }
}
