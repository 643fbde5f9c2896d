//! Users, passwords and tokens where a person may write them, against a server that asks for them.

use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Said};
use serde_json::Value;

/// A password with all that has to be encoded in a URL.
const PASSWORD: &str = "p@:/,%#?w";
const ENCODED: &str = "p%40%3A%2F%2C%25%23%3Fw";

/// Is let in: nobody serves there.
#[track_caller]
fn let_in(said: Said) {
    let said = said.failed(5, "no responders");
    assert!(!said.stderr.contains(PASSWORD) && !said.stderr.contains(ENCODED), "{}", said.stderr);
}

#[track_caller]
fn refused(said: Said) {
    let said = said.failed(8, "refused the credentials");
    assert!(!said.stderr.contains(PASSWORD) && !said.stderr.contains(ENCODED), "{}", said.stderr);
}

const CALL: [&str; 4] = ["call", "nobody.there", "--data", "{}"];

#[tokio::test]
async fn a_user_password_or_token_in_any_url_is_sent_to_its_server() {
    let home = Home::new();
    let users =
        format!("authorization {{ users: [ {{ user: \"a b\", password: {PASSWORD:?} }} ] }}");
    let one = BareServer::start(home.path(), "one", &users).await;
    let two = BareServer::start(home.path(), "two", "authorization { token: \"tok@n\" }").await;
    let (h1, h2) = (one.host(), two.host());
    let user = format!("a%20b:{ENCODED}");
    let dead = "nats://x:y@127.0.0.1:1";
    for url in [
        format!("nats://{user}@{h1}"),
        format!("{user}@{h1}"),
        format!("nats://tok%40n@{h2}"),
        format!("{dead},nats://{user}@{h1}"),
        format!("nats://{user}@{h1},{dead}"),
        // Each to its own: the other's would be refused.
        format!("nats://{user}@{h1},nats://tok%40n@{h2}"),
        // One server with two logins, of which it knows one.
        format!("nats://x:y@{h1},nats://{user}@{h1}"),
        format!("nats://{user}@{h1},nats://x:y@{h1}"),
        // One that wants what its URL does not say is passed over.
        format!("nats://{h2},nats://{user}@{h1}"),
        format!("ws://{user}@{}", one.websocket_host()),
        format!("ws://tok%40n@{}", two.websocket_host()),
    ] {
        for _ in 0..2 {
            let_in(home.run(&[&["-s", &url][..], &CALL].concat()));
        }
        let env = home.command(CALL).env("NATS_URL", &url).output().unwrap();
        let_in(Said::from(env));
        std::fs::create_dir_all(home.path().join(".config/nats/context")).unwrap();
        let context = serde_json::json!({"url": url, "user": "other", "password": "other"});
        std::fs::write(home.path().join(".config/nats/context/c.json"), context.to_string())
            .unwrap();
        let_in(home.run(&[&["--context", "c"][..], &CALL].concat()));
    }
    // A flag wins over the URL.
    let good = ["--user", "a b", "--password", PASSWORD];
    let wrong = format!("nats://x:y@{h1}");
    let_in(home.run(&[&["-s", &wrong][..], &good, &CALL].concat()));
    let right = format!("nats://{user}@{h1}");
    refused(home.run(&[&["-s", &right, "--user", "x", "--password", "y"][..], &CALL].concat()));
    refused(home.run(&[&["-s", &wrong][..], &CALL].concat()));
    refused(home.run(&[&["-s", h1][..], &CALL].concat()));
    let serve = ["serve", "-s", &wrong, "--journal-dir", "j"];
    refused(home.run(&serve));
}

#[test]
fn a_url_that_cannot_be_read_says_how_to_write_it_and_shows_no_secret() {
    let home = Home::new();
    for url in
        ["nats://u:sec#ret@127.0.0.1:1", "nats://u:sec,ret@127.0.0.1:1", "http://u:sec#ret@h"]
    {
        let said = home.run(&[&["-s", url][..], &CALL].concat()).failed(2, "not a NATS URL");
        assert!(!said.stderr.contains("sec") && !said.stderr.contains("ret@"), "{}", said.stderr);
        assert!(said.stderr.contains("percent-encoded"), "{}", said.stderr);
    }
}

#[test]
fn what_is_wrong_with_an_address_is_said_once() {
    let home = Home::new();
    for url in ["nats://h:99999", "nats://[1", "nats://u:p@h:99999", "nats://u:p@h:abc"] {
        let said = home.run(&[&["-s", url][..], &CALL].concat()).failed(2, "not a NATS URL");
        // Nothing is wrong with the login.
        assert!(!said.stderr.contains("percent-encoded"), "{}", said.stderr);
        assert!(!said.stderr.contains("URL is invalid"), "{}", said.stderr);
        assert!(!said.stderr.contains("connect to …"), "{}", said.stderr);
    }
    let said = home.run(&[&["--context", "nope.json"][..], &CALL].concat());
    let said = said.failed(2, "there is no file nope.json, and no NATS context of that name");
    assert!(!said.stderr.contains("json.json"), "{}", said.stderr);
}

#[test]
fn a_variable_that_cannot_be_read_does_not_count_as_unset() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    for name in ["NATS_CONTEXT", "NATS_URL", "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN"] {
        let mut command = home.command(CALL);
        command.env(name, std::ffi::OsStr::from_bytes(b"nats://u:sec\xe9@127.0.0.1:1"));
        let said = Said::from(command.output().unwrap());
        let said = said.failed(2, &format!("the variable {name} is not UTF-8"));
        assert!(!said.stderr.contains("sec"), "{}", said.stderr);
    }
}

#[tokio::test]
async fn the_fields_of_a_context_are_honoured_or_refused_by_name() {
    let home = Home::new();
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let public = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let decorated = format!(
        "\u{feff}-----BEGIN USER NKEY SEED-----\r\n{seed}\r\n------END USER NKEY SEED------\r\n"
    );
    std::fs::write(home.path().join("user.nk"), decorated).unwrap();
    let plain = BareServer::start(home.path(), "plain", "").await;
    let keyed = format!("authorization {{ users: [ {{ nkey: {public} }} ] }}");
    let keyed = BareServer::start(home.path(), "keyed", &keyed).await;
    let nkey = home.path().join("user.nk");
    let nkey = nkey.to_str().unwrap();
    let_in(home.run(&[&["-s", &keyed.nats, "--nkey", nkey][..], &CALL].concat()));
    let folder = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&folder).unwrap();
    let with = |field: &str, value: Value| {
        let context = serde_json::json!({"url": plain.nats, field: value});
        std::fs::write(folder.join("c.json"), format!("\u{feff}{context}")).unwrap();
        home.run(&[&["--context", "c"][..], &CALL].concat())
    };
    for (field, value) in [
        ("nkey", "~/user.nk"),
        ("color_scheme", "blue"),
        ("jetstream_event_prefix", "x"),
        ("jetstream_domain", "hub"),
        ("jetstream_api_prefix", "js.hub"),
        ("socks_proxy", ""),
        ("inbox_prefix", "_INBOX_mine"),
    ] {
        let_in(with(field, value.into()));
    }
    for (field, value, needle) in [
        ("socks_proxy", "socks5://h:1".into(), "field `socks_proxy` cannot be honoured"),
        ("nsc", "nsc://a/b/c".into(), "field `nsc` cannot be honoured"),
        ("windows_cert_store", "user".into(), "field `windows_cert_store` cannot be honoured"),
        ("user_jwt", "eyJ".into(), "`user_jwt` proves nothing"),
        ("creds", "op://v/i/f".into(), "1Password"),
        ("creds", "~/none.creds".into(), "none.creds: No such file"),
        ("cert", "c.pem".into(), "named without its key"),
        ("password", 12345.into(), "field `password`: expected a text"),
    ] {
        let said = with(field, value).failed(2, needle);
        assert!(!said.stderr.contains("12345"), "{}", said.stderr);
    }
    std::fs::write(home.path().join("user.nk"), "nothing").unwrap();
    with("nkey", "~/user.nk".into()).failed(2, "no seed is in it");
    // A server that is not asked for TLS by name speaks first: the handshake is told as the cause.
    with("tls_first", true.into()).failed(8, "does not speak TLS from the first byte");
    with("url", "".into()).failed(2, "names no server");
    home.run(&[&["--context", "cc"][..], &CALL].concat()).failed(2, "there are c");
}

#[test]
fn a_home_that_nobody_knows_is_refused_and_never_guessed() {
    let home = Home::new();
    for folder in ["relative", "./"] {
        let mut command = home.command(["call", "math", "add", "1", "2"]);
        command.env("HOME", folder).env_remove("XDG_CACHE_HOME").env_remove("XDG_RUNTIME_DIR");
        Said::from(command.output().unwrap()).failed(3, "hint: set HOME");
    }
    // Without HOME the password database says where; nothing is looked for in the temporary folder.
    let planted = home.path().join(".cache/mono-demo");
    std::fs::create_dir_all(&planted).unwrap();
    let mut command = home.command(["--offline", "--json", "doctor"]);
    command.env_remove("HOME").env_remove("XDG_CACHE_HOME").env("XDG_RUNTIME_DIR", "run");
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!said.contains(&*planted.to_string_lossy()), "{said}");
    assert!(said.contains("mono-demo"), "{said}");
    assert!(!home.path().join("run").exists());
}

#[tokio::test]
async fn a_server_without_jetstream_is_told_how_to_get_it() {
    let home = Home::new();
    let plain = BareServer::start(home.path(), "plain", "").await;
    let serve = ["serve", "-s", &plain.nats, "--journal-dir", "j"];
    home.run(&serve).failed(3, "`nats-server -js`");
    home.run(&["-s", &plain.nats, "pay", "p", "1"]).failed(5, "`nats-server -js`");
    home.run(&["-s", &plain.nats, "audit"]).failed(3, "`nats-server -js`");
    home.run(&["-s", &plain.nats, "dlq", "ls"]).failed(3, "`nats-server -js`");
    // A scenario has a broker of its own, which has it: who names another one is told so.
    home.run(&["-s", &plain.nats, "e2e", "--list"])
        .failed(2, "each scenario has a broker of its own");
    let stored = ["publish", "-J", "services.payment.payment-process", "--data", "{}"];
    home.run(&[&["-s", &plain.nats][..], &stored].concat()).failed(5, "`nats-server -js`");
    let config = "jetstream: {}\naccounts { A: { users: [ { user: u, password: p } ] } }";
    let config = config.replace(
        "{}",
        &format!("{{ store_dir: {:?} }}", home.path().join("js").display().to_string()),
    );
    let other = BareServer::start(home.path(), "other", &config).await;
    let url = format!("nats://u:p@{}", other.host());
    home.run(&["serve", "-s", &url, "--journal-dir", "j"]).failed(3, "jetstream: enabled");
    home.run(&["-s", &url, "audit"]).failed(3, "jetstream: enabled");
    home.run(&["-s", &url, "dlq", "ls"]).failed(3, "jetstream: enabled");
}

#[test]
fn doctor_names_what_is_missing_and_what_to_do() {
    let home = Home::new();
    let doctor = |args: &[&str], vars: &[(&str, &str)]| {
        let mut command = home.command(["doctor"]);
        let empty = home.path().join("cache");
        command.args(args).env("XDG_CACHE_HOME", &empty).env("PATH", home.path());
        command.envs(vars.iter().copied());
        Said::from(command.output().unwrap())
    };
    let told = |said: Said, needle: &str| {
        assert!(said.stdout.contains(needle), "{needle}: {}", said.stdout);
        said.failed(3, "");
    };
    told(doctor(&[], &[]), "cannot be installed: no Python");
    told(doctor(&[], &[]), "MONO_DEMO_PYTHON");
    told(doctor(&["--offline"], &[]), "forbids installing");
    told(doctor(&[], &[("NATS_URL", "nats://u:secret@127.0.0.1:1")]), "no NATS server answered");
    told(doctor(&["--context", "none"], &[]), "no context yet");
    told(doctor(&["--nats-server", "/none"], &[]), "could not run /none");
    std::fs::write(home.path().join("cache"), "a file").unwrap();
    told(doctor(&[], &[]), "nothing can be written there");
}

#[test]
fn a_seed_in_the_place_of_a_file_name_is_not_shown() {
    let home = Home::new();
    let seed = format!("SUA{}", "B7".repeat(28))[..58].to_owned();
    let not_shown = |said: Said| {
        let said = said.failed(2, "a seed stands where the name of a file belongs");
        assert!(!said.stderr.contains(&seed) && !said.stdout.contains(&seed), "{}", said.stderr);
    };
    let to = |flag: &str| home.run(&[&[flag, &seed, "-s", "127.0.0.1:1"][..], &CALL].concat());
    not_shown(to("--nkey"));
    not_shown(to("--creds"));
    let env = |name| home.command(CALL).env("NATS_URL", "127.0.0.1:1").env(name, &seed).output();
    not_shown(Said::from(env("NATS_NKEY").unwrap()));
    not_shown(Said::from(env("NATS_CREDS").unwrap()));
    std::fs::create_dir_all(home.path().join(".config/nats/context")).unwrap();
    for (field, value) in
        [("nkey", seed.clone()), ("nkey", format!("file://{seed}")), ("creds", seed.clone())]
    {
        let context = serde_json::json!({"url": "127.0.0.1:1", field: value}).to_string();
        std::fs::write(home.path().join(".config/nats/context/c.json"), context).unwrap();
        not_shown(home.run(&[&["--context", "c"][..], &CALL].concat()));
    }
}
