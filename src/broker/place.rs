//! What a broker has for as long as it lives.

use std::fmt;
use std::path::PathBuf;

use super::divided::Divided;
use super::logins::Logins;
use super::settings::Settings;
use super::store::OwnedStore;

/// What a broker has for as long as it lives, whichever server serves it just now.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) settings: Settings,
    /// A nonce, so that a server that is not ours is never taken for ours.
    pub(super) name: String,
    pub(super) run_dir: PathBuf,
    /// What the reaper removes: the run folder, or that of the whole cluster.
    pub(super) remove: PathBuf,
    pub(super) store_dir: PathBuf,
    pub(super) log_path: PathBuf,
    pub(super) owned: Option<OwnedStore>,
    /// The passwords of this run, where there are roles.
    pub(super) logins: Option<Logins>,
    /// The accounts it was divided into, where it can be.
    pub(super) divided: Option<Divided>,
    /// Its part in a cluster, if it is not alone.
    pub(super) member: Option<Member>,
}

/// One server's part in a cluster.
pub(super) struct Member {
    /// The cluster's name.
    pub(super) cluster: String,
    /// Where it listens for the others.
    pub(super) port: u16,
    /// Where it finds all of them, itself included.
    pub(super) all: Vec<u16>,
    /// Where the others are told to find it, if not there where it listens.
    pub(super) told: Option<u16>,
    /// What the servers show each other.
    pub(super) secret: String,
    /// Whether it tells clients of the others.
    pub(super) advertise: bool,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({}, port {})", self.cluster, self.port)
    }
}
