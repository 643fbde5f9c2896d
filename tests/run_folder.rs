//! `cwd = "{{dir}}"`: a service, or a program, in the folder of its run.

use crate::support::own_suite::{e2e, suite};
use crate::support::program::Home;

#[test]
fn a_service_and_a_program_run_in_the_folder_of_their_run() {
    let home = Home::new();
    let file =
        "[services.shop]\nrun = [\"./shop.sh\"]\ncwd = \"{{dir}}\"\nready = { line = \"up\" }\n";
    let steps = "[[step]]\nrun = [\"cat\", \"made/here\"]\ncwd = \"{{dir}}\"\nstdout = \"by the shop\\n\"\n\
                 [[step]]\nrun = [\"cat\", \"here\"]\ncwd = \"{{dir}}/made\"\nstdout = \"by the shop\\n\"\n";
    suite(&home, file, &[("one", steps), ("two", steps)]);
    let path = home.path().join("suite/shop.sh");
    // `mkdir` fails where it is there already: each run has a folder of its own.
    std::fs::write(
        &path,
        "#!/bin/sh\nmkdir made && echo by the shop > made/here && echo up\nexec sleep 1000\n",
    )
    .unwrap();
    std::process::Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    e2e(&home, &["--update"]).ok();
    assert!(!home.path().join("suite/made").exists());
}

#[test]
fn a_working_folder_that_cannot_be_is_told() {
    let home = Home::new();
    let service = |cwd: &str| {
        format!(
            "[services.shop]\nrun = [\"sleep\", \"1000\"]\ncwd = \"{cwd}\"\nready = {{ connected = 1 }}\n"
        )
    };
    let step = crate::support::own_suite::STEP;
    suite(&home, &service("{{dri}}"), &[("one", step)]);
    let said = e2e(&home, &["--ci"]).failed(2, "{{dri}}").stderr;
    assert!(said.contains("suite.toml:3:") && said.contains('^'), "{said}");
    suite(&home, &service("{{dir}}/nowhere"), &[("one", step)]);
    let said = e2e(&home, &["--ci"]).failed(3, "").stdout;
    assert!(said.contains("could not start shop") && said.contains("nowhere"), "{said}");
}
