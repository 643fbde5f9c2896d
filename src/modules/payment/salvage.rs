//! Finds the payment id in a body that is no acceptable payment, so that its status can be final.
//!
//! A tolerant reader: one pass over the bytes, without recursion and without building anything. It
//! follows the structure (texts, brackets, commas) of one top-level object and skips what it cannot
//! represent: numbers of any size, nesting of any depth, lone surrogates, bytes that are not UTF-8,
//! words that JSON does not have. What it decides where JSON itself says nothing:
//!
//! - A byte order mark and white space may lead; anything may follow the object.
//! - The object may be broken off, or broken, *behind* the id. What stands behind a text that never
//!   ends, or a bracket that never closes, is not found.
//! - Two ids that are alike are one. Two that differ are none: nobody can say which was meant.
//! - The id is looked for in the first [`MAX_BYTES`] of a body.

use super::id::PaymentId;

/// How far into a body the id is looked for: the default of the server's `max_payload`.
pub const MAX_BYTES: usize = 1 << 20;

/// The id in a body that is not an acceptable payment, if it has a usable one.
pub fn usable_id(body: &[u8]) -> Option<PaymentId> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut rest = Reader { bytes: &body[..body.len().min(MAX_BYTES)], at: 0 };
    rest.skip_space();
    if rest.next()? != b'{' {
        return None;
    }
    let mut found: Option<String> = None;
    loop {
        rest.skip_space();
        let key = match rest.peek() {
            Some(b'"') => rest.text().and_then(decoded),
            Some(b'}') | None => break,
            Some(_) => None,
        };
        rest.skip_space();
        if key.as_deref() == Some("payment_id") && rest.peek() == Some(b':') {
            rest.at += 1;
            rest.skip_space();
            let Some(b'"') = rest.peek() else { return None };
            let id = rest.text().and_then(decoded)?;
            if found.as_ref().is_some_and(|before| *before != id) {
                return None;
            }
            found = Some(id);
        }
        if !rest.skip_member() {
            break;
        }
    }
    PaymentId::new(&found?).ok()
}

/// What a JSON text says; `None` where it says nothing that Rust can represent.
fn decoded(quoted: &[u8]) -> Option<String> {
    serde_json::from_slice(quoted).ok()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The text that begins here, with its quotes; `None` if it never ends.
    fn text(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.next() {
            match byte {
                b'"' => return Some(&self.bytes[start..self.at]),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        None
    }

    /// Goes behind the comma that ends this member; false if the object ends here, or everything.
    fn skip_member(&mut self) -> bool {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    if self.text().is_none() {
                        return false;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' if depth == 0 => return false,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    self.at += 1;
                    return true;
                }
                _ => {}
            }
            self.at += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: impl AsRef<[u8]>) -> Option<String> {
        usable_id(body.as_ref()).map(|id| id.to_string())
    }

    #[test]
    fn the_id_is_found_beside_what_cannot_be_represented() {
        let deep = format!(r#"{{"x":{}1{},"payment_id":"p"}}"#, "[".repeat(9999), "]".repeat(9999));
        let digits = format!(r#"{{"amount":{},"payment_id":"p"}}"#, "9".repeat(400));
        let long = format!(r#"{{"x":"{}","payment_id":"p"}}"#, "y".repeat(500_000));
        for body in [
            r#"{"payment_id":"p","amount":-1}"#,
            r#"{"payment_id":"p","amount":1e400}"#,
            r#"{"amount":1e309,"payment_id":"p"}"#,
            r#"{"amount":-1E+999999999999999999999,"payment_id":"p"}"#,
            r#"{"amount":NaN,"payment_id":"p"}"#,
            r#"{"user_id":"\ud800","payment_id":"p"}"#,
            r#"{"\ud800":1,"payment_id":"p"}"#,
            r#"{"user_id":"\u0000","payment_id":"p"}"#,
            r#"{"user_id":"\x","payment_id":"p"}"#,
            r#"{"user_id":{"payment_id":"q"},"payment_id":"p"}"#,
            r#"{"user_id":"\"payment_id\":\"q\"","payment_id":"p"}"#,
            r#"{"payment\u005fid":"\u0070","amount":[]}"#,
            r#"{"payment_id":"p","amount":1}trailing"#,
            r#"{"payment_id":"p","amount":1}{"payment_id":"q"}"#,
            r#"{"payment_id":"p","amount":1"#,
            r#"{"payment_id":"p"#.to_owned().as_str(),
            r#"{"payment_id":"p" "amount":1}"#,
            r#"{"payment_id":"p","amount":1,}"#,
            r#"{"payment_id":"p","amount":01}"#,
            r#"{amount:1,"payment_id":"p"}"#,
            r#"{"x":[1,2},"payment_id":"p"}"#,
            r#"{"payment_id":"p","payment_id":"p","amount":1}"#,
            "\u{feff}{\"payment_id\":\"p\",\"amount\":1}",
            " \r\n\t{ \"payment_id\" : \"p\" , \"x\": \"a\nb\" }",
            &deep,
            &digits,
            &long,
        ] {
            let expected = (body != r#"{"payment_id":"p"#).then(|| "p".to_owned());
            assert_eq!(found(body), expected, "{}", &body[..body.len().min(80)]);
        }
        assert_eq!(found(b"{\"x\":\"\xff\xfe\",\"payment_id\":\"p\"}").as_deref(), Some("p"));
        assert_eq!(found(b"{\"x\":\0,\"payment_id\":\"p\"}").as_deref(), Some("p"));
    }

    #[test]
    fn what_names_no_payment_or_two_has_no_usable_id() {
        let far = format!(r#"{{"x":"{}","payment_id":"p"}}"#, "y".repeat(MAX_BYTES));
        for body in [
            "",
            "{",
            "[]",
            "null",
            r#"["payment_id","p"]"#,
            r#"[{"payment_id":"p"}]"#,
            r#"{"payment_id":"p 1"}"#,
            r#"{"payment_id":""}"#,
            r#"{"payment_id":1}"#,
            r#"{"payment_id":["p"]}"#,
            r#"{"payment_id" "p"}"#,
            r#"{"payment_id":"p\u0000"}"#,
            r#"{"payment_id":"\ud800"}"#,
            r#"{"payment_id":broken 1"#,
            r#"{"payment_id":"p","payment_id":"q"}"#,
            r#"{"payment_id":"p","payment_id":1}"#,
            r#"{"x":{"payment_id":"p"}}"#,
            r#"{"x":[1,"payment_id":"p"}"#,
            r#"{"x":"no end, "payment_id":"p"}"#,
            r#"{'payment_id':'p'}"#,
            r#"x{"payment_id":"p"}"#,
            &far,
        ] {
            assert_eq!(found(body), None, "{}", &body[..body.len().min(80)]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body: Vec<u8>) {
            let _ = usable_id(&body);
        }

        #[test]
        fn whatever_one_other_field_holds_the_id_is_found(value: serde_json_value::Any, first: bool) {
            let (id, other) = (r#""payment_id":"p-1""#, format!(r#""x":{}"#, value.0));
            let body = if first { format!("{{{id},{other}}}") } else { format!("{{{other},{id}}}") };
            proptest::prop_assert_eq!(found(body), Some("p-1".to_owned()));
        }
    }

    /// JSON documents of any shape, as text.
    mod serde_json_value {
        use proptest::prelude::*;

        #[derive(Debug, Clone)]
        pub struct Any(pub String);

        impl Arbitrary for Any {
            type Parameters = ();
            type Strategy = BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                let leaf = prop_oneof![
                    any::<String>()
                        .prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
                    "-?[0-9]{1,400}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,9})?",
                    Just("\"\\ud800\"".to_owned()),
                    Just("null".to_owned()),
                ];
                let nested = leaf.prop_recursive(6, 40, 5, |inner| {
                    let key = any::<String>();
                    prop_oneof![
                        prop::collection::vec(inner.clone(), 0..5)
                            .prop_map(|items| format!("[{}]", items.join(","))),
                        prop::collection::vec((key, inner), 0..5).prop_map(|members| {
                            let members: Vec<String> = members
                                .iter()
                                .map(|(key, value)| {
                                    format!(
                                        "{}:{value}",
                                        serde_json::to_string(key).unwrap_or_default()
                                    )
                                })
                                .collect();
                            format!("{{{}}}", members.join(","))
                        }),
                    ]
                });
                nested.prop_map(Any).boxed()
            }
        }
    }
}
