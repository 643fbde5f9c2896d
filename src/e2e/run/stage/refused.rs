//! Why a service did not get ready, where the broker knows: it was refused, or never came.

use crate::e2e::scenario::ast::scenario::BrokerTable;
use crate::e2e::verdict::outcome::Stop;

/// What nats-server logs of a connection that shows nothing, or something wrong.
const REFUSED: &str = "authentication error";
/// What it logs of one that never shows anything.
const SILENT: &str = "Authentication Timeout";

/// What is told of a service that never came.
const NEVER_CAME: &str = " to the broker within ";
/// What nats.go, nats.js and async-nats print where nobody listens.
const NOBODY: [&str; 2] = ["no servers available", "connection_refused"];
/// What others print there, whatever they wanted to connect to.
const REFUSED_THERE: [&str; 3] = ["econnrefused", "connect call failed", "connection refused"];
/// What Python prints where nats-py is missing.
const NO_LIBRARY: &str = "No module named 'nats'";
/// Where NATS listens unless it is told otherwise.
const PORT: &str = "4222";

/// The reason, with what the broker's log says of it and what to do; where everybody is let in, a login is
/// not what is missing.
pub(in crate::e2e) fn explained(
    reason: Stop,
    service: &str,
    broker: &[String],
    of: &BrokerTable,
) -> Stop {
    let Stop::Broken(told) = reason else { return reason };
    let is_open = of.open;
    let refused = |line: &&String| line.contains(REFUSED) || line.contains(SILENT);
    let elsewhere = of.port.is_none() && found_nobody(&told);
    let told = match broker.iter().rfind(refused) {
        Some(line) if is_open => format!(
            "{told}; the broker refused a connection (`{}`), though it lets everybody in who shows no \
             password: {service} shows a wrong one",
            said(line)
        ),
        Some(line) => format!(
            "{told}; the broker refused a connection (`{}`): {service} has to show NATS_USER and \
             NATS_PASSWORD, or to take {{{{url_with_credentials}}}} for its URL; for one that can do \
             neither its suite says broker = {{ auth = false }}",
            said(line)
        ),
        None if told.contains(NEVER_CAME) && is_open => {
            format!("{told}; {service} is told where by NATS_URL, and everybody is let in there")
        }
        None if told.contains(NEVER_CAME) => format!(
            "{told}; {service} is told where by NATS_URL, and whom to log in as by NATS_USER and \
             NATS_PASSWORD: not every library takes a login from a URL, and with broker = {{ auth = false }} \
             in its suite it needs none"
        ),
        None => told,
    };
    let told = match told.contains(NO_LIBRARY) {
        true => format!(
            "{told}; a Python that has nats-py is {{{{python}}}}, in the place of the program"
        ),
        false => told,
    };
    Stop::Broken(match elsewhere {
        true => format!(
            "{told}; one that has its address built in finds it with broker = {{ port = 4222 }} in the suite"
        ),
        false => told,
    })
}

/// Whether a service looked for a broker where none is: it never came, or says so.
fn found_nobody(told: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|words| told.to_lowercase().contains(words));
    told.contains(NEVER_CAME) || has(&NOBODY) || (told.contains(PORT) && has(&REFUSED_THERE))
}

/// A line without process id and time.
fn said(line: &str) -> &str {
    line.find("[ERR]").map_or(line, |at| line[at + "[ERR]".len()..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_broker_refused_is_told_with_the_remedy() {
        let closed = BrokerTable::default();
        let open = BrokerTable { open: true, ..BrokerTable::default() };
        let line =
            "[7] 2026/11/28 10:00:00.000001 [ERR] 127.0.0.1:5 - cid:9 - authentication error";
        let reason = || Stop::Broken("api did not say `up` within 1s".to_owned());
        let told = |stop: Stop| match stop {
            Stop::Broken(told) => told,
            other => panic!("{other:?}"),
        };
        let all = told(explained(reason(), "api", &[line.to_owned()], &closed));
        assert!(
            all.contains("(`127.0.0.1:5 - cid:9 - authentication error`): api has to"),
            "{all}"
        );
        assert!(all.contains("{{url_with_credentials}}"), "{all}");
        assert_eq!(
            told(explained(reason(), "api", &[], &closed)),
            "api did not say `up` within 1s"
        );
        // What never comes to the broker, it says nothing of.
        let away = || Stop::Broken("api did not connect to the broker within 20s".to_owned());
        let all = told(explained(away(), "api", &[], &closed));
        assert!(all.contains("; api is told where by NATS_URL"), "{all}");
        assert!(all.contains("auth = false"), "{all}");
        // Where it is, is not where it looks.
        let fixed = "broker = { port = 4222 }";
        assert!(all.contains(fixed), "{all}");
        let there = BrokerTable { port: Some(4222), ..BrokerTable::default() };
        assert!(!told(explained(away(), "api", &[], &there)).contains(fixed));
        for log in [
            "nats: no servers available for connection",
            "Error: connect ECONNREFUSED 127.0.0.1:4222",
        ] {
            let ended = Stop::Broken(format!("api ended with exit status 1; its log says `{log}`"));
            assert!(told(explained(ended, "api", &[], &closed)).contains(fixed), "{log}");
        }
        let other =
            "api ended with exit status 1; its log says `connect ECONNREFUSED 127.0.0.1:5432`";
        let other = told(explained(Stop::Broken(other.to_owned()), "api", &[], &closed));
        assert!(!other.contains(fixed), "a database is no broker: {other}");
        let missing =
            Stop::Broken(format!("w ended with exit status 1; its log says `{NO_LIBRARY}`"));
        assert!(told(explained(missing, "w", &[], &closed)).contains("nats-py is {{python}}"));
        // What is followed already is no advice.
        for log in [&[][..], &[line.to_owned()]] {
            let all = told(explained(away(), "api", log, &open));
            assert!(!all.contains("auth = false") && !all.contains("NATS_PASSWORD"), "{all}");
        }
    }
}
