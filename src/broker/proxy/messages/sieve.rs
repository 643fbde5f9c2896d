//! One direction of a connection: bytes in, and what passes out; no I/O.
//!
//! Where no rule is, bytes pass as they come, and only the places are kept where frames begin. Where
//! one is, a frame passes when it is whole, so that it can be lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::frames::{Frame, NoFrame, Scanner};
use super::kind::Questions;
use super::rule::{Fate, MessageRule, Moment};
use super::tap::Tap;
use crate::broker::proxy::direction::Direction;

/// What the two directions of a connection share.
#[derive(Debug, Default)]
pub(in crate::broker::proxy) struct Conversation {
    questions: Mutex<Questions>,
    is_unreadable: AtomicBool,
    /// Frames that wait for another one, in either direction: it is known by its question, which comes
    /// in the other one.
    waiting: AtomicUsize,
}

/// What of some bytes passes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::broker::proxy) struct Sifted {
    /// In this order.
    pub(in crate::broker::proxy) pass: Vec<u8>,
    /// So many bytes are lost.
    pub(in crate::broker::proxy) lost: usize,
    /// The connection ends behind them.
    pub(in crate::broker::proxy) cut: bool,
    /// Nothing passes behind them, either way, and nobody is told.
    pub(in crate::broker::proxy) held: bool,
    /// From here on the connection is not read: true once.
    pub(in crate::broker::proxy) unreadable: bool,
}

/// One direction of a connection.
#[derive(Debug)]
pub(in crate::broker::proxy) struct Sieve {
    direction: Direction,
    conversation: Arc<Conversation>,
    scanner: Scanner,
    /// The beginning of a frame that is not whole.
    held: Vec<u8>,
    is_unreadable: bool,
    /// Frames that are late, and when they are due.
    late: Vec<(Instant, Vec<u8>)>,
    /// Frames that wait for another one to go before them.
    waiting: Vec<(Arc<MessageRule>, Vec<u8>)>,
    /// Who hears every message.
    tap: Option<Arc<Tap>>,
}

impl Sieve {
    pub(in crate::broker::proxy) fn new(
        direction: Direction,
        conversation: Arc<Conversation>,
    ) -> Self {
        Self {
            direction,
            conversation,
            scanner: Scanner::default(),
            held: Vec::new(),
            is_unreadable: false,
            late: Vec::new(),
            waiting: Vec::new(),
            tap: None,
        }
    }

    /// From now on this one hears every message.
    pub(in crate::broker::proxy) fn heard_by(&mut self, tap: Option<Arc<Tap>>) {
        self.tap = tap;
    }

    /// What of these bytes passes, by these rules.
    pub(in crate::broker::proxy) fn read(
        &mut self,
        bytes: &[u8],
        rules: &[Arc<MessageRule>],
        now: Instant,
    ) -> Sifted {
        let mut sifted = Sifted { pass: Vec::with_capacity(bytes.len()), ..Sifted::default() };
        let rules: Vec<&Arc<MessageRule>> = rules.iter().filter(|rule| !rule.is_over()).collect();
        if self.is_unreadable {
            rules.iter().for_each(|rule| rule.is_blind());
            sifted.pass.extend_from_slice(bytes);
            return sifted;
        }
        let mut whole = std::mem::take(&mut self.held);
        let bytes = match whole.is_empty() {
            true => bytes,
            false => {
                whole.extend_from_slice(bytes);
                &whole
            }
        };
        let waits = self.conversation.waiting.load(Ordering::Relaxed) > 0;
        let is_read = self.tap.is_some() || !rules.is_empty() || !self.late.is_empty() || waits;
        let kept = match is_read {
            true => self.sift(bytes, &rules, now, &mut sifted),
            false => {
                sifted.pass.extend_from_slice(bytes);
                self.scanner.pass(bytes).map(|()| bytes.len())
            }
        };
        match kept {
            // It is moved where it is long already: it may be long.
            Ok(0) if !whole.is_empty() => self.held = whole,
            Ok(at) => self.held = bytes[at..].to_vec(),
            Err(NoFrame) => {
                rules.iter().for_each(|rule| rule.is_blind());
                self.is_unreadable = true;
                let told = self.conversation.is_unreadable.swap(true, Ordering::Relaxed);
                sifted.unreadable = !told;
            }
        }
        sifted
    }

    /// How many of the bytes were dealt with; the rest is the beginning of a frame. Where there is
    /// none, all pass.
    fn sift(
        &mut self,
        bytes: &[u8],
        rules: &[&Arc<MessageRule>],
        now: Instant,
        sifted: &mut Sifted,
    ) -> Result<usize, NoFrame> {
        // From here on nothing was decided; until `at` all passes.
        let mut from = 0;
        let begun = self.scanner.begun(bytes);
        let mut at = *begun.as_ref().unwrap_or(&0);
        let conversation = self.conversation.clone();
        let mut questions = conversation.questions.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let frame = match begun.and(Frame::first(&bytes[at..])) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(NoFrame) => {
                    sifted.pass.extend_from_slice(&bytes[from..]);
                    return Err(NoFrame);
                }
            };
            let end = at + frame.bytes.len();
            if let Some(message) = &frame.message {
                let told = questions.kind(message, self.direction);
                if let Some((kind, subject)) = told {
                    let tap = self.tap.as_ref();
                    let stops = tap.and_then(|tap| tap.hear(self.direction, kind, subject));
                    if let Some(moment) = stops {
                        let to = if moment == Moment::Before { at } else { end };
                        sifted.pass.extend_from_slice(&bytes[from..to]);
                        sifted.lost += bytes.len() - to;
                        sifted.held = true;
                        return Ok(bytes.len());
                    }
                    let partner = self
                        .waiting
                        .iter()
                        .position(|(rule, _)| rule.changes_places(kind, subject, message));
                    let hit = match partner {
                        Some(_) => None,
                        None => rules.iter().find(|rule| {
                            rule.looks_at(kind, self.direction)
                                && rule.hits_message(kind, subject, message)
                        }),
                    };
                    if partner.is_some() || hit.is_some() {
                        sifted.pass.extend_from_slice(&bytes[from..at]);
                        from = end;
                    }
                    if let Some(partner) = partner {
                        sifted.pass.extend_from_slice(frame.bytes);
                        sifted.pass.append(&mut self.waiting.remove(partner).1);
                        self.conversation.waiting.fetch_sub(1, Ordering::Relaxed);
                    }
                    if let Some(rule) = hit {
                        self.meet(rule, frame.bytes, now, sifted);
                        if sifted.cut {
                            return Ok(bytes.len());
                        }
                    }
                }
                questions.ask(message);
            }
            at = end;
        }
        sifted.pass.extend_from_slice(&bytes[from..at]);
        Ok(at)
    }

    /// A frame meets its fate.
    fn meet(&mut self, rule: &Arc<MessageRule>, frame: &[u8], now: Instant, sifted: &mut Sifted) {
        match rule.fate() {
            Fate::Lose => sifted.lost += frame.len(),
            Fate::Duplicate => {
                sifted.pass.extend_from_slice(frame);
                sifted.pass.extend_from_slice(frame);
            }
            Fate::Delay(time) => self.late.push((now + time, frame.to_vec())),
            Fate::Swap => {
                self.waiting.push((rule.clone(), frame.to_vec()));
                self.conversation.waiting.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Disconnect(Moment::Before) => {
                sifted.lost += frame.len();
                sifted.cut = true;
            }
            Fate::Disconnect(Moment::After) => {
                sifted.pass.extend_from_slice(frame);
                sifted.cut = true;
            }
        }
    }

    /// When the next frame is due that is late.
    pub(in crate::broker::proxy) fn next_due(&self) -> Option<Instant> {
        self.late.iter().map(|(due, _)| *due).min()
    }

    /// Those that are due. While there are any, whole frames pass only: they never come into one.
    pub(in crate::broker::proxy) fn due(&mut self, now: Instant) -> Vec<u8> {
        let mut due: Vec<_> = self.late.extract_if(.., |(due, _)| *due <= now).collect();
        due.sort_by_key(|(due, _)| *due);
        due.into_iter().flat_map(|(_, frame)| frame).collect()
    }

    /// What is left when nothing more comes: nothing is kept back.
    pub(in crate::broker::proxy) fn end(&mut self) -> Vec<u8> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest: Vec<u8> = waiting.into_iter().flat_map(|(_, frame)| frame).collect();
        rest.append(&mut self.held);
        rest
    }
}

#[cfg(test)]
mod tests;
