//! The arithmetic. Pure.

use super::types::{Operation, Reply, Request};

/// Calculates, or answers with a domain error.
///
/// # Errors
/// A text that names the field, where `b` is required and missing: such a request is bad, not
/// wrong in its domain.
///
/// ```
/// use mono_demo::modules::math::{Request, calculate};
/// let reply = calculate(&Request { operation: "add".into(), a: 10.0, b: Some(5.0) }).unwrap();
/// assert_eq!(reply.result, Some(15.0));
/// ```
pub fn calculate(request: &Request) -> Result<Reply, String> {
    let name = &request.operation;
    let Some(operation) = Operation::parse(name) else {
        return Ok(failed(name, "invalid operation"));
    };
    let a = request.a;
    let b = match request.b {
        Some(b) => b,
        None if operation.needs_b() => {
            return Err(format!("request does not fit: missing field `b` for operation `{name}`"));
        }
        None => 0.0,
    };
    let result = match operation {
        Operation::Add => a + b,
        Operation::Subtract => a - b,
        Operation::Multiply => a * b,
        Operation::Divide if b == 0.0 => return Ok(failed(name, "division by zero")),
        Operation::Divide => a / b,
        Operation::Power => a.powf(b),
        Operation::Sqrt if a < 0.0 => {
            return Ok(failed(name, "cannot calculate square root of negative number"));
        }
        Operation::Sqrt => a.sqrt(),
    };
    if !result.is_finite() {
        return Ok(failed(name, "result is not a finite number"));
    }
    Ok(Reply { result: Some(result), operation: name.clone(), error: None })
}

fn failed(operation: &str, error: &str) -> Reply {
    // What came in is echoed, but never more than a bounded excerpt of it.
    let operation = crate::wire::headers::bounded(operation, 64);
    Reply { result: None, operation, error: Some(error.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: &str, a: f64, b: Option<f64>) -> Reply {
        calculate(&Request { operation: operation.into(), a, b }).unwrap()
    }

    #[test]
    fn each_operation_gives_its_result() {
        for (operation, a, b, expected) in [
            ("add", 10.0, Some(5.0), 15.0),
            ("subtract", 10.0, Some(5.0), 5.0),
            ("multiply", 10.0, Some(5.0), 50.0),
            ("divide", 10.0, Some(4.0), 2.5),
            ("power", 2.0, Some(10.0), 1024.0),
            ("sqrt", 144.0, None, 12.0),
            ("sqrt", 144.0, Some(7.0), 12.0),
        ] {
            assert_eq!(asked(operation, a, b).result, Some(expected), "{operation}");
        }
    }

    #[test]
    fn a_domain_error_carries_no_result() {
        for (operation, a, b, expected) in [
            ("divide", 1.0, Some(0.0), "division by zero"),
            ("divide", 0.0, Some(-0.0), "division by zero"),
            ("sqrt", -1.0, None, "cannot calculate square root of negative number"),
            ("modulo", 1.0, None, "invalid operation"),
            ("", 1.0, Some(1.0), "invalid operation"),
            ("multiply", 1e308, Some(10.0), "result is not a finite number"),
            ("power", -8.0, Some(1.0 / 3.0), "result is not a finite number"),
        ] {
            let reply = asked(operation, a, b);
            assert_eq!(reply.error.as_deref(), Some(expected), "{operation}");
            assert_eq!(reply.result, None);
        }
    }

    #[test]
    fn b_is_required_by_all_but_sqrt() {
        for operation in Operation::ALL.into_iter().filter(|o| o.needs_b()) {
            let request = Request { operation: operation.name().into(), a: 1.0, b: None };
            assert!(calculate(&request).unwrap_err().contains("missing field `b`"));
        }
    }
}
