//! A fault that nothing has ended, told beside what failed.

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

const SHOP: &str = "[streams.ORDERS]\nsubjects = [\"orders.>\"]\n\
                    [services.shop]\nrun = [\"sh\", \"-c\", \"trap 'exit 0' TERM; sleep 1000 & echo up; wait\"]\n\
                    ready = { line = \"up\" }\n";
const CHECK: &str = "[[check]]\nstream = \"ORDERS\"\nmessages = 1\nwithin = \"300ms\"\n";

#[test]
fn what_is_broken_still_is_told_with_its_step_and_what_ends_it() {
    let home = Home::new();
    let step = |fault: &str| format!("[[step]]\nfault = \"{fault}\"\n");
    let proxy = "[proxy]\nclient = true\n";
    let mended = [step("pause-services"), step("resume-services")].concat();
    let submit = "[[step]]\nsubmit = \"orders.new\"\ntext = \"1\"\ntimeout = \"300ms\"\n";
    suite(
        &home,
        SHOP,
        &[
            ("paused", &[&step("pause-services"), CHECK].concat()),
            ("stopped", &[&step("stop-services"), CHECK].concat()),
            ("silent", &[proxy, &step("blackhole"), submit].concat()),
            ("broker", &[&step("pause-broker"), submit].concat()),
            ("two", &[&step("pause-broker"), &step("pause-services"), submit].concat()),
            ("mended", &[&mended, CHECK].concat()),
        ],
    );
    let said = |name: &str| e2e(&home, &[name, "--ci", "-v"]).failed(1, "").stdout;
    for (name, told) in [
        (
            "paused",
            "`pause-services` of line 3 lasts still: a step `fault = \"resume-services\"` ends it",
        ),
        (
            "stopped",
            "`stop-services` of line 3 lasts still: a step `fault = \"start-services\"` ends it",
        ),
        ("silent", "`blackhole` of line 5 lasts still: a step `fault = \"heal-network\"` ends it"),
        (
            "broker",
            "`pause-broker` of line 3 lasts still: a step `fault = \"resume-broker\"` ends it",
        ),
        ("two", "ends it; `pause-services` of line 5 lasts still"),
    ] {
        let said = said(name);
        assert!(said.contains(told), "{name}: {told}\n{said}");
    }
    let said = said("mended");
    assert!(!said.contains("lasts still"), "{said}");
}

#[test]
fn a_load_that_fails_tells_what_was_broken_just_then() {
    let home = Home::new();
    let load = "[proxy]\nclient = true\n[[step]]\nsubmit = \"orders.new\"\nbody = { n = \"{{n}}\" }\nrepeat = 50\n\
                timeout = \"100ms\"\nwithin = \"300ms\"\nunder = { blackhole = { times = 1, for = \"3s\" } }\n";
    suite(&home, SHOP, &[("load", load)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("not acknowledged within 300ms"), "{said}");
    assert!(said.contains("; it failed during `blackhole"), "{said}");
}
