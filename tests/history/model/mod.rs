//! A small world that behaves: clients, a stream, workers that die, a gateway, a mailer, readers.
//! Whatever it does is a valid history, however its actors take turns.

mod dice;
mod plan;
mod world;

use mono_demo::e2e::record::history::{History, What};
use mono_demo::proof::facts::Known;

pub use dice::Dice;
use world::World;

pub const SUBMIT: &str = "services.payment.payment-process";
pub const EMAIL: &str = "services.notification.email-send";

/// How large a world, and how it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub seed: u64,
    pub payments: u64,
    pub emails: u64,
    pub requests: u64,
    /// Charges, outcomes and the like are recorded at the end, as journals are.
    pub late: bool,
}

/// A whole valid run.
pub fn valid_history(size: Size) -> History {
    let mut world = World::new(size);
    world.plan(size);
    world.run();
    History::from_events(world.events)
}

/// A fact as it stands in a history.
pub fn fact(known: &Known) -> What {
    What::Fact(known.fact().unwrap())
}

/// The fact that an event is, if it is one.
pub fn known(what: &What) -> Option<Known> {
    match what {
        What::Fact(fact) => Known::of(fact).unwrap(),
        _ => None,
    }
}
