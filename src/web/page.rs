//! Where a page is, by its URL.

use thiserror::Error;

/// A page of a program under test, by its `http://` URL (RFC 9110, 4.2.1). What follows a `#` is never
/// sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The URL as it was given.
    pub url: String,
    /// With its port where the URL has one: what the header `Host` says.
    pub(super) host: String,
    /// What is connected to: the host and its port.
    pub(super) address: String,
    /// With the query.
    pub(super) path: String,
}

/// A text that is no URL of a page.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{url:?} {why}")]
pub struct NoPage {
    url: String,
    why: &'static str,
}

impl Page {
    /// The page at a URL.
    ///
    /// # Errors
    /// It is not an `http://` URL, or has a user, blanks, control characters or a port that is none.
    pub fn at(url: &str) -> Result<Self, NoPage> {
        let wrong = |why| NoPage { url: url.to_owned(), why };
        let is_scheme = |scheme: &&str| scheme.eq_ignore_ascii_case("http://");
        if url.get(..7).as_ref().is_none_or(|scheme| !is_scheme(scheme)) {
            return Err(wrong("is not an http:// URL"));
        }
        if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong("has blanks or control characters"));
        }
        let sent = url[7..].split('#').next().unwrap_or_default();
        let (host, path) = sent.split_at(sent.find(['/', '?']).unwrap_or(sent.len()));
        if host.contains('@') {
            return Err(wrong("names a user, which is not sent"));
        }
        let (name, port) = match host.rsplit_once(':') {
            // The last colon of `[::1]` is none before a port.
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (host, None),
        };
        if name.is_empty() {
            return Err(wrong("names no host"));
        }
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(wrong("has a port that is none"));
        }
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
            address: port.map_or_else(|| format!("{host}:80"), |_| host.to_owned()),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, address, path) in [
            ("http://127.0.0.1:8080/a?b", "127.0.0.1:8080", "127.0.0.1:8080", "/a?b"),
            ("http://h", "h", "h:80", "/"),
            ("HTTP://h/", "h", "h:80", "/"),
            ("http://h?a=/b", "h", "h:80", "/?a=/b"),
            ("http://h/a#b", "h", "h:80", "/a"),
            ("http://[::1]/", "[::1]", "[::1]:80", "/"),
            ("http://[::1]:9", "[::1]:9", "[::1]:9", "/"),
        ] {
            let page = Page::at(url).unwrap();
            let seen = (page.host.as_str(), page.address.as_str(), page.path.as_str());
            assert_eq!(seen, (host, address, path), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_page_is_refused() {
        for (url, why) in [
            ("", "is not an http:// URL"),
            ("h:80", "is not an http:// URL"),
            ("https://h/", "is not an http:// URL"),
            ("http://", "names no host"),
            ("http:///a", "names no host"),
            ("http://:80/", "names no host"),
            ("http://u:p@h/", "names a user"),
            ("http://h/a b", "has blanks"),
            ("http://h/\n", "has blanks"),
            ("http://h:/", "has a port that is none"),
            ("http://h:http/", "has a port that is none"),
            ("http://h:65536/", "has a port that is none"),
        ] {
            let said = Page::at(url).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{url:?} {why}")), "{said}");
        }
    }
}
