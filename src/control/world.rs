//! What a session has started, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::{NamedTempFile, TempDir};

use super::machine::Machine;
use super::noted::Noted;
use super::refused::{bad_input, failed, no_such};
use super::thing::{Address, Kind, Thing};
use crate::wire::control::ControlError;

/// What a session has started, by name. Dropped, it ends all of it.
pub(super) struct World {
    pub(super) machine: Arc<Machine>,
    /// What is broken of it.
    pub(super) noted: Noted,
    names: Mutex<Names>,
    /// For histories, which may outlive the brokers that they look at.
    folder: OnceLock<TempDir>,
}

#[derive(Default)]
struct Names {
    things: BTreeMap<String, Arc<Thing>>,
    /// Those of what is being started.
    taken: BTreeSet<String>,
    /// How many names of a kind were given.
    given: BTreeMap<&'static str, u32>,
}

/// A name that nobody else takes. Dropped before something has it, it is free again.
pub(super) struct Name<'a> {
    world: &'a World,
    pub(super) name: String,
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        self.world.names().taken.remove(&self.name);
    }
}

impl Name<'_> {
    /// From now on this has the name.
    pub(super) fn is(self, kind: Kind, address: Option<Address>) -> Arc<Thing> {
        let thing = Arc::new(Thing { name: self.name.clone(), kind, address });
        self.world.names().things.insert(self.name.clone(), thing.clone());
        thing
    }
}

impl World {
    pub(super) fn new(machine: Arc<Machine>) -> Self {
        Self { machine, noted: Noted::default(), names: Mutex::default(), folder: OnceLock::new() }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for something of this kind: the one that is wanted, or `kind-1` and so on.
    pub(super) fn name(
        &self,
        wanted: Option<String>,
        kind: &'static str,
    ) -> Result<Name<'_>, ControlError> {
        let mut names = self.names();
        let is_taken = |names: &Names, name: &String| {
            names.things.contains_key(name) || names.taken.contains(name)
        };
        let name = match wanted {
            Some(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if name.is_empty() || !name.chars().all(plain) {
                    let allowed = "a name has letters, digits, `-` and `_`";
                    return Err(bad_input(format!("name: {allowed}, and this is {name:?}")));
                }
                if is_taken(&names, &name) {
                    return Err(bad_input(format!("name: there is a `{name}` already")));
                }
                name
            }
            None => loop {
                let given = names.given.entry(kind).or_default();
                *given += 1;
                let name = format!("{kind}-{given}");
                if !is_taken(&names, &name) {
                    break name;
                }
            },
        };
        names.taken.insert(name.clone());
        drop(names);
        Ok(Name { world: self, name })
    }

    /// What has this name.
    pub(super) fn find(&self, name: &str) -> Result<Arc<Thing>, ControlError> {
        let names = self.names();
        names.things.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = names.things.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            no_such(format!("of: there is no `{name}`; there is {known}"))
        })
    }

    /// Everything, in the order of names.
    pub(super) fn all(&self) -> Vec<Arc<Thing>> {
        self.names().things.values().cloned().collect()
    }

    /// Nothing has this one's name any more.
    pub(super) fn forget(&self, thing: &Arc<Thing>) {
        let mut names = self.names();
        // Whoever stopped it first may have given the name to something else since.
        if names.things.get(&thing.name).is_some_and(|named| Arc::ptr_eq(named, thing)) {
            names.things.remove(&thing.name);
            self.noted.is_gone(&thing.name);
        }
    }

    /// A file that is gone with whoever holds it, and with the session.
    pub(super) fn new_file(&self) -> Result<NamedTempFile, ControlError> {
        let reaper = self.machine.reaper();
        let root = reaper.root();
        let prepare = |error| failed(format!("prepare a file in {}: {error}", root.display()));
        let folder = match self.folder.get() {
            Some(folder) => folder,
            // One that was made meanwhile stays, and ours is dropped.
            None => {
                let made = reaper.private_folder(root, "mono-demo-").map_err(prepare)?;
                self.folder.get_or_init(|| made)
            }
        };
        NamedTempFile::new_in(folder).map_err(prepare)
    }

    /// A path as the command means it.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.machine.cwd.join(path)
    }
}
