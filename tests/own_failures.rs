//! Only a payment's own failures count against it, not those of a disk, a broker or a process.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::expected::left_out;
use crate::support::payments::{LIMIT, Payments};
use mono_demo::broker::{Direction, Proxy};

/// A file system of two megabytes; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where this user may not mount one.
    fn mounted(at: &'a Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_on_a_full_disk_fails_no_payment() {
    let books =
        Payments::new("[payment]\nmax_deliver = 1\nack_wait = \"1s\"\nbackoff = [\"20ms\"]\n")
            .await;
    let folder = books.home.path().join("books");
    let Some(disk) = SmallDisk::mounted(&folder) else {
        return left_out("root", "a small tmpfs cannot be mounted");
    };
    let serve = books.serve();
    disk.fill();
    books.pay(5).await;
    // Each came 30 times, which is more than any number of attempts.
    books.until_deliveries(150).await;
    disk.empty();
    books.all_completed(5).await;
    drop(disk);
    books.end(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_twenty_times_fails_no_payment() {
    let settings = "[payment]\nmax_deliver = 1\nack_wait = \"500ms\"\nbackoff = [\"20ms\"]\n\
                    gateway = [{ id = \"p-0\", delay = \"3s\" }, { id = \"p-1\", delay = \"300ms\" }]\n";
    let mut books = Payments::new(settings).await;
    let serve = books.serve();
    books.pay(10).await;
    for _ in 0..20 {
        books.broker.kill_and_restart().await.unwrap();
    }
    books.all_completed(10).await;
    books.end(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_again_and_again_with_payments_in_hand_fails_none() {
    let settings = "[payment]\nmax_deliver = 1\nack_wait = \"300ms\"\nbackoff = [\"20ms\"]\n\
                    gateway = [{ id = \"p-0\", outcome = \"hang\" }, { id = \"p-1\", outcome = \"hang\" }]\n";
    let books = Payments::new(settings).await;
    let mut serve = books.serve();
    books.pay(2).await;
    for kill in 1..=24 {
        books.until_deliveries(2 * kill).await;
        serve.signal("KILL");
        drop(serve);
        if kill == 24 {
            // From here on the gateway answers.
            std::fs::write(books.home.path().join("s.toml"), "[payment]\nmax_deliver = 1\n")
                .unwrap();
        }
        serve = books.serve();
    }
    books.all_completed(2).await;
    books.end(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_fails_after_exactly_so_many_failures_though_its_service_is_killed_in_between() {
    let settings = "[payment]\nmax_deliver = 3\nack_wait = \"500ms\"\nbackoff = [\"700ms\"]\n\
                    chance = { unavailable_percent = 100 }\n";
    let books = Payments::new(settings).await;
    let mut serve = books.serve();
    books.pay(1).await;
    for failures in 1..=2 {
        let deadline = Instant::now() + LIMIT;
        while books
            .last("payment-failures", "payments.failures.*")
            .await
            .is_none_or(|record| record["failures"].as_u64() < Some(failures))
        {
            assert!(Instant::now() < deadline, "{failures} failures on record");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        serve.signal("KILL");
        drop(serve);
        serve = books.serve();
    }
    let entry = books.outcome("p-0").await;
    assert_eq!(entry["message"], "Payment failed: gateway unavailable (after 3 attempts)");
    let record = books.last("payment-failures", "payments.failures.*").await.unwrap();
    assert_eq!(record["failures"], 3);
    books.end(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_gateway_keeps_no_other_payment_waiting_when_the_broker_comes_back() {
    let settings = "[payment]\nack_wait = \"1s\"\ngateway_timeout = \"10m\"\n\
                    gateway = [{ id = \"hangs\", outcome = \"hang\" }]\n";
    let mut books = Payments::new(settings).await;
    let serve = books.serve();
    books.submit("hangs").await;
    books.until_deliveries(1).await;
    books.broker.kill_and_restart().await.unwrap();
    books.submit("p-0").await;
    let accepted = Instant::now();
    books.pay(20).await;
    books.all_completed(20).await;
    let took = accepted.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    books.end(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_the_journals_place_fails_no_payment() {
    for max_deliver in 1..=2 {
        let settings = format!(
            "[payment]\nmax_deliver = {max_deliver}\nack_wait = \"1s\"\nbackoff = [\"20ms\"]\n\
             gateway = [{{ fail_times = {} }}]\n",
            max_deliver - 1
        );
        let payments = Payments::new(&settings).await;
        let serve = payments.serve();
        let journal = payments.home.path().join("books/gateway.jsonl");
        std::fs::remove_file(&journal).unwrap();
        std::fs::create_dir(&journal).unwrap();
        payments.pay(5).await;
        // Each came 40 times, which is more than any number of attempts.
        payments.until_deliveries(200).await;
        assert_eq!(payments.count("payment-ledger").await, 0);
        std::fs::remove_dir(&journal).unwrap();
        payments.all_completed(5).await;
        payments.end(serve).await;
    }
}

/// So many bytes pass on a payment's way, from the pull to the acknowledgement.
const BYTES: std::ops::RangeInclusive<u64> = 1..=2300;

/// Cuts the connection to the broker at another place of the way of each payment, so that each step
/// is hit; says how many there were.
async fn pay_with_cuts(payments: &Payments, proxy: &Proxy) -> usize {
    let mut number = 0;
    for direction in [Direction::ToServer, Direction::ToClient] {
        for bytes in BYTES.step_by(191) {
            proxy.cut_after(direction, bytes);
            let id = format!("p-{number}");
            payments.submit(&id).await;
            payments.outcome(&id).await;
            number += 1;
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_in_any_step_fails_no_payment() {
    for max_deliver in 1..=2 {
        // One failure more than the gateway's own would be one too many.
        let settings = format!(
            "[payment]\nmax_deliver = {max_deliver}\nack_wait = \"500ms\"\nbackoff = [\"20ms\"]\n\
             gateway = [{{ fail_times = {} }}]\n",
            max_deliver - 1
        );
        let payments = Payments::new(&settings).await;
        let proxy = Proxy::start(payments.broker.port(), 7).await.unwrap();
        let serve = payments.serve_through(&proxy.url());
        let count = pay_with_cuts(&payments, &proxy).await;
        payments.all_completed(count).await;
        payments.all_settled(count).await;
        assert_eq!(payments.count("payment-dead-letters").await, 0);
        payments.end(serve).await;
        proxy.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_in_any_step_of_giving_up_costs_no_attempt_and_no_letter() {
    let settings = "[payment]\nmax_deliver = 2\nack_wait = \"500ms\"\nbackoff = [\"20ms\"]\n\
                    chance = { unavailable_percent = 100 }\n";
    let payments = Payments::new(settings).await;
    let proxy = Proxy::start(payments.broker.port(), 7).await.unwrap();
    let serve = payments.serve_through(&proxy.url());
    let count = pay_with_cuts(&payments, &proxy).await;
    payments.all_settled(count).await;
    let journal = std::fs::read_to_string(payments.home.path().join("books/gateway.jsonl"));
    let journal = journal.unwrap();
    for n in 0..count {
        let entry = payments.outcome(&format!("p-{n}")).await;
        let message = "Payment failed: gateway unavailable (after 2 attempts)";
        assert_eq!(entry["message"], message, "{entry}");
        let key = format!("\"key\":\"p-{n}\"");
        let failed = |line: &&str| line.contains(&key) && line.contains("unavailable\"");
        assert!(journal.lines().filter(failed).count() >= 2, "p-{n}: {journal}");
    }
    assert_eq!(payments.count("payment-dead-letters").await, count);
    assert_eq!(payments.audit()["ok"], true, "{}", payments.audit());
    payments.end(serve).await;
    proxy.stop().await;
}
