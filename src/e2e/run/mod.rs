//! One scenario with one client: everything it needs is started, its steps are done, it is judged.
//!
//! | file | idea |
//! | --- | --- |
//! | `stage` | what runs: broker, networks, services, driver |
//! | `probe` | what is read from the broker and beside it |
//! | `steps` | the steps, and what breaks meanwhile |
//! | `checks` | when checks look, and at what |
//! | `record` | puts what clients do on record, and what gateway and ledger say |
//! | `execute` | all of it, in order |

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
