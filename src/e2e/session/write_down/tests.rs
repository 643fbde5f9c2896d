use super::*;
use crate::e2e::text::matcher::compare;
use serde_json::json;

#[test]
fn what_differs_becomes_a_matcher_and_what_is_not_always_there_is_left_out() {
    let (a, b) = (
        json!({"id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "at": "2026-07-01T10:00:00Z", "n": 1, "same": [1, {"x": 2.0}], "s": "a", "odd": 1, "t": null, "list": [1], "#any": "#any"}),
        json!({"id": "7f9619ff-8b86-d011-b42d-00cf4fc964ff", "at": "2026-07-01T10:00:01Z", "n": 2, "same": [1, {"x": 2.0}], "s": "b", "t": 7, "list": [1, 2], "#any": "#any"}),
    );
    let pattern = common([(&a).into(), (&b).into()]).unwrap();
    let expected = json!({"id": "#uuid", "at": "#timestamp", "n": "#number", "same": [1, {"x": 2}], "s": "#string", "t": "#any", "list": "#any", "##any": "##any"});
    assert_eq!(pattern, expected);
    for seen in [a, b] {
        compare(&pattern, &seen.into(), false, "").unwrap();
    }
    assert!(to_toml(&pattern).is_some());
}

proptest::proptest! {
    #[test]
    fn the_pattern_of_two_values_matches_both(a in value(), b in value()) {
        let pattern = common([(&a).into(), (&b).into()]).unwrap();
        for seen in [a, b] {
            let pattern = template::fill(&pattern, &template::Variables::new());
            compare(&pattern, &seen.into(), false, "").unwrap();
        }
    }
}

fn value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        r"[#{}\\a-z:]{0,6}".prop_map(Value::from),
        Just(json!("#re:(")),
        Just(json!("{{n}}")),
        Just(json!(r"\{{n}} \\{{n}}")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[#a-c]{0,2}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
