//! The typed client of the math service.

use std::time::Duration;

use serde::Deserialize;

use super::types::{Operation, Reply, Request};
use crate::modules::client_error::ClientError;
use crate::modules::request::request;
use crate::mono::Caller;
use crate::wire::subjects;

/// A reply as other servers may write it: ours always say the operation.
#[derive(Deserialize)]
struct Answer {
    result: Option<f64>,
    operation: Option<String>,
    error: Option<String>,
}

/// Asks `services.math.calculate`.
#[derive(Debug, Clone)]
pub struct MathClient {
    caller: Caller,
    timeout: Duration,
}

impl MathClient {
    /// A client whose calls each take at most `timeout`.
    pub fn new(caller: impl Into<Caller>, timeout: Duration) -> Self {
        Self { caller: caller.into(), timeout }
    }

    /// The reply as it came: a domain error is in it, not an `Err`.
    ///
    /// # Errors
    /// [`ClientError`] for everything else.
    pub async fn calculate(
        &self,
        operation: &str,
        a: f64,
        b: Option<f64>,
    ) -> Result<Reply, ClientError> {
        if !a.is_finite() || !b.unwrap_or(0.0).is_finite() {
            return Err(ClientError::BadInput("operands must be finite numbers".to_owned()));
        }
        let body = Request { operation: operation.to_owned(), a, b };
        let answer: Answer =
            request(&self.caller, subjects::MATH_CALCULATE, &body, self.timeout).await?;
        let error = answer.error.filter(|error| !error.is_empty());
        if answer.result.is_none() && error.is_none() {
            return Err(ClientError::Other {
                operation: format!("read the reply of `{}`", subjects::MATH_CALCULATE),
                evidence: "it has neither a result nor an error".to_owned(),
            });
        }
        Ok(Reply {
            // The original server writes `"result": 0` beside its errors: the error wins.
            result: answer.result.filter(|_| error.is_none()),
            operation: answer.operation.unwrap_or(body.operation),
            error,
        })
    }

    /// The result of an operation.
    ///
    /// # Errors
    /// [`ClientError::Domain`] for a domain error, and all that [`Self::calculate`] returns.
    pub async fn result(
        &self,
        operation: Operation,
        a: f64,
        b: Option<f64>,
    ) -> Result<f64, ClientError> {
        let reply = self.calculate(operation.name(), a, b).await?;
        match (reply.result, reply.error) {
            (Some(result), None) => Ok(result),
            (_, error) => Err(ClientError::Domain(
                error.unwrap_or_else(|| "the reply has no result".to_owned()),
            )),
        }
    }

    /// The same, but `None` where these numbers are known to have no result: a division by zero,
    /// the square root of a negative.
    ///
    /// # Errors
    /// All that [`Self::result`] returns.
    pub async fn number(
        &self,
        operation: Operation,
        a: f64,
        b: Option<f64>,
    ) -> Result<Option<f64>, ClientError> {
        let has_none = match operation {
            Operation::Divide => b == Some(0.0),
            Operation::Sqrt => a < 0.0,
            _ => false,
        };
        match self.result(operation, a, b).await {
            Err(ClientError::Domain(_)) if has_none => Ok(None),
            other => other.map(Some),
        }
    }
}
