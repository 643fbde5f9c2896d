//! Values that each run has of its own, and `{{name}}` stands for.

use std::collections::BTreeSet;

use crate::e2e::text::template;

/// The broker's URL, for services the first of a cluster's.
pub const NATS_URL: &str = "nats_url";
/// As whom one connects.
pub const NATS_USER: &str = "nats_user";
/// What one shows.
pub const NATS_PASSWORD: &str = "nats_password";
/// The same in one, for programs that read nothing but a URL.
pub const URL_WITH_CREDENTIALS: &str = "url_with_credentials";
/// The folder that services and programs of a run share, empty when it begins.
pub const DIR: &str = "dir";

/// All of these; ports come beside them.
pub const NAMES: [&str; 5] = [NATS_URL, NATS_USER, NATS_PASSWORD, URL_WITH_CREDENTIALS, DIR];

/// The names of the ports in a text, as `http` in `{{port:http}}`.
pub(in crate::e2e) fn ports(text: &str) -> BTreeSet<String> {
    let names = template::names(text).into_iter();
    names.filter_map(|name| name.strip_prefix(template::PORT).map(str::to_owned)).collect()
}
