//! A document written out: without rows and includes, as often as it has rows.

use std::collections::BTreeSet;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::gather::Texts;
use super::include::Writer;
use super::rows::rows;
use crate::e2e::scenario::findings::Findings;
use crate::e2e::text::error::Span;
use crate::e2e::text::template;

/// The arrays of steps.
pub(in crate::e2e) const STEPS: [&str; 2] = ["step", "teardown"];

/// A document without rows and includes, and the row that it is.
pub(in crate::e2e) struct Written<'t> {
    /// The row's name; `None` in a fixture without rows.
    pub row: Option<String>,
    pub document: DeTable<'t>,
    /// Names that have been replaced wherever they have a value.
    pub names: Vec<String>,
}

/// Writes out rows and includes.
pub(in crate::e2e) fn expand<'t>(
    document: DeTable<'t>,
    texts: &'t Texts,
    findings: &mut Findings,
) -> Vec<Written<'t>> {
    findings.problems.extend(texts.problems.iter().cloned());
    let parsed =
        |text: &'t Option<String>| Some(DeTable::parse(text.as_deref()?).ok()?.into_inner());
    let shared: Vec<Option<DeTable<'t>>> = texts.padded.iter().map(parsed).collect();
    rows(document, findings)
        .into_iter()
        .map(|mut written| {
            let mut writer = Writer { shared: shared.iter(), steps: 0, params: BTreeSet::new() };
            for name in STEPS {
                if let Some(DeValue::Array(array)) =
                    written.document.get_mut(name).map(Spanned::get_mut)
                {
                    *array = writer.steps(array, &mut Vec::new(), findings);
                }
            }
            written.names.extend(writer.params);
            written
        })
        .collect()
}

/// A name that `{{name}}` can be, and that is nobody else's.
pub(in crate::e2e) fn check_name(name: &str, span: &Span, of: &str, findings: &mut Findings) {
    let named = template::names(&format!("{{{{{name}}}}}")).len() == 1;
    if !named {
        let message = format!(
            "`{name}` cannot name a value of a {of}: expected lower-case letters, digits and `_`"
        );
        findings.add(span.clone(), message);
    } else if ["n", "k"].contains(&name) || findings.variables.contains(name) {
        findings.add(span.clone(), format!("`{{{{{name}}}}}` has a meaning of its own"));
    }
}
