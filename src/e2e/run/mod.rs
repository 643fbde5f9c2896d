//! TODO

pub(crate) mod checks;
pub(crate) mod execute;
pub(crate) mod probe;
pub(crate) mod record;
pub(crate) mod stage;
pub(crate) mod steps;

pub use stage::kept::Kept;
pub use stage::machine::{
    Client, ContentOf, Machine, ServiceContext, ServiceSpawn, ServiceUnderTest, ServicesOf,
};
