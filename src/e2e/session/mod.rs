//! All runs of a command: chosen, run in parallel, repeated, judged, kept and reviewed.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings` | the settings of a session |
//! | `discover`, `choose` | the suite's scenarios, and the selection of them |
//! | `runner`, `pool`, `retries` | parallel runs, and repeated ones |
//! | `golden`, `judge`, `review` | golden files, the comparison with them, and transcripts for review |
//! | `explore`, `points` | one run for each message of a service, which is killed there |
//! | `left_up` | `--keep`: the run that is kept |
//! | `recording` | what happens on a running system, as a scenario |
//! | `shrink` | a failing scenario made smaller, until nothing can go |
//! | `write_down` | `--record`: results become expectations |

pub(crate) mod choose;
pub(crate) mod discover;
pub(crate) mod explore;
pub(crate) mod golden;
pub(crate) mod judge;
pub(crate) mod left_up;
pub(crate) mod points;
pub(crate) mod pool;
pub mod recording;
pub(crate) mod retries;
pub(crate) mod review;
pub(crate) mod runner;
pub(crate) mod settings;
pub(crate) mod shrink;
pub(crate) mod write_down;

pub use choose::expression::{Expression, ExpressionError, Subject};
pub use choose::shard::{Shard, ShardError};
pub use choose::{Filter, Runs};
pub use discover::{Fixtures, files, left_over, names, text_of};
pub use explore::{explore, service_of};
pub use golden::{Comparison, Golden, SnapshotError};
pub use left_up::LeftUp;
pub use points::{Came, Exploration, ExploreError, Explored, Exploring};
pub use review::{Pending, pending};
pub use runner::{chosen, clients_of, run, run_and_leave_up};
pub use settings::{Again, ClientUnderTest, E2eError, Mode, Settings, Validate};
pub use shrink::{Progress, Rate, ShrinkError, Shrinking, Shrunk, shrink};
pub use write_down::{Recorded, record};
