//! A document written out: without rows and includes, as often as it has rows.

use std::collections::BTreeSet;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::gather::{STEPS, Texts};
use super::include::Writer;
use super::rows::{Written, rows};
use crate::e2e::scenario::findings::Findings;

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
