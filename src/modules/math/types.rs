//! What is asked and answered: CONTRACT.md, "math.calculate".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// `{"operation": "add", "a": 10, "b": 5}`; unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MathRequest")]
pub struct Request {
    /// One of [`Operation`]'s names; another text is a domain error, not a bad request.
    pub operation: String,
    /// First operand.
    pub a: f64,
    /// Second operand; required by all but `sqrt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<f64>,
}

/// `{"result": 15, "operation": "add"}`, or `error` in place of `result`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MathReply")]
pub struct Reply {
    /// Absent in an error reply, so that nobody reads a 0 for it. A whole number below 2^53 is
    /// written without a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "number")]
    pub result: Option<f64>,
    /// The operation that was asked.
    pub operation: String,
    /// The domain error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The operations of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Sqrt,
}

impl Operation {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 6] =
        [Self::Add, Self::Subtract, Self::Multiply, Self::Divide, Self::Power, Self::Sqrt];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Power => "power",
            Self::Sqrt => "sqrt",
        }
    }

    /// The operation of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// True for all but `sqrt`.
    pub fn needs_b(self) -> bool {
        self != Self::Sqrt
    }
}

/// 2^53: below it every whole number has exactly one binary64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `15` rather than `15.0`, for whole numbers below 2^53 in size.
pub fn number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        Some(v) if v.fract() == 0.0 && v.abs() < EXACT => serializer.serialize_i64(*v as i64),
        Some(v) => serializer.serialize_f64(*v),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(result: f64) -> String {
        let reply = Reply { result: Some(result), operation: "add".into(), error: None };
        serde_json::to_string(&reply).unwrap()
    }

    #[test]
    fn whole_numbers_are_written_without_a_fraction() {
        assert_eq!(written(15.0), r#"{"result":15,"operation":"add"}"#);
        assert_eq!(written(-0.0), r#"{"result":0,"operation":"add"}"#);
        assert_eq!(written(0.1), r#"{"result":0.1,"operation":"add"}"#);
        assert_eq!(
            written(9_007_199_254_740_991.0),
            r#"{"result":9007199254740991,"operation":"add"}"#
        );
        assert_eq!(written(1e300), r#"{"result":1e+300,"operation":"add"}"#);
    }
}
