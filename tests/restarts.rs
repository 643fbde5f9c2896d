//! `restart = true`: a process that ends by itself is started again, whatever is under way.

use crate::support::program::Home;

/// Notes each start, and waits for a word to end badly.
const SHOP: &str =
    "echo $$ >> starts; echo up; until [ -e end ]; do sleep 0.01; done; rm end; exit 7";

fn run(restart: bool, steps: &str) -> (Home, crate::support::program::Said) {
    run_with(&format!("restart = {restart}"), steps)
}

fn run_with(processes: &str, steps: &str) -> (Home, crate::support::program::Said) {
    let home = Home::new();
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    let file = format!(
        "[services.shop]\nrun = [\"sh\", \"-c\", \"{SHOP}\"]\nready = {{ line = \"up\" }}\n\
         ready_within = \"60s\"\n"
    );
    std::fs::write(root.join("suite.toml"), file).unwrap();
    let text = format!("description = \"again\"\n[processes]\n{processes}\n{steps}");
    std::fs::write(root.join("scenarios/again.toml"), text).unwrap();
    let said = home.run(&["e2e", "suite", "--update"]);
    (home, said)
}

/// Ends the service, and waits until it has started so often.
fn ended(starts: usize) -> String {
    let script =
        format!("touch end; until [ $(wc -l < starts) -ge {starts} ]; do sleep 0.01; done");
    format!("[[step]]\nrun = [\"sh\", \"-c\", \"{script}\"]\ntimeout = \"50s\"\n")
}

#[test]
fn a_step_meets_the_next_process() {
    let (home, said) = run(true, &[ended(2), ended(3)].concat());
    let said = said.ok();
    assert!(said.contains("started again: shop 2 times"), "{said}");
    let starts = std::fs::read_to_string(home.path().join("suite/starts")).unwrap();
    assert!(starts.lines().count() >= 3, "{starts}");
}

#[test]
fn what_a_fault_has_stopped_stays_stopped() {
    let stopped = "[[step]]\nfault = \"stop-services\"\n";
    let still = |starts: usize| {
        format!(
            "[[step]]\nrun = [\"true\"]\n\
             [[step]]\nrun = [\"sh\", \"-c\", \"test $(wc -l < starts) -eq {starts}\"]\n"
        )
    };
    let started = "[[step]]\nfault = \"start-services\"\n";
    let (_home, said) = run(true, &[stopped, &still(1), started, &still(2), &ended(3)].concat());
    said.ok();
}

/// It starts once, and never again.
const ONCE: &str =
    "[ -e was ] && { echo the lock is taken; exit 3; }; touch was; echo up; exec sleep 1000";

#[test]
fn a_service_that_does_not_come_back_after_a_fault_fails_the_run_with_its_status_and_last_lines() {
    for (fault, processes) in [
        ("kill-services", ""),
        ("restart-services", ""),
        ("kill-service", "[processes]\nrestart = true\n"),
    ] {
        let home = Home::new();
        let file = format!(
            "[services.shop]\nrun = [\"sh\", \"-c\", \"{ONCE}\"]\nready = {{ line = \"up\" }}\n"
        );
        let steps = format!("{processes}[[step]]\nfault = \"{fault}\"\n");
        crate::support::own_suite::suite(&home, &file, &[("once", &steps)]);
        let said = home.run(&["e2e", "suite", "--ci"]).failed(1, "").stdout;
        let told = format!(
            "error: `{fault}`: shop ended with exit status 3 before it was ready; its log says `the lock \
             is taken`"
        );
        assert!(said.contains(&told), "{said}");
        assert!(said.contains("--- last lines of shop\n     the lock is taken\n"), "{said}");
        assert!(
            said.contains(&format!("fault = \"{fault}\"")) && said.contains("once.toml:"),
            "{said}"
        );
        assert!(!said.contains("could not be run"), "{said}");
    }
}

#[test]
fn without_it_the_step_fails_with_how_the_process_ended() {
    let (_home, said) = run(false, &ended(2));
    let said = said.failed(1, "").stdout;
    assert!(said.contains("shop ended with exit status 7"), "{said}");
}

#[test]
fn a_bound_on_restarts_fails_the_run() {
    let bound = "restart = true\nrestarts = 1";
    run_with(bound, &ended(2)).1.ok();
    let said = run_with(bound, &[ended(2), ended(3)].concat()).1.failed(1, "").stdout;
    assert!(said.contains("shop ended by itself 2 times, more than `restarts = 1`"), "{said}");
}
