//! What every client, reader and publisher is going to do.

use std::collections::VecDeque;

use mono_demo::e2e::record::history::{About, Invoke, Kind, Phase, Refusal, Reply, What};
use mono_demo::proof::facts::{Payment, message as message_of};

use super::world::{Step, World};
use super::{EMAIL, SUBMIT, Size};

impl World {
    pub(super) fn plan(&mut self, size: Size) {
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
            let op = self.invoke(&process, Kind::Request, "services.math.calculate", None);
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
        about: Option<About>,
    ) -> (Step, u64) {
        let op = self.next_op;
        self.next_op += 1;
        let (process, subject) = (process.to_owned(), subject.to_owned());
        (Step::Invoke(Invoke { process, op, kind, subject, about }), op)
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
            let (begun, op) = self.invoke(client, Kind::Submit, SUBMIT, Some(payment.about()));
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
        let message = format!("poison-{n}");
        let about = Some(message_of(message.clone()));
        let (begun, op) = self.invoke(client, Kind::Submit, SUBMIT, about);
        let store = Step::Store { op, payment: None, message: Some(message) };
        script.extend([begun, store, Step::Acknowledge { process: client.to_owned(), op }]);
    }

    fn plan_read(&mut self, n: u64, script: &mut VecDeque<Step>) {
        let process = format!("reader-{}", self.dice.below(3));
        let id = format!("pay-{n}");
        let payment = Payment { id: id.clone(), content: None, amount: None, currency: None };
        let (begun, op) =
            self.invoke(&process, Kind::Status, "services.payment.status", Some(payment.about()));
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
        let (begun, op) =
            self.invoke(&process, Kind::Publish, EMAIL, Some(message_of(message.clone())));
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
}
