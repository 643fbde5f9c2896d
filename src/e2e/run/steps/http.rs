//! A request to the web side of a service: what it answers, or why nothing.

use std::io;

use super::attempt::DEFAULT_TIMEOUT;
use super::running_step::RunningStep;
use crate::e2e::driver::raw::failed;
use crate::e2e::record::seen::Seen;
use crate::e2e::scenario::ast::beside::Http;
use crate::e2e::scenario::ast::payload::Payload;
use crate::e2e::text::data::Data;
use crate::e2e::verdict::outcome::Stop;
use crate::web::{self, Page, Question};
use crate::wire::driver::{DriverError, ErrorKind};

impl RunningStep<'_> {
    /// Where a step says nothing of the status, it is to be one of success.
    fn expects_a_status(&self) -> bool {
        self.step.open || self.step.expects.iter().any(|expect| expect.key == "status")
    }

    /// Asks once.
    pub(in crate::e2e) async fn http(&self, http: &Http) -> Result<Seen, Stop> {
        let body = self.bytes(&http.body)?;
        let mut headers = http.headers.clone();
        let said = headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if matches!(http.body, Payload::Json(_)) && !said {
            headers.insert("Content-Type".to_owned(), vec!["application/json".to_owned()]);
        }
        let page = match Page::at(&http.url) {
            Ok(page) => page,
            Err(error) => {
                return Ok(Seen::Err(failed(ErrorKind::BadInput, true, &error.to_string())));
            }
        };
        let question =
            Question { method: http.method, page: &page, headers: &headers, body: &body };
        let limit = self.step.timeout.unwrap_or(DEFAULT_TIMEOUT);
        Ok(match tokio::time::timeout(limit, web::ask(question)).await {
            Ok(Ok(answer)) if !(200..300).contains(&answer.status) && !self.expects_a_status() => {
                let body = Data::read(&answer.body);
                let message =
                    format!("{} answered with status {}: {body}", http.url, answer.status);
                let error = failed(ErrorKind::ServiceError, true, &message);
                Seen::Err(DriverError { code: Some(answer.status), ..error })
            }
            Ok(Ok(answer)) => Seen::page(answer.status, &answer.headers, &answer.body),
            Ok(Err(error)) => {
                let kind = match error.kind() {
                    io::ErrorKind::InvalidInput => ErrorKind::BadInput,
                    _ => ErrorKind::Connection,
                };
                let definite = [io::ErrorKind::InvalidInput, io::ErrorKind::ConnectionRefused]
                    .contains(&error.kind());
                Seen::Err(failed(kind, definite, &format!("{}: {error}", http.url)))
            }
            Err(_) => {
                let message = format!("{} did not answer within {limit:?}", http.url);
                Seen::Err(failed(ErrorKind::Timeout, false, &message))
            }
        })
    }
}
