//! Which flags may have a default in the file: what a team wants in common, and neither what is wanted once
//! nor how to get into a server.

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Whole,
    /// A text.
    Text,
    /// A text, or several.
    Texts,
    /// A path, from the folder of the file.
    Path,
    /// Paths of suites, the words of the command line.
    Suites,
    /// `KIND=PATH`, one or several.
    Reports,
}

impl Form {
    /// How it is told to people.
    pub fn told(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Whole => "a whole number",
            Self::Text => "a text",
            Self::Texts | Self::Reports => "a text or a list of texts",
            Self::Path => "a path, as a text",
            Self::Suites => "a path or a list of paths, as texts",
        }
    }
}

/// A key: the name of a flag.
pub type Key = (&'static str, Form);

/// Where there are keys, outside all tables, or in the one of a command.
pub const TABLES: [(&str, &[Key]); 3] = [("", OF_ALL), ("e2e", OF_E2E), ("serve", OF_SERVE)];

/// For all commands.
const OF_ALL: &[Key] = &[
    ("color", Form::Text),
    ("log", Form::Text),
    ("nats-server", Form::Path),
    ("offline", Form::Truth),
    ("timeout", Form::Text),
];

/// The paths that `e2e` runs where none is named: no flag.
pub const SUITES: &str = "suites";

const OF_E2E: &[Key] = &[
    ("client", Form::Texts),
    ("cluster", Form::Whole),
    ("durations", Form::Whole),
    ("fail-fast", Form::Truth),
    ("hazards", Form::Text),
    ("history", Form::Path),
    ("jobs", Form::Whole),
    ("leaks", Form::Text),
    ("nats-server-version", Form::Texts),
    ("no-capture", Form::Truth),
    ("quiet", Form::Truth),
    ("report", Form::Reports),
    ("require", Form::Texts),
    ("retries", Form::Whole),
    ("seed", Form::Whole),
    (SUITES, Form::Suites),
    ("verbose", Form::Truth),
];

const OF_SERVE: &[Key] = &[
    ("auth", Form::Truth),
    ("client", Form::Texts),
    ("cluster", Form::Whole),
    ("drain-timeout", Form::Text),
    ("gateway", Form::Texts),
    ("journal-dir", Form::Path),
    ("mailer", Form::Texts),
    ("port", Form::Whole),
    ("save-context", Form::Text),
    ("settings", Form::Path),
    ("store-dir", Form::Path),
    ("tls-ca", Form::Path),
    ("tls-cert", Form::Path),
    ("tls-key", Form::Path),
    ("workers", Form::Whole),
];

/// What is secret.
pub const SECRET: [&str; 3] = ["password", "token", "nkey"];

/// What else says how to get into a server.
pub const CONNECTION: [&str; 8] =
    ["server", "context", "user", "creds", "tlsca", "tlscert", "tlskey", "tlsfirst"];

/// Keys in which the environment wins over the file, and by which variables.
pub const BY_ENVIRONMENT: [(&str, &[&str]); 4] = [
    ("color", &["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"]),
    ("nats-server", &["MONO_DEMO_NATS_SERVER"]),
    ("nats-server-version", &["MONO_DEMO_NATS_SERVER"]),
    ("timeout", &["NATS_TIMEOUT"]),
];

/// Flags beside which a key says nothing, where clap does not know that they do not go together: those of
/// another suite, and those that want one server.
pub const NOT_BESIDE: [(&str, &[&str]); 2] = [
    (SUITES, &["builtin", "fixtures"]),
    ("nats-server-version", &["keep", "list", "record", "shrink", "update", "watch"]),
];

/// Commands for which a key is something else than their flag of that name.
pub const NOT_FOR: [(&str, &str); 1] = [("timeout", "stop")];

/// Keys of `serve` about the broker that it starts: nothing where it joins one that is named.
pub const OF_OWN_BROKER: [&str; 8] =
    ["auth", "client", "cluster", "port", "store-dir", "tls-ca", "tls-cert", "tls-key"];
