//! A step that waits for a line of a service.

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

/// Prints a line for each file `go`, which a step makes.
const SHOP: &str = "echo up; n=0; while :; do if [ -e $MONO_DEMO_DIR/go ]; then rm $MONO_DEMO_DIR/go; \
                    n=$((n+1)); echo shipped o-$n; fi; sleep 0.01; done";

fn shop() -> String {
    format!("[services.shop]\nrun = [\"sh\", \"-c\", \"{SHOP}\"]\nready = {{ line = \"up\" }}\n")
}

const GO: &str = "[[step]]\nrun = [\"sh\", \"-c\", \"touch $MONO_DEMO_DIR/go\"]\n";

#[test]
fn a_step_waits_until_a_service_has_printed_so_many_lines() {
    let home = Home::new();
    let wait = |line: &str| format!("[[step]]\nexpect_log = {{ service = \"shop\", {line} }}\n");
    let all = [
        &wait("matches = '^up$'"),
        GO,
        &wait("matches = 'shipped o-1$'"),
        GO,
        &wait("matches = 'shipped o-\\d', count = 2"),
    ];
    suite(&home, &shop(), &[("waits", &all.concat())]);
    e2e(&home, &["--update"]).ok();
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/waits.snap")).unwrap();
    assert!(golden.contains("expect a line of shop with /shipped o-1$/\n"), "{golden}");
    assert!(golden.contains("expect 2 lines of shop with /shipped o-\\d/\n"), "{golden}");
}

#[test]
fn a_line_that_does_not_come_is_told_with_what_came() {
    let home = Home::new();
    let wait = |line: &str| {
        format!("{GO}[[step]]\nexpect_log = {{ service = \"shop\", {line} }}\nwithin = \"800ms\"\n")
    };
    let (none, few) = (wait("matches = 'shipped o-7'"), wait("matches = 'o-1', count = 2"));
    suite(&home, &shop(), &[("none", &none), ("few", &few)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    for told in [
        "shop printed no line that matches /shipped o-7/ within 800ms; its last line is `shipped o-1`",
        "shop printed 1 line of 2 that match /o-1/ within 800ms; its last line is `shipped o-1`",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert!(said.contains("none.toml:5:1") && said.contains("expect_log = {"), "{said}");
}

#[test]
fn a_service_that_has_ended_well_is_not_waited_for() {
    let home = Home::new();
    let file = "[services.shop]\nrun = [\"sh\", \"-c\", \"echo up; echo all is sold\"]\nready = { line = \"up\" }\nmay_end = true\n";
    let wait =
        "[[step]]\nexpect_log = { service = \"shop\", matches = 'shipped' }\nwithin = \"5m\"\n";
    let came = "[[step]]\nexpect_log = { service = \"shop\", matches = 'sold' }\nwithin = \"5m\"\n";
    suite(&home, file, &[("ended", wait), ("came", came)]);
    e2e(&home, &["came", "--update"]).ok();
    let said = e2e(&home, &["ended", "--ci"]).failed(1, "").stdout;
    let told = "shop printed no line that matches /shipped/ and has ended with exit status 0; its last line \
                is `all is sold`";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_long_line_is_shortened_where_it_is_told() {
    let home = Home::new();
    let shop = shop().replace("echo up;", "echo up; head -c 60000 /dev/zero | tr '\\\\0' x; echo;");
    let step =
        "[[step]]\nexpect_log = { service = \"shop\", matches = 'shipped' }\nwithin = \"800ms\"\n";
    let check = "[[check]]\nlog = \"shop\"\nmatches = 'xx'\ncount = 7\n";
    suite(&home, &shop, &[("step", step), ("check", &format!("{GO}{check}"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    assert!(said.contains("its last line is `xxx") && said.contains("xxx…`"), "{said}");
    assert!(said.contains("not 7, the last `xxx"), "{said}");
    assert!(!said.contains(&"x".repeat(1001)), "{said}");
}
