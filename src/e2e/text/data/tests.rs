use super::*;
use serde_json::json;

#[test]
fn what_json_says_is_kept() {
    for (text, line) in [
        ("12345678901234567.89", "12345678901234567.89"),
        ("[123456789012345678901, 15.0]", "[123456789012345678901,15]"),
        (r#"{"b": 1, "a": 1, "b": 0}"#, r#"{"a":1,"b":1,"b":0}"#),
        (r#" "hello" "#, r#""hello""#),
        ("hello", "text \"hello\""),
        ("text \"hello\"", r#"text "text \"hello\"""#),
        ("", "(empty)"),
        (r#""""#, r#""""#),
        ("{\"a\":1} x", r#"text "{\"a\":1} x""#),
        (r#""\ud800""#, r#"text "\"\\ud800\"""#),
    ] {
        assert_eq!(Data::read(text.as_bytes()).to_string(), line, "{text}");
    }
    assert_eq!(Data::read(b"\xff").to_string(), "base64 /w==");
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(matches!(Data::read(deep(127).as_bytes()), Data::Array(_)));
    assert!(matches!(Data::read(deep(100_000).as_bytes()), Data::Text(_)));
}

#[test]
fn several_lines_are_those_of_serde_json() {
    let value = json!({"a": [], "b": {}, "c": [1, {"d": "x"}]});
    let expected = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(Data::from(&value).pretty(), expected);
    assert_eq!(Data::from(&value).to_string(), value.to_string());
}

#[test]
fn a_value_has_what_doubles_can_say() {
    let exact = |text: &str| Data::read(text.as_bytes()).exact();
    assert_eq!(exact(r#"{"a":[0.1,15.0]}"#), Some(json!({"a": [0.1, 15]})));
    assert_eq!(exact("hello"), Some(json!("hello")));
    assert_eq!(exact("18446744073709551615"), Some(json!(u64::MAX)));
    for lost in ["12345678901234567.89", "18446744073709551616", r#"{"a":1,"a":1}"#, "[1e400]"] {
        assert_eq!(exact(lost), None, "{lost}");
    }
}

#[test]
fn more_than_doubles_is_told_from_another_way_to_write_one() {
    let is_more = |text: &str| Data::read(text.as_bytes()).is_more();
    for text in ["18446744073709551616", r#"[{"a":1,"a":1}]"#, "0.10000000000000000001"] {
        assert!(is_more(text), "{text}");
    }
    for text in ["0.10000000000000001", "0.00012345678901234567", "18446744073709551615", "-1e300"]
    {
        assert!(!is_more(text), "{text}");
    }
}

#[test]
fn a_pointer_leads_to_one_thing_and_takes_it_out() {
    let mut data = Data::read(br#"{"a":[{"b/c":1,"d":2}],"e":1,"e":2}"#);
    assert_eq!(data.pointer("/a/0/b~1c").unwrap().to_string(), "1");
    assert_eq!(data.pointer("/e"), None, "which of the two?");
    data.remove("/a/0/d");
    data.remove("/e");
    data.remove("/x/y");
    assert_eq!(data.to_string(), r#"{"a":[{"b/c":1}]}"#);
}

#[test]
fn passwords_are_taken_out_of_bytes_too() {
    let told = |text: String| text.replace("secret", "<password>");
    let data = Data::Bytes(b"\xffsecret\xe9".to_vec()).told_by(&told);
    assert_eq!(data, Data::Bytes(b"\xff<password>\xe9".to_vec()));
}
