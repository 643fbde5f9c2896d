//! Accounts in a store folder over time, and on a user's own nats-server.

use std::time::Duration;

use crate::support::accounts::{LIMIT, VICTIMS, ask_all, heard, listen, settled};
use crate::support::nats_server;
use crate::support::program::Home;
use async_nats::{Client, ConnectOptions};
use mono_demo::modules::payment::{PaymentClient, Submission};

#[test]
fn a_cluster_keeps_the_accounts_that_its_store_was_made_with_and_says_what_to_do() {
    for (made, asked, with, remedy) in [
        (&[][..], &["--auth"][..], "was made without --auth", "start it without --auth"),
        (&["--auth"][..], &[][..], "was made with --auth", "start it with --auth"),
    ] {
        let home = Home::new();
        let base = ["--cluster", "3", "--port", "0", "--store-dir", "data"];
        let serve = home.serve(&[&base, made].concat());
        serve.signal("TERM");
        assert_eq!(serve.ended().0, Some(0));
        let Err(said) = home.try_serve(&[&base, asked].concat()) else {
            panic!("it starts though the store {with}");
        };
        assert!(said.stderr.contains(with) && said.stderr.contains(remedy), "{}", said.stderr);
        let again = home.serve(&[&base, made].concat());
        again.signal("TERM");
        assert_eq!(again.ended().0, Some(0));
    }
}

/// A nats-server of somebody's own; killed at the end.
struct Own {
    process: std::process::Child,
    url: String,
}

impl Own {
    /// With this config behind what every server needs, and passwords in its environment.
    async fn start(home: &Home, config: &str) -> Own {
        let folder = home.path().join("own");
        std::fs::create_dir(&folder).unwrap();
        let text = format!(
            "host: \"127.0.0.1\"\nport: -1\nports_file_dir: \"{0}\"\njetstream {{ store_dir: \"{0}/js\" }}\n{config}",
            folder.display()
        );
        let path = folder.join("server.conf");
        std::fs::write(&path, text).unwrap();
        let mut command = std::process::Command::new(&nats_server().await.path);
        command.arg("-c").arg(&path).arg("-l").arg(folder.join("log"));
        for user in ["CLIENT", "WORKER", "HARNESS"] {
            command.env(format!("{user}_PASSWORD"), format!("of-{}", user.to_lowercase()));
        }
        let process = command.spawn().expect("a server");
        let ports = folder.join(format!("nats-server_{}.ports", process.id()));
        let said = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let mut own = Own { process, url: String::new() };
        while own.url.is_empty() {
            assert!(own.process.try_wait().unwrap().is_none(), "{}", said());
            // A file of another process: there is nothing to wait on but its being there.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            own.url = ports["nats"][0].as_str().unwrap_or_default().to_owned();
        }
        own
    }

    async fn connect(&self, user: &str) -> Client {
        let password = format!("of-{user}");
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password);
        options.connect(&self.url).await.unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_that_spec_prints_do_the_same_on_a_server_of_ones_own() {
    let home = Home::new();
    let config = home.run(&["spec", "--accounts"]).ok();
    assert!(config.contains("password: $WORKER_PASSWORD"), "{config}");
    let own = Own::start(&home, &config).await;
    let named = ["--server", &own.url, "--user", "worker", "--password", "of-worker"];
    let serve = home.serve(&named);
    let (client, harness) = (own.connect("client").await, own.connect("harness").await);
    let mut ledger = listen(&harness, "payments.ledger.*").await;
    for victim in VICTIMS {
        ask_all(&client, victim, "by-reply").await;
        client.publish(victim, "forged".into()).await.unwrap();
    }
    let stream = client.request("$JS.API.STREAM.INFO.payment-ledger", "".into());
    let stream = tokio::time::timeout(Duration::from_secs(1), stream).await;
    assert!(!matches!(stream, Ok(Ok(_))), "a client reads a stream: {stream:?}");
    let payments = PaymentClient::new(client.clone(), LIMIT);
    let submission = Submission { payment_id: "paid", amount: "9", ..Submission::default() };
    payments.submit(&submission).await.unwrap();
    settled(&client, "paid").await;
    settled(&client, "by-reply").await;
    let mut written = heard(&harness, &mut ledger).await;
    written.sort();
    assert_eq!(written, ["payments.ledger.by-reply", "payments.ledger.paid"]);
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
}
