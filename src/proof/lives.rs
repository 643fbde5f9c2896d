//! A history by payment and by queue message: built once, shared by all promises.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::facts::{self, Known, message_id, payment_id};
use crate::e2e::record::history::{Delivery, Event, Kind, Text};
use crate::e2e::verdict::index::{Ended, Index, Operation};
use crate::e2e::verdict::promises::Unreadable;
use crate::wire::subjects::{EMAIL_SEND, PAYMENT_PROCESS};

// Facts as they are judged: their texts are the history's.
pub(super) type Charge<'a> = facts::Charge<Text<'a>>;
pub(super) type DeadLetter<'a> = facts::DeadLetter<Text<'a>>;
pub(super) type Email<'a> = facts::Email<Text<'a>>;
pub(super) type Outcome<'a> = facts::Outcome<Text<'a>>;
pub(super) type Payment<'a> = facts::Payment<Text<'a>>;
pub(super) type Reading<'a> = facts::Reading<Text<'a>>;

/// A history by payment and by queue message.
pub(super) struct Lives<'i, 'a> {
    pub(super) index: &'i Index<'a>,
    pub(super) payments: Vec<PaymentLife<'i, 'a>>,
    pub(super) messages: Vec<MessageLife<'i, 'a>>,
    pub(super) dead_letters: Vec<(&'a Event, DeadLetter<'a>)>,
    /// Submissions to the workers of payments with no payment in them, in order.
    pub(super) unacceptable: Vec<&'i Operation<'a>>,
    pub(super) unnamed: Unnamed,
    by_payment: Places<'a>,
    by_message: Places<'a>,
}

/// Where something is, by its id.
type Places<'a> = HashMap<Text<'a>, usize, RandomState>;

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

    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        self.may_be(None)
            || !self.sequences.is_empty()
            || self.may_be_a_payment
            || self.may_be_an_email
    }

    /// Whether one of them may be this message of the stream.
    pub(super) fn may_be(&self, sequence: Option<u64>) -> bool {
        self.anywhere || sequence.is_some_and(|sequence| self.sequences.contains(&sequence))
    }
}

/// Everything about one payment id, in order.
pub(super) struct PaymentLife<'i, 'a> {
    pub(super) id: Text<'a>,
    pub(super) submits: Vec<Submit<'i, 'a>>,
    pub(super) reads: Vec<Read<'i, 'a>>,
    pub(super) charges: Vec<(&'a Event, Charge<'a>)>,
    pub(super) outcomes: Vec<(&'a Event, Outcome<'a>)>,
    /// There is a dead letter that does not say of which message of it.
    pub(super) unnumbered_letter: bool,
}

/// The payment and the submit that a stream's message is of.
pub(super) type Stored<'l, 'i, 'a> = (&'l PaymentLife<'i, 'a>, &'l Submit<'i, 'a>);

/// A payment, submitted.
pub(super) struct Submit<'i, 'a> {
    pub(super) operation: &'i Operation<'a>,
    pub(super) payment: Payment<'a>,
}

/// A payment's status, asked for.
pub(super) struct Read<'i, 'a> {
    pub(super) operation: &'i Operation<'a>,
    /// Absent where nothing came of it.
    pub(super) reading: Option<(&'a Event, Reading<'a>)>,
}

/// Everything about one message that is no payment.
pub(super) struct MessageLife<'i, 'a> {
    pub(super) id: Text<'a>,
    pub(super) operations: Vec<&'i Operation<'a>>,
    /// Of core NATS only: a stream delivers again, and says so.
    pub(super) deliveries: Vec<(&'a Event, &'a Delivery)>,
    pub(super) emails: Vec<(&'a Event, Email<'a>)>,
    pub(super) letter: Option<&'a Event>,
}

/// A final state of a payment, and the events that say so.
#[derive(Clone, Copy)]
pub(super) struct Final<'l, 'a> {
    pub(super) reading: &'l Reading<'a>,
    /// Of one that was asked for: when.
    pub(super) asked: Option<&'a Event>,
    pub(super) said: &'a Event,
}

impl<'a> Final<'_, 'a> {
    pub(super) fn at_ns(&self) -> u64 {
        self.said.at_ns
    }

    /// A client was told so; otherwise it is in the ledger.
    pub(super) fn was_told(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn shown_by(&self) -> impl Iterator<Item = &'a Event> + use<'a> {
        [self.asked, Some(self.said)].into_iter().flatten()
    }
}

impl<'i, 'a> PaymentLife<'i, 'a> {
    /// Every final state that was seen of it: ledger entries first, then status readings.
    pub(super) fn finals<'l>(&'l self) -> impl Iterator<Item = Final<'l, 'a>> + use<'l, 'i, 'a> {
        let entries = self.outcomes.iter().map(|(said, outcome)| {
            let (asked, said) = (None, *said);
            Final { reading: &outcome.reading, asked, said }
        });
        let reads = self.reads.iter().filter_map(|read| {
            let (said, reading) = read.reading.as_ref()?;
            Some(Final { reading, asked: Some(read.operation.begun), said })
        });
        entries.chain(reads).filter(|seen| seen.reading.status.is_final())
    }

    /// The operations that submitted it.
    pub(super) fn submitting<'l>(
        &'l self,
    ) -> impl Iterator<Item = &'i Operation<'a>> + use<'l, 'i, 'a> {
        self.submits.iter().map(|submit| submit.operation)
    }

    /// Those of them that were acknowledged.
    pub(super) fn acknowledged<'l>(
        &'l self,
    ) -> impl Iterator<Item = &'l Submit<'i, 'a>> + use<'l, 'i, 'a> {
        self.submits.iter().filter(|submit| submit.operation.ended() == Ended::Ok)
    }
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
            unacceptable: Vec::new(),
            unnamed: Unnamed::default(),
            by_payment: Places::default(),
            by_message: Places::default(),
        };
        for operation in &index.operations {
            lives.operation(operation)?;
        }
        for (event, delivery) in &index.deliveries {
            if delivery.sequence.is_none() {
                let message = Text::from(delivery.message.as_str());
                lives.message(&message).deliveries.push((event, delivery));
            }
        }
        for (event, fact) in &index.facts {
            let unreadable = |error| Unreadable::new(event, &fact.word, &error);
            match Known::of(fact).map_err(unreadable)? {
                Some(Known::Charge(charge)) => {
                    lives.payment(&charge.payment_id).charges.push((event, charge));
                }
                Some(Known::Email(email)) => {
                    lives.message(&email.message).emails.push((event, email));
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

    fn operation(&mut self, operation: &'i Operation<'a>) -> Result<(), Unreadable> {
        let unreadable = |event, what: &'static str| {
            move |error: serde_json::Error| Unreadable::new(event, what, &error)
        };
        let about = operation.about();
        let said = operation.reply().and_then(|reply| reply.reading.as_ref());
        let reading = match operation.returned.zip(said) {
            Some((event, reading)) => {
                Some((event, reading.read().map_err(unreadable(event, "reading"))?))
            }
            None => None,
        };
        let (Some(about), Some(id)) = (about, about.and_then(payment_id)) else {
            self.no_payment(operation);
            return Ok(());
        };
        // A status only asks for one: nothing else of it is looked at.
        if operation.invoke.kind == Kind::Status {
            self.payment(&id.into()).reads.push(Read { operation, reading });
            return Ok(());
        }
        let payment = Payment::of(about).map_err(unreadable(operation.begun, "about"))?;
        let submits = payment.map(|payment| Submit { operation, payment });
        self.payment(&id.into()).submits.extend(submits);
        Ok(())
    }

    fn no_payment(&mut self, operation: &'i Operation<'a>) {
        let message = operation.about().and_then(message_id);
        let is_for_payments = operation.invoke.subject == PAYMENT_PROCESS;
        // A message of the stream of payments has a name where it is no payment, too.
        if message.is_none() || is_for_payments {
            self.unnamed.operation(operation);
        }
        if let Some(id) = message {
            self.message(&id.into()).operations.push(operation);
        }
        if operation.invoke.kind == Kind::Submit && is_for_payments {
            self.unacceptable.push(operation);
        }
    }

    fn dead_letter(&mut self, event: &'a Event, letter: DeadLetter<'a>) {
        if let Some(id) = &letter.payment_id {
            self.payment(id).unnumbered_letter |= letter.sequence.is_none();
        }
        if let Some(id) = &letter.message {
            self.message(id).letter.get_or_insert(event);
        }
        self.dead_letters.push((event, letter));
    }

    fn payment(&mut self, id: &Text<'a>) -> &mut PaymentLife<'i, 'a> {
        place(&mut self.by_payment, &mut self.payments, id, |id| PaymentLife {
            id,
            submits: Vec::new(),
            reads: Vec::new(),
            charges: Vec::new(),
            outcomes: Vec::new(),
            unnumbered_letter: false,
        })
    }

    fn message(&mut self, id: &Text<'a>) -> &mut MessageLife<'i, 'a> {
        place(&mut self.by_message, &mut self.messages, id, |id| MessageLife {
            id,
            operations: Vec::new(),
            deliveries: Vec::new(),
            emails: Vec::new(),
            letter: None,
        })
    }

    /// Everything about a message that is no payment.
    pub(super) fn of_message(&self, id: &str) -> Option<&MessageLife<'i, 'a>> {
        self.by_message.get(id).map(|at| &self.messages[*at])
    }

    /// The payment and the submit that each message of the stream is of, by its sequence.
    pub(super) fn stored(&self) -> HashMap<u64, Stored<'_, 'i, 'a>, RandomState> {
        let all = self.payments.iter().flat_map(|life| {
            life.submits.iter().filter_map(move |submit| {
                let reply = submit.operation.reply()?;
                Some((reply.sequence.filter(|_| !reply.duplicate)?, (life, submit)))
            })
        });
        all.collect()
    }

    /// Everything about a payment.
    pub(super) fn of_payment(&self, id: &str) -> Option<&PaymentLife<'i, 'a>> {
        self.by_payment.get(id).map(|at| &self.payments[*at])
    }
}

/// The life of this id, a new one where it has none yet.
fn place<'l, 'a, L>(
    places: &mut Places<'a>,
    lives: &'l mut Vec<L>,
    id: &Text<'a>,
    new: impl FnOnce(Text<'a>) -> L,
) -> &'l mut L {
    let at = *places.entry(id.clone()).or_insert_with(|| {
        lives.push(new(id.clone()));
        lives.len() - 1
    });
    &mut lives[at]
}
