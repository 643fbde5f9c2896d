//! Doctored histories: each mutation breaks one promise in one place.

mod asked;
mod doctor;
mod fooled;
mod letters;
mod messages;
mod payments;
mod readings;

use mono_demo::e2e::record::history::History;
use mono_demo::e2e::verdict::{Property, order::ORDER, promises::FINAL, replies::REPLIES};
use mono_demo::proof::{ACKNOWLEDGED, ASKED, FIRST, LETTERS, ONCE, QUEUE, SETTLED, STATUS};

pub use doctor::Mutant;
pub use messages::email_lost;

use crate::history::model::Dice;

#[derive(Clone, Copy)]
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

pub const MUTATIONS: &[Mutation] = &[
    mutation("drop an outcome", ACKNOWLEDGED, payments::drop_outcome),
    mutation("a second outcome", ACKNOWLEDGED, payments::second_outcome),
    mutation("drop a dead letter", ACKNOWLEDGED, payments::drop_dead_letter),
    mutation("a second dead letter", ACKNOWLEDGED, payments::second_dead_letter),
    mutation("another content completed", ACKNOWLEDGED, payments::other_content_completed),
    mutation("duplicate a charge", ONCE, payments::duplicate_charge),
    mutation("a cent more completed", ONCE, payments::cent_completed),
    mutation("drop a charge", ONCE, payments::drop_charge),
    mutation("charge what failed", ONCE, payments::charge_what_failed),
    mutation("charged, and never final", ONCE, payments::charged_never_final),
    mutation("approved after declined", SETTLED, letters::approved_after_declined),
    mutation("approved after cancelled", SETTLED, letters::approved_after_cancelled),
    mutation("declined, and tried again", SETTLED, letters::declined_and_tried_again),
    mutation("charged after completed", SETTLED, letters::charged_after_completed),
    mutation("the second content stands", FIRST, letters::second_content),
    mutation("completed and a dead letter", LETTERS, letters::completed_and_dead),
    mutation("a repetition filed as a conflict", LETTERS, letters::repetition_as_conflict),
    mutation("a dead letter without its reason", LETTERS, letters::no_reason),
    mutation("failed, and nobody said why", LETTERS, letters::failed_without_reason),
    mutation("given up without a letter", LETTERS, letters::given_up_without_letter),
    mutation("a cent more charged", ASKED, payments::cent_charged),
    mutation("another content charged", ASKED, payments::other_content_charged),
    mutation("charge what nobody submitted", ASKED, payments::charge_unasked),
    mutation("charged before it was submitted", ASKED, asked::charged_early),
    mutation("a submit that failed was charged", ASKED, payments::failed_but_charged),
    mutation("an outcome that nobody asked for", ASKED, asked::outcome_unasked),
    mutation(
        "an outcome of a content that nobody submitted",
        ASKED,
        asked::outcome_of_other_content,
    ),
    mutation("an outcome of a submit that failed", ASKED, asked::outcome_of_failed_submit),
    mutation("a dead letter of what nobody submitted", ASKED, asked::letter_unasked),
    mutation("an email that nobody published", ASKED, asked::email_unasked),
    mutation("an email of a publish that failed", ASKED, asked::email_of_failed_publish),
    mutation("a delivery of what nobody published", ASKED, asked::delivery_unasked),
    mutation("a second reply", REPLIES, messages::second_reply),
    mutation("an inbox with two replies", REPLIES, messages::answered_again),
    mutation("drop a reply", REPLIES, messages::drop_reply),
    mutation("drop an invoke", REPLIES, messages::drop_invoke),
    mutation("two acknowledgements of one sequence", REPLIES, messages::one_place),
    mutation("a sequence that goes back", REPLIES, messages::place_went_back),
    mutation("deliver to two workers", QUEUE, messages::two_workers),
    mutation("send an email twice", QUEUE, messages::email_twice),
    mutation("send an email to another worker too", QUEUE, messages::email_of_two_workers),
    mutation("reorder deliveries", ORDER, messages::reorder),
    mutation("an outcome long after the last fault", FINAL, payments::late_outcome),
    mutation("a dead letter long after the last fault", FINAL, payments::late_dead_letter),
    mutation("move a status back", STATUS, readings::status_back),
    mutation("change a final status", STATUS, readings::final_changed),
    mutation("a status with another amount", STATUS, readings::other_amount),
    mutation("not final long after the outcome", STATUS, readings::stale),
    mutation("told, and not on record", STATUS, readings::told_unrecorded),
    mutation("a dead letter of another payment", ASKED, fooled::letter_of_another_payment),
    mutation("a dead letter with another content", ASKED, fooled::letter_with_another_content),
    mutation("a dead letter that names no message", ASKED, fooled::letter_of_no_message),
    mutation("a dead letter before its submit", ASKED, fooled::letter_before_submit),
    mutation("more dead letters than submits", ASKED, fooled::more_letters_than_submits),
    mutation("a dead letter that gives no reason", LETTERS, fooled::no_reason_at_all),
    mutation("completed and a letter of no message", LETTERS, fooled::completed_and_unnumbered),
    mutation("a dead letter filed after the outcome", LETTERS, fooled::letter_after_outcome),
    mutation("asked again after it was final", SETTLED, fooled::asked_after_final),
    mutation("another content refused", ASKED, fooled::other_content_refused),
    mutation("refused what nobody submitted", ASKED, fooled::refused_unasked),
    mutation("charged less than nothing", ONCE, fooled::less_than_nothing),
    mutation("an outcome before its submit", ASKED, fooled::outcome_before_submit),
    mutation("an outcome of another message", ASKED, fooled::outcome_of_another_message),
    mutation("the second content stands, by its amount", FIRST, fooled::second_content_by_amount),
    mutation("told before it was on record", STATUS, fooled::told_early),
    mutation("a delivery of a payment that nobody submitted", ASKED, fooled::delivery_of_no_submit),
    mutation("delivered on another subject", ASKED, fooled::delivered_elsewhere),
    mutation("an email before it was published", ASKED, fooled::email_before_publish),
    mutation("sent by another worker", QUEUE, fooled::sent_by_another),
    mutation("sent and a dead letter", QUEUE, fooled::sent_and_dead),
    mutation("a reply of another client", REPLIES, fooled::reply_of_another_client),
    mutation("a reply before its question", REPLIES, fooled::reply_before_question),
];
