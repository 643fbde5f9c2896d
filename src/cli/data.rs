//! `--data` and `-H`: what the user typed, checked before anything is sent.

use std::io::Read;

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::context::Context;
use super::exit::CliError;

/// The most that is read from a file or stdin; the server's `max_payload` is the finer limit.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// The body that `--data` names.
pub fn body(data: &str, context: &Context) -> Result<Bytes, CliError> {
    let read = |what: &str, reader: &mut dyn Read| {
        let mut bytes = Vec::new();
        reader
            .take(MAX_BODY_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| CliError::usage(format!("--data: read {what}: {e}")))?;
        if bytes.len() as u64 > MAX_BODY_BYTES {
            return Err(CliError::usage(format!(
                "--data: {what} is larger than {MAX_BODY_BYTES} bytes"
            )));
        }
        Ok(Bytes::from(bytes))
    };
    if data == "-" {
        return read("stdin", &mut std::io::stdin().lock());
    }
    match data.strip_prefix('@') {
        Some("") => {
            Err(CliError::usage("--data: @ wants a file name after it, as in @request.json"))
        }
        Some(path) => {
            let mut file = std::fs::File::open(context.absolute(path.as_ref()))
                .map_err(|e| CliError::usage(format!("--data: open {path}: {e}")))?;
            read(path, &mut file)
        }
        None => Ok(Bytes::from(data.to_owned())),
    }
}

/// The headers that `-H` names. async-nats panics on a bad one, so they are parsed first.
pub fn headers(given: &[String]) -> Result<HeaderMap, CliError> {
    let mut headers = HeaderMap::new();
    for text in given {
        let wrong = |why: String| CliError::usage(format!("-H {text:?}: {why}"));
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| wrong("expected NAME:VALUE, as in Trace-Id:abc".to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        crate::wire::headers::check(name, value).map_err(|e| wrong(e.to_string()))?;
        let name: HeaderName = name.parse().map_err(|_| wrong("not a header name".to_owned()))?;
        let value: HeaderValue =
            value.parse().map_err(|_| wrong("not a header value".to_owned()))?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_header_is_quoted_and_never_a_panic() {
        assert_eq!(headers(&["A:b".into(), "A: c".into()]).unwrap().get_all("A").count(), 2);
        for bad in ["", "novalue", ":v", "a b:c", "a:b\r\nc:d", "ä:b"] {
            let error = headers(&[bad.to_owned()]).unwrap_err();
            assert!(error.message.starts_with("-H"), "{bad:?}: {error}");
        }
    }
}
