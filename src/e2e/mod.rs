//! Scenarios: text → fixture → engine → event → transcript → snapshot → report, one way.
//!
//! | room | idea |
//! | --- | --- |
//! | [`fixture`] | TOML to a scenario that makes sense, or every mistake with a caret; no I/O |
//! | [`suite`] | a suite file: services, clients and scenarios of one's own; no I/O |
//! | [`matcher`] | patterns over JSON |
//! | [`driver`] | clients under test: in process, or programs that speak JSON lines |
//! | [`conform`] | what a driver must do, checked one promise at a time |
//! | [`engine`] | one scenario with one client: broker, services, driver, steps, checks |
//! | [`history`] | the record of a run on one clock, and the checks that prove it |
//! | `fill` | a step with its variables filled in |
//! | [`seen`], [`transcript`], [`redact`] | what happened, as data and as text that does not change |
//! | [`schemas`] | JSON Schemas that messages are held against |
//! | [`snapshot`], [`review`] | golden files in insta's format; what waits to become one |
//! | [`event`], [`trace`], [`report`] | what is told, and to whom |
//! | `clustered` | the same scenario on a cluster |
//! | `kept` | where histories stay, where asked to |
//! | `left_up`, `inventory` | `--keep`: the run that stays up, and what there is of it |
//! | `discover`, `choose` | the suite's scenarios; which of them are wanted |
//! | `counted` | a number and its word |
//! | `write_down` | `--record`: what happened becomes what is expected |
//! | `runner`, `pool`, `judge` | side by side, again where asked to; against their golden files |
//!
//! Modules, clients and programs come as values ([`Settings`]); nothing here knows them by name.

pub mod driver;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod session;
pub mod text;
pub mod verdict;

pub use record::inventory::{BrokerAt, Inventory, NetworksAt, ServiceAt};
pub use run::stage::kept::Kept;
pub use scenario::clustered::OnCluster;
pub use session::choose::Filter;
pub use session::choose::expression::{Expression, ExpressionError, Subject};
pub use session::choose::shard::{Shard, ShardError};
pub use session::discover::{files, golden_path, left_over, load, text_of};
pub use session::left_up::LeftUp;
pub use session::runner::{chosen, clients_of, run, run_and_leave_up};
pub use session::settings::{Again, ClientUnderTest, E2eError, Mode, Settings, Validate};
pub use session::write_down::{Recorded, record};
pub use text::counted::counted;
