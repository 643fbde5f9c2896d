//! The order of a scenario: what it sends, and what it expects in between.

use std::collections::{BTreeMap, BTreeSet};

use super::heard::Heard;
use super::known::Known;
use super::leaves::{leaves, text_of};
use super::origin::{Family, Origin, varies};
use crate::e2e::text::volatile::is_drawn;

/// A step, by the numbers of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Send(usize),
    Expect {
        /// Where it is listened.
        subject: String,
        message: usize,
    },
    /// In any order, and no more.
    ExpectAll {
        subject: String,
        messages: Vec<usize>,
    },
}

/// All of them, in order.
pub(super) fn parts(messages: &[Heard], families: &[Family], known: &Known) -> Vec<Part> {
    let mut listened: BTreeMap<usize, String> = BTreeMap::new();
    for family in families.iter().filter(|family| family.origin != Origin::Sent) {
        listened.extend(subjects(family, messages, known));
    }
    let mut parts = Vec::new();
    // What comes between two messages that are sent, by where it is listened.
    let mut between: Vec<(String, Vec<usize>)> = Vec::new();
    for number in 0..messages.len() {
        match listened.get(&number) {
            None => {
                parts.extend(expectations(std::mem::take(&mut between)));
                parts.push(Part::Send(number));
            }
            Some(subject) => match between.iter_mut().find(|(known, _)| known == subject) {
                Some((_, numbers)) => numbers.push(number),
                None => between.push((subject.clone(), vec![number])),
            },
        }
    }
    parts.extend(expectations(between));
    let is_kept = |message: usize| !known.kept_of(message).is_empty();
    split(parts, &is_kept)
}

/// Several on one subject may come in another order the next time.
fn expectations(between: Vec<(String, Vec<usize>)>) -> impl Iterator<Item = Part> {
    between.into_iter().map(|(subject, messages)| match messages.as_slice() {
        [message] => Part::Expect { subject, message: *message },
        _ => Part::ExpectAll { subject, messages },
    })
}

/// There are no more only where it is listened for the last time; and of several no value can be kept.
fn split(parts: Vec<Part>, is_kept: &dyn Fn(usize) -> bool) -> Vec<Part> {
    let mut later: BTreeSet<String> = BTreeSet::new();
    let mut all = Vec::new();
    for part in parts.into_iter().rev() {
        match part {
            Part::ExpectAll { subject, messages }
                if later.contains(&subject) || messages.iter().any(|one| is_kept(*one)) =>
            {
                let one = |message| Part::Expect { subject: subject.clone(), message };
                all.extend(messages.into_iter().rev().map(one));
                later.insert(subject);
            }
            Part::Expect { ref subject, .. } | Part::ExpectAll { ref subject, .. } => {
                later.insert(subject.clone());
                all.push(part);
            }
            Part::Send(_) => all.push(part),
        }
    }
    all.reverse();
    all
}

/// Where each message of a family is listened for: with a wildcard for a word that a service chose.
fn subjects(family: &Family, messages: &[Heard], known: &Known) -> Vec<(usize, String)> {
    let words = |number: &usize| messages[*number].subject.split('.').collect::<Vec<_>>();
    let all: Vec<Vec<&str>> = family.members.iter().map(words).collect();
    let is_chosen = |at: usize| {
        let several = all.iter().any(|words| words[at] != all[0][at]);
        family.members.iter().zip(&all).any(|(number, words)| {
            let word = words[at];
            let in_body = || {
                let leaves = leaves(&messages[*number].content.body);
                leaves.iter().any(|leaf| text_of(leaf.value) == Some(word))
            };
            let is_one_of_many = is_drawn(word) || varies(word) && (several || in_body());
            !known.is_own(word) && (known.is_kept(word) || is_one_of_many)
        })
    };
    let chosen: Vec<bool> = (0..all[0].len()).map(is_chosen).collect();
    let subject = |words: &Vec<&str>| {
        let word = |(at, word): (usize, &&str)| if chosen[at] { "*" } else { word }.to_owned();
        words.iter().enumerate().map(word).collect::<Vec<_>>().join(".")
    };
    family.members.iter().copied().zip(all.iter().map(subject)).collect()
}

#[cfg(test)]
mod tests;
