//! The typed Rust clients behind the driver protocol's `call`.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value, json};

use crate::e2e::driver::TypedCalls;
use crate::modules::ClientError;
use crate::modules::math::{MathClient, Operation, Reply};
use crate::modules::notification::{Email, EmailClient};
use crate::modules::payment::{PaymentClient, Submission};
use crate::mono::Caller;
use crate::wire::driver::{DriverError, Outcome};

/// The longest timeout: longer than anybody waits, and within the range of every clock.
const LONGEST: Duration = Duration::from_secs(1 << 30);

/// `math.*`, `email.*` and `payment.*`, as the Python package names them.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn;

impl TypedCalls for BuiltIn {
    fn call(
        &self,
        caller: Caller,
        method: String,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        timeout: Duration,
    ) -> BoxFuture<'static, Outcome> {
        async move {
            let args = Arguments { args, kwargs };
            let timeout = match args.timeout() {
                Ok(given) => given.unwrap_or(timeout),
                Err(error) => return Outcome::Err(described(&error)),
            };
            let result = match method.split_once('.') {
                Some(("math", name)) => math(MathClient::new(caller, timeout), name, &args).await,
                Some(("email", name)) => email(&EmailClient::new(caller), name, &args).await,
                Some(("payment", name)) => {
                    payment(&PaymentClient::new(caller, timeout), name, &args, timeout).await
                }
                _ => None,
            };
            match result {
                Some(Ok(value)) => Outcome::Ok(value),
                Some(Err(error)) => Outcome::Err(described(&error)),
                None => Outcome::Skip(format!("the Rust client has no method `{method}`")),
            }
        }
        .boxed()
    }
}

type Answer = Option<Result<Value, ClientError>>;

async fn math(client: MathClient, name: &str, args: &Arguments) -> Answer {
    if name == "calculate" {
        let ask = async {
            let (operation, a) = (args.text(0, "operation")?, args.number(1, "a")?);
            let b = args.get(2, "b").map(|_| args.number(2, "b")).transpose()?;
            Ok(as_value(&client.calculate(&operation, a, b).await?))
        };
        return Some(ask.await);
    }
    let operation = Operation::parse(name)?;
    let ask = async {
        let a = args.number(0, "a")?;
        let b = if operation.needs_b() { Some(args.number(1, "b")?) } else { None };
        client.number(operation, a, b).await
    };
    Some(ask.await.map(|result| {
        let reply = Reply { result, operation: String::new(), error: None };
        as_value(&reply)["result"].take()
    }))
}

async fn email(client: &EmailClient, name: &str, args: &Arguments) -> Answer {
    let one = |fields: &Arguments| -> Result<Email, ClientError> {
        Ok(Email {
            to: fields.text(0, "to")?,
            subject: fields.text(1, "subject")?,
            body: fields.optional_text(2, "body")?.unwrap_or_default(),
        })
    };
    match name {
        "send_email" => Some(match one(args) {
            Ok(email) => client.send(&[email]).await.map(|_| Value::Null),
            Err(error) => Err(error),
        }),
        "send_bulk_emails" => {
            let emails =
                args.get(0, "emails").and_then(Value::as_array).cloned().unwrap_or_default();
            let read = emails
                .into_iter()
                .map(|email| one(&Arguments::of(email)))
                .collect::<Result<Vec<_>, _>>();
            Some(match read {
                Ok(emails) => client.send(&emails).await.map(Value::from),
                Err(error) => Err(error),
            })
        }
        _ => None,
    }
}

async fn payment(
    client: &PaymentClient,
    name: &str,
    args: &Arguments,
    timeout: Duration,
) -> Answer {
    let ask = async {
        match name {
            "submit_payment" => {
                let id = args.text(0, "payment_id")?;
                let user = args.optional_text(1, "user_id")?;
                let subscription = args.optional_text(2, "subscription_id")?;
                let amount = args.amount(3, "amount")?;
                let currency = args.optional_text(4, "currency")?;
                let submission = Submission {
                    payment_id: &id,
                    amount: &amount,
                    currency: currency.as_deref(),
                    user_id: user.as_deref(),
                    subscription_id: subscription.as_deref(),
                };
                client.submit(&submission).await.map(|ack| Some(as_value(&ack)))
            }
            "get_status" => {
                let id = args.text(0, "payment_id")?;
                client.status(&id).await.map(|reply| Some(as_value(&reply)))
            }
            "wait_for_status" => {
                let id = args.text(0, "payment_id")?;
                client.wait(&id, timeout).await.map(|reply| Some(as_value(&reply)))
            }
            _ => Ok(None),
        }
    };
    ask.await.transpose()
}

fn as_value<T: serde::Serialize>(value: &T) -> Value {
    // Replies are plain data with text keys; they always encode.
    serde_json::to_value(value).unwrap_or_default()
}

/// Arguments by position or by name, as in Python.
struct Arguments {
    args: Vec<Value>,
    kwargs: Map<String, Value>,
}

impl Arguments {
    /// The fields of an object, or the items of a list.
    fn of(value: Value) -> Self {
        match value {
            Value::Object(kwargs) => Self { args: Vec::new(), kwargs },
            Value::Array(args) => Self { args, kwargs: Map::new() },
            other => Self { args: vec![other], kwargs: Map::new() },
        }
    }

    fn get(&self, position: usize, name: &str) -> Option<&Value> {
        self.args.get(position).or_else(|| self.kwargs.get(name)).filter(|value| !value.is_null())
    }

    fn text(&self, position: usize, name: &str) -> Result<String, ClientError> {
        self.optional_text(position, name)?
            .ok_or_else(|| ClientError::BadInput(format!("argument `{name}` is missing")))
    }

    fn optional_text(&self, position: usize, name: &str) -> Result<Option<String>, ClientError> {
        match self.get(position, name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => {
                Err(ClientError::BadInput(format!("argument `{name}`: {other} is not a text")))
            }
        }
    }

    fn number(&self, position: usize, name: &str) -> Result<f64, ClientError> {
        let value = self.get(position, name);
        value.and_then(Value::as_f64).ok_or_else(|| {
            let shown = value.cloned().unwrap_or_default();
            ClientError::BadInput(format!("argument `{name}`: {shown} is not a number"))
        })
    }

    /// The option that every method has, in seconds, where it is given.
    fn timeout(&self) -> Result<Option<Duration>, ClientError> {
        let Some(value) = self.kwargs.get("timeout").filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let seconds = value.as_f64().filter(|seconds| *seconds > 0.0).ok_or_else(|| {
            ClientError::BadInput(format!("timeout must be seconds above zero, not {value}"))
        })?;
        Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)))
    }

    /// A JSON number by its shortest form, or a text.
    fn amount(&self, position: usize, name: &str) -> Result<String, ClientError> {
        match self.get(position, name) {
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::String(text)) => Ok(text.clone()),
            other => {
                let shown = json!(other);
                Err(ClientError::BadInput(format!("argument `{name}`: {shown} is not an amount")))
            }
        }
    }
}

fn described(error: &ClientError) -> DriverError {
    let (message, code) = match error {
        ClientError::Service { code, message, .. } => (message.clone(), Some(*code)),
        other => (other.to_string(), None),
    };
    DriverError { kind: error.kind(), definite: error.is_definite(), message, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Row {
        name: String,
        timeout: Value,
        verdict: String,
    }

    #[test]
    fn a_timeout_gets_the_verdict_of_its_row() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/timeouts.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let rows: Vec<Row> = serde_json::from_value(file["rows"].take()).unwrap();
        assert!(rows.len() >= 20, "{}", rows.len());
        // JSON has no such number: nobody can give it.
        for row in rows.iter().filter(|row| row.timeout.get("float").is_none()) {
            let kwargs = Map::from_iter([("timeout".to_owned(), row.timeout.clone())]);
            let read = Arguments { args: Vec::new(), kwargs }.timeout();
            assert_eq!(read.is_ok(), row.verdict == "accept", "{}: {read:?}", row.name);
            if let Ok(limit) = read {
                let limit = limit.expect("given");
                assert!(limit >= Duration::from_secs(20) && limit <= LONGEST, "{}", row.name);
            }
        }
    }
}
