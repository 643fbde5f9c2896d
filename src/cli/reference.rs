//! What a field of a NATS context refers to, by natscli's rules: a path, `file://`, `env://`, or
//! `data:;base64,` with the thing itself.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context::Context;
use super::exit::CliError;
use crate::given::read_given_text;

/// Where the value of a field is.
enum Reference<'a> {
    /// No scheme that natscli knows.
    Bare(&'a str),
    File(&'a str),
    Variable(&'a str),
    Data(&'a str),
    /// In the keeping of another program.
    Kept(Keeper),
}

#[derive(Clone, Copy)]
enum Keeper {
    OnePassword,
    Nsc,
}

/// A field of the context, by its name.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub name: &'static str,
    pub value: &'a str,
    pub context: &'a Context,
}

impl Field<'_> {
    /// A file: of a certificate, which can be nowhere else.
    ///
    /// # Errors
    /// The field's name and what is not honoured.
    pub fn file(self) -> Result<PathBuf, CliError> {
        match self.reference() {
            Reference::Bare(path) | Reference::File(path) => Ok(self.path(path)),
            _ => Err(self.refused("only a file can be named here")),
        }
    }

    /// The file that is named, or what is written here in its place.
    ///
    /// # Errors
    /// The field's name and what is not honoured.
    pub fn file_or_text(self) -> Result<Result<PathBuf, String>, CliError> {
        match self.reference() {
            Reference::Bare(path) | Reference::File(path) => Ok(Ok(self.path(path))),
            _ => self.text().map(Err),
        }
    }

    /// The text itself: that of the field, or what it refers to, without the end of its line.
    ///
    /// # Errors
    /// The field's name and what is not honoured, or cannot be read; never a value.
    pub fn text(self) -> Result<String, CliError> {
        let text = match self.reference() {
            Reference::Bare(text) => return Ok(text.to_owned()),
            Reference::File(path) => {
                let path = self.path(path);
                read_given_text(&path)
                    .map_err(|e| self.refused(&format!("{}: {e}", path.display())))?
            }
            Reference::Variable(name) => self
                .context
                .var(name)
                .ok_or_else(|| self.refused(&format!("the variable {name:?} is not set")))?,
            Reference::Data(data) => {
                let data = data.split_once(',').filter(|(kind, _)| {
                    kind.split(';').any(|part| part.trim().eq_ignore_ascii_case("base64"))
                });
                let bytes = data.and_then(|(_, data)| STANDARD.decode(data).ok());
                bytes
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(|| self.refused("its `data:` is no text in base64"))?
            }
            Reference::Kept(keeper) => return Err(self.kept(keeper)),
        };
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn reference(&self) -> Reference<'_> {
        let after = |scheme: &str| {
            let head = self.value.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &self.value[scheme.len()..])
        };
        if let Some(path) = after("file://") {
            Reference::File(path)
        } else if let Some(name) = after("env://") {
            Reference::Variable(name)
        } else if let Some(data) = after("data:") {
            Reference::Data(data)
        } else if after("op://").is_some() {
            Reference::Kept(Keeper::OnePassword)
        } else if after("nsc://").is_some() {
            Reference::Kept(Keeper::Nsc)
        } else {
            Reference::Bare(self.value)
        }
    }

    /// With variables and the home folder, as natscli reads a path.
    fn path(&self, path: &str) -> PathBuf {
        self.context.expanded(Path::new(&variables(path, self.context)))
    }

    fn refused(&self, why: &str) -> CliError {
        CliError::usage(format!("the NATS context's `{}` cannot be honoured: {why}", self.name))
    }

    fn kept(&self, keeper: Keeper) -> CliError {
        match keeper {
            Keeper::OnePassword => self
                .refused("it is in 1Password, which is not supported")
                .hint("`op read … > FILE` writes it to a file: name that, as `file://…`"),
            Keeper::Nsc => self
                .refused("it is kept by nsc, which is not supported")
                .hint("write a creds file with `nsc generate creds`, and name it as `creds`"),
        }
    }
}

/// `$NAME` and `${NAME}`; one that is not set is nothing.
fn variables(text: &str, context: &Context) -> String {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(braced) => braced,
            None => part.split_at(
                part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len()),
            ),
        };
        whole.push_str(&context.var(name).unwrap_or_default());
        whole.push_str(rest);
    }
    whole
}
