//! An orderly stop is no damage: what `serve` left, the same `serve` takes up again.

mod support;

use std::time::Duration;

use support::program::Home;

const SUBJECT: &str = "services.payment.payment-process";

/// Publishes payments without waiting for each, and says how many were sent when it is cut off.
async fn submit(url: &str, prefix: &str, count: usize) {
    let Ok(client) = async_nats::connect(url).await else { return };
    for n in 0..count {
        let body = format!(r#"{{"payment_id":"{prefix}-{n}","amount":"1.00"}}"#);
        if client.publish(SUBJECT, body.into()).await.is_err() {
            return;
        }
    }
    let _ = client.flush().await;
    // They go on until the server is gone.
    loop {
        let body = format!(r#"{{"payment_id":"{prefix}-more","amount":"1.00"}}"#);
        let sent = client.publish(SUBJECT, body.into()).await;
        if sent.is_err() || client.flush().await.is_err() {
            return;
        }
    }
}

async fn stopped_in_the_middle(nodes: &[&str], rounds: usize) {
    let home = Home::new();
    let args = |workers: &'static str| {
        [&["--port", "0", "--store-dir", "store", "--workers", workers], nodes].concat()
    };
    let mut refused = Vec::new();
    for round in 0..rounds {
        let workers = if round % 2 == 0 { "1" } else { "3" };
        let serve = tokio::task::block_in_place(|| home.try_serve(&args(workers)));
        let serve = match serve {
            Ok(serve) => serve,
            Err(said) => {
                refused.push(format!("round {round}: {}", said.stderr));
                break;
            }
        };
        let url = serve.url();
        let task = tokio::spawn(async move { submit(&url, &format!("r{round}"), 3000).await });
        // Each round stops at another moment of the work: submissions are not waited for, so there is
        // no number of acknowledged ones to watch.
        tokio::time::sleep(Duration::from_millis(100 + 90 * round as u64)).await;
        serve.signal(if round % 4 == 3 { "KILL" } else { "TERM" });
        tokio::task::block_in_place(|| serve.ended());
        task.abort();
    }
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_submissions_is_never_taken_for_damage() {
    stopped_in_the_middle(&[], 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_that_of_a_cluster() {
    stopped_in_the_middle(&["--cluster", "3"], 5).await;
}
