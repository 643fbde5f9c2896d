//! A request has one reply: a second one is detected although the client library drops it.

use crate::support::program::{Home, Said};

const MEMBER: &str = include_str!("answers/member.py");

/// Three members, which this is the environment of.
fn suite(home: &Home, env: &str) -> Said {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("member.py"), MEMBER).unwrap();
    let member = format!(
        "run = [\"{{{{python}}}}\", \"member.py\"]\nready = {{ line = \"ready\" }}\nenv = {{ {env} }}\n"
    );
    let members = ["a", "b", "c"].map(|name| format!("[services.{name}]\n{member}"));
    std::fs::write(root.join("suite.toml"), members.concat()).unwrap();
    let scenario = "description = \"Two sums\"\n\
        [[step]]\nrequest = \"sums.add\"\nbody = { a = 1, b = 2 }\nreply = { sum = 3 }\n\
        [[step]]\nrequest = \"sums.add\"\nbody = { a = 2, b = 2 }\nreply = { sum = 4 }\n";
    std::fs::write(root.join("scenarios/sums.toml"), scenario).unwrap();
    home.run(&["e2e", "suite", "--update"])
}

#[test]
fn members_of_a_queue_group_answer_once() {
    suite(&Home::new(), "QUEUE = \"sums\"").ok();
}

#[test]
fn members_without_a_queue_group_answer_each_and_turn_the_run_red() {
    let told = suite(&Home::new(), "").failed(1, "").stdout;
    for sum in [3, 4] {
        let sentence = format!(
            "was answered 3 times, not once: by `{{\"sum\": {sum}}}`, and then by `{{\"sum\": {sum}}}`"
        );
        assert!(told.contains(&sentence), "{told}");
    }
}

#[test]
fn one_that_answers_twice_turns_the_run_red() {
    let told = suite(&Home::new(), "QUEUE = \"sums\", TIMES = \"2\"").failed(1, "").stdout;
    assert!(told.contains("was answered 2 times, not once"), "{told}");
}
