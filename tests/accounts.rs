//! A client gains nothing by its choice of reply subject: nobody publishes for it where it may not,
//! and no client receives the replies to another one.

use crate::support::accounts::{LIMIT, VICTIMS, World, ask_all, heard, listen, settled};
use futures_util::StreamExt;
use mono_demo::modules::payment::{PaymentClient, Submission};

const SUM: &str = r#"{"operation":"add","a":1,"b":2}"#;

#[tokio::test]
async fn nobody_writes_where_a_client_may_not_because_it_names_that_for_its_reply() {
    nobody_writes_by_reply(World::start().await).await;
}

#[tokio::test]
async fn nobody_does_so_on_a_cluster() {
    nobody_writes_by_reply(World::start_on_three().await).await;
}

async fn nobody_writes_by_reply(world: World) {
    let (client, other, harness) =
        (world.client().await, world.other().await, world.harness().await);
    let mut all = listen(&harness, ">").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    for (n, victim) in VICTIMS.iter().enumerate() {
        ask_all(&client, victim, &format!("p-{n}")).await;
        // The server itself drops some; what comes after them on this connection is there.
        let id = format!("after-{n}");
        let payment = Submission { payment_id: &id, amount: "1", ..Submission::default() };
        PaymentClient::new(client.clone(), LIMIT).submit(&payment).await.unwrap();
        settled(&client, &id).await;
    }
    let seen = heard(&harness, &mut all).await;
    assert!(seen.len() > VICTIMS.len() * 8, "the harness hears: {}", seen.len());
    for victim in VICTIMS {
        assert!(!seen.iter().any(|subject| subject == victim), "{victim} was written to");
    }
    assert_eq!(heard(&other, &mut events).await, [] as [&str; 0]);
    let payments = PaymentClient::new(other.clone(), LIMIT);
    let submission = Submission { payment_id: "victim", amount: "9", ..Submission::default() };
    payments.submit(&submission).await.unwrap();
    settled(&other, "victim").await;
    world.stop().await;
}

#[tokio::test]
async fn a_client_hears_nothing_that_is_for_another_one() {
    hears_nothing_of_another(World::start().await).await;
}

#[tokio::test]
async fn a_client_of_a_cluster_hears_nothing_that_is_for_another_one() {
    hears_nothing_of_another(World::start_on_three().await).await;
}

async fn hears_nothing_of_another(world: World) {
    let (client, other) = (world.client().await, world.other().await);
    let mut ears = Vec::new();
    for subject in [
        "_INBOX.>",
        "_INBOX.*.*",
        "_INBOX.barrier.*",
        ">",
        "*.>",
        "_R_.>",
        "_GR_.>",
        "$GR.>",
        "services.>",
        "services.serve.*",
        "$SRV.>",
        "$JS.>",
        "$JSC.>",
        "$NRG.>",
        "$SYS.>",
    ] {
        ears.push((subject, listen(&other, subject).await));
    }
    // Requests of others cannot be had either, as a service of that name.
    for queue in ["q", "math", "email-workers"] {
        for subject in ["services.math.calculate", "services.payment.payment-process"] {
            let ear = other.queue_subscribe(subject, queue.to_owned()).await.unwrap();
            ears.push((subject, ear));
        }
    }
    other.flush().await.unwrap();
    for n in 0..20 {
        ask_all(&client, &client.new_inbox(), &format!("p-{n}")).await;
        let sum = client.request("services.math.calculate", SUM.into()).await;
        assert!(sum.unwrap().payload.starts_with(b"{\"result\":3"));
    }
    settled(&client, "p-19").await;
    for (subject, ear) in &mut ears {
        let seen = heard(&other, ear).await;
        let own = seen.iter().filter(|subject| subject.starts_with("_INBOX")).count();
        // Only the fences of `heard`, one a look.
        assert!(seen.len() == own && own <= 20, "{subject}: {seen:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_a_client_writes_at_its_own_place_reaches_nobody_else() {
    let world = World::start().await;
    let (client, mut refused) = world.refused_client().await;
    let (other, harness) = (world.other().await, world.harness().await);
    let mut all = listen(&harness, ">").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    let forged: Vec<&str> = VICTIMS
        .iter()
        .copied()
        .chain([
            "services.notification.other",
            "services.made.up",
            "$JS.API.INFO",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.MSG.GET.payment-ledger",
            "$JS.API.CONSUMER.MSG.NEXT.payment-requests.payment-payment-process",
            "$JS.FC.payment-requests.x.y",
            "$SYS.ACCOUNT.services.CONNECT",
        ])
        .collect();
    for &subject in &forged {
        client.publish(subject, "forged".into()).await.unwrap();
    }
    let _ = client.request("services.nobody.here", "".into()).await;
    for subject in ["$JS.API.INFO", "$JS.API.STREAM.INFO.payment-ledger"] {
        let refusal = async { while !refused.recv().await.unwrap().contains(subject) {} };
        let answer = tokio::select! {
            answer = client.request(subject, "".into()) => answer.ok(),
            () = refusal => None,
            () = tokio::time::sleep(LIMIT) => panic!("{subject}: neither answered nor refused"),
        };
        assert!(answer.is_none(), "{subject}: {answer:?}");
    }
    // This one may be sent, and is nobody's name: of that nothing tells, but that what is asked later
    // has its answer.
    let inbox = client.new_inbox();
    let mut answers = listen(&client, &inbox).await;
    client.publish_with_reply("$SRV.PING.*", inbox, "".into()).await.unwrap();
    client.request("services.math.calculate", SUM.into()).await.unwrap();
    assert_eq!(heard(&client, &mut answers).await, [] as [&str; 0]);
    let seen = heard(&harness, &mut all).await;
    assert!(!seen.iter().any(|subject| forged.contains(&subject.as_str())), "{seen:?}");
    assert_eq!(heard(&other, &mut events).await, [] as [&str; 0]);
    world.stop().await;
}

#[tokio::test]
async fn nobody_there_is_told_at_once_and_what_comes_back_is_whole() {
    let world = World::start().await;
    let client = world.client().await;
    let answer = client.request("services.math.calculate", "no json".into()).await.unwrap();
    let headers = answer.headers.expect("headers");
    assert_eq!(headers.get("Nats-Service-Error-Code").map(|v| v.as_str()), Some("400"));
    let stop = world.drain().await;
    for subject in ["services.math.calculate", "services.payment.status", "services.made.up"] {
        let error = client.request(subject, "{}".into()).await.unwrap_err();
        assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders, "{subject}");
    }
    stop.await;
}

#[tokio::test]
async fn a_finder_asks_for_the_proof_and_for_nothing_else() {
    let world = World::start().await;
    let (finder, harness) = (world.finder().await, world.harness().await);
    let mut all = listen(&harness, ">").await;
    let mut questions = listen(&harness, "services.serve.*").await;
    assert_eq!(heard(&harness, &mut questions).await, [] as [&str; 0]);
    ask_all(&finder, &finder.new_inbox(), "by-finder").await;
    for &subject in &VICTIMS {
        finder.publish(subject, "forged".into()).await.unwrap();
        // What it may ask is not answered where it may not write.
        let reply = subject.to_owned();
        finder.publish_with_reply("services.serve.proof-x", reply, "?".into()).await.unwrap();
    }
    let asked = finder.publish_with_reply("services.serve.proof-x", finder.new_inbox(), "".into());
    asked.await.unwrap();
    finder.flush().await.unwrap();
    let mut next = async || {
        let question = tokio::time::timeout(LIMIT, questions.next()).await;
        question.expect("asked").expect("a question").payload
    };
    // Those to other places may be dropped by the server itself.
    while !next().await.is_empty() {}
    let seen = heard(&harness, &mut all).await;
    let other: Vec<_> = seen
        .iter()
        .filter(|s| !s.starts_with("services.serve.") && !s.starts_with("_INBOX"))
        .collect();
    assert!(other.is_empty(), "{other:?}");
    world.stop().await;
}

/// The asker's own connections may not bear it, nor those of other programs with its password.
#[tokio::test]
async fn who_wants_its_answers_everywhere_harms_nobody_else() {
    let world = World::start().await;
    let (other, harness) = (world.other().await, world.harness().await);
    let mut ears = vec![listen(&other, "_INBOX.>").await, listen(&harness, "payments.>").await];
    for reply in [">", "*", "*.>", "_INBOX.>"] {
        let asker = world.client().await;
        for n in 0..5 {
            ask_all(&asker, reply, &format!("p-{n}")).await;
            let sum = other.request("services.math.calculate", SUM.into());
            let sum = sum.await.unwrap_or_else(|e| panic!("{reply}, {n}: {e}"));
            assert!(sum.payload.starts_with(b"{\"result\":3"), "{reply}");
        }
    }
    settled(&other, "p-4").await;
    for ear in &mut ears {
        let seen = heard(&harness, ear).await;
        assert!(!seen.iter().any(|subject| subject.contains(['>', '*'])), "{seen:?}");
    }
    world.stop().await;
}
