//! Plays the plans in any order; its stream, gateway, ledger and mailer behave.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mono_demo::e2e::record::history::{
    DELIVERIES, Delivery, End, Fault, Invoke, Json, OPERATIONS, Phase, Reply, What,
};
use mono_demo::proof::facts::{
    CHARGES, Charge, DEAD_LETTERS, DeadLetter, EMAILS, Email, Known, OUTCOMES, Outcome, Payment,
    Reading, Status,
};
use mono_demo::wire::journal::ChargeOutcome;

use super::{Dice, EMAIL, SUBMIT, Size, fact};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Invoke(Invoke),
    /// A submit reaches the stream.
    Store {
        op: u64,
        payment: Option<Payment>,
        message: Option<String>,
    },
    /// A publish reaches the subscribers.
    Spread {
        message: String,
    },
    Acknowledge {
        process: String,
        op: u64,
    },
    Answer(What),
    /// A worker's turns with one stored message.
    Deliver {
        sequence: u64,
        message: String,
        attempt: u64,
    },
    Claim {
        sequence: u64,
        payment: Payment,
    },
    Charge {
        sequence: u64,
        payment: Payment,
    },
    Commit {
        sequence: u64,
        payment: Payment,
    },
    Bury {
        sequence: u64,
        kind: &'static str,
        message: Option<String>,
        payment: Option<Payment>,
    },
    Sample {
        op: u64,
        id: String,
    },
    Read {
        process: String,
        op: u64,
    },
    /// A queue worker takes what is next for it.
    Take {
        worker: usize,
    },
    Fault(&'static str, Phase),
    /// Goes on by itself from here.
    Spawn(Box<Step>),
}

/// Everything that takes part, and what has happened so far.
pub(super) struct World {
    pub(super) dice: Dice,
    late: bool,
    now: u64,
    pub(super) next_op: u64,
    pub(super) actors: Vec<VecDeque<Step>>,
    pub(super) events: Vec<(u64, What)>,
    journals: Vec<(u64, What)>,
    /// Sequence and whether it was known, by operation.
    stored: HashMap<u64, (u64, bool)>,
    message_ids: HashMap<String, u64>,
    sequence: u64,
    /// By payment and sequence, the contents that wait for their claim.
    unclaimed: HashMap<String, BTreeMap<u64, Option<String>>>,
    intents: HashMap<String, Option<String>>,
    settled: HashMap<String, ChargeOutcome>,
    ledger: HashMap<String, Reading>,
    sampled: HashMap<u64, Reading>,
    queues: Vec<VecDeque<String>>,
}

impl World {
    pub(super) fn new(size: Size) -> Self {
        Self {
            dice: Dice(size.seed),
            late: size.late,
            now: 0,
            next_op: 1,
            actors: Vec::new(),
            events: Vec::new(),
            journals: Vec::new(),
            stored: HashMap::new(),
            message_ids: HashMap::new(),
            sequence: 0,
            unclaimed: HashMap::new(),
            intents: HashMap::new(),
            settled: HashMap::new(),
            ledger: HashMap::new(),
            sampled: HashMap::new(),
            queues: vec![VecDeque::new(); 4],
        }
    }

    pub(super) fn run(&mut self) {
        self.actors.retain(|actor| !actor.is_empty());
        while !self.actors.is_empty() {
            let at = self.dice.below(self.actors.len());
            if let Some(step) = self.actors[at].pop_front() {
                self.now += 1 + self.dice.below(1_000_000) as u64;
                self.step(step, at);
            }
            if self.actors[at].is_empty() {
                self.actors.swap_remove(at);
            }
        }
        let journals = std::mem::take(&mut self.journals);
        self.events.extend(journals);
        let whole = [OPERATIONS, DELIVERIES, CHARGES, EMAILS, OUTCOMES, DEAD_LETTERS];
        let whole = whole.map(str::to_owned);
        self.now += 1;
        self.tell(What::End(End { whole: whole.into(), clocks_us: Some(0), ..End::default() }));
    }

    fn tell(&mut self, what: What) {
        self.events.push((self.now, what));
    }

    fn journal(&mut self, what: What) {
        let journal = if self.late { &mut self.journals } else { &mut self.events };
        journal.push((self.now, what));
    }

    fn step(&mut self, step: Step, at: usize) {
        match step {
            Step::Invoke(invoke) => self.tell(What::Invoke(invoke)),
            Step::Answer(what) => self.tell(what),
            Step::Store { op, payment, message } => self.store(op, payment, message),
            Step::Acknowledge { process, op } => {
                let (sequence, duplicate) = self.stored[&op];
                let sequence = Some(sequence);
                self.tell(What::Ok(Reply { process, op, sequence, duplicate, reading: None }));
            }
            Step::Spread { message } => self.spread(&message),
            Step::Take { worker } => self.take(worker),
            Step::Spawn(step) => self.actors.push([*step].into()),
            Step::Fault(name, phase) => {
                self.tell(What::Fault(Fault { name: name.to_owned(), phase, hit: None }));
            }
            Step::Sample { op, id } => {
                let reading = self.reading(&id);
                self.sampled.insert(op, reading);
            }
            Step::Read { process, op } => {
                let reading = self.sampled.remove(&op).map(|reading| Json::of(&reading).unwrap());
                self.tell(What::Ok(Reply { process, op, reading, ..Reply::default() }));
            }
            Step::Bury { sequence, kind, message, payment } => {
                self.journal(fact(&Known::DeadLetter(DeadLetter {
                    kind: kind.to_owned(),
                    sequence: Some(sequence),
                    message,
                    payment_id: payment.as_ref().map(|payment| payment.id.clone()),
                    content: payment.and_then(|payment| payment.content),
                    reason: Some(format!("it is {kind}")),
                })));
            }
            Step::Deliver { sequence, message, attempt } => {
                let worker = format!("worker-{}", self.dice.below(2));
                self.tell(What::Delivery(Delivery {
                    worker,
                    subject: SUBMIT.to_owned(),
                    message,
                    queue_group: None,
                    sequence: Some(sequence),
                    // What is delivered again may overtake; what comes first may not.
                    attempt: attempt.max(2),
                }));
            }
            Step::Claim { sequence, payment } => self.claim(sequence, &payment, at),
            Step::Charge { sequence, payment } => self.charge(sequence, &payment, at),
            Step::Commit { sequence, payment } => self.commit(sequence, &payment),
        }
    }

    fn store(&mut self, op: u64, payment: Option<Payment>, message: Option<String>) {
        let known = payment.as_ref().and(message.as_ref()).and_then(|id| self.message_ids.get(id));
        if let Some(sequence) = known {
            self.stored.insert(op, (*sequence, true));
            return;
        }
        self.sequence += 1;
        let sequence = self.sequence;
        self.stored.insert(op, (sequence, false));
        let Some(payment) = payment else {
            let bury = Step::Bury { sequence, kind: "malformed", message, payment: None };
            self.actors.push([bury].into());
            return;
        };
        if let Some(id) = message {
            self.message_ids.insert(id, sequence);
        }
        let waiting = self.unclaimed.entry(payment.id.clone()).or_default();
        waiting.insert(sequence, payment.content.clone());
        let work = Self::work(sequence, payment, 1);
        self.actors.push(work);
    }

    fn work(sequence: u64, payment: Payment, attempt: u64) -> VecDeque<Step> {
        let message = payment.id.clone();
        [
            Step::Deliver { sequence, message, attempt },
            Step::Claim { sequence, payment: payment.clone() },
            Step::Charge { sequence, payment: payment.clone() },
            Step::Commit { sequence, payment },
        ]
        .into()
    }

    /// The worker dies here, one time in ten; the message comes again.
    fn dies(&mut self, sequence: u64, payment: &Payment, at: usize) -> bool {
        let dies = self.dice.percent(10);
        if dies {
            self.actors[at] = Self::work(sequence, payment.clone(), 2);
        }
        dies
    }

    fn claim(&mut self, sequence: u64, payment: &Payment, at: usize) {
        let earlier = self.unclaimed.entry(payment.id.clone()).or_default();
        if earlier.range(..sequence).any(|(_, content)| *content != payment.content) {
            // What was acknowledged earlier comes first.
            self.actors[at] = Self::work(sequence, payment.clone(), 2);
            return;
        }
        if self.dies(sequence, payment, at) {
            return;
        }
        self.unclaimed.entry(payment.id.clone()).or_default().remove(&sequence);
        let owner = self.intents.entry(payment.id.clone()).or_insert(payment.content.clone());
        if *owner != payment.content {
            let payment = Some(payment.clone());
            let bury = Step::Bury { sequence, kind: "conflict", message: None, payment };
            self.actors[at] = [bury].into();
        } else if self.ledger.contains_key(&payment.id) {
            self.actors[at].clear();
        }
    }

    fn charge(&mut self, sequence: u64, payment: &Payment, at: usize) {
        let outcome = match self.dice.below(10) {
            0 | 1 => ChargeOutcome::Unavailable,
            2 => ChargeOutcome::Declined,
            3 => ChargeOutcome::Cancelled,
            _ => ChargeOutcome::Approved,
        };
        if !self.settled.contains_key(&payment.id) {
            self.journal(fact(&Known::Charge(Charge {
                payment_id: payment.id.clone(),
                outcome,
                content: payment.content.clone(),
                amount: payment.amount.unwrap_or_default(),
                currency: payment.currency.clone().unwrap_or_default(),
                worker: "w".to_owned(),
            })));
            if outcome == ChargeOutcome::Unavailable {
                self.actors[at] = Self::work(sequence, payment.clone(), 2);
                return;
            }
            self.settled.insert(payment.id.clone(), outcome);
        }
        if self.dies(sequence, payment, at) || self.ledger.contains_key(&payment.id) {
            return;
        }
        if self.settled[&payment.id] == ChargeOutcome::Cancelled {
            // The letter comes before the outcome.
            let payment = Some(payment.clone());
            let bury = Step::Bury { sequence, kind: "exhausted", message: None, payment };
            self.actors[at].push_front(bury);
        }
    }

    fn commit(&mut self, sequence: u64, payment: &Payment) {
        if self.ledger.contains_key(&payment.id) {
            return;
        }
        let approved = self.settled.get(&payment.id) == Some(&ChargeOutcome::Approved);
        let reading = Reading {
            status: if approved { Status::Completed } else { Status::Failed },
            content: payment.content.clone(),
            amount: payment.amount,
            currency: payment.currency.clone(),
        };
        self.ledger.insert(payment.id.clone(), reading.clone());
        let sequence = Some(sequence);
        let outcome = Outcome { payment_id: payment.id.clone(), sequence, reading };
        self.journal(fact(&Known::Outcome(outcome)));
    }

    fn reading(&self, id: &str) -> Reading {
        let status = match self.intents.contains_key(id) {
            true => Status::Processing,
            false => Status::Pending,
        };
        let open = Reading { status, content: None, amount: None, currency: None };
        self.ledger.get(id).cloned().unwrap_or(open)
    }

    /// One worker of the group, and a subscriber of its own; core NATS may lose it for both.
    fn spread(&mut self, message: &str) {
        let worker = self.dice.below(3);
        for worker in [worker, 3] {
            if !self.dice.percent(5) {
                self.queues[worker].push_back(message.to_owned());
                self.actors.push([Step::Take { worker }].into());
            }
        }
    }

    fn take(&mut self, worker: usize) {
        let Some(message) = self.queues[worker].pop_front() else { return };
        let own = worker == 3;
        let name = if own { "tap".to_owned() } else { format!("mailer-{worker}") };
        self.tell(What::Delivery(Delivery {
            worker: name.clone(),
            subject: EMAIL.to_owned(),
            message: message.clone(),
            queue_group: (!own).then(|| "email-workers".to_owned()),
            sequence: None,
            attempt: 1,
        }));
        if !own {
            let sent = self.dice.percent(95);
            self.journal(fact(&Known::Email(Email { message, worker: name, sent })));
        }
    }
}
