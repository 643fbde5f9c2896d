//! The environment, read once: variables, terminal, folders.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::exit::CliError;
use super::global::Colors;

/// Everything a command may know of its surroundings.
#[derive(Debug, Clone)]
pub struct Context {
    vars: HashMap<OsString, OsString>,
    /// What follows the program's name on its command line.
    pub arguments: Vec<OsString>,
    /// This user's own folder, if the system knows one.
    home: Option<PathBuf>,
    /// The working folder.
    pub cwd: PathBuf,
    /// This program.
    pub exe: PathBuf,
    /// Where temporary folders go.
    pub temp: PathBuf,
    /// True if stdin is a terminal.
    pub stdin_tty: bool,
    /// True if stdout is a terminal.
    pub stdout_tty: bool,
    /// True if stderr is a terminal.
    pub stderr_tty: bool,
    /// When colours are used.
    colors: Colors,
}

impl Context {
    pub fn from_environment() -> Self {
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self {
            vars: std::env::vars_os().collect(),
            arguments: std::env::args_os().skip(1).collect(),
            // Without HOME, what the password database says. A relative one would be another folder
            // to each command.
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            exe: this_program(),
            temp: temporary(std::env::temp_dir(), &cwd),
            cwd,
            stdin_tty: std::io::stdin().is_terminal(),
            stdout_tty: std::io::stdout().is_terminal(),
            stderr_tty: std::io::stderr().is_terminal(),
            colors: Colors::Auto,
        }
    }

    /// The same, with colours as the command line says.
    #[must_use]
    pub fn with_colors(self, colors: Colors) -> Self {
        Self { colors, ..self }
    }

    /// Where this program is installed, links followed: what its package brought lies around it.
    pub fn folder_of_this_program(&self) -> Option<PathBuf> {
        Some(self.exe.canonicalize().ok()?.parent()?.to_owned())
    }

    /// A variable that is set and not empty.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The same as text; one that is not UTF-8 counts as unset.
    pub fn var(&self, name: &str) -> Option<String> {
        self.os(name)?.to_str().map(str::to_owned)
    }

    pub fn path_var(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(PathBuf::from)
    }

    /// True under a CI system: nothing is written that a person should read first.
    pub fn ci(&self) -> bool {
        self.var("CI").is_some_and(|value| value != "false" && value != "0")
    }

    /// Where the repository is checked out, under GitHub Actions.
    pub fn github_workspace(&self) -> Option<PathBuf> {
        let actions = self.var("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        actions.then(|| self.path_var("GITHUB_WORKSPACE").unwrap_or_else(|| self.cwd.clone()))
    }

    /// True where colour is wanted, by `--color`, and else by `NO_COLOR` (no-color.org), then
    /// `CLICOLOR_FORCE` and `CLICOLOR` (bixense.com/clicolors), then the terminal: help, which clap
    /// prints, goes by the same order.
    pub fn colour(&self, tty: bool) -> bool {
        let is = |name: &str, value: &str| self.os(name).is_some_and(|found| found == value);
        match self.colors {
            Colors::Always => true,
            Colors::Never => false,
            Colors::Auto if self.os("NO_COLOR").is_some() => false,
            Colors::Auto if self.os("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0") => {
                true
            }
            Colors::Auto => tty && !is("CLICOLOR", "0") && !is("TERM", "dumb"),
        }
    }

    /// Whether the locale's characters are UTF-8, as POSIX finds it: the first of these that is set.
    pub fn utf8(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| self.var(name));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    /// `$XDG_CACHE_HOME/mono-demo`, by the XDG Base Directory Specification.
    pub fn cache_dir(&self) -> PathBuf {
        self.xdg("XDG_CACHE_HOME", ".cache").join("mono-demo")
    }

    /// `$XDG_STATE_HOME/mono-demo`.
    pub fn state_dir(&self) -> PathBuf {
        self.xdg("XDG_STATE_HOME", ".local/state").join("mono-demo")
    }

    /// Where natscli keeps its contexts (ADR-21).
    pub fn nats_context_dir(&self) -> PathBuf {
        self.xdg("XDG_CONFIG_HOME", ".config").join("nats/context")
    }

    /// Where a running `serve` says where it is.
    pub fn runtime_dir(&self) -> PathBuf {
        match self.path_var("XDG_RUNTIME_DIR").filter(|p| p.is_absolute()) {
            Some(folder) => folder.join("mono-demo"),
            None => self.cache_dir().join("run"),
        }
    }

    /// Refuses where neither HOME nor the password database knows a folder that is this user's own:
    /// anything that could be guessed instead, as in `/tmp`, another user can prepare.
    ///
    /// # Errors
    /// What to set.
    pub fn require_home(&self) -> Result<(), CliError> {
        let named = |name: &&str| self.path_var(name).is_some_and(|path| path.is_absolute());
        let all = ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"];
        if self.home.is_some() || all.iter().all(named) {
            return Ok(());
        }
        let evidence = match self.os("HOME") {
            Some(home) => format!("HOME is {}, which is no absolute path", home.display()),
            None => "HOME is not set, and the password database has none for this user".to_owned(),
        };
        Err(CliError::infrastructure("find your home folder", evidence)
            .hint("set HOME, or XDG_CACHE_HOME, XDG_STATE_HOME and XDG_CONFIG_HOME, to folders of your own"))
    }

    fn xdg(&self, name: &str, under_home: &str) -> PathBuf {
        // A relative path in an XDG variable is to be ignored, says the specification. Without a home
        // no command comes here that would write: see `require_home`.
        self.path_var(name).filter(|p| p.is_absolute()).unwrap_or_else(|| {
            self.home.clone().unwrap_or_else(|| PathBuf::from("/nonexistent")).join(under_home)
        })
    }

    /// Whether this is this user's own folder.
    pub fn is_home(&self, folder: &Path) -> bool {
        self.home.as_deref() == Some(folder)
    }

    /// A path with `~` at its beginning, where no shell has expanded it.
    pub fn expanded(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }

    /// A path that the user gave, made absolute; `.` in it is left out.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.cwd.join(path).components().collect()
    }
}

/// Where temporary folders go: TMPDIR, which says nothing where it is empty, and may be relative.
fn temporary(named: PathBuf, cwd: &Path) -> PathBuf {
    match named.as_os_str().is_empty() {
        true => PathBuf::from("/tmp"),
        false => cwd.join(named),
    }
}

/// This program; on Linux this very file, even if a build has put another in its place since.
fn this_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mono-demo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Surroundings with these variables.
    fn with(variables: &[(&str, &str)]) -> Context {
        let vars = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Context { vars: vars.collect(), ..Context::from_environment() }
    }

    #[test]
    fn the_locale_is_that_of_the_first_variable_which_is_set() {
        assert!(with(&[("LANG", "de_DE.UTF-8")]).utf8());
        assert!(with(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]).utf8());
        assert!(!with(&[("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")]).utf8());
        assert!(!with(&[("LANG", "de_DE.ISO-8859-1")]).utf8());
        assert!(!with(&[]).utf8(), "without any it is C");
    }

    #[test]
    fn a_terminal_has_colours_unless_it_is_said() {
        assert!(with(&[("TERM", "xterm")]).colour(true));
        assert!(!with(&[("TERM", "xterm")]).colour(false));
        assert!(!with(&[("TERM", "dumb")]).colour(true));
        assert!(!with(&[("CLICOLOR", "0")]).colour(true));
        assert!(with(&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]).colour(false));
        assert!(with(&[("NO_COLOR", "")]).colour(true), "an empty variable counts as unset");
    }
}
