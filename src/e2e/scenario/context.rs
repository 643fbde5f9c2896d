//! What a fixture may refer to and only the caller knows.

use std::collections::BTreeSet;

use super::ast::promise::Promise;
use super::ast::scenario::Defaults;
use super::ast::service::Service;
use super::keys::CheckWord;
use crate::e2e::text::schema::{Schema, SchemaError};

/// What a fixture may refer to and only the caller knows.
pub struct Context<'a> {
    /// Says what is wrong with settings of services (a table a module), if anything.
    pub validate_services: &'a dyn Fn(&toml::Table) -> Result<(), String>,
    /// Names that `{{name}}` may use besides saved values.
    pub variables: BTreeSet<String>,
    /// Names that `clients` may use; empty is any.
    pub clients: BTreeSet<String>,
    /// What holds where a scenario does not say.
    pub defaults: Defaults,
    /// Services that a fault may name, where there are several.
    pub services: BTreeSet<String>,
    /// The suite's services where they are commands, which a scenario may change and add to.
    pub commands: Option<&'a [Service]>,
    /// Whether it is known whose leader is meant where a fault does not say.
    pub leaders: bool,
    /// What checks may be about beside what the engine knows.
    pub checks: &'a [CheckWord],
    /// What the suite promises.
    pub promises: &'a [Promise],
    /// The schema of this name, or why there is none.
    pub schema: &'a dyn Fn(&str) -> Result<Schema, SchemaError>,
    /// The text of shared steps by their path below the suite's folder, or why there is none.
    pub include: &'a dyn Fn(&str) -> Result<String, String>,
}

/// One who knows nothing beside the fixture: no schemas, no shared steps.
impl Default for Context<'_> {
    fn default() -> Self {
        Self {
            validate_services: &|_| Ok(()),
            variables: BTreeSet::new(),
            clients: BTreeSet::new(),
            defaults: Defaults::default(),
            services: BTreeSet::new(),
            commands: None,
            leaders: false,
            checks: &[],
            promises: &[],
            schema: &|word| Err(SchemaError::Path(word.to_owned())),
            include: &|path| Err(format!("there is no {path}")),
        }
    }
}
