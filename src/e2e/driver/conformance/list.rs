//! The checks, in order: what is simple comes first.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::bench::Bench;
use super::talk::{Complaint, Talk};
use crate::e2e::driver::conformance::{ending, failures, greeting, messages};

/// Without it, nothing else is asked.
pub const GREETING: &str = "hello";

type Run = for<'a> fn(&'a mut Bench, &'a mut Talk) -> BoxFuture<'a, Result<(), Complaint>>;

/// One promise of a driver.
pub struct Check {
    pub name: &'static str,
    pub promise: &'static str,
    /// Operations that the driver must claim.
    pub needs: &'static [&'static str],
    pub run: Run,
}

macro_rules! checks {
    ($($name:literal, $promise:literal, $needs:expr, $run:path;)*) => {
        &[$(Check {
            name: $name,
            promise: $promise,
            needs: &$needs,
            run: |bench, talk| $run(bench, talk).boxed(),
        }),*]
    };
}

#[rustfmt::skip]
pub const CHECKS: &[Check] = checks![
    "hello", "`hello` connects and tells name, library and capabilities", [], greeting::hello;
    "wrong-version", "a protocol version it does not know is refused as bad_input", [], greeting::wrong_version;
    "no-broker", "a broker that is not there is a connection error, and definite", [], greeting::no_broker;
    "credentials", "a wrong password is refused as permissions, definite", [], greeting::credentials;
    "hello-first", "a command before `hello` is bad_input", ["request"], greeting::hello_first;
    "unknown-op", "an operation it does not know is skipped, and it goes on", [], greeting::unknown_op;
    "unknown-method", "a method it does not have is skipped", ["call"], greeting::unknown_method;
    "ids", "replies carry the command's id, however large", [], greeting::ids;
    "side-by-side", "a command that waits does not hold up the next one", ["publish", "subscribe", "next"], messages::side_by_side;
    "subscribe-barrier", "a subscription is at the broker before it is answered", ["subscribe", "next"], messages::subscribe_barrier;
    "publish-barrier", "a publish is at the broker before it is answered", ["publish"], messages::publish_barrier;
    "bytes", "bodies of any bytes pass unchanged, both ways", ["publish", "subscribe", "next"], messages::bytes;
    "headers", "headers pass unchanged: names, several values, text beyond ASCII", ["publish", "subscribe", "next"], messages::headers;
    "order", "`next` gives messages in order of arrival", ["subscribe", "next"], messages::order;
    "queue-group", "of one queue group, one subscription gets a message", ["subscribe", "next"], messages::queue_group;
    "unsubscribe", "after `unsubscribe` there is no such subscription", ["subscribe", "next", "unsubscribe"], messages::unsubscribe;
    "request", "a request returns the reply as it came", ["request"], messages::request;
    "submit", "`submit` returns the stream's acknowledgement, and knows a duplicate", ["submit"], messages::submit;
    "no-responders", "a request that nobody hears fails at once as no_responders, definite", ["request"], failures::no_responders;
    "timeout", "a request without an answer fails in time as timeout, not definite", ["request"], failures::timeout;
    "next-timeout", "`next` without a message fails in time as timeout", ["subscribe", "next"], failures::next_timeout;
    "no-time", "a timeout of 0 is bad_input, definite, and nothing is sent", [], failures::no_time;
    "no-stream", "a submit that no stream takes fails as no_stream, definite", ["submit"], failures::no_stream;
    "max-payload", "what the server would not take is not sent: max_payload, definite", ["publish"], failures::max_payload;
    "refused", "what this user may not do fails at once as permissions, definite, also several at once", ["publish"], failures::refused;
    "bad-subject", "an empty, broken or wild subject is bad_input, definite", ["publish"], failures::bad_subject;
    "reconnect", "it comes back by itself when the broker was killed", ["publish", "subscribe", "next"], failures::reconnect;
    "bad-line", "a line that is no command ends it with a failure, and not a word on stdout", [], ending::bad_line;
    "end-of-input", "at the end of input it finishes what is in hand and exits with status 0", [], ending::end_of_input;
    "cut-off", "what has no outcome in time after the end of input fails as connection, not definite", ["request"], ending::cut_off;
    "drain", "what was published before the end of input is delivered", ["publish"], ending::drain;
    "no-input", "without any input it exits with status 0 and says nothing", [], ending::no_input;
];
