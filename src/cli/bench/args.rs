//! The flags of `bench`, and its sections.

use clap::{Args, ValueEnum};

use super::sizes::Sizes;
use crate::cli::global::whole;
use crate::modules::payment::Sabotage;

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct BenchArgs {
    /// What to measure [default: all].
    #[arg(value_enum, value_name = "SECTION")]
    pub(super) sections: Vec<Chosen>,
    /// Do less in each round: a look, whose figures vary more.
    #[arg(long)]
    pub(super) quick: bool,
    /// Rounds, after one that warms up and does not count [default: 5; with --quick 3].
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1..=1000))]
    pub(super) rounds: Option<u16>,
    /// Whether the streams of payments are synced to disk on every write, as those of `serve --store-dir` are.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "never")]
    pub(super) sync: Sync,
    /// Break promises on purpose, to show that the bench detects it.
    #[arg(long, hide = true)]
    pub(super) sabotage: Option<Sabotage>,
    /// Be the smallest program that does the same, on the server of --server.
    #[arg(long, hide = true, value_enum)]
    pub(super) peer: Option<PeerKind>,
}

const HELP: &str = "\
Each figure is the median of the rounds, with the least and the greatest, and is divided by a floor that
was measured in the same rounds: read the ratios, for the figures themselves are of this machine and moment.
A wrong answer, an effect that happened twice or a ledger that does not agree ends with exit code 1.";

/// A section of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Chosen {
    /// From the start of `serve` to its line `Ready`.
    Start,
    /// The end of `serve`, and of a broker.
    Stop,
    /// `call` as a whole process.
    Oneshot,
    /// Requests to `math`, with 1, 64 and 256 in flight.
    Request,
    /// Emails, until a worker has handled them.
    Emails,
    /// Payments, until the ledger has them.
    Payments,
    /// Questions for the status of payments.
    Status,
    /// Resident memory of `serve` and of what runs beside it.
    Memory,
    /// `audit` as a whole process.
    Audit,
    /// The rate of payments as the ledger grows.
    Growth,
    /// One, two and four service processes on one broker.
    Processes,
}

impl Chosen {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// When what is stored is synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    Never,
    Always,
}

/// What a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeerKind {
    /// Echoes and counts until its connection is closed.
    Serve,
    /// Asks `math` once.
    Ask,
}

impl BenchArgs {
    /// Whether it talks to a server that is named, and starts none.
    pub fn is_peer(&self) -> bool {
        self.peer.is_some()
    }

    pub(super) fn chosen(&self) -> Vec<Chosen> {
        match self.sections.as_slice() {
            [] => Chosen::value_variants().to_vec(),
            some => some.to_vec(),
        }
    }

    pub(super) fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 3 } else { 5 }, usize::from)
    }

    pub(super) fn sizes(&self) -> Sizes {
        if self.quick { Sizes::QUICK } else { Sizes::WHOLE }
    }
}
