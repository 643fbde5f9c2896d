//! Every kind of login that NATS has, against a server that asks for it: keys, JWTs, names in any
//! script; over TCP, TLS and websockets; in URLs, contexts and variables.

use std::path::Path;
use std::time::Duration;

use crate::support::bare_server::BareServer;
use crate::support::certificates::Authority;
use crate::support::jwt::Issued;
use crate::support::program::{Home, Said};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mono_demo::mono::{Connection, Target};
use serde_json::{Value, json};

const CALL: [&str; 4] = ["call", "nobody.there", "--data", "{}"];

/// Is let in: nobody serves there.
#[track_caller]
fn let_in(said: Said) -> String {
    said.failed(5, "no responders").stderr
}

/// Writes the context `c`.
fn context(home: &Home, text: &str) {
    let folder = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("c.json"), text).unwrap();
}

fn with_context(home: &Home, fields: &Value) -> Said {
    context(home, &fields.to_string());
    home.run(&[&["--context", "c"][..], &CALL].concat())
}

#[tokio::test]
async fn a_jwt_is_shown_however_its_seed_comes() {
    let home = Home::new();
    let issued = Issued::new();
    let server = BareServer::start(home.path(), "jwt", &issued.config).await;
    let write = |name: &str, text: String| {
        std::fs::write(home.path().join(name), text).unwrap();
        home.path().join(name).display().to_string()
    };
    for (name, text) in [
        ("plain", issued.creds("\n") + "\n"),
        ("no-end", issued.creds("\n")),
        ("crlf", issued.creds("\r\n") + "\r\n"),
        ("bom", format!("\u{feff}{}\r\n", issued.creds("\r\n"))),
    ] {
        let creds = write(&format!("{name}.creds"), text);
        let_in(home.run(&[&["-s", &server.nats, "--creds", &creds][..], &CALL].concat()));
        let_in(with_context(
            &home,
            &json!({"url": server.nats, "creds": format!("~/{name}.creds")}),
        ));
        let env =
            home.command(CALL).env("NATS_URL", &server.nats).env("NATS_CREDS", &creds).output();
        let_in(Said::from(env.unwrap()));
    }
    let data = |text: &str| format!("data:;base64,{}", STANDARD.encode(text));
    write("user.nk", format!("{}\n", issued.seed));
    write("user.jwt", format!("{}\n", issued.user));
    // A pipe can be read once, however many servers are asked.
    let pipe = home.path().join("pipe.creds");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let dead = "nats://127.0.0.1:1,nats://127.0.0.1:2,nats://127.0.0.1:3";
    let list = format!("{dead},{}", server.nats);
    for _ in 0..3 {
        let (to, text) = (pipe.clone(), issued.creds("\n"));
        let written = std::thread::spawn(move || std::fs::write(to, text).unwrap());
        let_in(home.run(&[&["-s", &list, "--creds", pipe.to_str().unwrap()][..], &CALL].concat()));
        written.join().unwrap();
    }
    for fields in [
        json!({"creds": "file://~/plain.creds"}),
        json!({"creds": "$HOME/plain.creds"}),
        json!({"creds": data(&issued.creds("\n"))}),
        json!({"creds": "env://A_CREDS"}),
        json!({"user_jwt": issued.user, "user_seed": issued.seed}),
        json!({"user_jwt": "file://~/user.jwt", "user_seed": "FILE://${HOME}/user.nk"}),
        json!({"user_jwt": "env://A_JWT", "user_seed": data(&issued.seed)}),
        json!({"user_jwt": issued.user, "nkey": "~/user.nk"}),
        json!({"user_jwt": issued.bearer}),
        json!({"User_JWT": issued.user, "USER_SEED": issued.seed}),
    ] {
        let mut whole = fields.clone();
        whole["url"] = json!(server.nats);
        context(&home, &whole.to_string());
        let mut command = home.command([&["--context", "c"][..], &CALL].concat());
        command.env("A_JWT", &issued.user).env("A_CREDS", issued.creds("\n"));
        let said = Said::from(command.output().unwrap());
        let stderr = let_in(said);
        assert!(!stderr.contains("not used") && !stderr.contains("ignored"), "{fields}: {stderr}");
    }
    for (fields, needle) in [
        (json!({"user_jwt": issued.user}), "it is no bearer token"),
        (json!({"user_jwt": issued.user, "user_seed": "S"}), "`user_seed`: no seed is in it"),
        (
            json!({"user_jwt": "env://NONE", "user_seed": issued.seed}),
            "`user_jwt` cannot be honoured: the variable \"NONE\" is not set",
        ),
        (
            json!({"user_jwt": "file:///none", "user_seed": issued.seed}),
            "`user_jwt` cannot be honoured: /none: No such file",
        ),
        (json!({"creds": "nsc://o/a/u"}), "`creds` cannot be honoured: it is kept by nsc"),
        (
            json!({"creds": "data:text"}),
            "`creds` cannot be honoured: its `data:` is no text in base64",
        ),
        (
            json!({"user": "u", "password": "op://v/i/f"}),
            "`password` cannot be honoured: it is in 1Password",
        ),
        (json!({"token": "OP://v/i/f"}), "`token` cannot be honoured: it is in 1Password"),
        (json!({"ca": "data:;base64,AAAA"}), "`ca` cannot be honoured: only a file"),
    ] {
        let mut fields = fields;
        fields["url"] = json!(server.nats);
        let said = with_context(&home, &fields).failed(2, needle);
        assert!(!said.stderr.contains(&issued.seed), "{}", said.stderr);
        assert!(!said.stderr.contains(&issued.user), "{}", said.stderr);
    }
    // What natscli sends both of, and halves of a login.
    for (fields, needle) in [
        (
            json!({"user": "u", "password": "p", "token": "t"}),
            "`user` and its `token` are two logins",
        ),
        (json!({"creds": "~/plain.creds", "token": "t"}), "`creds` and its `token` are two logins"),
        (json!({"password": "p"}), "`password` was named without its `user`"),
        (json!({"user_seed": issued.seed}), "`user_seed` was named without its `user_jwt`"),
        (json!({"inbox_prefix": "a b"}), "field `inbox_prefix`: subject \"a b\" has white space"),
    ] {
        let mut fields = fields;
        fields["url"] = json!(server.nats);
        with_context(&home, &fields).failed(2, needle);
    }
    for (flags, needle) in [
        (["--user", "u", "--creds", "x"], "--user and --creds are two logins"),
        (["--user", "u", "--nkey", "x"], "--user and --nkey are two logins"),
        (["--user", "u", "--token", "x"], "--user and --token are two logins"),
        (["--token", "t", "--creds", "x"], "--token and --creds are two logins"),
        (["--creds", "x", "--nkey", "x"], "--creds and --nkey are two logins"),
        (["--password", "p", "--tlsca", "x"], "--password was named without"),
        (["--password", "p", "--creds", "x"], "--password was named without"),
    ] {
        home.run(&[&["-s", &server.nats][..], &flags, &CALL].concat()).failed(2, needle);
    }
    for (variables, needle) in [
        (&["NATS_USER", "NATS_TOKEN"][..], "NATS_USER and NATS_TOKEN are two logins"),
        (&["NATS_TOKEN", "NATS_CREDS"], "NATS_TOKEN and NATS_CREDS are two logins"),
        (&["NATS_CREDS", "NATS_NKEY"], "NATS_CREDS and NATS_NKEY are two logins"),
        (&["NATS_PASSWORD"], "NATS_PASSWORD was named without NATS_USER"),
    ] {
        let mut command = home.command([&["-s", &server.nats][..], &CALL].concat());
        command.envs(variables.iter().map(|name| (name, "x")));
        Said::from(command.output().unwrap()).failed(2, needle);
    }
    // natscli's order; what is not shown is told.
    let both = json!({"url": server.nats, "user": "u", "creds": "~/plain.creds"});
    with_context(&home, &both).failed(8, "`creds` is not used: its `user` comes first");
    // A flag comes before it all.
    let creds = home.path().join("plain.creds").display().to_string();
    let_in(home.run(&[&["--context", "c", "--creds", &creds][..], &CALL].concat()));
}

/// Each character of a URL's grammar, and some that are in none.
const NAMES: [&str; 8] = ["a@b", "a:b", "a/b", "a%b", "a?#b", "a b,[c]", "žluťoučký-名前", "%40"];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_name_of_any_characters_goes_through_a_url_wherever_one_may_stand() {
    let home = Home::new();
    let users = NAMES.map(|name| format!("{{ user: {name:?}, password: {:?} }}", name.repeat(2)));
    let nothing = "{ user: nothing, password: \"\" }";
    let users = format!("authorization {{ users: [ {}, {nothing} ] }}", users.join(", "));
    let server = BareServer::start(home.path(), "names", &users).await;
    // An empty password is one: without it, this would be a token.
    let empty = format!("nats://nothing:@{}", server.host());
    let_in(home.run(&[&["-s", &empty][..], &CALL].concat()));
    for name in NAMES {
        let login = format!("{}:{}", encoded(name), encoded(&name.repeat(2)));
        let url = format!("nats://{login}@{}", server.host());
        let_in(home.run(&[&["-s", &url][..], &CALL].concat()));
        let env = home.command(CALL).env("NATS_URL", &url).output().unwrap();
        let_in(Said::from(env));
        let_in(with_context(&home, &json!({"url": url})));
        let fields = json!({"url": server.nats, "user": name, "password": name.repeat(2)});
        let_in(with_context(&home, &fields));
        // It gets as far as JetStream, which this server has not.
        home.run(&["serve", "-s", &url, "--journal-dir", "j"]).failed(3, "nats-server -js");
        let websocket = format!("ws://{login}@{}", server.websocket_host());
        let_in(home.run(&[&["-s", &websocket][..], &CALL].concat()));
    }
}

#[tokio::test]
async fn each_server_of_a_list_is_shown_the_login_of_its_own_url() {
    let home = Home::new();
    let mut urls = Vec::new();
    let mut servers = Vec::new();
    for n in 0..3 {
        let users = format!("authorization {{ user: \"u{n}\", password: \"p@{n}\" }}");
        let server = BareServer::start(home.path(), &format!("s{n}"), &users).await;
        urls.push(format!("nats://u{n}:p%40{n}@{}", server.host()));
        servers.push(server);
    }
    let all = urls.join(",");
    // Any of them may be the first.
    for _ in 0..6 {
        let_in(home.run(&[&["-s", &all][..], &CALL].concat()));
    }
    // One by one they go, and the next one is let into.
    servers.pop();
    let_in(home.run(&[&["-s", &all][..], &CALL].concat()));
    servers.remove(0);
    let_in(home.run(&[&["-s", &all][..], &CALL].concat()));
    // One that refuses says more than two that are away, and shows no secret.
    let wrong = all.replace("p%401", "wrong");
    let said =
        home.run(&[&["-s", &wrong][..], &CALL].concat()).failed(8, "refused the credentials");
    assert!(!said.stderr.contains("wrong") && !said.stderr.contains("p@"), "{}", said.stderr);
    // By a websocket or without one: the same server.
    let url = &urls[1];
    let websocket = format!("ws://u1:p%401@{}", servers[0].websocket_host());
    let mixed = format!("{websocket},{url}");
    for _ in 0..4 {
        let_in(home.run(&[&["-s", &mixed][..], &CALL].concat()));
    }
}

/// The services keep their connection for as long as they live: it moves on, with the other login.
#[tokio::test]
async fn a_connection_that_moves_on_shows_the_next_server_its_own_login() {
    let home = Home::new();
    let mut servers = Vec::new();
    for n in 0..2 {
        let users = format!("authorization {{ user: \"u{n}\", password: \"p@{n}\" }}");
        servers.push(BareServer::start(home.path(), &format!("s{n}"), &users).await);
    }
    let [one, two] = [0, 1].map(|n| format!("nats://u{n}:p%40{n}@{}", servers[n].host()));
    let target = Target { url: format!("{one},{two}"), quiet: true, ..Target::default() };
    let connection = Connection::open(&target, "test").await.unwrap();
    let port = connection.client().server_info().port.to_string();
    let mut reconnected = connection.reconnected();
    servers.retain(|server| !server.host().ends_with(&format!(":{port}")));
    assert_eq!(servers.len(), 1);
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, reconnected.changed()).await.unwrap().unwrap();
    connection.client().flush().await.unwrap();
    assert_ne!(connection.client().server_info().port.to_string(), port);
    assert!(connection.close(patience).await);
}

#[tokio::test]
async fn logins_go_over_tls_first_and_over_both_kinds_of_websocket() {
    let home = Home::new();
    let authority = Authority::new(home.path(), "ca");
    let server = authority.sign("server", |_| {});
    let users = "authorization { user: u, password: \"p@w\" }";
    let secure = |more: &str| {
        format!(
            "{users}\n{}\nwebsocket {{ listen: \"127.0.0.1:-1\", {} }}",
            server.tls(more),
            server.tls("")
        )
    };
    let tls = BareServer::start(home.path(), "tls", &secure("")).await;
    let first = BareServer::start(home.path(), "first", &secure("handshake_first: true")).await;
    let plain = BareServer::start(home.path(), "plain", users).await;
    let ca = authority.pem.display().to_string();
    for url in [
        format!("nats://u:p%40w@{}", tls.host()),
        format!("tls://u:p%40w@{}", tls.host()),
        format!("wss://u:p%40w@{}", tls.websocket_host()),
        format!("wss://u:p%40w@{}", first.websocket_host()),
    ] {
        let_in(home.run(&[&["-s", &url, "--tlsca", &ca][..], &CALL].concat()));
        let_in(with_context(&home, &json!({"url": url, "ca": "~/ca.pem"})));
        let_in(with_context(&home, &json!({"url": url, "ca": "file://$HOME/ca.pem"})));
        let mut command = home.command(CALL);
        let_in(Said::from(command.env("NATS_URL", &url).env("NATS_CA", &ca).output().unwrap()));
        let wrong = url.replace("p%40w", "wrong");
        home.run(&[&["-s", &wrong, "--tlsca", &ca][..], &CALL].concat())
            .failed(8, "refused the credentials");
    }
    let url = format!("nats://u:p%40w@{}", first.host());
    let_in(with_context(&home, &json!({"url": url, "ca": "~/ca.pem", "tls_first": true})));
    let_in(home.run(&[&["-s", &url, "--tlsca", &ca, "--tlsfirst"][..], &CALL].concat()));
    let websocket = format!("ws://u:p%40w@{}", plain.websocket_host());
    let_in(home.run(&[&["-s", &websocket][..], &CALL].concat()));
    joins(&home, &format!("wss://u:p%40w@{}", tls.websocket_host()), &authority.pem);
}

/// `serve` goes there too: as far as JetStream, which this server has not.
#[track_caller]
fn joins(home: &Home, url: &str, ca: &Path) {
    let ca = ca.display().to_string();
    let serve = ["serve", "-s", url, "--tlsca", &ca, "--journal-dir", "j"];
    home.run(&serve).failed(3, "nats-server -js");
}
