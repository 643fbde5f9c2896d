//! A small world that behaves: clients, a stream, workers that die, a gateway, a mailer, readers.
//! Whatever it does is a valid history, however its actors take turns.

use std::collections::{HashMap, VecDeque};

use mono_demo::e2e::history::{
    Charge, DeadLetter, Delivery, Email, End, Fault, History, Invoke, Kind, Outcome, Payment,
    Phase, Reading, Records, Refusal, Reply, Status, What,
};
use mono_demo::wire::journal::ChargeOutcome;

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

/// SplitMix64: same seed, same world.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    pub fn percent(&mut self, of_a_hundred: usize) -> bool {
        self.below(100) < of_a_hundred
    }
}

#[derive(Debug, Clone)]
enum Step {
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
        payment: Payment,
    },
    Bury {
        sequence: u64,
        kind: &'static str,
        message: Option<String>,
        payment_id: Option<String>,
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

struct World {
    dice: Dice,
    late: bool,
    now: u64,
    next_op: u64,
    actors: Vec<VecDeque<Step>>,
    events: Vec<(u64, What)>,
    journals: Vec<(u64, What)>,
    /// Sequence and whether it was known, by operation.
    stored: HashMap<u64, (u64, bool)>,
    message_ids: HashMap<String, u64>,
    sequence: u64,
    intents: HashMap<String, Option<String>>,
    settled: HashMap<String, ChargeOutcome>,
    ledger: HashMap<String, Reading>,
    sampled: HashMap<u64, Reading>,
    queues: Vec<VecDeque<String>>,
}

/// A whole valid run.
pub fn valid_history(size: Size) -> History {
    let mut world = World {
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
        intents: HashMap::new(),
        settled: HashMap::new(),
        ledger: HashMap::new(),
        sampled: HashMap::new(),
        queues: vec![VecDeque::new(); 4],
    };
    world.plan(size);
    world.run();
    History::from_events(world.events)
}

impl World {
    fn plan(&mut self, size: Size) {
        for n in 0..size.payments {
            let client = format!("client-{}", self.dice.below(3));
            let mut script = VecDeque::new();
            if self.dice.percent(5) {
                self.plan_poison(&client, n, &mut script);
            } else {
                self.plan_payment(&client, n, &mut script);
            }
            self.actors.push(script);
            for _ in 0..self.dice.below(4) {
                let mut reads = VecDeque::new();
                for _ in 0..=self.dice.below(3) {
                    self.plan_read(n, &mut reads);
                }
                self.actors.push(reads);
            }
        }
        for publisher in 0..3u64 {
            let mut script = VecDeque::new();
            for n in 0..size.emails / 3 {
                // Publishers that run several at once give them no order.
                if self.dice.percent(20) {
                    self.actors.push(std::mem::take(&mut script));
                }
                self.plan_email(publisher, n, &mut script);
            }
            self.actors.push(script);
        }
        for n in 0..size.requests {
            let process = format!("client-{}", n % 3);
            let op = self.invoke(&process, Kind::Request, "services.math.calculate", None, None);
            let answer = self.answer(&process, op.1, 80);
            self.actors.push([op.0, answer].into());
        }
        for name in ["kill-broker", "kill-services"] {
            let script = [Step::Fault(name, Phase::Begin), Step::Fault(name, Phase::End)];
            self.actors.push(script.into());
        }
    }

    fn invoke(
        &mut self,
        process: &str,
        kind: Kind,
        subject: &str,
        payment: Option<Payment>,
        message: Option<String>,
    ) -> (Step, u64) {
        let op = self.next_op;
        self.next_op += 1;
        let (process, subject) = (process.to_owned(), subject.to_owned());
        (Step::Invoke(Invoke { process, op, kind, subject, payment, message }), op)
    }

    fn answer(&mut self, process: &str, op: u64, ok: usize) -> Step {
        let process = process.to_owned();
        let refusal =
            |reason: &str| Refusal { process: process.clone(), op, reason: reason.into() };
        Step::Answer(if self.dice.percent(ok) {
            What::Ok(Reply { process, op, ..Reply::default() })
        } else if self.dice.percent(50) {
            What::Fail(refusal("no responders"))
        } else {
            What::Unknown(refusal("timeout"))
        })
    }

    fn plan_payment(&mut self, client: &str, n: u64, script: &mut VecDeque<Step>) {
        let cents = 1 + self.dice.below(99_999);
        let payment = |cents: usize| Payment {
            id: format!("pay-{n}"),
            content: Some(format!("content-{n}-{cents}")),
            amount: format!("{}.{:02}", cents / 100, cents % 100).parse().ok(),
            currency: Some(["USD", "EUR"][n as usize % 2].to_owned()),
        };
        let mut times = 1 + usize::from(self.dice.percent(30)) + usize::from(self.dice.percent(10));
        while times > 0 {
            times -= 1;
            // Some submit the same id with another amount, at the same time.
            let other = self.dice.percent(10);
            let payment = payment(if other { cents + 1 } else { cents });
            let (begun, op) =
                self.invoke(client, Kind::Submit, SUBMIT, Some(payment.clone()), None);
            let message = self.dice.percent(50).then(|| payment.id.clone());
            let store = Step::Store { op, payment: Some(payment), message };
            let process = client.to_owned();
            let refusal =
                |reason: &str| Refusal { process: client.to_owned(), op, reason: reason.into() };
            let steps = match self.dice.below(10) {
                0 => vec![begun, Step::Answer(What::Fail(refusal("no responders")))],
                1 => vec![begun, Step::Answer(What::Unknown(refusal("timeout")))],
                2 => vec![begun, store, Step::Answer(What::Unknown(refusal("timeout")))],
                // It arrives after its client has given up.
                3 => vec![begun, Step::Answer(What::Unknown(refusal("timeout"))), store],
                _ => vec![begun, store, Step::Acknowledge { process, op }],
            };
            if self.dice.percent(30) {
                self.actors.push(steps.into());
            } else {
                script.extend(steps);
            }
        }
    }

    fn plan_poison(&mut self, client: &str, n: u64, script: &mut VecDeque<Step>) {
        let message = Some(format!("poison-{n}"));
        let (begun, op) = self.invoke(client, Kind::Submit, SUBMIT, None, message.clone());
        let store = Step::Store { op, payment: None, message };
        script.extend([begun, store, Step::Acknowledge { process: client.to_owned(), op }]);
    }

    fn plan_read(&mut self, n: u64, script: &mut VecDeque<Step>) {
        let process = format!("reader-{}", self.dice.below(3));
        let id = format!("pay-{n}");
        let payment = Payment { id: id.clone(), content: None, amount: None, currency: None };
        let (begun, op) =
            self.invoke(&process, Kind::Status, "services.payment.status", Some(payment), None);
        script.push_back(begun);
        if self.dice.percent(10) {
            script.push_back(self.answer(&process, op, 0));
        } else {
            script.push_back(Step::Sample { op, id });
            script.push_back(Step::Read { process, op });
        }
    }

    fn plan_email(&mut self, publisher: u64, n: u64, script: &mut VecDeque<Step>) {
        let process = format!("publisher-{publisher}");
        let message = format!("email-{publisher}-{n}");
        let (begun, op) = self.invoke(&process, Kind::Publish, EMAIL, None, Some(message.clone()));
        let spread = Step::Spread { message };
        let answer = self.answer(&process, op, 100);
        let timeout = Refusal { process, op, reason: "timeout".into() };
        let timeout = Step::Answer(What::Unknown(timeout));
        script.extend(match self.dice.below(20) {
            0 => vec![begun, timeout],
            1 => {
                // It goes out long after its client has given up.
                vec![begun, Step::Spawn(Box::new(spread)), timeout]
            }
            _ => vec![begun, spread, answer],
        });
    }

    fn run(&mut self) {
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
        let whole = [
            Records::Deliveries,
            Records::Charges,
            Records::Emails,
            Records::Outcomes,
            Records::DeadLetters,
        ];
        self.now += 1;
        self.tell(What::End(End { whole: whole.into() }));
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
                self.tell(What::Fault(Fault { name: name.to_owned(), phase }));
            }
            Step::Sample { op, id } => {
                let reading = self.reading(&id);
                self.sampled.insert(op, reading);
            }
            Step::Read { process, op } => {
                let reading = self.sampled.remove(&op);
                self.tell(What::Ok(Reply { process, op, reading, ..Reply::default() }));
            }
            Step::Bury { sequence, kind, message, payment_id } => {
                let kind = kind.to_owned();
                let sequence = Some(sequence);
                self.journal(What::DeadLetter(DeadLetter { kind, sequence, message, payment_id }));
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
            Step::Commit { payment } => self.commit(&payment),
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
            let bury = Step::Bury { sequence, kind: "malformed", message, payment_id: None };
            self.actors.push([bury].into());
            return;
        };
        if let Some(id) = message {
            self.message_ids.insert(id, sequence);
        }
        let work = Self::work(sequence, payment, 1);
        self.actors.push(work);
    }

    fn work(sequence: u64, payment: Payment, attempt: u64) -> VecDeque<Step> {
        let message = payment.id.clone();
        [
            Step::Deliver { sequence, message, attempt },
            Step::Claim { sequence, payment: payment.clone() },
            Step::Charge { sequence, payment: payment.clone() },
            Step::Commit { payment },
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
        if self.dies(sequence, payment, at) {
            return;
        }
        let owner = self.intents.entry(payment.id.clone()).or_insert(payment.content.clone());
        if *owner != payment.content {
            let payment_id = Some(payment.id.clone());
            let bury = Step::Bury { sequence, kind: "conflict", message: None, payment_id };
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
            self.journal(What::Charge(Charge {
                payment_id: payment.id.clone(),
                outcome,
                content: payment.content.clone(),
                amount: payment.amount.unwrap_or_default(),
                currency: payment.currency.clone().unwrap_or_default(),
                worker: "w".to_owned(),
            }));
            if outcome == ChargeOutcome::Unavailable {
                self.actors[at] = Self::work(sequence, payment.clone(), 2);
                return;
            }
            self.settled.insert(payment.id.clone(), outcome);
        }
        self.dies(sequence, payment, at);
    }

    fn commit(&mut self, payment: &Payment) {
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
        self.journal(What::Outcome(Outcome { payment_id: payment.id.clone(), reading }));
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
            self.journal(What::Email(Email { message, worker: name, sent }));
        }
    }
}
