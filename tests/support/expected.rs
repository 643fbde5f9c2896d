//! What a test needs and a machine may lack: a program, or root.
//!
//! `cargo xtask ci --require node,go,chromium,root` says in [`REQUIRED`] what is expected to be there.

/// The words of `--require`, with commas between them.
const REQUIRED: &str = "MONO_DEMO_REQUIRE";

/// Says that a test is left out for want of something.
///
/// # Panics
/// It is expected here.
#[track_caller]
pub fn left_out(want: &str, why: &str) {
    let required = std::env::var(REQUIRED).unwrap_or_default();
    assert!(!is_among(want, &required), "{want} is required here: {why}");
    eprintln!("left out, for want of {want}: {why}");
}

fn is_among(want: &str, required: &str) -> bool {
    required.split(',').any(|word| word.trim() == want)
}

#[test]
fn what_is_required_is_told_from_what_is_not() {
    for (required, is) in [("", false), ("node", true), ("go, node", true), ("nodes,go", false)] {
        assert_eq!(is_among("node", required), is, "{required}");
    }
}

#[test]
fn a_test_that_is_left_out_where_it_is_expected_fails() {
    let left_out = |required: &str| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "support::expected::is_left_out"]);
        command.env(REQUIRED, required).output().unwrap().status.success()
    };
    assert!(left_out("go"));
    assert!(!left_out("go,a-tool-of-nobody"));
}

#[test]
#[ignore = "run by another test"]
fn is_left_out() {
    left_out("a-tool-of-nobody", "there is none");
}
