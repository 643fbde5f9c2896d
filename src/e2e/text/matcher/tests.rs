use super::*;
use serde_json::json;

#[track_caller]
fn matches(pattern: Value, seen: Value) {
    if let Err(difference) = compare(&pattern, &seen.into(), false, "") {
        panic!("{difference}");
    }
}

#[track_caller]
fn differs(pattern: Value, seen: Value, message: &str) {
    let difference = compare(&pattern, &seen.into(), false, "").expect_err("should differ");
    assert_eq!(difference.to_string(), message);
}

#[test]
fn matchers_match_what_they_name() {
    matches(json!("#any"), json!(null));
    matches(json!("#number"), json!(1.5));
    matches(json!("#string"), json!(""));
    matches(json!("#uuid"), json!("6F9619FF-8B86-D011-B42D-00CF4FC964FF"));
    matches(json!("#timestamp"), json!("2026-07-01T10:00:00.5+02:00"));
    matches(json!("#re:^pay-\\d$"), json!("pay-7"));
    matches(json!("##any"), json!("#any"));
    matches(json!({"a": "#absent"}), json!({"b": 1}));
    differs(json!("#number"), json!("1"), r#"expected a number, saw "1""#);
    differs(json!("#string"), json!(1), "expected a string, saw 1");
    differs(json!("#uuid"), json!("x6f9619ff"), r#"expected a UUID, saw "x6f9619ff""#);
    matches(json!("#timestamp"), json!("2024-02-29t23:59:59z"));
    for never in ["2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T25:00:00Z"] {
        let said = format!("expected an RFC 3339 time, saw \"{never}\"");
        differs(json!("#timestamp"), json!(never), &said);
    }
    differs(json!("#timestamp"), json!("today"), r#"expected an RFC 3339 time, saw "today""#);
    differs(json!("#re:^b"), json!("ab"), r#"expected a string matching /^b/, saw "ab""#);
    differs(json!("##any"), json!("x"), r##"expected "#any", saw "x""##);
    differs(json!({"a": "#absent"}), json!({"a": 1}), "a: expected nothing, saw 1");
    differs(json!({"a": "#any"}), json!({}), "a: expected anything, saw nothing");
}

#[test]
fn a_subset_is_enough_unless_the_match_is_exact() {
    let pattern = json!({"a": {"b": 1}});
    let seen = json!({"a": {"b": 1, "c": 2}, "d": 3});
    matches(pattern.clone(), seen.clone());
    let difference = compare(&pattern, &seen.into(), true, "reply").unwrap_err();
    assert_eq!(difference.to_string(), "reply.a.c: expected nothing, saw 2");
}

#[test]
fn the_first_difference_is_named_by_its_path() {
    differs(
        json!({"items": [{"id": 1}, {"id": 2}]}),
        json!({"items": [{"id": 1}, {"id": 3}]}),
        "items[1].id: expected 2, saw 3",
    );
    differs(json!([1]), json!([1, 2]), "expected 1 element, saw 2 in [1,2]");
    differs(json!({"a": 1}), json!([1]), r#"expected {"a":1}, saw [1]"#);
}

#[test]
fn arrays_are_compared_in_any_order() {
    // The first pattern takes what only the second could have, and gives it up.
    let wanted = json!({"#unordered": ["#number", 1, {"a": 1}]});
    matches(wanted.clone(), json!([1, {"a": 1, "b": 2}, 7]));
    differs(wanted.clone(), json!([1, 7]), "expected 3 elements in any order, saw [1,7]");
    differs(wanted, json!([7, 8, {"a": 1}]), r#"expected an element for 1, saw [7,8,{"a":1}]"#);
    differs(
        json!({"a": {"#unordered": [1, 1]}}),
        json!({"a": [1, 2]}),
        "a: expected an element of its own for 1, saw [1,2]",
    );
    matches(json!({"#contains": [2]}), json!([1, 2, 3]));
    differs(json!({"#contains": [4]}), json!([1]), "expected an element for 4, saw [1]");
    differs(json!({"#contains": []}), json!({}), "expected an array, saw {}");
    matches(json!({"##unordered": 1}), json!({"#unordered": 1}));
}

#[test]
fn numbers_are_compared_by_value_and_with_all_digits() {
    let reads = |pattern: Value, seen: &str, message: &str| {
        let compared = compare(&pattern, &Data::read(seen.as_bytes()), false, "");
        let said = compared.err().map(|difference| difference.to_string());
        assert_eq!(said.unwrap_or_default(), message, "{seen}");
    };
    reads(json!(15), "15.0", "");
    reads(json!(15), "1.5e1", "");
    reads(json!({"x": 0.1}), r#"{"x":1e-1}"#, "");
    reads(
        json!({"x": 0.1}),
        r#"{"x":0.10000000000000000001}"#,
        "x: expected 0.1, saw 0.10000000000000000001",
    );
    reads(json!("#number:0.10000000000000000001"), "0.100000000000000000010", "");
    reads(
        json!("#number:0.10000000000000000001"),
        "0.1",
        "expected 0.10000000000000000001, saw 0.1",
    );
    reads(
        json!(9_007_199_254_740_993_i64),
        "9007199254740992",
        "expected 9007199254740993, saw 9007199254740992",
    );
    reads(json!(15), "\"15\"", r#"expected 15, saw "15""#);
    reads(json!({"a": 2}), r#"{"a":1,"a":2}"#, "a: expected 2, saw it 2 times: 1, 2");
}

#[test]
fn bytes_are_not_their_base64() {
    let seen = Data::read(b"\xff");
    for pattern in ["/w==", "#string", "#re:."] {
        assert!(compare(&json!(pattern), &seen, false, "").is_err(), "{pattern}");
    }
    compare(&json!("#base64:/w=="), &seen, false, "").unwrap();
    let difference = compare(&json!("#base64:/g=="), &seen, false, "").unwrap_err();
    assert_eq!(difference.to_string(), "expected base64 /g==, saw base64 /w==");
    assert!(compare(&json!("#base64:/w=="), &Data::read(b"/w=="), false, "").is_err());
}

#[test]
fn bad_matchers_are_told_before_anything_runs() {
    assert!(check_text("plain").is_ok());
    assert!(check_text("##literal").is_ok());
    assert!(check_text("#re:a+").is_ok());
    assert!(check_text("#number:1e400").is_ok() && check_text("#number:x").is_err());
    assert!(check_text("#base64:/w==").is_ok() && check_text("#base64:/w").is_err());
    assert!(check_text("#re").is_err() && check_text("#number:").is_err());
    assert!(check_text("#nummer").unwrap_err().contains("#nummer"));
    assert!(check_text("#re:(").unwrap_err().contains("regular expression"));
}
