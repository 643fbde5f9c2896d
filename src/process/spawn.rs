//! What to start, and with which reaper.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::keeper::{self, Keeper};

/// How to start a reaper: the `mono-demo` binary, which is run as `EXE __reap …`.
#[derive(Clone, Debug)]
pub struct Reaper {
    exe: PathBuf,
    socket_root: PathBuf,
    /// Started with the first folder; all clones share it.
    keeper: Arc<Mutex<Option<Keeper>>>,
}

impl Reaper {
    /// A reaper that is the executable `exe`, which must call
    /// [`reaper::main`](super::reaper::main); private folders (its sockets) go under
    /// `socket_root`, which should be short: a socket's path has about 100 bytes.
    pub fn new(exe: impl Into<PathBuf>, socket_root: impl Into<PathBuf>) -> Self {
        Reaper { exe: exe.into(), socket_root: socket_root.into(), keeper: Arc::default() }
    }

    /// A new folder in `root` that only we can enter. It is removed when it is dropped, and if we
    /// are killed, at whatever moment.
    ///
    /// # Errors
    /// What the operating system says, or that somebody else may change a folder above it.
    pub fn private_folder(&self, root: &Path, prefix: &str) -> io::Result<TempDir> {
        let root = &std::path::absolute(root)?;
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.is_none() {
            // One that cannot be started is no reason to stop: the reaper, which is the same
            // program, will say why.
            *keeper = Keeper::start(&self.exe, &self.socket_root).ok();
        }
        loop {
            let random = nuid::next();
            let name = format!("{prefix}{}", &random[random.len() - 6..]);
            let made = match keeper.as_mut() {
                Some(keeper) => keeper.folder(root, &name),
                None => keeper::folder(root, &name),
            };
            match made {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    let folder = made?;
                    // Whoever may change a folder above it could put another one in its place.
                    crate::private::check(folder.path())?;
                    return Ok(folder);
                }
            }
        }
    }

    /// Where private folders go unless told otherwise.
    pub fn root(&self) -> &Path {
        &self.socket_root
    }

    pub(super) fn exe(&self) -> &Path {
        &self.exe
    }

    /// Where to make the socket's private folder: `/tmp` if the configured place is too deep.
    pub(super) fn socket_place(&self) -> &Path {
        // The folder's own name and the socket's add 15 bytes; macOS allows 104 in all, Linux 108.
        if self.socket_root.as_os_str().len() > 85 { Path::new("/tmp") } else { &self.socket_root }
    }
}

/// One child to start.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// What errors call it: "nats-server", "driver python".
    pub name: String,
    /// The program; a bare name is looked up in the child's `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// Taken from the inherited environment.
    pub env_remove: Vec<OsString>,
    /// Its working folder; ours if `None`.
    pub cwd: Option<PathBuf>,
    /// Folders that the reaper removes if we die or drop the child.
    pub remove_on_exit: Vec<PathBuf>,
    /// A file that is locked (made if missing) for as long as the child lives, even if we die first;
    /// the child is not started while somebody else's lives.
    pub hold_lock: Option<PathBuf>,
    /// Everything of stderr is also appended to this file, which is made with mode 0600.
    pub log: Option<PathBuf>,
    /// Lines of stderr for which this is true go only to the log file, not to tails and followers.
    pub only_logged: Option<fn(&[u8]) -> bool>,
    /// Whether all output is kept, byte by byte.
    pub keep_output: bool,
}

impl Spawn {
    /// `program` without arguments, in our folder and environment.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Spawn {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_remove: Vec::new(),
            cwd: None,
            remove_on_exit: Vec::new(),
            hold_lock: None,
            log: None,
            only_logged: None,
            keep_output: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env_remove.push(name.into());
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Has the reaper remove this folder if we die or drop the child.
    #[must_use]
    pub fn remove_on_exit(mut self, folder: impl Into<PathBuf>) -> Self {
        self.remove_on_exit.push(folder.into());
        self
    }

    /// Locks this file for as long as the child lives.
    #[must_use]
    pub fn hold_lock(mut self, file: impl Into<PathBuf>) -> Self {
        self.hold_lock = Some(file.into());
        self
    }

    /// Also appends stderr to this file.
    #[must_use]
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Keeps all output, for [`Child::output`](super::Child::output).
    #[must_use]
    pub fn keep_output(mut self) -> Self {
        self.keep_output = true;
        self
    }

    /// Writes lines of stderr for which `holds` is true only to the log file, not to tails.
    #[must_use]
    pub fn only_logged(mut self, holds: fn(&[u8]) -> bool) -> Self {
        self.only_logged = Some(holds);
        self
    }
}
