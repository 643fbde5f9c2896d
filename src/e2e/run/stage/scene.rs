//! What a step works with, while the services are looked after.

use std::path::PathBuf;

use super::brokers::Brokers;
use super::harness::Harness;
use super::hearing::Hearing;
use super::lost_replies::LostReplies;
use super::machine::{CLIENT, Machine};
use crate::e2e::driver::Driver;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::run::oracle::Oracles;

/// What a step works with.
pub(in crate::e2e) struct Scene<'a> {
    pub(in crate::e2e) machine: &'a Machine,
    pub(in crate::e2e) oracles: &'a Oracles,
    pub(in crate::e2e) brokers: &'a Brokers,
    pub(in crate::e2e) harness: &'a Harness,
    pub(in crate::e2e) driver: &'a dyn Driver,
    pub(in crate::e2e) recorder: &'a Recorder,
    /// What services print.
    pub(in crate::e2e) hearing: &'a Hearing,
    pub(in crate::e2e) lost_replies: &'a LostReplies,
    /// The folder that services, programs and promises share.
    pub(in crate::e2e) dir: PathBuf,
    /// What `{{client}}` of a `run` step is.
    pub(super) command: &'a [String],
}

impl Scene<'_> {
    /// A program with its arguments, `{{client}}` among them put in.
    pub(in crate::e2e) fn argv(&self, program: &[String]) -> Vec<String> {
        let itself = format!("{{{{{CLIENT}}}}}");
        let words = program.iter().map(|word| match *word == itself {
            true => self.command,
            false => std::slice::from_ref(word),
        });
        words.flatten().cloned().collect()
    }
}
