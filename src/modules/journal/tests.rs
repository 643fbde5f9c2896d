use super::*;

fn made(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.jsonl");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

async fn all(journal: &Journal) -> (Vec<serde_json::Value>, usize) {
    let read = journal.transact(|follow| follow.since(0)).await.unwrap();
    (read.0, read.1.len())
}

#[tokio::test]
async fn what_one_writer_appends_another_reads() {
    let (_folder, path) = made(b"");
    let (a, b) = (Journal::open(&path, false).unwrap(), Journal::open(&path, true).unwrap());
    a.append(&1).await.unwrap();
    b.append(&2).await.unwrap();
    a.append(&3).await.unwrap();
    assert_eq!(all(&a).await.0, [1, 2, 3]);
}

#[tokio::test]
async fn half_a_line_is_cut_off_and_a_damaged_one_is_passed_over() {
    for (text, whole, damaged) in [
        (&b"{\"n\":1}\n{\"n\":"[..], 1, 0),
        (b"{\"n\":1}\r\n{\"n\":2}\r\n", 2, 0),
        (b"{\"n\":1}\n\xff\xfe\n{\"n\":2}\n", 2, 1),
        (b"{\"n\":1}\n\0\0\0\0", 1, 0),
        (b"{\"n\":1}\n{\"n\":2}", 2, 0),
        (b"half", 0, 0),
        (b"\n\n", 0, 0),
        (&[b'x'; 200_000], 0, 0),
    ] {
        let (_folder, path) = made(text);
        let journal = Journal::open(&path, false).unwrap();
        journal.append(&serde_json::json!({ "n": 9 })).await.unwrap();
        let (records, bad) = all(&journal).await;
        assert_eq!((records.len(), bad), (whole + 1, damaged), "{:?}", &text[..text.len().min(40)]);
        assert!(std::fs::read(&path).unwrap().ends_with(b"{\"n\":9}\n"));
    }
}

#[tokio::test]
async fn a_file_that_is_removed_is_made_anew_and_a_folder_is_refused() {
    let (folder, path) = made(b"1\n");
    let journal = Journal::open(&path, false).unwrap();
    journal.append(&2).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    journal.append(&3).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"3\n");
    let refused = Journal::open(folder.path(), false).unwrap_err();
    assert!(refused.to_string().contains("it is not a file"), "{refused}");
}

#[tokio::test]
async fn a_lock_that_another_holds_blocks_no_runtime_and_can_be_given_up() {
    let (_folder, path) = made(b"");
    let other = std::fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let journal = Journal::open(&path, true).unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(50), journal.append(&1)).await;
    assert!(waited.is_err());
    other.unlock().unwrap();
    journal.append(&2).await.unwrap();
    // What was given up before its turn is not done.
    assert_eq!(std::fs::read(&path).unwrap(), b"2\n");
}

#[tokio::test]
async fn lines_that_come_together_keep_their_order_and_all_are_told() {
    let (_folder, path) = made(b"");
    let other = std::fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let journal = Journal::open(&path, false).unwrap();
    let appended = (0..300_u64).map(|n| {
        let journal = &journal;
        async move {
            match n % 100 {
                // Between lines, what they are not joined over.
                50 => journal.transact(move |follow| follow.append(&n).map(drop)).await,
                _ => journal.append(&n).await,
            }
        }
    });
    let free = async { other.unlock().unwrap() };
    let (told, ()) = tokio::join!(futures_util::future::join_all(appended), free);
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    let (found, _, _) = journal.transact(|follow| follow.since::<u64>(0)).await.unwrap();
    assert_eq!(found, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_given_up_while_another_holds_the_lock_does_not_pile_up() {
    let (_folder, path) = made(b"");
    let other = std::fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let journal = Journal::open(&path, false).unwrap();
    let asked = std::sync::Arc::new(());
    for _ in 0..3_000 {
        let work = std::sync::Arc::clone(&asked);
        let given_up = tokio::time::timeout(
            Duration::ZERO,
            journal.transact(move |_| {
                drop(work);
                Ok(())
            }),
        );
        assert!(given_up.await.is_err());
    }
    let kept = std::sync::Arc::strong_count(&asked);
    assert!(kept < 2000, "{kept} are kept");
    other.unlock().unwrap();
    journal.append(&1).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"1\n");
}

#[tokio::test]
async fn what_is_only_read_is_left_as_it_is() {
    let text = b"{\"n\":1}\n{\"key\":\"p-7\",\xff}\n{\"n\":2}\n{\"n\":";
    let (_folder, path) = made(text);
    let Contents { records, damaged, torn } = read::<serde_json::Value>(&path).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(damaged.iter().flat_map(Damaged::keys).collect::<Vec<_>>(), ["p-7"]);
    assert!(torn.is_some());
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

/// The runtime lets a task go on after so many operations only in its next turn: what is asked for
/// first must stand first all the same, also beside what comes in meanwhile.
#[tokio::test]
async fn what_is_asked_for_first_stands_first_however_long_its_task_has_run() {
    use futures_util::StreamExt as _;
    use futures_util::stream::FuturesUnordered;

    let (_folder, path) = made(b"");
    let journal = Journal::open(&path, false).unwrap();
    let numbers = 0..900_u64;
    let mut appends = FuturesUnordered::new();
    for n in numbers.clone() {
        let record = n;
        let journal = &journal;
        appends.push(async move { journal.append(&record).await });
        // As a worker does between two messages; nothing need have come.
        let _ = futures_util::poll!(appends.next());
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    while let Some(appended) = appends.next().await {
        appended.unwrap();
    }
    let (found, _, _) = journal.transact(|follow| follow.since::<u64>(0)).await.unwrap();
    assert_eq!(found, numbers.collect::<Vec<_>>());
}

/// Somebody who does not ask for the lock writes while it is held.
#[tokio::test]
async fn what_is_written_behind_the_back_of_the_lock_is_noticed() {
    let (_folder, path) = made(b"1\n2\n3\n");
    let journal = Journal::open(&path, false).unwrap();
    let before = journal.transact(|follow| Ok(follow.generation())).await.unwrap();
    let unchanged = journal.transact(|follow| follow.append(&4).map(|_| follow.generation()));
    assert_eq!(unchanged.await.unwrap(), before);
    let overwritten = journal.transact(move |_| {
        std::fs::write(&path, "7\n").unwrap();
        Ok(())
    });
    overwritten.await.unwrap();
    let after = journal.transact(|follow| Ok((follow.generation(), follow.since::<u64>(0)?.0)));
    let (generation, records) = after.await.unwrap();
    assert_ne!(generation, before);
    assert_eq!(records, [7]);
}
