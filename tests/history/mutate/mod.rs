//! Doctored histories: each mutation breaks one promise in one place.

mod doctor;
mod messages;
mod payments;
mod readings;

use mono_demo::e2e::record::history::History;
use mono_demo::e2e::verdict::{Property, order::ORDER, promises::FINAL, replies::REPLIES};
use mono_demo::proof::{ACKNOWLEDGED, ONCE, QUEUE, STATUS};

pub use doctor::Mutant;
pub use messages::email_lost;

use crate::history::model::Dice;

pub struct Mutation {
    pub name: &'static str,
    /// The promise that it breaks.
    pub property: Property,
    pub apply: fn(&History, &mut Dice) -> Option<Mutant>,
}

const fn mutation(
    name: &'static str,
    property: Property,
    apply: fn(&History, &mut Dice) -> Option<Mutant>,
) -> Mutation {
    Mutation { name, property, apply }
}

pub const MUTATIONS: [Mutation; 25] = [
    mutation("drop an outcome", ACKNOWLEDGED, payments::drop_outcome),
    mutation("a second outcome", ACKNOWLEDGED, payments::second_outcome),
    mutation("drop a dead letter", ACKNOWLEDGED, payments::drop_dead_letter),
    mutation("a second dead letter", ACKNOWLEDGED, payments::second_dead_letter),
    mutation("duplicate a charge", ONCE, payments::duplicate_charge),
    mutation("a cent more charged", ONCE, payments::cent_charged),
    mutation("a cent more completed", ONCE, payments::cent_completed),
    mutation("drop a charge", ONCE, payments::drop_charge),
    mutation("charge what failed", ONCE, payments::charge_what_failed),
    mutation("charge what nobody submitted", ONCE, payments::charge_unasked),
    mutation("a submit that failed was charged", ONCE, payments::failed_but_charged),
    mutation("charged, and never final", ONCE, payments::charged_never_final),
    mutation("a second reply", REPLIES, messages::second_reply),
    mutation("drop a reply", REPLIES, messages::drop_reply),
    mutation("drop an invoke", REPLIES, messages::drop_invoke),
    mutation("deliver to two workers", QUEUE, messages::two_workers),
    mutation("send an email twice", QUEUE, messages::email_twice),
    mutation("send an email to another worker too", QUEUE, messages::email_of_two_workers),
    mutation("reorder deliveries", ORDER, messages::reorder),
    mutation("another content charged", ONCE, payments::other_content_charged),
    mutation("another content completed", ACKNOWLEDGED, payments::other_content_completed),
    mutation("an outcome long after the last fault", FINAL, payments::late_outcome),
    mutation("a dead letter long after the last fault", FINAL, payments::late_dead_letter),
    mutation("move a status back", STATUS, readings::status_back),
    mutation("change a final status", STATUS, readings::final_changed),
];
