//! TLS to a broker, with certificates made for the test.

use std::path::Path;

use crate::support::certificates::{
    Authority, Certificate, expired, for_a_client, for_another_host, not_yet_valid,
};
use crate::support::{nats_server, reaper};
use async_nats::ConnectOptions;
use mono_demo::broker::{
    Auth, Broker, Cluster, ClusterSettings, Role, Roles, Settings, StartError, Tls,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An authority, and a server's certificate for 127.0.0.1 that it signed, as files.
fn certificates(folder: &Path) -> Tls {
    let authority = Authority::new(folder, "ca");
    let Certificate { cert, key } = authority.sign("\"quoted\"", |_| {});
    Tls { cert, key, ca: Some(authority.pem) }
}

async fn settings(tls: &Tls) -> Settings {
    let mut settings = Settings::new(nats_server().await, reaper());
    settings.tls = Some(tls.clone());
    settings
}

#[tokio::test]
async fn a_broker_with_certificates_speaks_tls_only_and_only_with_who_trusts_them() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificates(folder.path());
    let mut broker = Broker::start(settings(&tls).await).await.unwrap();
    let trusting = || {
        let options = ConnectOptions::new().require_tls(true);
        options.add_root_certificates(tls.ca.clone().unwrap()).connect(broker.url())
    };
    let client = trusting().await.unwrap();
    assert!(client.server_info().tls_required);
    client.flush().await.unwrap();
    let stranger = async_nats::connect(broker.url()).await.unwrap_err();
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    let mut plain = TcpStream::connect(("127.0.0.1", broker.port())).await.unwrap();
    plain.write_all(b"CONNECT {}\r\nPING\r\n").await.unwrap();
    let mut heard = Vec::new();
    // An end or a reset: it is not let in.
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!String::from_utf8_lossy(&heard).contains("PONG"));
    let other = tempfile::tempdir().unwrap();
    let others = certificates(other.path()).ca.unwrap();
    let mistaken = ConnectOptions::new().require_tls(true).add_root_certificates(others);
    assert!(mistaken.connect(broker.url()).await.is_err());
    broker.kill_and_restart().await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_certificate_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut tls = certificates(folder.path());
    tls.cert = folder.path().join("nowhere.pem");
    let problem = Broker::start(settings(&tls).await).await.unwrap_err();
    assert!(matches!(problem, StartError::EarlyExit { .. }));
    assert!(problem.to_string().contains("nowhere.pem"), "{problem}");
}

#[tokio::test]
async fn a_certificate_that_its_own_authority_does_not_vouch_for_is_told_as_such() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut tls = certificates(folder.path());
    tls.ca = certificates(other.path()).ca;
    let mut settings = settings(&tls).await;
    settings.ready_timeout = std::time::Duration::from_secs(1);
    let problem = Broker::start(settings).await.unwrap_err();
    assert!(problem.to_string().contains("certificate"), "{problem}");
}

#[tokio::test]
async fn a_cluster_speaks_tls_with_roles_too() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificates(folder.path());
    let mut settings = settings(&tls).await;
    settings.auth = Some(Auth::Roles(Roles::default()));
    let cluster = Cluster::start(ClusterSettings::new(settings)).await.unwrap();
    let login = cluster.credentials(Role::Harness).unwrap().clone();
    for node in cluster.nodes() {
        let client =
            ConnectOptions::with_user_and_password(login.user.clone(), login.password.clone())
                .require_tls(true)
                .add_root_certificates(tls.ca.clone().unwrap())
                .connect(node.url())
                .await
                .unwrap();
        client.flush().await.unwrap();
    }
    cluster.stop().await.unwrap();
}

/// The commonest certificate of all: made by one `openssl req -x509`, which makes an authority.
#[tokio::test]
async fn an_authority_as_server_certificate_is_told_at_once_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let cert = folder.path().join("cert.pem");
    let key_file = folder.path().join("key.pem");
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    for ca in [Some(cert.clone()), None] {
        let trusted = ca.is_some();
        let tls = Tls { cert: cert.clone(), key: key_file.clone(), ca };
        let mut settings = settings(&tls).await;
        settings.ready_timeout = std::time::Duration::from_secs(600);
        let problem = Broker::start(settings).await.unwrap_err();
        assert!(matches!(problem, StartError::Certificate { .. }), "{problem}");
        if trusted {
            assert!(problem.to_string().contains("that of an authority itself"), "{problem}");
            assert!(problem.hint().unwrap().contains("basicConstraints=CA:FALSE"));
        }
    }
}

/// `serve --tls-cert` refuses at once what no client would accept.
#[tokio::test]
async fn a_certificate_that_no_client_would_accept_serves_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    for (certificate, cause) in [
        (authority.sign("expired", expired), "certificate has expired"),
        (authority.sign("early", not_yet_valid), "not valid yet"),
        (authority.sign("host", for_another_host), "not for the name"),
        (authority.sign("client", for_a_client), "not for servers"),
    ] {
        let Certificate { cert, key } = certificate;
        let tls = Tls { cert, key, ca: Some(authority.pem.clone()) };
        let mut settings = settings(&tls).await;
        settings.ready_timeout = std::time::Duration::from_secs(600);
        let problem = Broker::start(settings).await.unwrap_err();
        assert!(problem.to_string().contains(cause), "{cause}: {problem}");
        assert!(problem.hint().is_some(), "{problem}");
    }
}

#[tokio::test]
async fn each_fault_of_a_handshake_is_told_with_its_remedy() {
    use mono_demo::mono::{ConnectError, Connection, Target, Tls as ClientTls};
    let folder = tempfile::tempdir().unwrap();
    let tls = certificates(folder.path());
    let secure = Broker::start(settings(&tls).await).await.unwrap();
    let plain = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let ca = tls.ca.clone();
    let localhost = secure.url().replace("127.0.0.1", "localhost");
    let over_tls = plain.url().replace("nats://", "tls://");
    let said = async |url: &str, ca, first| {
        let tls = ClientTls { ca, first, client: None };
        let target = Target { url: url.to_owned(), tls, quiet: true, ..Target::default() };
        Connection::open(&target, "test").await.unwrap_err()
    };
    for (url, ca, first, needle, remedy) in [
        (secure.url(), None, false, "no authority that is trusted here", "--tlsca"),
        (&localhost, ca.clone(), false, "not for the name", "subject alternative name"),
        (&over_tls, ca.clone(), false, "does not speak TLS", "use nats://"),
        (plain.url(), ca.clone(), true, "does not speak TLS", "use nats://"),
        (secure.url(), ca.clone(), true, "does not speak TLS", "tls_first"),
    ] {
        let error = said(url, ca, first).await;
        assert!(matches!(error, ConnectError::Tls { .. }), "{url}: {error}");
        assert!(error.to_string().contains(needle), "{url}: {error}");
        assert!(error.hint().unwrap().contains(remedy), "{url}: {:?}", error.hint());
    }
    let error = said(secure.url(), Some(empty), false).await;
    assert!(error.to_string().contains("empty.pem: no PEM of one"), "{error}");
    secure.stop().await.unwrap();
    plain.stop().await.unwrap();
}
