//! A history by operation, payment and message: built once, shared by all checkers.

use std::collections::{BTreeSet, HashMap};

use crate::e2e::record::history::event::{
    Charge, DeadLetter, Delivery, Email, Event, Fault, Invoke, Kind, Outcome, Payment, Phase,
    Reading, Records, Reply, What,
};

/// A history by operation, payment and message.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Index<'a> {
    pub(in crate::e2e) operations: Vec<Operation<'a>>,
    pub(in crate::e2e) payments: Vec<PaymentLife<'a>>,
    pub(in crate::e2e) messages: Vec<MessageLife<'a>>,
    /// Every delivery, in order.
    pub(in crate::e2e) deliveries: Vec<(&'a Event, &'a Delivery)>,
    pub(in crate::e2e) faults: Vec<(&'a Event, &'a Fault)>,
    pub(in crate::e2e) dead_letters: Vec<(&'a Event, &'a DeadLetter)>,
    /// Replies to nothing, and second beginnings of an operation.
    pub(in crate::e2e) strays: Vec<&'a Event>,
    pub(in crate::e2e) begun_twice: Vec<(&'a Event, &'a Event)>,
    /// The last event, where it says that the run is over.
    pub(in crate::e2e) end: Option<&'a Event>,
    pub(in crate::e2e) whole: BTreeSet<Records>,
    by_payment: HashMap<&'a str, usize>,
    by_message: HashMap<&'a str, usize>,
}

/// One operation.
#[derive(Debug)]
pub(in crate::e2e) struct Operation<'a> {
    pub(in crate::e2e) begun: &'a Event,
    pub(in crate::e2e) invoke: &'a Invoke,
    pub(in crate::e2e) returned: Option<&'a Event>,
    /// More replies than one.
    pub(in crate::e2e) again: Vec<&'a Event>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::e2e) enum Ended {
    Ok,
    Fail,
    /// A timeout, or no reply on record at all.
    Unknown,
}

/// Everything about one payment id; operations by their place in [`Index::operations`].
#[derive(Debug, Default)]
pub(in crate::e2e) struct PaymentLife<'a> {
    pub(in crate::e2e) id: &'a str,
    pub(in crate::e2e) submits: Vec<usize>,
    pub(in crate::e2e) reads: Vec<usize>,
    pub(in crate::e2e) charges: Vec<(&'a Event, &'a Charge)>,
    pub(in crate::e2e) outcomes: Vec<(&'a Event, &'a Outcome)>,
    pub(in crate::e2e) dead_letters: Vec<(&'a Event, &'a DeadLetter)>,
}

/// Everything about one message that is no payment.
#[derive(Debug, Default)]
pub(in crate::e2e) struct MessageLife<'a> {
    pub(in crate::e2e) id: &'a str,
    pub(in crate::e2e) operations: Vec<usize>,
    /// Of core NATS only: a stream delivers again, and says so.
    pub(in crate::e2e) deliveries: Vec<(&'a Event, &'a Delivery)>,
    pub(in crate::e2e) emails: Vec<(&'a Event, &'a Email)>,
    pub(in crate::e2e) dead_letters: Vec<(&'a Event, &'a DeadLetter)>,
}

/// A final state of a payment, and the events that say so.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Final<'a> {
    pub(in crate::e2e) reading: &'a Reading,
    pub(in crate::e2e) shown_by: Vec<&'a Event>,
    pub(in crate::e2e) at_ns: u64,
}

impl<'a> Operation<'a> {
    pub(in crate::e2e) fn ended(&self) -> Ended {
        match self.returned.map(|event| &event.what) {
            Some(What::Ok(_)) => Ended::Ok,
            Some(What::Fail(_)) => Ended::Fail,
            _ => Ended::Unknown,
        }
    }

    pub(in crate::e2e) fn reply(&self) -> Option<&'a Reply> {
        match self.returned.map(|event| &event.what) {
            Some(What::Ok(reply)) => Some(reply),
            _ => None,
        }
    }

    pub(in crate::e2e) fn payment(&self) -> Option<&'a Payment> {
        self.invoke.payment.as_ref()
    }

    /// Its events so far: the invoke, and what came back first.
    pub(in crate::e2e) fn events(&self) -> Vec<&'a Event> {
        [Some(self.begun), self.returned].into_iter().flatten().collect()
    }
}

impl<'a> Index<'a> {
    pub(in crate::e2e) fn new(events: &'a [Event]) -> Self {
        let mut index = Self::default();
        let mut by_op: HashMap<u64, usize> = HashMap::new();
        for event in events {
            match &event.what {
                What::Invoke(invoke) => match by_op.get(&invoke.op) {
                    Some(at) => index.begun_twice.push((index.operations[*at].begun, event)),
                    None => {
                        by_op.insert(invoke.op, index.operations.len());
                        index.begin(event, invoke);
                    }
                },
                What::Ok(Reply { op, .. }) => index.returned(&by_op, *op, event),
                What::Fail(refusal) | What::Unknown(refusal) => {
                    index.returned(&by_op, refusal.op, event);
                }
                What::Delivery(delivery) => {
                    index.deliveries.push((event, delivery));
                    if delivery.sequence.is_none() {
                        index.message(&delivery.message).deliveries.push((event, delivery));
                    }
                }
                What::Charge(charge) => {
                    index.payment(&charge.payment_id).charges.push((event, charge));
                }
                What::Email(email) => index.message(&email.message).emails.push((event, email)),
                What::Outcome(outcome) => {
                    index.payment(&outcome.payment_id).outcomes.push((event, outcome));
                }
                What::DeadLetter(letter) => {
                    index.dead_letters.push((event, letter));
                    if let Some(id) = &letter.payment_id {
                        index.payment(id).dead_letters.push((event, letter));
                    }
                    if let Some(id) = &letter.message {
                        index.message(id).dead_letters.push((event, letter));
                    }
                }
                What::Fault(fault) => index.faults.push((event, fault)),
                What::End(end) => {
                    index.end = Some(event);
                    index.whole.clone_from(&end.whole);
                }
            }
        }
        index
    }

    fn begin(&mut self, begun: &'a Event, invoke: &'a Invoke) {
        let at = self.operations.len();
        self.operations.push(Operation { begun, invoke, returned: None, again: Vec::new() });
        if let Some(payment) = &invoke.payment {
            let life = self.payment(&payment.id);
            match invoke.kind {
                Kind::Status => life.reads.push(at),
                _ => life.submits.push(at),
            }
        }
        if let Some(message) = &invoke.message {
            self.message(message).operations.push(at);
        }
    }

    fn returned(&mut self, by_op: &HashMap<u64, usize>, op: u64, event: &'a Event) {
        match by_op.get(&op).map(|at| &mut self.operations[*at]) {
            None => self.strays.push(event),
            Some(operation) if operation.returned.is_none() => operation.returned = Some(event),
            Some(operation) => operation.again.push(event),
        }
    }

    fn payment(&mut self, id: &'a str) -> &mut PaymentLife<'a> {
        let next = self.payments.len();
        let at = *self.by_payment.entry(id).or_insert(next);
        if at == next {
            self.payments.push(PaymentLife { id, ..PaymentLife::default() });
        }
        &mut self.payments[at]
    }

    fn message(&mut self, id: &'a str) -> &mut MessageLife<'a> {
        let next = self.messages.len();
        let at = *self.by_message.entry(id).or_insert(next);
        if at == next {
            self.messages.push(MessageLife { id, ..MessageLife::default() });
        }
        &mut self.messages[at]
    }

    /// The message with this id, or the payment's submits.
    pub(in crate::e2e) fn operations_of(&self, message: &str) -> &[usize] {
        if let Some(at) = self.by_message.get(message) {
            let operations = &self.messages[*at].operations;
            if !operations.is_empty() {
                return operations;
            }
        }
        self.by_payment.get(message).map_or(&[], |at| &self.payments[*at].submits)
    }

    pub(in crate::e2e) fn is_whole(&self, records: Records) -> bool {
        self.end.is_some() && self.whole.contains(&records)
    }

    /// The fault that began or ended last.
    pub(in crate::e2e) fn last_fault(&self) -> Option<(&'a Event, &'a Fault)> {
        self.faults.iter().max_by_key(|(event, _)| event.at_ns).copied()
    }

    /// Whether something was broken or mended between two times, both included, or was broken all the
    /// while, and mended later.
    pub(in crate::e2e) fn fault_between(&self, from_ns: u64, to_ns: u64) -> bool {
        let under_way = |begun: &Event, fault: &Fault| {
            let ends = self.faults.iter().filter(|(_, f)| f.phase == Phase::End);
            let mut ends = ends.filter(|(e, f)| f.name == fault.name && e.at_ns >= begun.at_ns);
            begun.at_ns < from_ns && ends.next().is_some_and(|(end, _)| end.at_ns > to_ns)
        };
        self.faults.iter().any(|(event, fault)| {
            (from_ns..=to_ns).contains(&event.at_ns)
                || fault.phase == Phase::Begin && under_way(event, fault)
        })
    }

    /// The final state of a payment that was there first.
    pub(in crate::e2e) fn first_final(&self, life: &PaymentLife<'a>) -> Option<Final<'a>> {
        self.finals(life).into_iter().min_by_key(|seen| seen.at_ns)
    }

    /// Every final state that was seen of a payment: ledger entries first, then status readings.
    pub(in crate::e2e) fn finals(&self, life: &PaymentLife<'a>) -> Vec<Final<'a>> {
        let entries = life.outcomes.iter().map(|(event, outcome)| Final {
            reading: &outcome.reading,
            shown_by: vec![event],
            at_ns: event.at_ns,
        });
        let reads = life.reads.iter().filter_map(|at| {
            let operation = &self.operations[*at];
            let returned = operation.returned?;
            let reading = operation.reply()?.reading.as_ref()?;
            Some(Final { reading, shown_by: operation.events(), at_ns: returned.at_ns })
        });
        entries.chain(reads).filter(|seen| seen.reading.status.is_final()).collect()
    }
}
