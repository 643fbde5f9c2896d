//! Doctored histories: each mutation breaks one promise in one place.

mod doctor;
mod messages;
mod payments;
mod readings;

use mono_demo::e2e::record::history::History;
use mono_demo::e2e::verdict::Property;

pub use doctor::Mutant;
pub use messages::email_lost;

use crate::model::Dice;

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
    mutation("drop an outcome", Property::Acknowledged, payments::drop_outcome),
    mutation("a second outcome", Property::Acknowledged, payments::second_outcome),
    mutation("drop a dead letter", Property::Acknowledged, payments::drop_dead_letter),
    mutation("a second dead letter", Property::Acknowledged, payments::second_dead_letter),
    mutation("duplicate a charge", Property::Once, payments::duplicate_charge),
    mutation("a cent more charged", Property::Once, payments::cent_charged),
    mutation("a cent more completed", Property::Once, payments::cent_completed),
    mutation("drop a charge", Property::Once, payments::drop_charge),
    mutation("charge what failed", Property::Once, payments::charge_what_failed),
    mutation("charge what nobody submitted", Property::Once, payments::charge_unasked),
    mutation("a submit that failed was charged", Property::Once, payments::failed_but_charged),
    mutation("charged, and never final", Property::Once, payments::charged_never_final),
    mutation("a second reply", Property::Replies, messages::second_reply),
    mutation("drop a reply", Property::Replies, messages::drop_reply),
    mutation("drop an invoke", Property::Replies, messages::drop_invoke),
    mutation("deliver to two workers", Property::Queue, messages::two_workers),
    mutation("send an email twice", Property::Queue, messages::email_twice),
    mutation(
        "send an email to another worker too",
        Property::Queue,
        messages::email_of_two_workers,
    ),
    mutation("reorder deliveries", Property::Order, messages::reorder),
    mutation("another content charged", Property::Once, payments::other_content_charged),
    mutation(
        "another content completed",
        Property::Acknowledged,
        payments::other_content_completed,
    ),
    mutation("an outcome long after the last fault", Property::Final, payments::late_outcome),
    mutation(
        "a dead letter long after the last fault",
        Property::Final,
        payments::late_dead_letter,
    ),
    mutation("move a status back", Property::Status, readings::status_back),
    mutation("change a final status", Property::Status, readings::final_changed),
];
