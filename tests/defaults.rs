//! `mono-demo.toml`: defaults of flags for a repository.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::program::{Home, Said};

const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";

fn write(home: &Home, path: &str, text: &str) {
    let path = home.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Suites with one scenario each, of the same name as the suite's folder.
fn suites(home: &Home, folders: &[&str]) {
    for folder in folders {
        let name = Path::new(folder).file_name().unwrap().to_str().unwrap();
        write(home, &format!("{folder}/suite.toml"), "");
        let text = format!("description = \"It is {name}.\"\n\n{STEP}");
        write(home, &format!("{folder}/scenarios/{name}.toml"), &text);
        home.run(&["e2e", folder, "--update", "--no-config"]).ok();
    }
}

fn file(home: &Home, text: &str) {
    write(home, "mono-demo.toml", text);
}

/// What is said in a folder of this home, with these variables.
fn said_in(home: &Home, folder: &str, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = home.command(args);
    command.current_dir(home.path().join(folder)).envs(variables.iter().copied());
    Said::from(command.output().unwrap())
}

#[test]
fn a_repository_says_which_suites_are_run_and_how() {
    let home = Home::new();
    suites(&home, &["e2e", "shop/tests"]);
    file(
        &home,
        "color = \"always\"\n[e2e]\nsuites = [\"e2e\", \"shop/tests\"]\nreport = \"json=out/r.json\"\n",
    );
    write(&home, "out/x", "");
    write(&home, "deep/er/x", "");
    let said = said_in(&home, "deep/er", &[], &["e2e"]).ok();
    assert!(said.contains("2 suites: all passed") && said.contains("\x1b["), "{said}");
    for report in ["out/r-e2e.json", "out/r-tests.json"] {
        assert!(home.path().join(report).is_file(), "{report}: from the folder of the file");
    }
    // A suite that is nearer than the file, a path, and another suite win.
    let said = said_in(&home, "shop/tests/scenarios", &[], &["e2e"]).ok();
    assert!(!said.contains("2 suites") && said.contains("tests [rust]"), "{said}");
    let said = home.run(&["e2e", "e2e"]).ok();
    assert!(!said.contains("2 suites"), "{said}");
    let said = home.run(&["e2e", "--builtin", "--list", "math/division-by-zero"]).ok();
    assert!(said.starts_with("math/division-by-zero "), "{said}");
    assert!(home.run(&["e2e", "--no-config", "--builtin", "--list"]).ok().lines().count() > 20);
}

#[test]
fn a_name_is_one_of_the_suite_in_the_file() {
    let home = Home::new();
    suites(&home, &["e2e"]);
    file(&home, "[e2e]\nsuites = \"e2e\"\nleaks = \"fail\"\nretries = 1\n");
    assert_eq!(home.run(&["e2e", "--list", "e2e"]).ok(), "e2e  It is e2e.\n");
    write(
        &home,
        "e2e/scenarios/wrong.toml",
        &format!("description = \"d\"\n\n{}", STEP.replace("no_responders", "timeout")),
    );
    let said = home.run(&["e2e", "wrong"]).failed(1, "").stdout;
    assert!(said.contains("again: mono-demo e2e e2e --leaks fail wrong --client rust"), "{said}");
    // What is said again is the same without the file, and by another one.
    write(&home, "other.toml", "[e2e]\nsuites = \"e2e\"\nhazards = \"ignore\"\n");
    let said = home.run(&["e2e", "--config", "other.toml", "wrong"]).failed(1, "").stdout;
    assert!(
        said.contains("again: mono-demo e2e e2e --hazards ignore --config other.toml wrong"),
        "{said}"
    );
    let said = home.run(&["e2e", "--no-config", "e2e", "wrong"]).failed(1, "").stdout;
    assert!(said.contains("again: mono-demo e2e e2e --no-config wrong"), "{said}");
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_and_that_over_what_is_built_in() {
    let home = Home::new();
    suites(&home, &["e2e"]);
    let run = ["e2e", "e2e"];
    let is_coloured = |variables: &[(&str, &str)], more: &[&str]| {
        said_in(&home, ".", variables, &[&run[..], more].concat()).ok().contains("\x1b[")
    };
    assert!(!is_coloured(&[], &[]));
    file(&home, "color = \"always\"\n");
    assert!(is_coloured(&[], &[]));
    assert!(!is_coloured(&[("NO_COLOR", "1")], &[]));
    assert!(is_coloured(&[("NO_COLOR", "1")], &["--color", "always"]));
    assert!(!is_coloured(&[], &["--color=never"]));
    file(&home, "nats-server = \"nowhere\"\n");
    let said = home.run(&run).failed(3, &home.path().join("nowhere").display().to_string());
    let from = format!("note: nats-server is set in {}/mono-demo.toml\n", home.path().display());
    assert!(said.stderr.ends_with(&from), "{}", said.stderr);
    let said = home.run(&["e2e", "e2e", "--nats-server", "elsewhere"]).failed(3, "elsewhere");
    assert!(!said.stderr.contains("is set in"), "{}", said.stderr);
    let said = said_in(&home, ".", &[("MONO_DEMO_NATS_SERVER", "of-the-variable")], &run);
    said.failed(3, "of-the-variable");
}

#[test]
fn a_value_of_the_file_that_is_refused_is_told_with_its_key_and_the_file() {
    let home = Home::new();
    suites(&home, &["e2e", "other"]);
    write(&home, "taken", "a file");
    write(&home, ".config/nats/context/mine.json", "{}");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = format!("port = {}", taken.local_addr().unwrap().port());
    let path = home.path().join("mono-demo.toml").display().to_string();
    let nothing = home.path().join("nothing").display().to_string();
    let nothing = [("PATH", nothing.as_str()), ("XDG_CACHE_HOME", nothing.as_str())];
    for (text, args, needle, note) in [
        ("nats-server = \"nowhere\"", &["e2e", "e2e"][..], "nowhere", "nats-server is"),
        ("nats-server = \"nowhere\"", &["serve"], "nowhere", "nats-server is"),
        ("[e2e]\nclient = \"ada\"", &["e2e", "e2e"], "no client `ada`", "client is"),
        ("[e2e]\nclient = \"ada\"", &["e2e", "--builtin"], "no client `ada`", "client is"),
        ("[e2e]\nrequire = \"ada\"", &["e2e", "e2e"], "no client `ada`", "require is"),
        ("[e2e]\nhistory = \"taken/x\"", &["e2e", "e2e"], "--history", "history is"),
        ("[e2e]\nreport = \"json=no/r\"", &["e2e", "e2e"], "--report", "report is"),
        ("[e2e]\nsuites = \"nope\"", &["e2e"], "no file or folder", "suites is"),
        ("[e2e]\nsuites = [\"e2e\", \"other\"]", &["e2e", "--watch"], "--watch", "suites is"),
        ("[serve]\nstore-dir = \"taken\"", &["serve"], "taken", "store-dir is"),
        (&format!("[serve]\n{port}"), &["serve"], "another process uses", "port is"),
        ("[serve]\nsave-context = \"mine\"", &["serve"], "is there already", "save-context is"),
        ("[serve]\nsettings = \"no.toml\"", &["serve"], "--settings", "settings is"),
        ("[serve]\ngateway = \"x\"", &["serve"], "--gateway", "gateway is"),
        ("[serve]\nmailer = \"x\"", &["serve"], "--mailer", "mailer is"),
        ("[serve]\njournal-dir = \"taken\"", &["serve"], "taken", "journal-dir is"),
        (
            "[serve]\ntls-cert = \"taken\"\ntls-key = \"taken\"",
            &["serve"],
            "--tls-cert",
            "tls-cert and tls-key are",
        ),
    ] {
        file(&home, text);
        let said = home.run(args);
        assert!(said.stderr.contains(needle), "{text}: {}", said.stderr);
        let note = format!("note: {note} set in {path}\n");
        assert!(said.stderr.ends_with(&note), "{text}: {}", said.stderr);
    }
    file(&home, "offline = true");
    let said = said_in(&home, ".", &nothing, &["serve"]).failed(3, "forbidden by --offline");
    assert!(said.stderr.ends_with(&format!("note: offline is set in {path}\n")), "{}", said.stderr);
    // What was typed is nobody else's.
    file(&home, "[e2e]\nclient = \"rust\"\n[serve]\nsettings = \"taken\"\n");
    for args in [&["e2e", "e2e", "--client", "ada"][..], &["serve", "--settings", "no.toml"]] {
        let said = home.run(args).failed(2, "");
        assert!(!said.stderr.contains("set in"), "{}", said.stderr);
    }
}

#[test]
fn a_flag_that_does_not_go_with_a_key_wins() {
    let home = Home::new();
    suites(&home, &["e2e"]);
    file(&home, "[e2e]\nsuites = \"e2e\"\nretries = 2\nreport = [\"json=r.json\"]\nquiet = true\n");
    for more in [&["--list"][..], &["--update"], &["--repeat", "2"], &["--verbose"], &["--record"]]
    {
        home.run(&[&["e2e"], more].concat()).ok();
    }
    // Commands below have no such flags.
    home.run(&["e2e", "new", "fresh"]).ok();
    home.run(&["e2e", "fmt", "e2e"]).ok();
    file(
        &home,
        "timeout = \"1s\"\n[serve]\nport = 0\nauth = true\nclient = [\"ada\"]\ndrain-timeout = \"1s\"\n",
    );
    home.run(&["e2e", "e2e"]).ok();
    let serve = home.serve(&[]);
    assert_ne!(serve.runtime()["url"], "nats://127.0.0.1:4222");
    assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n");
    home.run(&["status"]).ok();
    // It joins that broker, and starts none.
    let other = Home::new();
    file(&other, "[serve]\nport = 1\ncluster = 3\n");
    let url = "nats://127.0.0.1:9";
    other.run(&["serve", "--server", url]).failed(8, "127.0.0.1:9");
    drop(serve);
}

#[test]
fn every_mistake_has_its_place_and_what_was_meant() {
    let home = Home::new();
    for (text, needle, help) in [
        ("[e2e]\njobz = 4\n", "[e2e] there is no key `jobz`", "did you mean `jobs`?"),
        ("[e2e]\nfail_fast = true\n", "there is no key `fail_fast`", "did you mean `fail-fast`?"),
        ("[e2e]\njobs = true\n", "`jobs` is a whole number", "^^^^"),
        ("[e2e]\njobs = \"4\"\n", "`jobs` is a whole number", "^^^"),
        ("[e2e]\njobs = 0\n", "expected a whole number from 1 to 1000000", "2 | jobs = 0"),
        ("[e2e]\nnats-server-version = 2.11\n", "`nats-server-version` is a text", "^^^^"),
        ("[e2e]\nleaks = \"fial\"\n", "invalid value 'fial' for '--leaks <HOW>'", "2 | leaks"),
        (
            "[e2e]\nport = 4222\n",
            "[e2e] `port` does not belong here",
            "put it into the table [serve]",
        ),
        ("[serve]\ncolor = \"never\"\n", "`color` does not belong here", "before the first table"),
        ("jobs = 4\n", "`jobs` does not belong here", "put it into the table [e2e]"),
        ("[e2e]\nlist = true\n", "`list` is wanted once", "give --list on the command line"),
        ("color = \"allways\"\n", "invalid value 'allways'", "a similar value exists: 'always'"),
        ("[e3e]\njobs = 4\n", "there is no key `e3e`", "did you mean `e2e`?"),
        ("e2e = 4\n", "`e2e` is a table: [e2e]", "^"),
        ("password = \"hunter2\"\n", "no secret belongs into this file", "nats context add"),
        ("[serve]\ntoken = \"hunter2\"\n", "no secret belongs into this file", "--context"),
        ("[e2e]\ntoken = hunter2\n", "", "token = *******"),
        ("serve = { password = \"hunter2\" }\n", "no secret", "password = *********"),
        ("password = \"abc,hunter2\"\n", "no secret", "password = *************"),
        ("token = [\"a\", \"hunter2\"]\n", "no secret", "token = ****************"),
        ("nkey = \"\"\"\nhunter2\"\n\"\"\"x\n", "", "--> "),
        ("password: hunter2\n", "", "password: *******"),
        ("[e2e]\nreport = \"http://u:hunter2@h/x\"\n", "has a login in a URL", "--context"),
        ("nats-server = \"nats://u:hunter2@h\"\n", "has a login in a URL", "--context"),
        ("[e2e]\nclient = [\"nats://u:hunter2@h\"]\n", "has a login in a URL", "--context"),
        ("timeout = \"nats://u:hunter2@h\"\n", "has a login in a URL", "--context"),
        ("[e2e]\nsuites = []\n", "has nothing in it", "leave it out"),
        ("server = \"nats://u:hunter2@x\"\n", "how to connect is no matter", "@x"),
        ("server = \"nats://x\"\n", "how to connect is no matter of a repository", "--context"),
        ("[serve]\nclient = [\"ada\"]\n", "[serve] the following required arguments", "--auth"),
        ("[e2e]\nquiet = true\nverbose = true\n", "cannot be used with", "3 | verbose"),
        ("[e2e\n", "", "1 | [e2e"),
    ] {
        file(&home, text);
        for command in [&["e2e", "--list"][..], &["call", "math", "add", "1", "2"], &["config"]] {
            let said = home.run(command).failed(2, needle);
            assert!(said.stderr.contains(help), "{text}: {}", said.stderr);
            assert!(said.stderr.contains("--> mono-demo.toml:"), "{text}: {}", said.stderr);
            assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
        }
    }
    let said = home.run(&["e2e", "--list", "--json"]).failed(2, "");
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["error"]["kind"], "usage");
    // It is looked for, and not read, where somebody asks for none, or for another.
    home.run(&["--no-config", "version"]).ok();
    home.run(&["--config", "missing.toml", "version"]).failed(2, "missing.toml");
    home.run(&["--config", "x", "--no-config", "version"]).failed(2, "cannot be used with");
    home.run(&["complete", "--", "ser"]).ok();
}

#[test]
fn the_search_ends_with_the_repository_and_the_home() {
    let home = Home::new();
    write(&home, "above/mono-demo.toml", "[e2e]\njobz = 1\n");
    write(&home, "above/repo/.git/HEAD", "");
    write(&home, "above/repo/src/x", "");
    write(&home, "above/free/x", "");
    said_in(&home, "above/free", &[], &["spec", "--asyncapi"]).failed(2, "--> ");
    said_in(&home, "above/repo/src", &[], &["spec", "--asyncapi"]).ok();
    let own = home.path().join("above/free").display().to_string();
    said_in(&home, "above/free", &[("HOME", own.as_str())], &["spec", "--asyncapi"]).ok();
    // Nobody put it there for us.
    let above = home.path().join("above");
    std::fs::set_permissions(&above, PermissionsExt::from_mode(0o1777)).unwrap();
    said_in(&home, "above/free", &[], &["spec", "--asyncapi"]).ok();
}

#[test]
fn a_file_that_others_may_write_is_used_only_where_it_is_named() {
    let home = Home::new();
    file(&home, "color = \"always\"\n");
    let path = home.path().join("mono-demo.toml");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let said = home
        .run(&["spec", "--asyncapi"])
        .failed(2, "mono-demo.toml is not used: others may write it");
    assert!(said.stderr.contains("name it with --config FILE"), "{}", said.stderr);
    home.run(&["--config", "mono-demo.toml", "spec", "--asyncapi"]).ok();
    home.run(&["--no-config", "spec", "--asyncapi"]).ok();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    home.run(&["spec", "--asyncapi"])
        .failed(2, "cannot read the defaults mono-demo.toml: it is not a file");
}

/// Somebody looks for what is wrong, or wants an end.
#[test]
fn commands_that_only_look_or_end_go_on_without_a_file_that_has_a_mistake() {
    let home = Home::new();
    let serve = home.serve(&[]);
    let pid = serve.pid().to_string();
    let mistakes = ["[e2e]\njobz = 4\n", "[e2e\n"];
    let commands: [&[&str]; 7] = [
        &["version"],
        &["doctor"],
        &["status"],
        &["logs"],
        &["man"],
        &["completions", "bash"],
        &["stop", "--pid", &pid],
    ];
    for args in commands {
        // The end is the last, and ends once.
        for text in &mistakes[usize::from(args[0] == "stop")..] {
            file(&home, text);
            let said = home.run(args);
            let warning =
                format!("warning: {} goes on without the defaults of the file: ", args[0]);
            assert!(said.stderr.starts_with(&warning), "{args:?}: {}", said.stderr);
            assert!(said.stderr.contains("--> mono-demo.toml:"), "{args:?}: {}", said.stderr);
            said.ok();
        }
    }
    // One that was named is meant.
    home.run(&["--config", "mono-demo.toml", "version"]).failed(2, "--> mono-demo.toml:");
    drop(serve);
}

#[test]
fn a_mistake_is_told_as_the_command_line_wants_it() {
    let home = Home::new();
    file(&home, "[e2e]\njobz = 4\n");
    let said =
        |args: &[&str]| said_in(&home, ".", &[("CLICOLOR_FORCE", "1")], args).failed(2, "jobz");
    assert!(said(&["e2e", "--list"]).stderr.contains("\x1b["));
    for never in [&["e2e", "--color", "never"][..], &["--color=never", "e2e"]] {
        assert!(!said(never).stderr.contains("\x1b["), "{never:?}");
    }
    // It is data there, and no flag.
    let said = said(&["call", "x.y", "--data", "--json"]);
    assert_eq!(said.stdout, "");
}

#[test]
fn config_shows_the_file_and_what_it_sets() {
    let home = Home::new();
    let said = home.run(&["config"]).ok();
    assert!(said.starts_with("there is no mono-demo.toml in "), "{said}");
    file(&home, "color = \"never\"\n[e2e]\njobs = 4\nsuites = \"e2e\"\n[serve]\nauth = true\n");
    let path = home.path().join("mono-demo.toml").display().to_string();
    let suite = home.path().join("e2e").display().to_string();
    let said = said_in(&home, ".", &[("NO_COLOR", "1")], &["config"]).ok();
    let expected = format!(
        "{path}\ncolor = \"never\"  # NO_COLOR is set, and wins\n[e2e]\njobs = 4\nsuites = [\"{suite}\"]\n\
         [serve]\nauth = true\n"
    );
    assert_eq!(said, expected);
    let json: Value = serde_json::from_str(&home.run(&["config", "--json"]).ok()).unwrap();
    assert_eq!(json["file"], path);
    assert_eq!(json["values"]["e2e"]["jobs"], 4);
    assert_eq!(home.run(&["config", "--no-config"]).ok(), "no file: --no-config\n");
}
