//! TODO

pub(crate) mod choose;
pub(crate) mod discover;
pub(crate) mod judge;
pub(crate) mod left_up;
pub(crate) mod pool;
pub(crate) mod review;
pub(crate) mod runner;
pub(crate) mod settings;
pub(crate) mod write_down;

pub use choose::Filter;
pub use choose::expression::Expression;
pub use choose::shard::Shard;
pub use left_up::LeftUp;
pub use review::{Pending, pending};
pub use settings::{Again, ClientUnderTest, E2eError, Mode, Settings, Validate};
pub use write_down::Recorded;
