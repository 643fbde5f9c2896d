//! A history by payment and by queue message: built once, shared by all promises.

use std::collections::{HashMap, HashSet};

use super::facts::{
    Charge, DeadLetter, Email, Known, Outcome, Payment, Reading, message_id, payment_id,
};
use crate::e2e::record::history::{Delivery, Event, Kind};
use crate::e2e::verdict::index::{Ended, Index, Operation};
use crate::e2e::verdict::promises::Unreadable;
use crate::wire::subjects::{EMAIL_SEND, PAYMENT_PROCESS};

/// A history by payment and by queue message.
pub(super) struct Lives<'i, 'a> {
    pub(super) index: &'i Index<'a>,
    pub(super) payments: Vec<PaymentLife<'a>>,
    pub(super) messages: Vec<MessageLife<'a>>,
    pub(super) dead_letters: Vec<(&'a Event, DeadLetter)>,
    pub(super) unnamed: Unnamed,
    /// What operations are about, and what they read, by their place in [`Index::operations`].
    submitted: HashMap<usize, Payment>,
    readings: HashMap<usize, Reading>,
    by_payment: HashMap<String, usize>,
    by_message: HashMap<String, usize>,
}

/// Messages for the workers of which nobody knows what they are about, and that may have arrived.
#[derive(Default)]
pub(super) struct Unnamed {
    /// Those that were acknowledged, in the stream of payments.
    sequences: HashSet<u64>,
    /// Another may be in that stream, at any place.
    anywhere: bool,
    /// One that was not held to be no payment: it was sent as something else than a submission.
    pub(super) may_be_a_payment: bool,
    pub(super) may_be_an_email: bool,
}

impl Unnamed {
    fn operation(&mut self, operation: &Operation<'_>) {
        let (ended, kind) = (operation.ended(), operation.invoke.kind);
        match operation.invoke.subject.as_str() {
            _ if ended == Ended::Fail => {}
            EMAIL_SEND => self.may_be_an_email = true,
            PAYMENT_PROCESS => {
                self.may_be_a_payment |= kind != Kind::Submit;
                match operation.reply().and_then(|reply| reply.sequence) {
                    Some(sequence) => drop(self.sequences.insert(sequence)),
                    None => self.anywhere = true,
                }
            }
            _ => {}
        }
    }

    /// Whether one of them may be this message of the stream.
    pub(super) fn may_be(&self, sequence: Option<u64>) -> bool {
        self.anywhere || sequence.is_some_and(|sequence| self.sequences.contains(&sequence))
    }
}

/// Everything about one payment id; operations by their place in [`Index::operations`].
#[derive(Default)]
pub(super) struct PaymentLife<'a> {
    pub(super) id: String,
    pub(super) submits: Vec<usize>,
    pub(super) reads: Vec<usize>,
    pub(super) charges: Vec<(&'a Event, Charge)>,
    pub(super) outcomes: Vec<(&'a Event, Outcome)>,
    /// There is a dead letter that does not say of which message of it.
    pub(super) unnumbered_letter: bool,
}

/// Everything about one message that is no payment.
#[derive(Default)]
pub(super) struct MessageLife<'a> {
    pub(super) id: String,
    pub(super) operations: Vec<usize>,
    /// Of core NATS only: a stream delivers again, and says so.
    pub(super) deliveries: Vec<(&'a Event, &'a Delivery)>,
    pub(super) emails: Vec<(&'a Event, Email)>,
    pub(super) has_letter: bool,
}

/// A final state of a payment, and the events that say so.
#[derive(Clone)]
pub(super) struct Final<'l, 'a> {
    pub(super) reading: &'l Reading,
    pub(super) shown_by: Vec<&'a Event>,
    pub(super) at_ns: u64,
}

impl<'i, 'a> Lives<'i, 'a> {
    /// # Errors
    /// [`Unreadable`]: a fact of another shape.
    pub(super) fn new(index: &'i Index<'a>) -> Result<Self, Unreadable> {
        let mut lives = Self {
            index,
            payments: Vec::new(),
            messages: Vec::new(),
            dead_letters: Vec::new(),
            unnamed: Unnamed::default(),
            submitted: HashMap::new(),
            readings: HashMap::new(),
            by_payment: HashMap::new(),
            by_message: HashMap::new(),
        };
        for (at, operation) in index.operations.iter().enumerate() {
            lives.operation(at, operation)?;
        }
        for (event, delivery) in &index.deliveries {
            if delivery.sequence.is_none() {
                lives.message(&delivery.message).deliveries.push((event, delivery));
            }
        }
        for (event, fact) in &index.facts {
            let unreadable = |error| Unreadable::new(event, &fact.word, &error);
            match Known::of(fact).map_err(unreadable)? {
                Some(Known::Charge(charge)) => {
                    lives.payment(&charge.payment_id).charges.push((event, charge));
                }
                Some(Known::Email(email)) => {
                    lives.message(&email.message).emails.push((event, email))
                }
                Some(Known::Outcome(outcome)) => {
                    lives.payment(&outcome.payment_id).outcomes.push((event, outcome));
                }
                Some(Known::DeadLetter(letter)) => lives.dead_letter(event, letter),
                None => {}
            }
        }
        Ok(lives)
    }

    fn operation(&mut self, at: usize, operation: &Operation<'a>) -> Result<(), Unreadable> {
        let about = operation.about();
        let message = about.and_then(message_id);
        match (about.and_then(payment_id), message) {
            // It only asks for one: nothing else of it is looked at.
            (Some(id), _) if operation.invoke.kind == Kind::Status => {
                self.payment(id).reads.push(at);
            }
            (Some(id), _) => {
                self.payment(id).submits.push(at);
                let payment = about.map(Payment::of).transpose();
                let unreadable = |error| Unreadable::new(operation.begun, "about", &error);
                let payment = payment.map_err(unreadable)?.flatten();
                self.submitted.extend(payment.map(|payment| (at, payment)));
            }
            (None, message) => {
                // A message of the stream of payments has a name where it is no payment, too.
                if message.is_none() || operation.invoke.subject == PAYMENT_PROCESS {
                    self.unnamed.operation(operation);
                }
                if let Some(id) = message {
                    self.message(id).operations.push(at);
                }
            }
        }
        if let (Some(event), Some(reading)) =
            (operation.returned, operation.reply().and_then(|reply| reply.reading.as_ref()))
        {
            let reading = reading.read();
            let reading = reading.map_err(|error| Unreadable::new(event, "reading", &error))?;
            self.readings.insert(at, reading);
        }
        Ok(())
    }

    fn dead_letter(&mut self, event: &'a Event, letter: DeadLetter) {
        if let Some(id) = &letter.payment_id {
            self.payment(id).unnumbered_letter |= letter.sequence.is_none();
        }
        if let Some(id) = &letter.message {
            self.message(id).has_letter = true;
        }
        self.dead_letters.push((event, letter));
    }

    fn payment(&mut self, id: &str) -> &mut PaymentLife<'a> {
        let (at, is_new) = place(&mut self.by_payment, id);
        if is_new {
            self.payments.push(PaymentLife { id: id.to_owned(), ..PaymentLife::default() });
        }
        &mut self.payments[at]
    }

    fn message(&mut self, id: &str) -> &mut MessageLife<'a> {
        let (at, is_new) = place(&mut self.by_message, id);
        if is_new {
            self.messages.push(MessageLife { id: id.to_owned(), ..MessageLife::default() });
        }
        &mut self.messages[at]
    }

    /// Everything about a payment.
    pub(super) fn of_payment(&self, id: &str) -> Option<&PaymentLife<'a>> {
        self.by_payment.get(id).map(|at| &self.payments[*at])
    }

    /// The payment that an operation is about.
    pub(super) fn submitted(&self, at: usize) -> Option<&Payment> {
        self.submitted.get(&at)
    }

    /// What an operation read.
    pub(super) fn reading(&self, at: usize) -> Option<&Reading> {
        self.readings.get(&at)
    }

    /// The final state of a payment that was there first.
    pub(super) fn first_final<'l>(&'l self, life: &'l PaymentLife<'a>) -> Option<Final<'l, 'a>> {
        self.finals(life).into_iter().min_by_key(|seen| seen.at_ns)
    }

    /// Every final state that was seen of a payment: ledger entries first, then status readings.
    pub(super) fn finals<'l>(&'l self, life: &'l PaymentLife<'a>) -> Vec<Final<'l, 'a>> {
        let is_final = |reading: &&Reading| reading.status.is_final();
        let entries = life.outcomes.iter().filter_map(|(event, outcome)| {
            let reading = Some(&outcome.reading).filter(is_final)?;
            Some(Final { reading, shown_by: vec![event], at_ns: event.at_ns })
        });
        let reads = life.reads.iter().filter_map(|at| {
            let reading = self.reading(*at).filter(is_final)?;
            let operation = &self.index.operations[*at];
            let returned = operation.returned?;
            Some(Final { reading, shown_by: operation.events(), at_ns: returned.at_ns })
        });
        entries.chain(reads).collect()
    }
}

/// Where something is, or is to be put, and whether it is new; only what is new is copied.
fn place(places: &mut HashMap<String, usize>, id: &str) -> (usize, bool) {
    if let Some(at) = places.get(id) {
        return (*at, false);
    }
    let next = places.len();
    places.insert(id.to_owned(), next);
    (next, true)
}
