use super::*;

const LIMIT: Duration = Duration::from_secs(5);

fn gateway(rules: Vec<GatewayRule>, path: &std::path::Path) -> Gateway {
    Gateway::new(rules, Chance::default(), Journal::open(path, false).unwrap())
}

fn charge<'a>(key: &'a str, content: &'a str) -> Charge<'a> {
    Charge { key, content, money: Money::parse("9.99", "USD").unwrap(), worker: "w" }
}

#[tokio::test]
async fn the_same_key_is_charged_once_by_any_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g");
    let (a, b) = (gateway(vec![], &path), gateway(vec![], &path));
    assert_eq!(a.charge(&charge("p", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    assert_eq!(b.charge(&charge("p", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    assert_eq!(b.charge(&charge("p", "other"), LIMIT).await.unwrap(), Outcome::KeyReused);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn failures_are_counted_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g");
    let rules = vec![GatewayRule { id: Some("p".into()), fail_times: 2, ..Default::default() }];
    for _ in 0..2 {
        let fresh = gateway(rules.clone(), &path);
        let outcome = fresh.charge(&charge("p", "c"), LIMIT).await.unwrap();
        assert!(matches!(outcome, Outcome::Unavailable(_)));
    }
    assert_eq!(
        gateway(rules, &path).charge(&charge("p", "c"), LIMIT).await.unwrap(),
        Outcome::Approved
    );
}

#[tokio::test]
async fn a_cancelled_key_is_never_charged_and_a_charged_one_never_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(vec![], &folder.path().join("g"));
    let cancelled = Outcome::Cancelled("gave up".into());
    assert_eq!(gateway.cancel(&charge("p", "c"), "gave up").await.unwrap(), cancelled);
    assert_eq!(gateway.charge(&charge("p", "c"), LIMIT).await.unwrap(), cancelled);
    assert_eq!(gateway.charge(&charge("q", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    assert_eq!(gateway.cancel(&charge("q", "c"), "late").await.unwrap(), Outcome::Approved);
}

#[test]
fn the_same_seed_gives_the_same_outcomes() {
    let chance = Chance { seed: 7, decline_percent: 30, unavailable_percent: 30 };
    let run = |c: Chance| (0..200).map(|n| c.outcome(&format!("p-{n}"), 0)).collect::<Vec<_>>();
    assert_eq!(run(chance), run(chance));
    assert_ne!(run(chance), run(Chance { seed: 8, ..chance }));
    assert!(run(chance).iter().any(|(o, _)| *o == ChargeOutcome::Declined));
}

#[tokio::test]
async fn a_damaged_line_stops_only_the_key_that_it_may_be_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g");
    std::fs::write(&path, b"{\"at\":\"\xff\",\"key\":\"p\",\"outc\n").unwrap();
    let gateway = gateway(vec![], &path);
    assert_eq!(gateway.charge(&charge("q", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    let refused = gateway.charge(&charge("p", "c"), LIMIT).await.unwrap_err();
    assert!(refused.to_string().contains("may hide what key `p`"), "{refused}");
}

/// A damaged line break joins two records.
#[tokio::test]
async fn each_key_that_can_be_read_in_a_damaged_line_is_doubtful() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g");
    let other = folder.path().join("h");
    for key in ["a", "b"] {
        let charged = gateway(vec![], &path).charge(&charge(key, "c"), LIMIT).await;
        assert_eq!(charged.unwrap(), Outcome::Approved);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&other, text.replacen('\n', "X", 1)).unwrap();
    let gateway = gateway(vec![], &other);
    for key in ["a", "b"] {
        let refused = gateway.charge(&charge(key, "c"), LIMIT).await.unwrap_err();
        assert!(refused.to_string().contains("may hide what key"), "{refused}");
    }
}

/// As `cp backup journal` does: the same file, with other records up to the same place and beyond.
#[tokio::test]
async fn a_journal_whose_text_was_replaced_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("g"), folder.path().join("backup"));
    for n in 0..10 {
        let key = format!("kept-{n}");
        let charged = gateway(vec![], &backup).charge(&charge(&key, "c"), LIMIT).await;
        assert_eq!(charged.unwrap(), Outcome::Approved);
    }
    let gateway = gateway(vec![], &path);
    for key in ["p", "q"] {
        gateway.charge(&charge(key, "c"), LIMIT).await.unwrap();
    }
    std::fs::write(&path, std::fs::read(&backup).unwrap()).unwrap();
    for key in ["kept-0", "kept-9", "p"] {
        let known = gateway.charge(&charge(key, "c"), LIMIT).await.unwrap();
        assert_eq!(known, Outcome::Approved, "{key}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&backup).unwrap());
}

#[tokio::test]
async fn a_journal_that_was_removed_does_not_charge_again_what_this_process_charged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g");
    let gateway = gateway(vec![], &path);
    assert_eq!(gateway.charge(&charge("p", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(gateway.charge(&charge("p", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    assert_eq!(gateway.charge(&charge("q", "c"), LIMIT).await.unwrap(), Outcome::Approved);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}
