//! What somebody else does to the streams of payments while they are served is told, by name.

mod support;

use support::program::Home;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_narrowed_purged_or_deleted_is_named() {
    let home = Home::new();
    let serve = tokio::task::block_in_place(|| home.serve(&["--port", "0"]));
    let url = serve.url();
    tokio::task::block_in_place(|| home.run(&["-s", &url, "pay", "p", "1"]).ok());
    let jetstream = async_nats::jetstream::new(async_nats::connect(&url).await.unwrap());
    // The first look says how it was; nobody but the process knows when that was.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let requests = jetstream.get_stream("payment-requests").await.unwrap();
    let mut config = requests.cached_info().config.clone();
    config.max_messages = 7;
    jetstream.update_stream(config).await.unwrap();
    requests.delete_consumer("payment-payment-process").await.unwrap();
    jetstream.delete_stream("payment-dead-letters").await.unwrap();
    // Told by the second look that finds it.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    serve.signal("TERM");
    let (_, _, stderr) = tokio::task::block_in_place(|| serve.ended());
    for line in [
        "stream `payment-requests` was changed by somebody else: `max_msgs` was -1 and is 7",
        "stream `payment-dead-letters` was deleted by somebody else",
    ] {
        assert_eq!(stderr.matches(line).count(), 1, "{line}: {stderr}");
    }
}
