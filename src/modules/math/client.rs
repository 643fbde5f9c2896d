//! The typed client of the math service.

use std::time::Duration;

use super::types::{Operation, Reply, Request};
use crate::modules::request::{ClientError, request};
use crate::mono::Caller;
use crate::wire::subjects;

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
        let mut reply: Reply =
            request(&self.caller, subjects::MATH_CALCULATE, &body, self.timeout).await?;
        reply.error = reply.error.filter(|error| !error.is_empty());
        if reply.error.is_some() {
            // The original server writes `"result": 0` beside its errors: the error wins.
            reply.result = None;
        }
        Ok(reply)
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
}
