//! Options of every command, and those that several have.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Args, ValueEnum};

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print one JSON object on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours: auto, always, never. With auto a terminal has them, unless NO_COLOR is set or
    /// CLICOLOR is 0; CLICOLOR_FORCE gives them to files and pipes too.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub color: Colors,
    /// Level of the log on stderr: error, warn, info, debug, trace.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "warn",
        hide_default_value = true,
        value_parser = PossibleValuesParser::new(["error", "warn", "info", "debug", "trace"]),
        hide_possible_values = true
    )]
    pub log: String,
    /// Take defaults of flags from this file [default: the nearest mono-demo.toml, from here up to the
    /// folder of the repository].
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Take no defaults from a file.
    #[arg(long, global = true)]
    pub no_config: bool,
    #[command(flatten)]
    pub tools: Tools,
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// As terminal and environment say.
    #[default]
    Auto,
    /// Also in files and pipes.
    Always,
    /// Nowhere.
    Never,
}

impl Colors {
    /// What the words of a command line say, which may be wrong in everything else: of two the last.
    pub fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.take_while(|word| *word != "--").collect();
        let named = words.iter().enumerate().filter_map(|(at, word)| match *word {
            "--color" => words.get(at + 1).copied(),
            word => word.strip_prefix("--color="),
        });
        named.filter_map(|when| Self::from_str(when, false).ok()).next_back().unwrap_or_default()
    }
}

/// Where the broker's binary comes from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tools")]
pub struct Tools {
    /// The nats-server to run [env: MONO_DEMO_NATS_SERVER; default: the one that was installed with
    /// mono-demo, else PATH, else a managed copy].
    #[arg(long, global = true, value_name = "PATH")]
    pub nats_server: Option<PathBuf>,
    /// Install nothing: fail if something is missing.
    #[arg(long, global = true)]
    pub offline: bool,
}

/// natscli's connection flags.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// NATS server(s) to use, comma separated [env: NATS_URL; default: a running `serve`, else the context that
    /// `nats context select` chose, else an own broker].
    #[arg(short, long, global = true, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub server: Option<String>,
    /// A NATS context: a name, as `nats context ls` shows them, or a file .json [env: NATS_CONTEXT].
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,
    /// User name [env: NATS_USER].
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,
    /// Password [env: NATS_PASSWORD].
    #[arg(long, global = true)]
    pub password: Option<String>,
    /// Token [env: NATS_TOKEN].
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub token: Option<String>,
    /// Credentials file [env: NATS_CREDS]. In the path of a file `~` is your home folder; $NAMES are
    /// expanded only in a context: on the command line the shell does it.
    #[arg(long, global = true, value_name = "FILE")]
    pub creds: Option<PathBuf>,
    /// File with an nkey seed [env: NATS_NKEY].
    #[arg(long, global = true, value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// Root certificate [env: NATS_CA].
    #[arg(long, global = true, value_name = "FILE")]
    pub tlsca: Option<PathBuf>,
    /// Client certificate [env: NATS_CERT].
    #[arg(long, global = true, value_name = "FILE", requires = "tlskey")]
    pub tlscert: Option<PathBuf>,
    /// Client key [env: NATS_KEY].
    #[arg(long, global = true, value_name = "FILE", requires = "tlscert")]
    pub tlskey: Option<PathBuf>,
    /// Start TLS before the server sends anything (`handshake_first` of nats-server).
    #[arg(long, global = true)]
    pub tlsfirst: bool,
    /// How long one request may take, as 250ms or 5s [env: NATS_TIMEOUT; default: 5s].
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

impl ConnectionArgs {
    /// The flags that were given, by name.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("--server", self.server.is_some()),
            ("--context", self.context.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--user", self.user.is_some()),
            ("--password", self.password.is_some()),
            ("--token", self.token.is_some()),
            ("--creds", self.creds.is_some()),
            ("--nkey", self.nkey.is_some()),
            ("--tlsca", self.tlsca.is_some()),
            ("--tlscert", self.tlscert.is_some()),
            ("--tlskey", self.tlskey.is_some()),
            ("--tlsfirst", self.tlsfirst),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
    }
}

/// `-H K:V` and what a message is made of.
#[derive(Debug, Args)]
pub struct MessageArgs {
    /// The message's body: text, @FILE, or - for stdin.
    #[arg(long, value_name = "BODY|@FILE|-", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// A header, as `Trace-Id:abc`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "K:V")]
    pub headers: Vec<String>,
    /// Do it this many times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u32>(1..=1_000_000))]
    pub count: u32,
}

/// A whole number, for clap: what is wrong is said with what is allowed.
pub fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            match range.clone().into_inner() {
                (least, u64::MAX) => format!("expected a whole number from {least} up"),
                (least, most) => format!("expected a whole number from {least} to {most}"),
            }
        })
    }
}

pub fn duration(text: &str) -> Result<Duration, String> {
    let found = crate::modules::duration::parse(text)?;
    if found.is_zero() { Err("must be above 0".to_owned()) } else { Ok(found) }
}
