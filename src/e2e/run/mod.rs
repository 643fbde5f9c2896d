//! One scenario with one client: everything it needs is started, its steps are done, it is judged.
//!
//! | file | idea |
//! | --- | --- |
//! | `stage` | what runs: broker, networks, services, driver |
//! | `probe` | what is read from the broker and beside it |
//! | `steps` | the steps, and what breaks meanwhile |
//! | `checks` | when checks look, and at what |
//! | [`oracle`] | who knows what services promise: a trait, handed in |
//! | `promised` | the promises that a suite declares, seen kept or broken |
//! | `record` | puts what clients do on record, and at the end what oracles find |
//! | `lacks` | what a version of nats-server cannot do |
//! | `conclude` | the end of a run, and its verdict |
//! | `execute` | all of it, in order |
//! | `open_history` | a history that is kept without a scenario |

pub(crate) mod checks;
mod conclude;
pub(crate) mod execute;
mod lacks;
mod open_history;
pub mod oracle;
pub(crate) mod probe;
pub(crate) mod promised;
pub(crate) mod record;
pub(crate) mod stage;
pub(crate) mod steps;

pub use open_history::{OpenHistory, Proved};
pub use probe::evidence::{Probe, Stored};
pub use stage::kept::Kept;
pub use stage::machine::{
    Client, Machine, ServiceContext, ServiceSpawn, ServiceUnderTest, ServicesOf,
};
pub use stage::replied::until_replied;
pub use steps::program::DIR;
