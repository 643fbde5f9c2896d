//! What a config file of somebody else's may not say: it would undo what this program relies on, and
//! nobody would be told.

/// Settings that are this program's, in small letters: where the server listens and is watched, its
/// name and store, who may connect and how, what it logs and where. `include` may hide any of them.
const RESERVED: [&str; 41] = [
    "accounts",
    "authorization",
    "client_advertise",
    "cluster",
    "debug",
    "host",
    "http",
    "http_base_path",
    "http_port",
    "https",
    "https_port",
    "include",
    "jetstream",
    "lame_duck_duration",
    "lame_duck_grace_period",
    "listen",
    "log_file",
    "log_size_limit",
    "logfile",
    "logfile_size_limit",
    "logtime",
    "monitor_port",
    "net",
    "no_auth_user",
    "no_sys_acc",
    "no_system",
    "no_system_account",
    "operator",
    "operators",
    "port",
    "remote_syslog",
    "resolver",
    "server_name",
    "store_dir",
    "syslog",
    "system",
    "system_account",
    "tls",
    "trace",
    "trusted",
    "trusted_keys",
];

/// The first of them in a file, with its line, from 1. In nats-server's language a setting is a word,
/// `:` or `=` or a blank, and a value; words of other settings' values are not looked at.
#[must_use]
pub fn first_reserved(text: &str) -> Option<(usize, String)> {
    let mut scan = Scan { rest: text, line: 1 };
    loop {
        // All of it may stand in braces, as in JSON.
        scan.skip(|c| c.is_whitespace() || ",;{}".contains(c));
        if scan.comment() {
            continue;
        }
        let line = scan.line;
        let word = match scan.rest.chars().next()? {
            quote @ ('"' | '\'') => scan.quoted(quote),
            _ => scan.take(|c| !c.is_whitespace() && !":={[(".contains(c)),
        };
        let word = word.to_ascii_lowercase();
        if RESERVED.contains(&word.as_str()) {
            return Some((line, word));
        }
        scan.skip(|c| c.is_whitespace() && !ends_a_line(c) || ":=".contains(c));
        scan.value();
    }
}

/// As nats-server's reader sees it: a lone CR does too.
fn ends_a_line(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// What is left of a file.
struct Scan<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scan<'a> {
    /// What comes before the first character that `goes_on` refuses.
    fn take(&mut self, goes_on: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !goes_on(c)).unwrap_or(self.rest.len());
        self.take_bytes(end)
    }

    fn take_bytes(&mut self, end: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(end);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn skip(&mut self, goes_on: impl Fn(char) -> bool) {
        self.take(goes_on);
    }

    fn one(&mut self) {
        let first = self.rest.chars().next();
        self.line += usize::from(first == Some('\n'));
        self.rest = &self.rest[first.map_or(0, char::len_utf8)..];
    }

    /// Whether a comment was here; it is passed over.
    fn comment(&mut self) -> bool {
        let comment = self.rest.starts_with('#') || self.rest.starts_with("//");
        if comment {
            self.skip(|c| !ends_a_line(c));
        }
        comment
    }

    fn quoted(&mut self, quote: char) -> &'a str {
        self.one();
        let mut escaped = false;
        let text = self.rest;
        let end = text.find(|c| {
            let ends = c == quote && !escaped;
            // Only between double quotes.
            escaped = quote == '"' && c == '\\' && !escaped;
            ends
        });
        let text = self.take_bytes(end.unwrap_or(text.len()));
        self.one();
        text
    }

    /// Passes over a block string: up to a line with nothing but `)`.
    fn block(&mut self) {
        while !self.rest.is_empty() {
            let line = self.take(|c| !ends_a_line(c));
            self.one();
            if line.trim() == ")" {
                return;
            }
        }
    }

    /// Passes over a value: up to the end of its line, and of its brackets, which may begin in a line
    /// of their own.
    fn value(&mut self) {
        if self.rest.trim_start().starts_with(['{', '[']) {
            self.skip(char::is_whitespace);
        }
        if self.rest.starts_with('(') {
            return self.block();
        }
        let mut open = 0_usize;
        let mut last = ' ';
        while let Some(c) = self.rest.chars().next() {
            // Within a word a quote is none, as in `it's`, and `//` is none in `nats://host`.
            let begins = last.is_whitespace() || "{[,;".contains(last);
            let last_but_one = std::mem::replace(&mut last, c);
            match c {
                '"' | '\'' if begins || ":=".contains(last_but_one) => {
                    self.quoted(c);
                    continue;
                }
                '#' | '/' if begins && self.comment() => continue,
                '{' | '[' => open += 1,
                '}' | ']' => {
                    open = open.saturating_sub(1);
                    if open == 0 {
                        return self.one();
                    }
                }
                ',' | ';' if open == 0 => return,
                c if ends_a_line(c) && open == 0 => return,
                _ => {}
            }
            self.one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_reserved;

    #[test]
    fn settings_of_ours_are_found_wherever_they_stand() {
        for (text, line, key) in [
            ("port: 4222", 1, "port"),
            ("max_payload: 5000\nPort = 4222\n", 2, "port"),
            ("max_payload 5000; listen \"0.0.0.0:1\"", 1, "listen"),
            ("max_payload: 1MB, host: localhost", 1, "host"),
            ("# port\n// port\n\"port\": 1", 3, "port"),
            ("max_connections: 9 # not\njetstream {\n  store_dir: x\n}", 2, "jetstream"),
            ("websocket {\n port: 1\n no_tls: true }\nstore_dir='/x'", 4, "store_dir"),
            ("mqtt { port: 1 } accounts { A { users: [] } }", 1, "accounts"),
            (
                "leafnodes { remotes = [ { url: nats-leaf://h:1 } ]\n}\nno_auth_user: x",
                3,
                "no_auth_user",
            ),
            (
                "default_permissions {\n publish: \"a}b\" # }\n}\nauthorization: {}",
                4,
                "authorization",
            ),
            ("include other.conf", 1, "include"),
            ("websocket\n{\n  port: 1\n}\ntls {}", 5, "tls"),
            ("x: it's\nport: 4222", 2, "port"),
            ("x: \"a\\\"b\"\nport: 4222", 2, "port"),
            ("x: 'a\\'\nPORT=4222", 2, "port"),
            ("no_system_account: true", 1, "no_system_account"),
            ("{ \"port\": 14801 }", 1, "port"),
            ("# JSON\n{\n \"max_payload\": 5, \"accounts\": {} }", 3, "accounts"),
            ("server_tags: [\"x\\\"\"]\nport: 14802", 2, "port"),
            ("server_tags = \"a\\\"b\"; jetstream { store_dir: \"/x\" }", 1, "jetstream"),
            ("server_tags: [\"x\\\"\", \"y\"]\ninclude \"more.conf\"", 2, "include"),
            ("websocket {# don't\nno_tls: true\nport: 1 }\nport: 14803", 4, "port"),
            ("max_payload: 1MB\rport: 14907\r", 1, "port"),
            ("x: (\n it\"s\n)\nport: 14908", 4, "port"),
        ] {
            assert_eq!(first_reserved(text), Some((line, key.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_inside_another_setting_or_in_a_value_is_not_ours() {
        for text in [
            "",
            "max_payload: 5000 // port: 4222\n",
            "websocket { port: 8080, host: x\n tls {} }",
            "server_tags: [\"port: 1\", 'host']\nmax_connections: 5",
            "ping_interval: \"2m\"\nwrite_deadline = 10s",
            "mappings = { port: other }",
            "x: (\nport: 1\n)",
            "a \"never ends",
            "}",
        ] {
            assert_eq!(first_reserved(text), None, "{text}");
        }
    }
}
