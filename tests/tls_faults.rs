//! Every TLS fault between client and server is reported at once, with what to do about it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::bare_server::BareServer;
use crate::support::certificates::{
    Authority, Certificate, an_authority, expired, for_a_client, for_a_server, for_another_host,
    for_no_host, not_yet_valid,
};
use crate::support::program::{Home, Said};

/// Nothing of it waits for a limit of ours; the machine may be busy.
const AT_ONCE: Duration = Duration::from_secs(4);

fn call(home: &Home, url: &str, flags: &[&str]) -> Said {
    home.run(&[&["call", "nobody.there", "--data", "{}", "-s", url], flags].concat())
}

/// Fails with this cause and this remedy, in one line each.
#[track_caller]
fn fails(home: &Home, url: &str, flags: &[&str], (code, cause, remedy): (i32, &str, &str)) {
    let began = Instant::now();
    let said = call(home, url, flags).failed(code, cause);
    assert!(began.elapsed() < AT_ONCE, "{url} {flags:?}: {:?}", began.elapsed());
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert!(lines[0].starts_with("error: connect to "), "{}", said.stderr);
    if !remedy.is_empty() {
        assert!(lines[1].starts_with("hint: ") && lines[1].contains(remedy), "{}", said.stderr);
    }
    assert_eq!(lines.len(), if remedy.is_empty() { 1 } else { 2 }, "{}", said.stderr);
}

async fn start(home: &Home, name: &str, certificate: &Certificate, more: &str) -> BareServer {
    let websocket = format!("websocket {{ listen: \"127.0.0.1:-1\", {} }}", certificate.tls(""));
    BareServer::start(home.path(), name, &format!("{}\n{websocket}", certificate.tls(more))).await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn each_fault_of_a_servers_certificate_is_told_with_its_remedy() {
    let home = Home::new();
    let authority = Authority::new(home.path(), "ca");
    let renewed = authority.renewed(&home.path().join("renewed"));
    let other = Authority::new(home.path(), "other");
    let ca = ["--tlsca", text(&authority.pem)];
    for (name, certificate, cause, remedy) in [
        ("expired", authority.sign("expired", expired), "certificate has expired", "renew it"),
        ("early", authority.sign("early", not_yet_valid), "not valid yet", "this machine's clock"),
        ("host", authority.sign("host", for_another_host), "not for the name", "in the URL"),
        ("nobody", authority.sign("nobody", for_no_host), "not for the name", "alternative name"),
        ("client", authority.sign("client", for_a_client), "not for servers", "serverAuth"),
        ("ca", authority.sign("own", an_authority), "of an authority itself", "CA:FALSE"),
        ("other", other.sign("other", |_| {}), "no authority that is trusted here", "--tlsca"),
        ("renewed", renewed.sign("renewed", |_| {}), "of the same name as the trusted", "--tlsca"),
    ] {
        let server = start(&home, name, &certificate, "").await;
        fails(&home, &server.nats, &ca, (8, cause, remedy));
        let websocket = format!("wss://{}", server.websocket_host());
        fails(&home, &websocket, &ca, (8, cause, remedy));
        if name == "ca" {
            // The commonest of all: one file for both.
            let own = ["--tlsca", text(&certificate.cert)];
            fails(&home, &server.nats, &own, (8, cause, remedy));
        }
    }
}

#[tokio::test]
async fn each_fault_of_a_clients_certificate_is_told_with_its_remedy() {
    let home = Home::new();
    let authority = Authority::new(home.path(), "ca");
    let other = Authority::new(home.path(), "other");
    let ca = ["--tlsca", text(&authority.pem)];
    let server = authority.sign("server", |_| {});
    let verify = format!("verify: true, ca_file: {:?}", text(&authority.pem));
    let mutual = start(&home, "mutual", &server, &verify).await;
    let wanted = "wants a certificate of the client";
    fails(&home, &mutual.nats, &ca, (8, wanted, "--tlscert"));
    let with = |cert: &Path, key: &Path| {
        [&ca[..], &["--tlscert", text(cert), "--tlskey", text(key)]].concat().join("\n")
    };
    let good = authority.sign("good", for_a_client);
    call(&home, &mutual.nats, &with(&good.cert, &good.key).lines().collect::<Vec<_>>())
        .failed(5, "no responders");
    let late = |params: &mut rcgen::CertificateParams| (for_a_client(params), expired(params)).0;
    let early =
        |params: &mut rcgen::CertificateParams| (for_a_client(params), not_yet_valid(params)).0;
    let refused = "the server refused the client's certificate";
    for (certificate, remedy) in [
        (other.sign("c1", for_a_client), "the server's authority has signed"),
        (authority.sign("c2", late), "renew it, or set the clocks"),
        (authority.sign("c3", early), "renew it, or set the clocks"),
        (authority.sign("c4", for_a_server), "clientAuth"),
    ] {
        let flags = with(&certificate.cert, &certificate.key);
        fails(&home, &mutual.nats, &flags.lines().collect::<Vec<_>>(), (8, refused, remedy));
    }
    // Files that cannot be used are told by name, before anything is sent.
    let encrypted = home.path().join("encrypted.pem");
    std::fs::write(&encrypted, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n").unwrap();
    for (cert, key, cause) in [
        (&good.cert, &server.key, "server-key.pem is not that of the client's certificate"),
        (&good.key, &good.cert, "no PEM of one is in this file"),
        (&good.cert, &encrypted, "it is encrypted; `openssl pkey"),
    ] {
        let flags = with(cert, key);
        fails(&home, &mutual.nats, &flags.lines().collect::<Vec<_>>(), (2, cause, ""));
    }
}

#[tokio::test]
async fn an_end_that_speaks_otherwise_than_it_was_asked_is_told_with_the_remedy() {
    let home = Home::new();
    let authority = Authority::new(home.path(), "ca");
    let ca = ["--tlsca", text(&authority.pem)];
    let certificate = authority.sign("server", |_| {});
    let plain = BareServer::start(home.path(), "plain", "").await;
    let secure = start(&home, "secure", &certificate, "").await;
    let first = start(&home, "first", &certificate, "handshake_first: true, timeout: 0.5").await;
    let at = |scheme: &str, host: &str| format!("{scheme}://{host}");
    let no_tls = (8, "does not speak TLS from the first byte", "nats:// rather than tls://");
    // Plain, where TLS was asked.
    fails(&home, &at("tls", plain.host()), &[], no_tls);
    fails(&home, &plain.nats, &ca, no_tls);
    fails(&home, &plain.nats, &["--tlsfirst"], (8, no_tls.1, "leave out --tlsfirst"));
    fails(
        &home,
        &at("wss", plain.websocket_host()),
        &ca,
        (8, no_tls.1, "ws:// rather than wss://"),
    );
    // TLS, where plain was asked.
    let stranger = (8, "no authority that is trusted here", "--tlsca");
    fails(&home, &at("nats", secure.host()), &[], stranger);
    fails(&home, &at("wss", secure.websocket_host()), &[], stranger);
    fails(&home, &at("ws", secure.websocket_host()), &[], (8, "no NATS server", "use wss://"));
    fails(&home, &secure.nats, &["--tlsfirst"], (8, no_tls.1, "leave out --tlsfirst"));
    fails(&home, &at("nats", first.host()), &ca, (8, "got nothing", "give --tlsfirst"));
    // A websocket, and none.
    fails(&home, &at("ws", plain.host()), &[], (8, "no NATS server answered", "use wss://"));
    fails(&home, &at("wss", secure.host()), &ca, (8, no_tls.1, "ws:// rather than wss://"));
    let silent = call(&home, &at("nats", plain.websocket_host()), &[]);
    silent.failed(8, "a port for websockets wants ws:// or wss://");
}
