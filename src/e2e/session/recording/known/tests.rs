use super::*;
use crate::e2e::session::recording::example::messages;

const ID: &str = "0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55";

fn known(lines: &[&str]) -> Known {
    Known::of(&messages(lines), &|_| true)
}

#[test]
fn what_a_service_chose_and_the_scenario_sends_later_is_kept() {
    let reply = format!("_INBOX.c.1 : {{\"order\":{{\"orderId\":\"{ID}\"}}}}");
    let get = format!("orders.get.{ID} > _INBOX.c.2 : {{\"path\":\"/orders/{ID}/x\"}}");
    let known = known(&["orders.new > _INBOX.c.1 : {\"item\":\"kiwi\"}", &reply, &get]);
    let kept: Vec<_> = known.kept_of(0).into_iter().map(|k| (&*k.name, &*k.pointer)).collect();
    assert_eq!(kept, [("order_id", "/order/orderId")]);
    assert_eq!(known.filled(ID, false, 1), "{{order_id}}");
    assert_eq!(known.filled(&format!("/orders/{ID}/x"), false, 1), "/orders/{{order_id}}/x");
    assert_eq!(known.filled(&format!("\\{ID}{ID}"), false, 1), r"\\{{order_id}}{{order_id}}");
    assert_eq!(known.filled("{{x}}", false, 1), r"\{{x}}");
    // Before it was said it is not known.
    assert_eq!(known.filled(ID, false, 0), ID);
    assert!(known.is_own("kiwi") && !known.is_own(ID));
}

#[test]
fn a_short_id_is_kept_only_for_the_place_of_an_id() {
    let lines = [
        "orders.new > _INBOX.c.1 : {\"item\":\"kiwi\"}",
        "_INBOX.c.1 : {\"id\":17,\"status\":\"new\",\"count\":3}",
        "orders.get > _INBOX.c.2 : {\"order_id\":17,\"status\":\"new\",\"count\":3}",
    ];
    let known = known(&lines);
    let kept: Vec<_> = known.kept_of(0).into_iter().map(|kept| kept.name.clone()).collect();
    assert_eq!(kept, ["id"]);
    assert_eq!(known.name_of("17", true, 2).as_deref(), Some("{{id}}"));
    assert_eq!(known.name_of("17", false, 2), None);
    assert!(known.is_own("new") && known.is_own("3"));
}

#[test]
fn a_value_that_the_scenario_sent_first_is_its_own() {
    let lines = [
        "orders.new > _INBOX.c.1 : {\"id\":\"o-1\"}",
        "_INBOX.c.1 : {\"id\":\"o-1\"}",
        "orders.get > _INBOX.c.2 : {\"id\":\"o-1\"}",
    ];
    let known = known(&lines);
    assert!(known.kept_of(0).is_empty() && known.is_own("o-1"));
}

#[test]
fn no_two_values_have_one_name_and_none_a_name_of_the_run() {
    let lines = [
        "orders.a > _INBOX.c.1",
        "_INBOX.c.1 : {\"id\":\"o-1\",\"dir\":\"0123456789abcdef\"}",
        "orders.b > _INBOX.c.2",
        "_INBOX.c.2 : {\"id\":\"o-2\",\"Ünid\":\"fedcba9876543210\"}",
        "orders.c.0123456789abcdef.fedcba9876543210 : {\"ids\":[\"o-1\",\"o-2\"]}",
    ];
    let known = known(&lines);
    let names = |of| known.kept_of(of).into_iter().map(|k| k.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(0), names(2)), (vec!["dir_2".to_owned(), "id".to_owned()], Vec::new()));
    assert_eq!(names(1), ["id_2", "value"]);
}
